// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { newTestKey, newTestKeys, newTestStack } from './certificate/authority.fixture.ts';
import {
  askWitnesses,
  decodeBundle,
  encodeBundle,
  encodeSignStatement,
  generatePrivateKey,
  keySigner,
  loggedScheme,
  matchLogEntry,
  signBlobBundle,
  signBundle,
  verifierOf,
  verifyBundle,
  verifySignature,
  type KeyAlgorithm,
  type LogEntry,
  type LoggedSignature,
  type PrivateKey,
  type Signer,
  type Witness,
} from './index.ts';
import { newTestLog } from './log/log.fixture.ts';

const GOLDEN = join(import.meta.dirname, '../../test/golden');
const HEX = 'ab'.repeat(32);
const STATEMENT = encodeSignStatement({ algorithm: 'sha256', hex: HEX }, {});
const BLOB = new TextEncoder().encode('an artifact');
const ENTRY: LogEntry = { logIndex: 1, canonicalizedBody: Buffer.from('{}') };

describe('keySigner', () => {
  const kinds: readonly (readonly [KeyAlgorithm, familiar: string, logged: string])[] = [
    ['ecdsa-p256', 'ecdsa-p256-sha256', 'ecdsa-p256-sha256'],
    ['ecdsa-p384', 'ecdsa-p384-sha256', 'ecdsa-p384-sha384'],
    ['ecdsa-p521', 'ecdsa-p521-sha256', 'ecdsa-p521-sha512'],
    ['ed25519', 'ed25519', 'ed25519ph'],
    ['rsa-2048', 'rsa-pkcs1-sha256', 'rsa-pkcs1-sha256'],
  ];
  for (const [algorithm, familiar, logged] of kinds) {
    it(`signs with ${algorithm} as ${familiar}, and for a log as ${logged}`, async () => {
      const key = await generatePrivateKey(algorithm);
      const { publicKey } = key;
      assert.equal(await verifySignature(publicKey, BLOB, await keySigner(key).sign(BLOB)), familiar);
      assert.equal(loggedScheme(publicKey), logged);
      assert.equal(
        await verifySignature(publicKey, BLOB, await keySigner(key, loggedScheme(publicKey)).sign(BLOB)),
        logged,
      );
    });
  }

  it('refuses a scheme of another kind of key', async () => {
    const key = await generatePrivateKey('ecdsa-p256');
    for (const scheme of ['ed25519', 'ecdsa-p384-sha256', 'rsa-pkcs1-sha256'] as const)
      assert.throws(() => keySigner(key, scheme), { code: 'key-unsupported' });
  });
});

