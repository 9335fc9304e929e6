// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { TrustError } from '../error.ts';
import { WireError } from '../../wire/index.ts';
import { decodeTrustedRoot, type TrustedRoot } from './trusted-root.ts';

const golden = readFileSync(join(import.meta.dirname, '../../../test/golden/_stack/trusted_root.json'));

/** The generator of secp256k1, as a key. */
const SECP256K1: string = Buffer.from(
  '3056301006072a8648ce3d020106052b8104000a034200' +
    '0479be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798' +
    '483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8',
  'hex',
).toString('base64');

type Fields = Record<string, unknown>;

interface RootJson extends Fields {
  tlogs: (Fields & { publicKey: Fields; logId?: Fields })[];
  ctlogs: (Fields & { publicKey: Fields; logId?: Fields })[];
  certificateAuthorities: (Fields & { certChain?: Fields })[];
  timestampAuthorities: Fields[];
}

/** The recorded root with something changed. */
function decodeWith(change: (root: RootJson) => void): TrustedRoot {
  const root = JSON.parse(golden.toString()) as RootJson;
  change(root);
  return decodeTrustedRoot(Buffer.from(JSON.stringify(root)), 'root.json');
}

function first<T>(items: readonly T[]): T {
  const [item] = items;
  assert.ok(item !== undefined);
  return item;
}

function refuses(change: (root: RootJson) => void, code: string, message: RegExp): void {
  assert.throws(() => decodeWith(change), { code, message });
}

describe('reads a trusted root', () => {
  test('that the real tools use: keys, ids, periods, chains in their order', () => {
    const root = decodeTrustedRoot(golden, 'trusted_root.json');
    assert.deepEqual(
      root.logs.map(({ baseUrl, publicKey }) => [baseUrl, publicKey.algorithm]),
      [
        ['http://localhost:5570/rekor1', 'ecdsa-p256'],
        ['http://localhost:5570/rekor2', 'ed25519'],
      ],
    );
    const log = first(root.logs);
    assert.equal(Buffer.from(log.logId).toString('base64'), log.publicKey.hint);
    assert.deepEqual(log.validFor, { start: new Date('2026-11-22T05:59:56Z') });
    assert.equal(first(root.certificateLogs).publicKey.hint, '5nXsZgWT1Pk8uGJFIPHBH5xAlve2oNpm0ZyBEP74wyU=');
    const { chain } = first(root.certificateAuthorities);
    assert.deepEqual(
      chain.map(({ basicConstraints }) => basicConstraints?.ca),
      [true, true],
    );
    const { leaf, issuer, uri } = first(root.timestampAuthorities);
    assert.deepEqual(leaf?.issuer, issuer.chain[0].subject);
    assert.deepEqual(issuer.validFor, { start: new Date('2026-11-22T05:59:56Z') });
    assert.equal(uri, 'http://localhost:5570/tsa/api/v1/timestamp');
    assert.deepEqual(root.skipped, []);
  });

  for (const mediaType of [
    'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    'application/vnd.dev.sigstore.trustedroot.v0.1+json',
    'application/vnd.dev.sigstore.trustedroot.v0.2+json',
  ])
    test(`of the media type ${mediaType}`, () =>
      assert.equal(decodeWith((root) => (root['mediaType'] = mediaType)).logs.length, 2));

  test('with what version 0.2 adds: an operator, and the key id under checkpoints', () => {
    const root = decodeWith((json) => {
      Object.assign(first(json.tlogs), { operator: 'example.com', checkpointKeyId: { keyId: 'AQIDBA==' } });
      Object.assign(first(json.certificateAuthorities), { operator: 'example.com' });
    });
    const log = first(root.logs);
    assert.equal(log.operator, 'example.com');
    assert.deepEqual([...(log.checkpointKeyId ?? [])], [1, 2, 3, 4]);
  });

  test('with a period that ends and one that does not, in either spelling of the fields', () => {
    const root = decodeWith((json) => {
      const [one, two] = json.tlogs;
      Object.assign(one?.publicKey ?? {}, {
        validFor: { start: '2026-01-01T00:00:00.5Z', end: '2026-02-01T01:00:00+01:00' },
      });
      const { validFor: _, ...key } = two?.publicKey ?? {};
      const open = { ...key, valid_for: { start: '2026-03-01T00:00:00Z' } };
      Object.assign(two ?? {}, { public_key: open, publicKey: undefined });
    });
    assert.deepEqual(
      root.logs.map(({ validFor }) => validFor),
      [
        { start: new Date('2026-01-01T00:00:00.500Z'), end: new Date('2026-02-01T00:00:00Z') },
        { start: new Date('2026-03-01T00:00:00Z') },
      ],
    );
  });

  test('with an RSA key of a log that is no SubjectPublicKeyInfo, as old roots have it', () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const rawBytes = publicKey.export({ type: 'pkcs1', format: 'der' }).toString('base64');
    const root = decodeWith((json) => {
      first(json.ctlogs).publicKey = { ...first(json.ctlogs).publicKey, rawBytes, keyDetails: 'PKCS1_RSA_PKCS1V5' };
      delete first(json.ctlogs).logId;
    });
    assert.equal(first(root.certificateLogs).publicKey.algorithm, 'rsa-2048');
  });

  test('leaving out a log with a key or hash of a kind that is not used here, and saying so', () => {
    const root = decodeWith((json) => {
      first(json.tlogs).publicKey['rawBytes'] = SECP256K1;
      first(json.ctlogs)['hashAlgorithm'] = 'SHA2_512';
    });
    assert.equal(root.logs.length, 1);
    assert.deepEqual(root.certificateLogs, []);
    assert.deepEqual(
      root.skipped.map(({ what }) => what),
      ['root.json.tlogs[0]', 'root.json.ctlogs[0]'],
    );
    assert.match(first(root.skipped).reason, /secp256k1/);
  });
});

