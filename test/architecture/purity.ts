// SPDX-License-Identifier: Apache-2.0
import { FOR_TESTS } from './arrows.ts';
import { resolveImport, type SourceFile } from './source-file.ts';

/** Built-in modules that compute and touch nothing. */
const PURE_BUILTINS: ReadonlySet<string> = new Set(['node:buffer', 'node:crypto', 'node:util']);

/** Packages that compute and touch nothing. */
const PURE_PACKAGES: ReadonlySet<string> = new Set(['@noble/ciphers', '@noble/curves', '@noble/hashes', 're2js']);

/** Globals through which a socket, a file, a clock or the process can be had, and `Date` where it is read as a clock. */
const REACHES_OUT: ReadonlySet<string> = new Set([
  'Bun',
  'Date.now',
  'Deno',
  'EventSource',
  'Temporal',
  'WebSocket',
  'Worker',
  'XMLHttpRequest',
  'console',
  'eval',
  'fetch',
  'globalThis',
  'localStorage',
  'navigator',
  'new Date()',
  'performance',
  'process',
  'queueMicrotask',
  'require',
  'setImmediate',
  'setInterval',
  'setTimeout',
]);

/**
 * What keeps a room from being pure: each use of a socket, file, clock or the process in its own files, and in whatever files of other
 * rooms stand behind the names that it takes from their doors. Tests are left out: they may read files.
 */
export function purityFaults(files: readonly SourceFile[], room: string): readonly string[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const reached = new Set<string>();
  const queue = files
    .map(({ path }) => path)
    .filter((path) => path.startsWith(`src/${room}/`) && !FOR_TESTS.test(path));
  const faults: string[] = [];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    const file = byPath.get(path);
    if (reached.has(path) || file === undefined) continue;
    reached.add(path);
    faults.push(
      ...file.ambient
        .filter(({ name }) => REACHES_OUT.has(name))
        .map(({ name, line }) => `${path}:${line} uses ${name}`),
    );
    for (const { specifier = 'a computed name', names, typeOnly, line } of file.imports) {
      if (typeOnly) continue;
      const target = resolveImport(path, specifier);
      if (target !== undefined) queue.push(...filesBehind(byPath, target, names));
      else if (!isPure(specifier)) faults.push(`${path}:${line} imports ${specifier}`);
    }
  }
  return faults.toSorted();
}

function isPure(specifier: string): boolean {
  const name = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0] ?? specifier;
  return PURE_BUILTINS.has(specifier) || PURE_PACKAGES.has(name);
}

/** The files that define some names of a module: a door hands them on, and what else it hands on does not matter. */
function filesBehind(
  byPath: ReadonlyMap<string, SourceFile>,
  path: string,
  names: readonly string[] | undefined,
): readonly string[] {
  const handedOn = byPath.get(path)?.reExports ?? [];
  if (names === undefined || handedOn.length === 0) return [path];
  return names.flatMap((name) => {
    const from = handedOn.filter((entry) => entry.name === name || entry.name === undefined);
    if (from.length === 0) return [path];
    return from.flatMap(({ specifier, nameThere }) =>
      filesBehind(byPath, resolveImport(path, specifier) ?? path, [nameThere ?? name]),
    );
  });
}
