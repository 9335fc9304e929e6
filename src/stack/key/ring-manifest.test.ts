// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { generatePrivateKey } from '../../trust/index.ts';
import { KeyRingError } from './key-ring-error.ts';
import { decodeManifest, encodeManifest, keyId, type RingManifest } from './ring-manifest.ts';

const log = await generatePrivateKey('ed25519');
const ca = await generatePrivateKey('ecdsa-p256');
const created = new Date('2026-11-22T06:00:00.123Z');
const start = new Date('2026-11-22T06:00:00Z');
const end = new Date('2027-11-22T06:00:00Z');
const manifest: RingManifest = {
  created,
  settings: { organization: 'lab <"example">', authorityAlgorithm: 'ecdsa-p384', offlineRoot: true },
  encrypted: true,
  keys: [
    {
      id: keyId('log-v2', log.publicKey),
      role: 'log-v2',
      created,
      validFor: { start, end },
      state: 'retired',
      place: 'ring',
      publicKey: log.publicKey,
      origin: '2026.log.example',
    },
    {
      id: keyId('tuf-root', ca.publicKey),
      role: 'tuf-root',
      created,
      validFor: { start },
      state: 'active',
      place: 'offline',
      publicKey: ca.publicKey,
    },
  ],
};
const text = encodeManifest(manifest);

function plain({ keys, ...rest }: RingManifest): unknown {
  return { ...rest, keys: keys.map(({ publicKey, ...key }) => [key, publicKey.hint]) };
}

test('a manifest reads back as it was written', () => {
  assert.deepEqual(plain(decodeManifest(Buffer.from(text), 'ring.json')), plain(manifest));
});

for (const [what, change] of [
  ['two keys of one name', (json: Document) => json.keys.push(json.keys[0] ?? {})],
  [
    'an end before the start',
    (json: Document) =>
      (json.keys[0] = {
        ...json.keys[0],
        validFor: { start: '2026-11-22T06:00:00.000Z', end: '2025-11-22T06:00:00.000Z' },
      }),
  ],
  ['a log of Rekor v2 without an origin', (json: Document) => delete json.keys[0]?.['origin']],
  ['an origin of a key that has none', (json: Document) => (json.keys[1] = { ...json.keys[1], origin: 'x.example' })],
  ['a time that is none', (json: Document) => (json['created'] = '2026-13-41T06:00:00.000Z')],
  [
    'the public half of another key',
    (json: Document) => (json.keys[0] = { ...json.keys[0], publicKey: json.keys[1]?.['publicKey'] }),
  ],
  ['another kind of key than it says', (json: Document) => (json.keys[0] = { ...json.keys[0], algorithm: 'rsa-2048' })],
  ['no format', (json: Document) => delete json['format']],
] as const)
  test(`refuses ${what}`, () => {
    const json = JSON.parse(text) as Document;
    change(json);
    assert.throws(() => decodeManifest(Buffer.from(JSON.stringify(json)), 'ring.json'), { code: 'ring-malformed' });
  });

interface Document {
  [field: string]: unknown;
  keys: Record<string, unknown>[];
}

test('answers with a coded error, whatever is changed in it', () => {
  const octets = Buffer.from(text);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(octets.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
      fc.nat(octets.length),
      (changes, length) => {
        const damaged = Buffer.from(octets);
        for (const [at, octet] of changes) damaged[at] = octet;
        for (const bytes of [damaged, damaged.subarray(0, length)])
          try {
            decodeManifest(bytes, 'ring.json');
          } catch (error) {
            assert.ok(error instanceof KeyRingError);
          }
      },
    ),
  );
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.throws(() => decodeManifest(Buffer.from(JSON.stringify(value)), 'ring.json'), KeyRingError);
    }),
  );
});
