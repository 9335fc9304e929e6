// SPDX-License-Identifier: Apache-2.0
import { resolveImport, type SourceFile } from './source-file.ts';

/**
 * The rooms and their arrows: a room may import those after its arrow and what those may import. The rooms that are still to be built
 * are here too, so that each is born with its arrow. ARCHITECTURE.md draws the same, and a test holds the two together.
 */
export const ARROWS: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  oci: ['wire'],
  trust: ['wire'],
  keyless: ['trust'],
  image: ['oci', 'trust'],
  sbom: ['oci'],
  policy: ['image'],
  gate: ['policy', 'keyless', 'store'],
  store: ['wire'],
  stack: ['trust', 'store'],
  registry: ['oci', 'store'],
  console: [],
  up: ['stack', 'registry', 'gate', 'console'],
  cli: [
    'wire',
    'oci',
    'trust',
    'keyless',
    'image',
    'sbom',
    'policy',
    'gate',
    'store',
    'stack',
    'registry',
    'console',
    'up',
  ],
};

/** Which of the top folders a file may import from. The rooms know of nothing beside them. */
const FOLDERS: Readonly<Record<string, readonly string[]>> = {
  src: ['src'],
  build: ['build'],
  bench: ['bench', 'src', 'test', 'build'],
  test: ['test', 'src', 'build'],
};

/**
 * Files that only tests may import. A contract is the suite that every implementation of a port runs, a fixture is what tests put in the
 * place of the world; both are a second door, for tests.
 */
export const FOR_TESTS: RegExp = /\.(test|contract|fixture)\.ts$/;

/** A room and all that its arrows lead to. */
export function reachableFrom(
  room: string,
  arrows: Readonly<Record<string, readonly string[]>> = ARROWS,
): ReadonlySet<string> {
  const reached = new Set<string>();
  const visit = (next: string): void => {
    if (reached.has(next)) return;
    reached.add(next);
    for (const further of arrows[next] ?? []) visit(further);
  };
  visit(room);
  return reached;
}

/** Every import that no arrow allows, as one line each: `src/oci/a.ts:3 …`. */
export function arrowFaults(files: readonly SourceFile[]): readonly string[] {
  return files.flatMap((file) =>
    file.imports.flatMap(({ specifier, line }) => {
      const fault = specifier === undefined ? 'imports a module whose name is computed' : faultOf(file.path, specifier);
      return fault === undefined ? [] : [`${file.path}:${line} ${fault}`];
    }),
  );
}

function faultOf(from: string, specifier: string): string | undefined {
  if (/^(bulla(\/|$)|#|\/|file:)/.test(specifier)) return `imports ${specifier}, which hides where it leads`;
  const to = resolveImport(from, specifier);
  if (to === undefined) return undefined; // a package or a built-in module
  const [ours, theirs] = [placeOf(from), placeOf(to)];
  if (FOLDERS[ours.folder]?.includes(theirs.folder) !== true) return `imports ${to}, outside ${ours.folder}`;
  const asTest = FOR_TESTS.test(from) || ours.folder === 'test';
  if (!asTest && FOR_TESTS.test(to)) return `imports ${to}, which is for tests`;
  if (theirs.folder !== 'src' || (ours.folder === 'src' && ours.room === theirs.room)) return undefined;
  if (theirs.room === undefined || !Object.hasOwn(ARROWS, theirs.room)) return `imports ${to}, which is in no room`;
  if (ours.folder === 'src' && !reachableFrom(ours.room ?? '').has(theirs.room)) {
    return `imports ${to}, but no arrow leads from ${ours.room} to ${theirs.room}`;
  }
  const door = to === `src/${theirs.room}/index.ts` || (asTest && /\.(contract|fixture)\.ts$/.test(to));
  return door ? undefined : `imports ${to}, past the door src/${theirs.room}/index.ts`;
}

function placeOf(path: string): { readonly folder: string; readonly room: string | undefined } {
  const [folder = '', room, inside] = path.split('/');
  return { folder, room: folder === 'src' && inside !== undefined ? room : undefined };
}