describe('signing with witnesses', () => {
  let key: PrivateKey;
  let certified: Signer;
  before(async () => {
    const keys = await newTestKeys();
    const { leaf, intermediate } = await newTestStack(keys);
    key = keys.leaf.private;
    certified = { ...keySigner(key), certificate: [leaf.der, intermediate.der] };
  });

  it('asks the clocks before the logs, about this signature, and packs what they give in their order', async () => {
    const asked: string[] = [];
    const told: LoggedSignature[] = [];
    const clock = (name: string): Witness => ({
      kind: 'timestamp-authority',
      name,
      timestamp: async (signature) => {
        asked.push(name);
        assert.equal(await verifySignature(key.publicKey, BLOB, signature), 'ecdsa-p256-sha256');
        return Buffer.from(name);
      },
    });
    const log = (name: string, logIndex: number): Witness => ({
      kind: 'log',
      name,
      enter: async (signed) => {
        asked.push(name);
        told.push(signed);
        return { ...ENTRY, logIndex };
      },
    });
    const bundle = await signBlobBundle(BLOB, certified, [
      log('log 1', 1),
      clock('clock 1'),
      log('log 2', 2),
      clock('clock 2'),
    ]);
    assert.deepEqual(asked, ['clock 1', 'clock 2', 'log 1', 'log 2']);
    assert.deepEqual(
      bundle.timestamps.map((octets) => Buffer.from(octets).toString()),
      ['clock 1', 'clock 2'],
    );
    assert.deepEqual(
      bundle.logEntries.map(({ logIndex }) => logIndex),
      [1, 2],
    );
    assert.ok(bundle.content.kind === 'message' && told[0]?.verifier.kind === 'certificate');
    assert.deepEqual(told[0].signature, bundle.content.signature);
    assert.deepEqual(told[0].content, { kind: 'bytes', bytes: BLOB });
  });

  it('packs the certificate alone, and the hint of a key that has none', async () => {
    const { material } = await signBundle(STATEMENT, certified);
    assert.deepEqual(material, { kind: 'certificate', chain: [certified.certificate?.[0]] });
    assert.deepEqual((await signBundle(STATEMENT, keySigner(key))).material, {
      kind: 'public-key',
      hint: key.publicKey.hint,
    });
  });

  it('fails as a whole if one witness fails', async () => {
    const failing: Witness = { kind: 'log', name: 'log', enter: () => Promise.reject(new Error('no')) };
    await assert.rejects(signBundle(STATEMENT, certified, [failing]), { message: 'no' });
    const empty = {
      signature: BLOB,
      verifier: verifierOf(certified),
      content: { kind: 'bytes', bytes: BLOB },
    } as const;
    assert.deepEqual(await askWitnesses(empty, []), { timestamps: [], logEntries: [] });
  });

  it('refuses a signer whose certificate is of another key, or that signs with another key than it says', async () => {
    const other = await newTestKey();
    const confused: Signer = { ...certified, publicKey: other.private.publicKey };
    await assert.rejects(signBundle(STATEMENT, confused), { code: 'key-malformed' });
    const lying: Signer = { ...keySigner(key), publicKey: other.private.publicKey };
    await assert.rejects(signBlobBundle(BLOB, lying), { code: 'key-malformed', message: /did not make/ });
  });

  for (const [algorithm, name] of [
    ['ecdsa-p256', 'SHA2_256'],
    ['ecdsa-p384', 'SHA2_384'],
    ['ecdsa-p521', 'SHA2_512'],
    ['ed25519', 'SHA2_512'],
  ] as const) {
    it(`names the digest by which a key of type ${algorithm} signs for a log: ${name}`, async () => {
      const one = await generatePrivateKey(algorithm);
      const bundle = await signBlobBundle(BLOB, keySigner(one, loggedScheme(one.publicKey)));
      const json = JSON.parse(new TextDecoder().decode(encodeBundle(bundle))) as {
        messageSignature: { messageDigest: { algorithm: string } };
      };
      assert.equal(json.messageSignature.messageDigest.algorithm, name);
      const check = await verifyBundle(bundle, { kind: 'bytes', bytes: BLOB }, { keys: [one.publicKey] });
      assert.equal(check.kind, 'accepted');
    });
  }

  it('has the members that cosign 3 writes, in its order, of a statement and of a blob', async () => {
    const witnessed = await testWitnesses();
    for (const { recorded, bundle } of [
      {
        recorded: 'keyless-3.1.1-rekor1-tsa/blob.sigstore.json',
        bundle: await signBlobBundle(BLOB, certified, witnessed),
      },
      {
        recorded: 'keyless-3.1.1-rekor1-tsa/att.sigstore.json',
        bundle: await signBundle(STATEMENT, certified, witnessed),
      },
    ]) {
      const ours = new TextDecoder().decode(encodeBundle(bundle));
      const theirs = readFileSync(join(GOLDEN, recorded), 'utf8');
      assert.deepEqual(membersOf(JSON.parse(ours)), membersOf(JSON.parse(theirs)));
      assert.deepEqual(Buffer.from(encodeBundle(decodeBundle(Buffer.from(ours), 'it'))).toString(), ours);
    }
  });

  async function testWitnesses(): Promise<readonly Witness[]> {
    const log = await newTestLog(1);
    return [
      { kind: 'timestamp-authority', name: 'clock', timestamp: async () => Buffer.from('a timestamp') },
      {
        kind: 'log',
        name: 'log',
        enter: async ({ signature, verifier, content }) => {
          const der = verifier.kind === 'certificate' ? verifier.certificate.der : verifier.key.spki;
          const digest = { algorithm: 'sha256', bytes: Buffer.alloc(32) } as const;
          const body = {
            kind: 'hashedrekord',
            version: '0.0.1',
            digest,
            signature,
            verifier: { kind: verifier.kind, der, chain: [] },
          } as const;
          const entry = await log.enter(body);
          assert.equal(matchLogEntry(entry, { signature, verifier, content })?.code, 'log-entry-digest-mismatch');
          return entry;
        },
      },
    ];
  }
});

/** The names of all members in their order; lists by their first element. */
function membersOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [membersOf(value[0])];
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.entries(value).map(([name, member]) => [name, membersOf(member)]);
}
