// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  decodeBundle,
  decodePrivateKey,
  encodeBundle,
  encodePublicKey,
  encodeSignStatement,
  encryptPrivateKey,
  generatePrivateKey,
  KEY_ALGORITHMS,
  keySigner,
  SIGN_PREDICATE_TYPE,
  signBundle,
  verifyBundle,
} from '../../src/trust/index.ts';
import { encodeBase64 } from '../../src/wire/index.ts';
import { interop, runClient, type ClientRun } from './clients.ts';

const BLOB = Buffer.from('sixty jars of oil\n');
const PASSWORD = { COSIGN_PASSWORD: 'a bulla is a seal' };

function folder(context: TestContext): string {
  const home = mkdtempSync(join(tmpdir(), 'bulla-trust-'));
  context.after(() => rmSync(home, { recursive: true, force: true }));
  writeFileSync(join(home, 'blob'), BLOB);
  return home;
}

function succeeded({ code, stderr }: ClientRun, what: string): void {
  assert.equal(code, 0, `${what}: ${stderr}`);
}

for (const version of ['cosign-2', 'cosign-3'] as const) {
  interop(
    `${version} reads the private keys that bulla writes, and verifies what they sign`,
    [version],
    async ([cosign], context) => {
      const home = folder(context);
      for (const algorithm of KEY_ALGORITHMS) {
        const key = await generatePrivateKey(algorithm);
        writeFileSync(join(home, 'our.key'), await encryptPrivateKey(key, Buffer.from(PASSWORD.COSIGN_PASSWORD)));
        writeFileSync(join(home, 'our.pub'), encodePublicKey(key.publicKey));
        writeFileSync(join(home, 'our.sig'), encodeBase64(await keySigner(key).sign(BLOB)));
        const shown = await runClient(cosign, ['public-key', '--key', 'our.key'], { home, env: PASSWORD });
        succeeded(shown, algorithm);
        assert.equal(shown.stdout, encodePublicKey(key.publicKey), algorithm);
        const args = ['verify-blob', '--key', 'our.pub', '--signature', 'our.sig', '--insecure-ignore-tlog', 'blob'];
        succeeded(await runClient(cosign, args, { home }), algorithm);
      }
    },
  );

  interop(`bulla reads the private keys that ${version} makes`, [version], async ([cosign], context) => {
    const home = folder(context);
    succeeded(await runClient(cosign, ['generate-key-pair'], { home, env: PASSWORD }), 'generate-key-pair');
    const passwords = [Buffer.from(PASSWORD.COSIGN_PASSWORD)];
    const key = await decodePrivateKey(readFileSync(join(home, 'cosign.key')), { what: 'cosign.key', passwords });
    assert.equal(encodePublicKey(key.publicKey), readFileSync(join(home, 'cosign.pub'), 'utf8'));
  });
}

interop('cosign 3 verifies the bundles that bulla writes', ['cosign-3'], async ([cosign], context) => {
  const home = folder(context);
  for (const algorithm of KEY_ALGORITHMS) {
    const key = await generatePrivateKey(algorithm);
    const statement = encodeSignStatement(
      { algorithm: 'sha256', hex: hash('sha256', BLOB, 'hex') },
      { vessel: 'jar <60>' },
    );
    writeFileSync(join(home, 'our.pub'), encodePublicKey(key.publicKey));
    writeFileSync(join(home, 'our.json'), encodeBundle(await signBundle(statement, keySigner(key))));
    const verify = [
      'verify-blob-attestation',
      '--key',
      'our.pub',
      '--bundle',
      'our.json',
      '--type',
      SIGN_PREDICATE_TYPE,
    ];
    succeeded(await runClient(cosign, [...verify, '--insecure-ignore-tlog', 'blob'], { home }), algorithm);
  }
});

interop('bulla verifies the bundles that cosign 3 writes', ['cosign-3'], async ([cosign], context) => {
  const home = folder(context);
  for (const algorithm of KEY_ALGORITHMS) {
    const key = await generatePrivateKey(algorithm);
    writeFileSync(join(home, 'our.key'), await encryptPrivateKey(key, Buffer.from(PASSWORD.COSIGN_PASSWORD)));
    const sign = ['sign-blob', '--key', 'our.key', '--use-signing-config=false', '--tlog-upload=false', '--yes'];
    succeeded(await runClient(cosign, [...sign, '--bundle', 'their.json', 'blob'], { home, env: PASSWORD }), algorithm);
    const bundle = decodeBundle(readFileSync(join(home, 'their.json')), 'their.json');
    const check = await verifyBundle(bundle, { kind: 'bytes', bytes: BLOB }, { keys: [key.publicKey] });
    assert.equal(check.kind, 'accepted', `${algorithm}: ${JSON.stringify(check)}`);
  }
});
