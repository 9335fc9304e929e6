// SPDX-License-Identifier: Apache-2.0
import { build, type BuildOptions, type Metafile, type Plugin } from 'esbuild';
import { readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { relative, resolve } from 'node:path';
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
  const options = { ...common, entryPoints: ['src/cli/main.ts'], outdir, chunkNames: '[name]-[hash]', ...SHORT };
  const draft = await build({ ...options, write: false, plugins: [sources([], runtime)] });
  const { metafile } = await build({ ...options, plugins: [sources(chunkGroups(draft.metafile), runtime)] });
  const late = Object.entries(metafile.outputs).flatMap(([file, { imports }]) =>
    imports.flatMap(({ path, external }) => (external === true && !isBuiltin(path) ? [`${file} imports ${path}`] : [])),
  );
  if (late.length > 0) throw new Error(`not in the bundle: ${late.join(', ')}`);
  return metafile;
}

/** Bundles each room's door. Packages stay imports, since npm installs them for a library's user. */
export async function bundleLibraries(outdir: string): Promise<Metafile> {
  const entryPoints = libraries.map((room) => ({ in: `src/${room}/index.ts`, out: `${room}/index` }));
  const options = { ...common, entryPoints, outdir, chunkNames: 'shared/[name]-[hash]', packages: 'external' } as const;
  return (await build(options)).metafile;
}

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
      bundler.onLoad({ filter: /\.m?[jt]s$/, namespace: 'file' }, ({ path }) => {
        const member = groups.filter(({ entries }) => entries.has(relative(root, path)));
        const together = member.map(({ name }) => `import "group:${name}"; `).join('');
        const contents = together + rewriteImports(path, readFileSync(path, 'utf8'), { runtime, isEager });
        return { contents, loader: path.endsWith('ts') ? 'ts' : 'js' };
      });
    },
  };
}
