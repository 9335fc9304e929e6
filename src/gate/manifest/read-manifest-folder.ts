// SPDX-License-Identifier: Apache-2.0
import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { printable } from '../../trust/index.ts';
import type { ManifestFault, ManifestFile } from './found-image.ts';
import { kindByName } from './find-images.ts';
import { MANIFEST_LIMITS, ManifestFaults } from './source-text.ts';

/** What a folder holds that could name images. */
export interface ManifestFolder {
  /** in the order of their names, folder by folder */
  readonly files: readonly ManifestFile[];
  readonly faults: readonly ManifestFault[];
}

/** Folders that hold no manifests of who works here. */
const SKIPPED: ReadonlySet<string> = new Set(['.git', 'node_modules']);

/**
 * Reads all files of a folder, and of those in it, that could name images: YAML, JSON, Dockerfiles. Symbolic links are not followed, which is
 * a fault where one has the name of such a file; `.git` and `node_modules` are passed over. What cannot be read is a fault.
 *
 * @param shown what the folder is called in the names of files
 */
export async function readManifestFolder(folder: string, shown: string = folder): Promise<ManifestFolder> {
  const walk = new FolderWalk();
  await walk.folder(folder, shown.replace(/(?<=.)\/+$/, ''), 0);
  return { files: walk.files, faults: walk.faults.all };
}

class FolderWalk {
  readonly files: ManifestFile[] = [];
  readonly faults: ManifestFaults = new ManifestFaults();
  #bytes = 0;
  #full = false;

  async folder(path: string, shown: string, depth: number): Promise<void> {
    if (depth > MANIFEST_LIMITS.maxFolderDepth) {
      this.#fault(
        'manifest-too-large',
        shown,
        `folders deeper than ${MANIFEST_LIMITS.maxFolderDepth} levels are not read`,
      );
      return;
    }
    let entries;
    try {
      entries = await readdir(path, { withFileTypes: true });
    } catch (error) {
      this.#fault('file-unreadable', shown, troubleOf(error));
      return;
    }
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      if (this.#full) return;
      const [at, name] = [join(path, entry.name), shown === '.' ? entry.name : `${shown}/${entry.name}`];
      if (entry.isSymbolicLink()) this.#link(entry.name, name);
      else if (entry.isDirectory()) {
        if (!SKIPPED.has(entry.name)) await this.folder(at, name, depth + 1);
      } else if (entry.isFile() && isManifestName(entry.name)) await this.#file(at, name);
    }
  }

  #link(name: string, shown: string): void {
    const message = 'a symbolic link, which is not followed: name it to have it read';
    const severity = isManifestName(name) ? 'error' : 'warning';
    this.faults.add(severity, 'file-unreadable', placeOf(shown), message);
  }

  async #file(path: string, name: string): Promise<void> {
    const { maxFiles, maxTotalBytes } = MANIFEST_LIMITS;
    try {
      const bytes = await readCapped(path);
      this.#bytes += bytes.byteLength;
      this.#full = this.files.length >= maxFiles || this.#bytes > maxTotalBytes;
      if (!this.#full) this.files.push({ name, bytes, met: true });
      else
        this.#fault('manifest-too-large', name, `more than ${maxFiles} files or ${maxTotalBytes} bytes in one folder`);
    } catch (error) {
      this.#fault('file-unreadable', name, troubleOf(error));
    }
  }

  #fault(code: ManifestFault['code'], file: string, message: string): void {
    this.faults.add('error', code, placeOf(file), message);
  }
}

function placeOf(file: string): ManifestFault['place'] {
  return { file, line: 1, column: 1, field: '' };
}

/** Whether a file in a folder could name images, by its name. */
function isManifestName(name: string): boolean {
  return /\.(?:ya?ml|json)$/i.test(name) || kindByName(name) !== undefined;
}

/** Reads a file up to one byte more than the cap, which is told of where it is decoded. */
async function readCapped(path: string): Promise<Uint8Array> {
  // between the listing and now it may have become a link, or a pipe that nobody writes to
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const { size } = await handle.stat();
    const buffer = new Uint8Array(Math.min(size, MANIFEST_LIMITS.maxBytes) + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } finally {
    await handle.close();
  }
}

const TROUBLES: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOENT: 'it is gone',
  ELOOP: 'it has become a symbolic link',
};

function troubleOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
  const words = TROUBLES[code];
  return `cannot be read: ${words === undefined ? printable(code, 40) : `${words} (${code})`}`;
}
