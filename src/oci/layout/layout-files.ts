// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, parseJson, WireError } from '../../wire/index.ts';
import { RegistryError } from '../error.ts';
import { ManifestLimit } from '../manifest.ts';
import { quoted } from '../quoted.ts';
import type { LayoutDirectory } from './layout-directory.ts';
import { LayoutIndex } from './layout-index.ts';
import { withLayoutLock } from './layout-lock.ts';

export const LAYOUT_FILE = 'oci-layout';
export const INDEX_FILE = 'index.json';
const LAYOUT = new TextEncoder().encode('{"imageLayoutVersion":"1.0.0"}');

/** Makes an empty layout in a directory with nothing in it. @throws RegistryError `layout-malformed` where there are other files */
export async function createLayout(directory: LayoutDirectory): Promise<void> {
  const empty = LayoutIndex.empty().encode();
  await withLayoutLock(directory.root, async () => {
    const names = await directory.names();
    if (names.includes(LAYOUT_FILE)) return; // another was faster
    // What a maker left who was killed between the two files is no reason to stop; anything else belongs to someone.
    const left = names.length === 1 && names[0] === INDEX_FILE ? await directory.read(INDEX_FILE, 4096) : undefined;
    if (names.length > 0 && (left === undefined || Buffer.compare(left, empty) !== 0)) {
      throw malformedLayout(directory, 'it has other files and no oci-layout');
    }
    await directory.replace(INDEX_FILE, empty);
    await directory.replace(LAYOUT_FILE, LAYOUT);
  });
}

/** What index.json says now. @throws RegistryError `layout-malformed`, `too-large` */
export async function readIndex(directory: LayoutDirectory): Promise<LayoutIndex> {
  try {
    const bytes = await directory.read(INDEX_FILE, ManifestLimit.bytes);
    if (bytes === undefined) throw malformedLayout(directory, 'there is no index.json');
    return LayoutIndex.decode(bytes);
  } catch (cause) {
    if (!(cause instanceof RegistryError) || cause.code !== 'manifest-malformed') throw cause;
    throw malformedLayout(directory, `its index.json is malformed: ${cause.message}`, { cause });
  }
}

/** Checks the file that says that it is a layout. @throws RegistryError `layout-malformed` */
export function checkLayout(directory: LayoutDirectory, bytes: Uint8Array | undefined): void {
  if (bytes === undefined) throw malformedLayout(directory, 'there is no oci-layout file');
  try {
    const json = parseJson(bytes, { what: LAYOUT_FILE, maxDepth: 8 });
    const version = isJsonObject(json) ? json.imageLayoutVersion : undefined;
    if (typeof version === 'string' && /^1\.\d+\.\d+$/.test(version)) return;
    const found = typeof version === 'string' ? quoted(version) : 'nothing';
    throw malformedLayout(directory, `oci-layout says ${found} for imageLayoutVersion, expected 1.0.0`);
  } catch (cause) {
    if (cause instanceof WireError) throw malformedLayout(directory, cause.message, { cause });
    throw cause;
  }
}

function malformedLayout(directory: LayoutDirectory, problem: string, options: ErrorOptions = {}): RegistryError {
  const message = `${quoted(directory.path)} is no OCI layout: ${problem}`;
  return new RegistryError('layout-malformed', message, { url: directory.path, ...options });
}
