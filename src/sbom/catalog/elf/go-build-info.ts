// SPDX-License-Identifier: Apache-2.0
import type { PackageDraft } from '../../package.ts';
import { FileFault, type Evidence } from '../cataloger.ts';
import { cleanValue } from '../text.ts';

/** What build information begins with; it stands at a multiple of 16. */
export const GO_MAGIC: Buffer = Buffer.from('\xff Go buildinf:', 'latin1');
export const GO_ALIGN = 16;
/** Bytes of it that are read; modules take some 100 each */
const MAX_BUILD_INFO = 4 * 1024 * 1024;

const HEAD = 32;
const INLINE = 2;
/** what stands on either side of the modules */
const SENTINEL = 16;

/** How build information goes on, as far as it is known. */
export type GoBuildInfo =
  | { readonly kind: 'unfinished'; readonly needs: number }
  | { readonly kind: 'none' }
  | { readonly kind: 'pointers' }
  | { readonly kind: 'found'; readonly goVersion: string; readonly modules: string };

/**
 * Decodes build information from where its magic stands. Go 1.18 and later write it as two strings; before that, pointers to strings
 * elsewhere in the file.
 *
 * @see https://github.com/golang/go/blob/master/src/debug/buildinfo/buildinfo.go
 */
export function decodeGoBuildInfo(bytes: Uint8Array): GoBuildInfo {
  if (bytes.length < HEAD) return { kind: 'unfinished', needs: HEAD };
  const [pointerSize = 0, flags = 0] = bytes.subarray(14, 16);
  if ((flags & INLINE) === 0) return pointerSize === 4 || pointerSize === 8 ? { kind: 'pointers' } : { kind: 'none' };
  const version = inlineString(bytes, HEAD);
  if (typeof version === 'number') return version < 0 ? { kind: 'none' } : { kind: 'unfinished', needs: version };
  const modules = inlineString(bytes, version.end);
  if (typeof modules === 'number') return modules < 0 ? { kind: 'none' } : { kind: 'unfinished', needs: modules };
  const goVersion = version.text.toString('utf8');
  if (!/^(?:go|devel)/.test(goVersion)) return { kind: 'none' };
  const { text } = modules;
  const framed = text.length >= 2 * SENTINEL + 1 && text[text.length - SENTINEL - 1] === 0x0a;
  return { kind: 'found', goVersion, modules: framed ? text.toString('utf8', SENTINEL, text.length - SENTINEL) : '' };
}

/** A length and as many bytes. @returns how many bytes are needed where there are too few, -1 where it is none */
function inlineString(bytes: Uint8Array, start: number): { readonly text: Buffer; readonly end: number } | number {
  let length = 0;
  for (let at = start, scale = 1; ; at++, scale *= 128) {
    const byte = bytes[at];
    if (byte === undefined) return at + 1;
    length += (byte & 0x7f) * scale;
    if (length > MAX_BUILD_INFO) return -1;
    if (byte >= 0x80) continue;
    const end = at + 1 + length;
    if (end > bytes.length) return end;
    return { text: Buffer.from(bytes.buffer, bytes.byteOffset + at + 1, length), end };
  }
}

/**
 * The modules in a Go program: the main one, its dependencies, those in the place of others (`=>`), and the standard library.
 *
 * @throws FileFault
 * @see https://pkg.go.dev/runtime/debug#BuildInfo
 */
export function goPackages(goVersion: string, modules: string): Evidence {
  const packages: PackageDraft[] = [];
  let main: string | undefined;
  const release = cleanValue(/^go(\S+)/.exec(goVersion)?.[1]);
  packages.push({ kind: 'golang', name: 'stdlib', ...(release === undefined ? {} : { version: release }) });
  let replaceable = false;
  for (const line of modules.split('\n')) {
    const [verb, path, version] = line.split('\t');
    if (verb === 'path') main = path;
    if (verb !== 'mod' && verb !== 'dep' && verb !== '=>') continue;
    // what is replaced is not in the program; a folder in its place has no name of its own
    const replaced = verb === '=>' && replaceable ? packages.pop() : undefined;
    const draft = moduleOf(replaced !== undefined && isFolder(path) ? pathOf(replaced) : path, version);
    if (draft === undefined) throw new FileFault('it is a Go program with a module that has no path');
    replaceable = verb !== '=>';
    packages.push(draft);
  }
  // built without modules: all that is known is what it is
  const program = packages.length === 1 && main?.includes('.') === true ? moduleOf(main, undefined) : undefined;
  if (program !== undefined) packages.push(program);
  return { packages };
}

/** A replacement is a folder where it begins so. @see https://go.dev/ref/mod#go-mod-file-replace */
function isFolder(path: string | undefined): boolean {
  return path !== undefined && /^(?:\.{1,2}\/|\/)/.test(path);
}

function pathOf({ namespace, name }: PackageDraft): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function moduleOf(path: string | undefined, version: string | undefined): PackageDraft | undefined {
  const clean = cleanValue(path)?.replace(/^\/+|\/+$/g, '');
  if (clean === undefined || clean === '') return undefined;
  const slash = clean.lastIndexOf('/');
  const at = cleanValue(version);
  return {
    kind: 'golang',
    ...(slash === -1 ? {} : { namespace: clean.slice(0, slash) }),
    name: clean.slice(slash + 1),
    ...(at === undefined ? {} : { version: at }),
  };
}
