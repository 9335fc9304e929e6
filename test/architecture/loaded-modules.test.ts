// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { bundleCommandLine } from '../../build/bundle.ts';
import type { StackEndpoints } from '../../src/up/index.ts';

// What `version`, `sign` and `verify` load decides how fast they start and how much memory they take. These lists are short on purpose: a
// longer one is a decision, not an accident.

const root = join(import.meta.dirname, '..', '..');
const recorder = join(import.meta.dirname, 'record-modules.ts');

/** What an empty module has under the recorder: files, and what strips the recorder's types. */
const START = [
  'async_hooks',
  'buffer',
  'diagnostics_channel',
  'events',
  'fs',
  'internal/deps/amaro/dist/index',
  'module',
  'os',
].concat(['path', 'querystring', 'stream', 'stream/promises', 'string_decoder', 'timers', 'url', 'util', 'util/types']);

/** What hashing, one HTTP request over plain TCP and waiting bring along. */
const CLIENT = [
  '_http_agent',
  '_http_client',
  '_http_common',
  '_http_incoming',
  '_http_outgoing',
  '_http_server',
  'crypto',
  'dns',
].concat(['http', 'net', 'timers/promises']);

interface Loaded {
  /** `src/…` or `node_modules/…`, from the bundle's own account where it was a bundle */
  readonly sources: readonly string[];
  /** how many files node opened for them */
  readonly files: number;
  readonly builtins: readonly string[];
}

/** A way to run the command line: as npm installs it, or from the sources. */
interface Variant {
  readonly entry: string;
  /** built-in modules that node loads for the sake of this way */
  readonly loader: readonly string[];
  /** from the files that node loaded to the sources in them */
  sourcesOf(files: readonly string[]): readonly string[];
}

let folder: string;
let bundled: Variant;
const unbuilt: Variant = {
  entry: join(root, 'src/cli/main.ts'),
  loader: ['worker_threads'], // to resolve a package by its name
  sourcesOf: (files) => files.map((file) => relative(root, file)),
};

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bulla-loaded-'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  const dist = join(folder, 'cli');
  const { outputs } = await bundleCommandLine(dist);
  const inputs = new Map(
    Object.entries(outputs).map(([path, output]) => [
      resolve(root, path),
      Object.entries(output.inputs).flatMap(([input, { bytesInOutput }]) => (bytesInOutput > 0 ? [input] : [])),
    ]),
  );
  bundled = {
    entry: join(dist, 'main.js'),
    loader: [],
    sourcesOf: (files) =>
      files.flatMap((file) => inputs.get(file) ?? [file]).filter((path) => !path.startsWith('builtin:')),
  };
});

after(() => rmSync(folder, { recursive: true, force: true }));

const env = (): NodeJS.ProcessEnv => ({ PATH: process.env['PATH'], HOME: folder, COSIGN_PASSWORD: 'x' });

