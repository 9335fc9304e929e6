// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { WireError } from '../wire/index.ts';
import {
  decodeBundle,
  decodeEnvelope,
  decodePrivateKey,
  decodePublicKey,
  decodeSigningConfig,
  decodeSimpleSigning,
  decodeStatement,
  decodeTrustedRoot,
  encodeBundle,
  encodeEnvelope,
  encodeSignStatement,
  encodeSimpleSigning,
  privateKeyNeedsPassword,
  SIGNING_CONFIG_MEDIA_TYPE,
  TrustError,
  verifyBundle,
  verifySignature,
} from './index.ts';

const golden = join(import.meta.dirname, '../../test/golden');

function file(path: string): Uint8Array {
  return new Uint8Array(readFileSync(join(golden, path)));
}

const SIGNING_CONFIG: Uint8Array = Buffer.from(
  JSON.stringify({
    mediaType: SIGNING_CONFIG_MEDIA_TYPE,
    rekorTlogUrls: [
      { url: 'https://log.example.com', majorApiVersion: 2, validFor: { start: '2026-01-01T00:00:00Z' } },
    ],
    rekorTlogConfig: { selector: 'EXACT', count: 1 },
  }),
);

/** What each decoder is given, and good inputs to mutate. No seed makes a password be tried: that would cost a fifth of a second each. */
const DECODERS: Readonly<Record<string, readonly [(bytes: Uint8Array) => unknown, readonly Uint8Array[]]>> = {
  decodeBundle: [
    (bytes) => encodeBundle(decodeBundle(bytes, 'it')),
    [
      'keyless-3.1.1-rekor1/att.sigstore.json',
      'key-tlog-3.1.1-rekor2/b.json',
      'blob-3.1.1/b.sigstore.json',
      'bundle-create-upgrade/v01.json',
    ].map(file),
  ],
  decodeTrustedRoot: [(bytes) => decodeTrustedRoot(bytes, 'it'), [file('_stack/trusted_root.json')]],
  decodeSigningConfig: [(bytes) => decodeSigningConfig(bytes, 'it'), [SIGNING_CONFIG]],
  decodeEnvelope: [
    (bytes) => encodeEnvelope(decodeEnvelope(bytes, 'it')),
    [encodeEnvelope({ payloadType: 't', payload: Buffer.from('payload'), signatures: [{ sig: Buffer.from('sig') }] })],
  ],
  decodeStatement: [
    (bytes) => decodeStatement(bytes),
    [encodeSignStatement({ algorithm: 'sha256', hex: '00ff' }, { a: 'b' })],
  ],
  decodeSimpleSigning: [
    (bytes) => encodeSimpleSigning(decodeSimpleSigning(bytes)),
    [encodeSimpleSigning({ dockerReference: 'r', manifestDigest: 'd', type: 't', optional: { a: 'b' } })],
  ],
  decodePublicKey: [
    (bytes) => decodePublicKey(bytes, 'it'),
    [
      '_keys/cosign.pub',
      '_keys/imp-rsa2048.pub',
      '_keys/imp-ed25519.pub',
      'openssl-keys/p256.pub.der',
      'openssl-keys/certificate.pem',
    ].map(file),
  ],
  decodePrivateKey: [
    async (bytes) => decodePrivateKey(bytes, { what: 'it' }),
    [
      '_keys/cosign.key',
      '_keys/p256.pem',
      '_keys/ed25519.pem',
      '_keys/rsa2048.pem',
      '_keys/encp8.pem',
      'openssl-keys/pkcs8.der',
      'openssl-keys/pbes2.der',
    ].map(file),
  ],
  privateKeyNeedsPassword: [(bytes) => privateKeyNeedsPassword(bytes), [file('_keys/cosign.key')]],
};

async function staysTyped(decode: (bytes: Uint8Array) => unknown, bytes: Uint8Array): Promise<void> {
  try {
    await decode(bytes);
  } catch (error) {
    assert.ok(
      error instanceof TrustError || error instanceof WireError,
      `${String(error)} of ${Buffer.from(bytes).toString('base64')}`,
    );
    assert.ok(error.message.length < 1000 && !error.message.includes('\n'), error.message);
  }
}

/** One to four bytes set, a piece cut out, or a piece put in. */
function mutationsOf(seeds: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({
    at: fc.nat(),
    byte: fc.integer({ min: 0, max: 255 }),
    cut: fc.nat(3),
    grow: fc.uint8Array({ maxLength: 3 }),
  });
  return fc.tuple(fc.constantFrom(...seeds), fc.array(edit, { minLength: 1, maxLength: 4 })).map(([seed, edits]) =>
    edits.reduce<Uint8Array>((bytes, { at, byte, cut, grow }) => {
      const position = at % (bytes.length + 1);
      return Uint8Array.from([...bytes.subarray(0, position), ...grow, byte, ...bytes.subarray(position + cut)]);
    }, seed),
  );
}

