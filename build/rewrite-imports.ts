// SPDX-License-Identifier: Apache-2.0
import { existsSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { basename, dirname, relative, resolve } from 'node:path';
import { parseSync, type DynamicImport, type StaticImport, type StaticImportEntry } from 'oxc-parser';

/**
 * Rewrites the imports of a source so that it starts faster when it is bundled. Lines keep their numbers.
 *
 * - On node, built-in modules come from `process.getBuiltinModule`: the first `import` of one in an ES module makes node load the machinery
 *   that turns built-in modules into ES modules, 2.5 ms, a tenth of the whole start. On Bun it is the call that costs as much.
 * - So do those that a package in CommonJS requires: an ES module has no `require`.
 * - What is taken from a room's door comes from the file behind it: a bundler that splits by file would otherwise hold that whoever takes
 *   one name from a room needs all of it.
 * - `const { name } = await import(…)` of a door becomes a static import. Without a bundle it keeps a whole room from being loaded;
 *   in a bundle the chunks do that, and each late import costs a file.
 *
 * @param options.runtime what will run it; node unless told
 * @param options.isEager which other late imports become static
 * @example
 * rewriteImports('/src/a.ts', "import { join as j } from 'node:path';")
 * // const { join: j } = process.getBuiltinModule("node:path");
 */
export function rewriteImports(path: string, source: string, options: RewriteOptions = {}): string {
  const { runtime = 'node', isEager = () => false } = options;
  const { staticImports, dynamicImports } = parseSync(path, source).module;
  const late = dynamicImports.map((found) => lateImport(path, source, found, { runtime, isEager }));
  const edits = [...staticImports.map((found) => staticImport(path, source, found, runtime)), ...late]
    .filter((edit) => edit !== undefined)
    .toSorted((one, other) => other.start - one.start);
  const text = edits.reduce(
    (whole, { start, end, instead }) => whole.slice(0, start) + instead + whole.slice(end),
    source,
  );
  const requiring = runtime === 'node' && staticImports.length === 0 ? withoutRequire(text) : text;
  return late.map((edit) => edit?.ahead ?? '').join('') + requiring;
}

// A package in CommonJS asks for built-in modules by `require`, which there is not in the ES module that it becomes a part of. What only
// looks so, in a text, is the same module by another name.
function withoutRequire(source: string): string {
  return source.replace(/\brequire\((["'])([\w:/]+)\1\)/g, (call, _quote, specifier: string) =>
    // `const process = require('process')` has another `process` in its place.
    isBuiltin(specifier) ? `globalThis.${builtin(specifier)}` : call,
  );
}

/** What runs the bundle. */
export type Runtime = 'node' | 'bun';

interface RewriteOptions {
  readonly runtime?: Runtime;
  readonly isEager?: (path: string) => boolean;
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly instead: string;
  /** what must stand before the first line */
  readonly ahead?: string;
}

function staticImport(
  path: string,
  source: string,
  { start, end, moduleRequest, entries }: StaticImport,
  runtime: Runtime,
): Edit | undefined {
  const specifier = moduleRequest.value;
  const taken = entries.filter(({ isType }) => !isType);
  const lines = '\n'.repeat(source.slice(start, end).split('\n').length - 1);
  if (isBuiltin(specifier)) {
    if (runtime === 'bun') return undefined;
    return { start, end, instead: taken.map((entry) => constantOf(specifier, entry)).join(' ') + lines };
  }
  const door = resolve(dirname(path), specifier);
  if (!isDoor(door) || taken.some(({ importName }) => importName.name === null)) return undefined;
  const behindDoor = taken.map(({ importName, localName }) =>
    importOf(path, door, importName.name ?? '', localName.value),
  );
  return { start, end, instead: behindDoor.join(' ') + lines };
}

function constantOf(specifier: string, { importName, localName }: StaticImportEntry): string {
  const wanted = importName.name === null ? localName.value : `{ ${importName.name}: ${localName.value} }`;
  return `const ${wanted} = ${builtin(specifier)};`;
}

function lateImport(
  path: string,
  source: string,
  found: DynamicImport,
  { runtime, isEager }: Required<RewriteOptions>,
): Edit | undefined {
  const { start, end, moduleRequest } = found;
  const specifier = /^['"](.+)['"]$/.exec(source.slice(moduleRequest.start, moduleRequest.end))?.[1];
  if (specifier === undefined) return undefined;
  if (isBuiltin(specifier)) {
    return runtime === 'bun' ? undefined : { start, end, instead: `Promise.resolve(${builtin(specifier)})` };
  }
  const target = resolve(dirname(path), specifier);
  const taken = /const \{([\w\s,]+)\} = await $/.exec(source.slice(0, start))?.[1];
  if (taken === undefined || !(isDoor(target) || isEager(target))) return undefined;
  const names = taken.split(',').flatMap((name) => name.trim() || []);
  const ahead = names.map((name) => importOf(path, target, name, `${name}At${start}`)).join(' ');
  return {
    start,
    end,
    instead: `({ ${names.map((name) => `${name}: ${name}At${start}`).join(', ')} })`,
    ahead: `${ahead} `,
  };
}

function builtin(specifier: string): string {
  return `process.getBuiltinModule(${JSON.stringify(specifier)})`;
}

function importOf(path: string, module: string, name: string, localName: string): string {
  const [file, nameThere] = isDoor(module) ? behind(module, name) : [module, name];
  const from = relative(dirname(path), file);
  return `import { ${nameThere} as ${localName} } from ${JSON.stringify(from.startsWith('.') ? from : `./${from}`)};`;
}

function isDoor(path: string): boolean {
  return basename(path) === 'index.ts' && existsSync(path);
}

type Place = readonly [file: string, name: string];

/** The file that a door hands a name on from, and the name there. */
function behind(door: string, name: string): Place {
  const there = namesOf(door).get(name);
  if (there === undefined) return [door, name];
  return isDoor(there[0]) ? behind(...there) : there;
}

const doors = new Map<string, ReadonlyMap<string, Place>>();

function namesOf(door: string): ReadonlyMap<string, Place> {
  const known = doors.get(door);
  if (known !== undefined) return known;
  const names = new Map<string, Place>();
  for (const { entries } of parseSync(door, readFileSync(door, 'utf8')).module.staticExports) {
    for (const { moduleRequest, exportName, importName } of entries) {
      if (moduleRequest === null || exportName.name === null || importName.name === null) continue;
      names.set(exportName.name, [resolve(dirname(door), moduleRequest.value), importName.name]);
    }
  }
  doors.set(door, names);
  return names;
}