/** Runs a command to its end and says what was loaded by then. */
function load({ entry, sourcesOf }: Variant, ...args: readonly string[]): Loaded {
  const record = join(folder, 'loaded.json');
  const { status, stderr } = spawnSync(process.execPath, ['--import', recorder, entry, ...args], {
    cwd: folder,
    env: { ...env(), BULLA_LOADED: record },
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  const { files, builtins } = JSON.parse(readFileSync(record, 'utf8')) as { files: string[]; builtins: string[] };
  rmSync(record);
  return { sources: [...new Set(sourcesOf(files))].toSorted(), files: files.length, builtins };
}

/** The rooms and packages that some sources belong to, for example `src/oci`, `node_modules/hono`. */
function partsOf(sources: readonly string[]): readonly string[] {
  const parts = sources.map((path) => /^(?:src\/[^/]+|node_modules\/(?:@[^/]+\/)?[^/]+)/.exec(path)?.[0] ?? path);
  return [...new Set(parts)].toSorted();
}

function without(found: readonly string[], known: readonly string[]): readonly string[] {
  return found.filter((name) => !known.includes(name)).toSorted();
}

for (const [name, variant] of Object.entries({
  'as installed by npm': () => bundled,
  'from the sources': () => unbuilt,
})) {
  describe(name, () => {
    test('version loads the command line and nothing that it does not need', () => {
      const { sources, builtins } = load(variant(), 'version');
      assert.deepEqual(without(partsOf(sources), ['src/cli', 'src/wire']), []);
      const commands = sources.filter((path) => path.startsWith('src/cli/commands/'));
      assert.deepEqual(commands, ['src/cli/commands/version.ts']);
      assert.deepEqual(without(builtins, START), []);
    });

    test('sign and verify load no server, no package but what decrypts the key, and no built-in module but crypto and HTTP', async () => {
      const { image, stop } = await packedImage(variant());
      try {
        load(variant(), 'generate-key-pair');
        const sign = load(variant(), 'sign', '--yes', '--key', 'cosign.key', image);
        const verify = load(variant(), 'verify', '--key', 'cosign.pub', image);
        const rooms = ['src/cli', 'src/image', 'src/oci', 'src/trust', 'src/wire'];
        assert.deepEqual(without(partsOf(sign.sources), [...rooms, 'node_modules/@noble/ciphers']), []);
        assert.deepEqual(without(partsOf(verify.sources), rooms), []);
        assert.deepEqual(without(sign.builtins, [...START, ...CLIENT, ...variant().loader]), []);
        assert.deepEqual(without(verify.builtins, [...START, ...CLIENT, ...variant().loader]), []);
      } finally {
        await stop();
        rmSync(join(folder, 'cosign.key'), { force: true });
        rmSync(join(folder, 'cosign.pub'), { force: true });
      }
    });
  });
}

test('verify by a key alone loads nothing that is for certificates, logs, timestamps and expressions', async () => {
  const { image, stop } = await packedImage(bundled);
  try {
    load(bundled, 'generate-key-pair');
    load(bundled, 'sign', '--yes', '--key', 'cosign.key', image);
    const { sources } = load(bundled, 'verify', '--key', 'cosign.pub', image);
    // names of algorithms and extensions are shared with keys
    const shared = new Set([
      'src/trust/certificate/object-identifier.ts',
      'src/trust/certificate/signature-algorithm.ts',
    ]);
    const keyless = /^src\/trust\/(?:certificate|log|timestamp|root|identity|verify-by|verify-evidence)|re2js/;
    assert.deepEqual(
      sources.filter((path) => keyless.test(path) && !shared.has(path)),
      [],
    );
    assert.ok(sources.includes('src/trust/verify-bundle.ts'));
  } finally {
    await stop();
    rmSync(join(folder, 'cosign.key'), { force: true });
    rmSync(join(folder, 'cosign.pub'), { force: true });
  }
});

test('sign by a token and named files loads no provider of tokens, no client of TUF and nothing that starts programs', async () => {
  const { endpoints, stop } = await served(bundled, 'up');
  try {
    const image = pack(bundled, new URL(endpoints.registry).host);
    const token = run(bundled, 'token', '--data', join(folder, 'up'), '--subject', 'dev@example.com').trim();
    const trust = ['--signing-config', endpoints.signingConfig, '--trusted-root', endpoints.trustedRoot];
    const { sources, builtins } = load(bundled, 'sign', '--yes', ...trust, '--identity-token', token, image);
    assert.deepEqual(
      sources.filter((path) => /^src\/keyless\/(?:token\/provider|token\/login|root)\//.test(path)),
      [],
    );
    assert.deepEqual(without(builtins, [...START, ...CLIENT]), []);
    assert.ok(sources.includes('src/keyless/certificate/keyless-signer.ts'));
  } finally {
    await stop();
  }
});

test('a command of the npm package is four files: the program, what it shares, what the fast commands share, and its own', async () => {
  const { image, stop } = await packedImage(bundled);
  try {
    load(bundled, 'generate-key-pair');
    load(bundled, 'sign', '--yes', '--key', 'cosign.key', image);
    assert.equal(load(bundled, 'version').files, 3);
    assert.equal(load(bundled, 'verify', '--key', 'cosign.pub', image).files, 4);
  } finally {
    await stop();
    rmSync(join(folder, 'cosign.key'), { force: true });
    rmSync(join(folder, 'cosign.pub'), { force: true });
  }
});

/** An image in a registry that the command line itself serves. */
async function packedImage(variant: Variant): Promise<{ readonly image: string; readonly stop: () => Promise<void> }> {
  const { endpoints, stop } = await served(variant, 'registry', 'serve');
  return { image: pack(variant, new URL(endpoints.registry).host), stop };
}

function pack(variant: Variant, host: string): string {
  mkdirSync(join(folder, 'service'), { recursive: true });
  writeFileSync(join(folder, 'service', 'index.html'), 'hello\n');
  const image = `${host}/bulla/loaded:1`;
  run(variant, 'image', 'pack', join(folder, 'service'), image);
  return image;
}

/** Runs a command to its end and answers its stdout. */
function run({ entry }: Variant, ...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [entry, ...args], {
    cwd: folder,
    env: env(),
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return stdout;
}

/** What a command serves that writes its endpoints into a file once it does; of a registry alone there is `registry`. */
async function served(
  { entry }: Variant,
  ...command: readonly string[]
): Promise<{ readonly endpoints: StackEndpoints; readonly stop: () => Promise<void> }> {
  const ready = join(folder, 'ready.json');
  const data = join(folder, command[0] ?? 'data');
  const where = ['--address', '127.0.0.1:0', '--data', data, '--ready-file', ready];
  const server = spawn(process.execPath, [entry, ...command, ...where], {
    env: env(),
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const stop = async (): Promise<void> => {
    const { promise, resolve: ended } = Promise.withResolvers<void>();
    server.once('exit', () => ended());
    if (!server.kill()) ended();
    await promise;
    rmSync(ready, { force: true });
    rmSync(data, { recursive: true, force: true });
  };
  for (let tries = 0; tries < 200 && !existsSync(ready); tries++) await sleep(50);
  return { endpoints: JSON.parse(readFileSync(ready, 'utf8')) as StackEndpoints, stop };
}