/** JSON seeds with one value in them replaced by any other. */
function replacementsOf(seeds: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const values = fc.oneof(fc.jsonValue(), fc.constantFrom(null, [], {}, '', -1, 1e300, 'AA==', { __proto__: null }));
  return fc.tuple(fc.constantFrom(...seeds), fc.nat(), values).map(([seed, at, value]) => {
    let places = 0;
    JSON.parse(new TextDecoder().decode(seed), () => void places++);
    let place = 0;
    const changed: unknown = JSON.parse(new TextDecoder().decode(seed), (_, old: unknown) =>
      place++ === at % places ? value : old,
    );
    return new TextEncoder().encode(JSON.stringify(changed) ?? 'null');
  });
}

describe('throws nothing but TrustError and WireError', () => {
  for (const [name, [decode, seeds]] of Object.entries(DECODERS)) {
    test(`${name}, of any bytes`, async () => {
      await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => staysTyped(decode, bytes)));
    });
    test(`${name}, of any text and any JSON`, async () => {
      const texts = fc.oneof(
        fc.string({ unit: 'binary' }),
        fc.json(),
        fc.constantFrom('{', '-----BEGIN ', '-----BEGIN X-----\n-----END X-----'),
      );
      await fc.assert(fc.asyncProperty(texts, async (text) => staysTyped(decode, Buffer.from(text))));
    });
    test(`${name}, of good input with some bytes changed`, async () => {
      await fc.assert(
        fc.asyncProperty(mutationsOf(seeds), async (bytes) => staysTyped(decode, bytes)),
        { numRuns: 300 },
      );
    });
    if (seeds.some((seed) => seed[0] !== 0x7b)) continue;
    test(`${name}, of good JSON with a value replaced`, async () => {
      await fc.assert(
        fc.asyncProperty(replacementsOf(seeds), async (bytes) => staysTyped(decode, bytes)),
        { numRuns: 500 },
      );
    });
  }
});

test('what is read can be written, and is read the same again', () => {
  fc.assert(
    fc.property(replacementsOf(DECODERS['decodeBundle']?.[1] ?? []), (bytes) => {
      let first;
      try {
        first = decodeBundle(bytes, 'it');
      } catch {
        return;
      }
      assert.deepEqual(decodeBundle(encodeBundle(first), 'it'), first);
    }),
    { numRuns: 500 },
  );
});

describe('accepts no signature that the key did not make', () => {
  const names = ['cosign.pub', 'imp-p384.pub', 'imp-ed25519.pub', 'imp-rsa2048.pub'];
  for (const name of names) {
    test(name, async () => {
      const key = decodePublicKey(file(`_keys/${name}`), name);
      const length = { 'imp-ed25519.pub': 64, 'imp-rsa2048.pub': 256 }[name] ?? 72;
      const signatures = fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        fc.uint8Array({ minLength: length, maxLength: length }),
      );
      await fc.assert(
        fc.asyncProperty(signatures, fc.uint8Array(), async (signature, message) => {
          assert.equal(await verifySignature(key, message, signature), undefined);
        }),
        { numRuns: 50 },
      );
    });
  }
});

test('rejects every bundle of which a byte was changed in what was signed', async () => {
  const key = decodePublicKey(file('_keys/cosign.pub'), 'cosign.pub');
  const path =
    'sign-key-3.1.1-bundle-referrers/layout/blobs/sha256/e7841346ec912ee7592c5e202f3057870be0fa83e127ae92b9e5ecd6755034ee';
  const bundle = decodeBundle(file(path), 'it');
  assert.ok(bundle.content.kind === 'dsse');
  const { payloadType, payload, signatures } = bundle.content.envelope;
  const hex = '4ed3e85154810a05dc77ab478fdda7d11d9cde6414c29ad820d5e542ee8aebe6';
  const artifact = { kind: 'digest', algorithm: 'sha256', hex } as const;
  assert.equal((await verifyBundle(bundle, artifact, { keys: [key] })).kind, 'accepted');
  await fc.assert(
    fc.asyncProperty(fc.nat(payload.length - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
      const changed = payload.map((byte, index) => (index === at ? byte ^ mask : byte));
      const content = { kind: 'dsse', envelope: { payloadType, payload: changed, signatures } } as const;
      assert.equal((await verifyBundle({ ...bundle, content }, artifact, { keys: [key] })).kind, 'rejected');
    }),
  );
});