describe('does not use a key of a log', () => {
  test('with a point of small order, under which anything would verify', () => {
    const point = Buffer.from(`302a300506032b6570032100${'00'.repeat(32)}`, 'hex').toString('base64');
    const root = decodeWith((json) => {
      Object.assign(first(json.tlogs).publicKey, { rawBytes: point, keyDetails: 'PKIX_ED25519' });
    });
    assert.equal(root.logs.length, 1);
    assert.match(first(root.skipped).reason, /small order/);
  });
});

describe('refuses a trusted root', () => {
  test('of another version, or that is something else', () => {
    refuses(
      (root) => (root['mediaType'] = 'application/vnd.dev.sigstore.trustedroot.v0.3+json'),
      'trusted-root-unsupported',
      /v0\.3/,
    );
    refuses((root) => delete root['mediaType'], 'trusted-root-unsupported', /no media type/);
    assert.throws(() => decodeTrustedRoot(Buffer.from('[]'), 'it'), { code: 'trusted-root-malformed' });
  });

  test('with a field that nobody here understands: it may be a limit', () => {
    refuses((root) => (root['revoked'] = []), 'trusted-root-malformed', /unknown field 'revoked'/);
    refuses(
      (root) => (first(root.tlogs).publicKey['maxUses'] = 1),
      'trusted-root-malformed',
      /tlogs\[0\]\.publicKey has an unknown field 'maxUses'/,
    );
  });

  test('with a member twice', () => {
    const text = golden.toString().replace('"tlogs"', '"tlogs": [], "tlogs"');
    assert.throws(() => decodeTrustedRoot(Buffer.from(text), 'it'), {
      code: 'trusted-root-malformed',
      message: /twice/,
    });
  });

  test('with a log without a key or an id, or a broken key', () => {
    refuses(
      (root) => Reflect.deleteProperty(first(root.tlogs), 'publicKey'),
      'trusted-root-malformed',
      /publicKey is missing/,
    );
    refuses((root) => delete first(root.tlogs).logId, 'trusted-root-malformed', /logId is missing/);
    refuses((root) => (first(root.tlogs).publicKey['rawBytes'] = ''), 'trusted-root-malformed', /rawBytes is empty/);
    refuses((root) => (first(root.tlogs).publicKey['rawBytes'] = 'AAAA'), 'key-malformed', /tlogs\[0\]\.publicKey/);
  });

  test('with a certificate log whose id is not the hash of its key', () =>
    refuses(
      (root) => (first(root.ctlogs).logId = { keyId: 'AAAA' }),
      'trusted-root-malformed',
      /logId is not the SHA-256/,
    ));

  test('with a key that is said to be of another kind than it is', () =>
    refuses(
      (root) => (first(root.tlogs).publicKey['keyDetails'] = 'PKIX_ED25519'),
      'trusted-root-malformed',
      /PKIX_ED25519, of a key of type ecdsa-p256/,
    ));

  test('with a period that ends before it begins, or a time that is none', () => {
    const period = (start: string, end: string) => (root: RootJson) =>
      (first(root.tlogs).publicKey['validFor'] = { start, end });
    refuses(period('2026-01-01T00:00:00Z', '2025-01-01T00:00:00Z'), 'trusted-root-malformed', /before the start/);
    refuses(period('2026-01-01', '2027-01-01'), 'trusted-root-malformed', /RFC 3339/);
    refuses(period('2026-02-30T00:00:00Z', '2027-01-01T00:00:00Z'), 'trusted-root-malformed', /RFC 3339/);
    refuses(period('2026-13-41T00:00:00Z', '2027-01-01T00:00:00Z'), 'trusted-root-malformed', /RFC 3339/);
  });

  test('with a log key that does not say since when it is trusted', () => {
    for (const logs of ['tlogs', 'ctlogs'] as const) {
      refuses(
        (root) => delete first(root[logs]).publicKey['validFor'],
        'trusted-root-malformed',
        /validFor is missing, so that the key would be trusted at all times/,
      );
      refuses(
        (root) => (first(root[logs]).publicKey['validFor'] = { end: '2027-01-01T00:00:00Z' }),
        'trusted-root-malformed',
        /start is missing/,
      );
    }
  });

  test('with an authority without certificates, or a broken one', () => {
    refuses(
      (root) => delete first(root.certificateAuthorities).certChain,
      'trusted-root-malformed',
      /certChain is missing/,
    );
    refuses(
      (root) => (first(root.certificateAuthorities).certChain = { certificates: [{ rawBytes: 'MAA=' }] }),
      'der-malformed',
      /certificates\[0\]/,
    );
  });

  test('of more entries, certificates or bytes than there can be', () => {
    refuses(
      (root) => (root.tlogs = Array.from({ length: 257 }, () => first(root.tlogs))),
      'trusted-root-malformed',
      /at most 256/,
    );
    const many = Array.from({ length: 11 }, () => ({ rawBytes: '' }));
    refuses(
      (root) => (first(root.certificateAuthorities).certChain = { certificates: many }),
      'trusted-root-malformed',
      /at most 10/,
    );
    assert.throws(() => decodeTrustedRoot(Buffer.alloc(5 * 1024 * 1024, ' '), 'it'), { code: 'too-large' });
  });

  test('never with anything but a coded error, whatever is changed in it', () => {
    fc.assert(
      fc.property(fc.nat(golden.length - 1), fc.uint8Array({ minLength: 1, maxLength: 4 }), (at, bytes) => {
        const changed = Buffer.concat([golden.subarray(0, at), bytes, golden.subarray(at + bytes.length)]);
        try {
          decodeTrustedRoot(changed, 'it');
        } catch (error) {
          assert.ok(error instanceof TrustError || error instanceof WireError, String(error));
        }
      }),
      { numRuns: 300 },
    );
  });
});
