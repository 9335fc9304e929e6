// SPDX-License-Identifier: Apache-2.0
import { build, type BuildOptions, type Metafile, type Plugin } from 'esbuild';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { basename, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chunkGroups, EAGER, type ChunkGroup } from './chunk-groups.ts';
import { libraries, root } from './project.ts';
import { rewriteImports, type Runtime } from './rewrite-imports.ts';

const common = {
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  legalComments: 'none', // THIRD-PARTY-NOTICES.txt has them whole
  logLevel: 'error',
  metafile: true,
  platform: 'node',
  splitting: true,
  target: 'node24.15',
} as const satisfies BuildOptions;

const load = createRequire(resolve(root, 'package.json'));

/** Large packages that few need: who needs one installs it beside us, and it is imported from there. */
const peers: readonly string[] = Object.keys(
  (load('./package.json') as { readonly peerDependencies: Readonly<Record<string, string>> }).peerDependencies,
);

/** Whether a package, as an ES module imports it, is one in CommonJS. */
function isCommonJs(name: string): boolean {
  const path = fileURLToPath(import.meta.resolve(name));
  return !/^(?:import|export)\b/m.test(readFileSync(path, 'utf8'));
}

/** For code that is run and not looked at. */
const SHORT = { minifyWhitespace: true, minifySyntax: true } as const satisfies BuildOptions;

/**
 * Bundles the command line, its packages included: `main.js` and a chunk a command. Names stay as they are written, so that a stack
 * trace can be read; white space goes, since what is read at every start costs time by its length.
 *
 * It is built twice: once to see what is shared, and again with what is shared kept together (see `chunkGroups`).
 *
 * @param runtime what will run it
 * @returns which source went into which file
 */
export async function bundleCommandLine(outdir: string, runtime: Runtime = 'node'): Promise<Metafile> {
  const options = {
    ...common,
    entryPoints: ['src/cli/main.ts'],
    outdir,
    chunkNames: '[name]-[hash]',
    external: [...peers],
    ...SHORT,
  };
  const draft = await build({ ...options, write: false, plugins: [sources([], runtime)] });
  const { metafile } = await build({ ...options, plugins: [sources(chunkGroups(draft.metafile), runtime)] });
  const late = Object.entries(metafile.outputs).flatMap(([file, { imports }]) =>
    imports
      .filter(({ path, external }) => external === true && !isBuiltin(path) && !peers.includes(path))
      .map(({ path }) => `${file} imports ${path}`),
  );
  if (late.length > 0) throw new Error(`not in the bundle: ${late.join(', ')}`);
  dropIdleImports(metafile);
  return metafile;
}

/**
 * What packages in CommonJS need lies in a file of its own, and esbuild lets every other file import it, if only to have it run first. It
 * does nothing when it runs: where no name is taken from it, it need not be opened.
 */
function dropIdleImports({ outputs }: Metafile): void {
  const idle = Object.entries(outputs).filter(
    ([, { inputs, imports }]) => Object.keys(inputs).length === 0 && imports.length === 0,
  );
  for (const [file] of idle) {
    for (const other of Object.keys(outputs)) {
      const path = resolve(root, other);
      const text = readFileSync(path, 'utf8');
      const without = text.replace(`import"./${basename(file)}";`, '');
      if (without !== text) writeFileSync(path, without);
    }
  }
}

/** Bundles each room's door. Packages stay imports, since npm installs them for a library's user; what is taken from one here does not. */
export async function bundleLibraries(outdir: string): Promise<Metafile> {
  const entryPoints = libraries.map((room) => ({ in: `src/${room}/index.ts`, out: `${room}/index` }));
  const options = { ...common, entryPoints, outdir, chunkNames: 'shared/[name]-[hash]', packages: 'external' } as const;
  return (await build({ ...options, plugins: [takenAlong] })).metafile;
}

/** The public instance's trusted root, which the package of its own client ships: at build time it becomes a part of ours. */
const takenAlong: Plugin = {
  name: 'taken-along',
  setup(bundler) {
    bundler.onResolve({ filter: /^@sigstore\/tuf\/seeds\.json$/ }, ({ path }) => ({
      path: resolve(root, 'node_modules', path),
    }));
  },
};

/**
 * Reads the sources with their imports rewritten, and makes each member of a group import the whole group: esbuild puts files into one
 * chunk that are reached from the same entry points.
 */
function sources(groups: readonly ChunkGroup[], runtime: Runtime): Plugin {
  const isEager = (path: string): boolean => EAGER[runtime].has(relative(root, path));
  return {
    name: 'sources',
    setup(bundler) {
      bundler.onResolve({ filter: /^group:/ }, ({ path }) => ({ path, namespace: 'group', sideEffects: true }));
      bundler.onLoad({ filter: /.*/, namespace: 'group' }, ({ path }) => {
        const files = groups.find(({ name }) => path === `group:${name}`)?.files ?? [];
        return {
          contents: files.map((file) => `import ${JSON.stringify(resolve(root, file))};`).join('\n'),
          resolveDir: root,
        };
      });
      // What a package in CommonJS requires cannot be asked for at run time: an ES module has no `require`. It is taken along.
      bundler.onResolve({ filter: /^[@a-z]/ }, ({ path, kind }) =>
        kind === 'require-call' && peers.includes(path) ? { path: load.resolve(path) } : undefined,
      );
      // A package in CommonJS cannot import a group: esbuild would wrap all that the group reaches. A module that stands before it can.
      bundler.onResolve({ filter: /^[@a-z]/ }, ({ path, kind }) => {
        if (kind !== 'dynamic-import' || isBuiltin(path) || peers.includes(path) || !isCommonJs(path)) return undefined;
        return { path, namespace: 'package', sideEffects: true };
      });
      bundler.onLoad({ filter: /.*/, namespace: 'package' }, ({ path }) => {
        const names = Object.keys(load(path) as object).filter(
          (name) => /^[A-Za-z_$][\w$]*$/.test(name) && name !== 'default',
        );
        const member = groups.filter(({ entries }) => entries.has(`package:${path}`));
        const together = member.map(({ name }) => `import "group:${name}"; `).join('');
        // Some say that they were ES modules once: what they export by default is then their own affair, and often nothing.
        const contents = `${together}import * as all from ${JSON.stringify(path)}; export const { ${names.join(', ')} } = all; export default all.default ?? all;`;
        return { contents, resolveDir: root };
      });
      bundler.onLoad({ filter: /\.m?[jt]s$/, namespace: 'file' }, ({ path }) => {
        const member = groups.filter(({ entries }) => entries.has(relative(root, path)));
        const together = member.map(({ name }) => `import "group:${name}"; `).join('');
        const contents = together + rewriteImports(path, readFileSync(path, 'utf8'), { runtime, isEager });
        return { contents, loader: path.endsWith('ts') ? 'ts' : 'js' };
      });
    },
  };
}
