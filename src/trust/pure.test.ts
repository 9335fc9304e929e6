// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';

const root = import.meta.dirname;
const sources = globSync('**/*.ts', { cwd: root })
  .filter((path) => !/\.(?:test|fixture)\.ts$/.test(path))
  .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));

test('all the room is looked at', () => assert.ok(sources.length >= 25, `${sources.length} files`));

describe('is pure: the same input gives the same answer, and nothing is left behind', () => {
  test('imports nothing but itself, the door of wire, node:crypto, promisify, and audited ciphers and curves', () => {
    const allowed =
      /^(?:\.{1,2}\/(?!.*wire).*|(?:\.\.\/)+wire\/index\.ts|node:crypto|node:util|@noble\/ciphers\/salsa\.js|@noble\/curves\/(?:ed25519|nist)\.js)$/;
    for (const { path, text } of sources) {
      const specifiers = [...text.matchAll(/(?:\bfrom\s+|\bimport\s*\(?\s*)'([^']+)'/g)].map(
        ([, specifier]) => specifier ?? '',
      );
      for (const specifier of specifiers) assert.match(specifier, allowed, path);
    }
  });

  test('takes nothing from the process, the clock or the network', () => {
    const forbidden =
      /\b(?:process\b|Date\.now|new Date\(\)|(?<!new )Date\(|Temporal\b|performance\b|setTimeout|setInterval|fetch\(|Math\.random|require\(|globalThis|console\b|getBuiltinModule)/;
    for (const { path, text } of sources) {
      const code = text.replace(/\/\*[^]*?\*\/|\/\/.*/g, '');
      assert.doesNotMatch(code, forbidden, path);
    }
  });

  test('keeps nothing from one call to the next', () => {
    for (const { path, text } of sources) assert.doesNotMatch(text, /^(?:export )?(?:let|var) /m, path);
  });
});

/** The modules that a program loads which imports this room and does something. */
function loadedBy(script: string): readonly string[] {
  const door = pathToFileURL(join(root, 'index.ts')).href;
  const golden = join(root, '../../test/golden');
  const program = `
    import { registerHooks } from 'node:module';
    import { readFileSync } from 'node:fs';
    const loaded = [];
    registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
    const trust = await import(${JSON.stringify(door)});
    const file = (path) => readFileSync(${JSON.stringify(golden)} + '/' + path);
    ${script}
    process.stdout.write(JSON.stringify(loaded));
  `;
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
  });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout);
}

const verifyImage = (key: string, bundle: string, expected: string): string => `
  const key = trust.decodePublicKey(file(${JSON.stringify(key)}), 'it');
  const bundle = trust.decodeBundle(file(${JSON.stringify(bundle)}), 'it');
  const hex = '4ed3e85154810a05dc77ab478fdda7d11d9cde6414c29ad820d5e542ee8aebe6';
  const check = await trust.verifyBundle(bundle, { kind: 'digest', algorithm: 'sha256', hex }, { keys: [key] });
  if (check.scheme !== ${JSON.stringify(expected)}) throw new Error(JSON.stringify(check));
`;

describe(
  'loads what is heavy only when it is needed',
  { skip: process.versions['bun'] === undefined ? false : 'Bun has no load hooks' },
  () => {
    const ecdsa =
      'sign-key-3.1.1-bundle-referrers/layout/blobs/sha256/e7841346ec912ee7592c5e202f3057870be0fa83e127ae92b9e5ecd6755034ee';

    test('verifying with a P-256 key loads nothing but this room, wire and what Node has built in', () => {
      const loaded = loadedBy(verifyImage('_keys/cosign.pub', ecdsa, 'ecdsa-p256-sha256'));
      const others = loaded.filter((url) => !/\/src\/(?:trust|wire)\/|^node:/.test(url));
      assert.deepEqual(others, []);
      assert.ok(loaded.some((url) => url.endsWith('/trust/verify-bundle.ts')));
    });

    test('signing with a plain key as well', () => {
      const loaded = loadedBy(`
      const key = await trust.decodePrivateKey(file('_keys/p256.pem'), { what: 'it' });
      await trust.signBundle(trust.encodeSignStatement({ algorithm: 'sha256', hex: '00' }, {}), trust.keySigner(key));
    `);
      assert.deepEqual(
        loaded.filter((url) => url.includes('@noble')),
        [],
      );
    });

    test('an encrypted key loads the ciphers, and no curves', () => {
      const loaded = loadedBy(
        "await trust.decodePrivateKey(file('_keys/cosign.key'), { what: 'it', passwords: [Buffer.from('pw')] });",
      );
      assert.ok(loaded.some((url) => url.includes('@noble/ciphers/salsa.js')));
      assert.ok(!loaded.some((url) => url.includes('@noble/curves')));
    });

    test('Ed25519 loads the curves only if the pure form does not hold', () => {
      const pure = loadedBy(`
      const key = trust.decodePublicKey(file('_keys/imp-ed25519.pub'), 'it');
      const signature = Buffer.from(file('keytype-ed25519/b2.sig').toString().trim(), 'base64');
      if ((await trust.verifySignature(key, file('_inputs/blob.txt'), signature)) !== 'ed25519') throw new Error('no');
    `);
      assert.deepEqual(
        pure.filter((url) => url.includes('@noble')),
        [],
      );
    });
  },
);
