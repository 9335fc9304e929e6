// SPDX-License-Identifier: Apache-2.0

// `npm run build:image -- IMAGE:TAG [flags of bulla image pack]`: a container image of the gate, packed and pushed by bulla itself: the runtime of this
// checkout with the libraries that it needs, the command line as the npm package has it, and the packages that it takes where they are installed.
// There is no shell in it, and nothing in it has to be written to. The same sources give the same digest (SOURCE_DATE_EPOCH sets the time).
// Prints IMAGE:TAG@DIGEST, which is to be sealed: bulla sign --key KEY IMAGE@DIGEST.
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { bundleCommandLine } from './bundle.ts';
import { thirdPartyNotices } from './notices.ts';
import { root } from './project.ts';

interface Manifest {
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

const PROGRAM = 'usr/lib/bulla';
const modules = join(root, 'node_modules');

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

function run(program: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr}`);
  return stdout;
}

/** Copies a file to where the dynamic linker will look for it. */
function put(stage: string, path: string, from: string = path): void {
  const to = join(stage, path);
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(realpathSync(from), to);
}

function addRuntime(stage: string): void {
  const node = join(modules, 'node', 'bin', 'node');
  put(stage, 'usr/bin/node', node);
  for (const [, path] of run('ldd', [node]).matchAll(/(?:=> )?(\/\S+) \(0x/g)) if (path !== undefined) put(stage, path);
  const roots = '/etc/ssl/certs/ca-certificates.crt';
  if (existsSync(roots)) put(stage, roots);
  writeFileSync(
    join(stage, 'etc', 'passwd'),
    'root:x:0:0::/:/sbin/nologin\nbulla:x:65532:65532::/var/lib/bulla:/sbin/nologin\n',
  );
  writeFileSync(join(stage, 'etc', 'group'), 'root:x:0:\nbulla:x:65532:\n');
  writeFileSync(join(stage, 'etc', 'nsswitch.conf'), 'hosts: files dns\n');
}

/** A package with all that it depends on. */
function addPackage(stage: string, name: string, from: string, added: Set<string>): void {
  let folder = join(from, 'node_modules', name);
  for (let above = from; !existsSync(folder) && above !== root; above = dirname(above))
    folder = join(dirname(above), 'node_modules', name);
  if (added.has(folder)) return;
  added.add(folder);
  const keep = (path: string): boolean =>
    !/\.(?:map|d\.[cm]?ts|md)$/.test(path) && !relative(folder, path).split('/').includes('node_modules');
  cpSync(folder, join(stage, PROGRAM, relative(root, folder)), { recursive: true, filter: keep });
  for (const dependency of Object.keys(manifestOf(folder).dependencies ?? {})) {
    // types of packages that are used from TypeScript alone
    if (!dependency.startsWith('@types/')) addPackage(stage, dependency, folder, added);
  }
}

async function addProgram(stage: string): Promise<void> {
  const folder = join(stage, PROGRAM);
  const metafile = await bundleCommandLine(join(folder, 'dist', 'cli'));
  const { version, peerDependencies = {} } = manifestOf(root);
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify({ name: 'bulla', version, type: 'module' })}\n`);
  writeFileSync(join(folder, 'dist', 'THIRD-PARTY-NOTICES.txt'), thirdPartyNotices(metafile));
  const added = new Set<string>();
  for (const name of Object.keys(peerDependencies)) addPackage(stage, name, root, added);
}

/** OPA, where `npm run build:rego` has put it; without it policies in Rego cannot be used. @returns variables of the image */
function addRego(stage: string): readonly string[] {
  const built = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'bulla', 'rego.wasm');
  if (!existsSync(built)) return [];
  put(stage, 'usr/share/bulla/rego.wasm', built);
  return ['--env', 'BULLA_REGO_WASM=/usr/share/bulla/rego.wasm'];
}

const [image, ...flags] = process.argv.slice(2);
if (image === undefined || image.startsWith('-')) {
  console.error('usage: npm run build:image -- IMAGE:TAG [flags of bulla image pack]');
  process.exit(64);
}
const stage = mkdtempSync(join(tmpdir(), 'bulla-image-'));
try {
  addRuntime(stage);
  await addProgram(stage);
  for (const empty of ['tmp', 'var/lib/bulla']) mkdirSync(join(stage, empty), { recursive: true });
  const entrypoint = ['/usr/bin/node', `/${PROGRAM}/dist/cli/main.js`].flatMap((word) => ['--entrypoint', word]);
  const env = ['--label', 'org.opencontainers.image.title=bulla', ...addRego(stage)];
  const { status } = spawnSync(
    join(root, 'bin', 'bulla'),
    ['image', 'pack', ...entrypoint, ...env, ...flags, stage, image],
    {
      stdio: 'inherit',
      env: { SOURCE_DATE_EPOCH: '0', ...process.env },
    },
  );
  process.exitCode = status ?? 1;
} finally {
  rmSync(stage, { recursive: true, force: true });
}
