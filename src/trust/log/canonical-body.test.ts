// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { encodeBase64, isJsonObject, WireError, type Json } from '../../wire/index.ts';
import { TrustError, type TrustErrorCode } from '../error.ts';
import { encodePem } from '../key/pem.ts';
import { decodePublicKey, KEY_ALGORITHMS } from '../key/public-key.ts';
import { defaultKeyDetails, encodeLogBody, KEY_DETAILS, type LogBody } from './canonical-body.ts';
import { decodeLogBody } from './decode-canonical-body.ts';
import { GOLDEN, goldenBundles } from './golden-bundle.fixture.ts';

const bundles = goldenBundles([
  'keyless-3.1.1-rekor1',
  'keyless-3.1.1-rekor1-tsa',
  'keyless-2.5.0-env',
  'key-tlog-3.1.1-rekor1',
  'key-tlog-3.1.1-rekor2',
  'misc-3.1.1',
]);
const recorded = [...bundles.values()].flatMap(({ logEntries }) => logEntries);

function refused(act: () => unknown, code: TrustErrorCode, pattern: RegExp): void {
  assert.throws(act, (error) => {
    assert.ok(error instanceof TrustError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    assert.ok(!error.message.includes('\n'));
    return true;
  });
}

function octets(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

const { spki } = decodePublicKey(readFileSync(join(GOLDEN, '_keys/cosign.pub')), 'cosign.pub');
const digest = { algorithm: 'sha256', bytes: new Uint8Array(32).fill(1) } as const;
const other = { algorithm: 'sha384', bytes: new Uint8Array(48).fill(2) } as const;
const signature = octets('signature');
const byKey = { kind: 'public-key', der: spki } as const;
const byCertificate = { kind: 'certificate', der: octets('leaf'), chain: [] } as const;
const byChain = { kind: 'certificate', der: octets('leaf'), chain: [octets('above')] } as const;
const P256 = { keyDetails: 'PKIX_ECDSA_P256_SHA_256' } as const;

const EXAMPLES: Readonly<Record<string, LogBody>> = {
  'hashedrekord 0.0.1 by a key': { kind: 'hashedrekord', version: '0.0.1', digest, signature, verifier: byKey },
  'hashedrekord 0.0.1 by a chain': {
    kind: 'hashedrekord',
    version: '0.0.1',
    digest: other,
    signature,
    verifier: byChain,
  },
  'dsse 0.0.1': {
    kind: 'dsse',
    version: '0.0.1',
    envelopeHash: digest,
    payloadHash: digest,
    signatures: [{ signature, verifier: byCertificate }],
  },
  'intoto 0.0.1': { kind: 'intoto', version: '0.0.1', envelopeHash: digest, payloadHash: digest, verifier: byKey },
  'intoto 0.0.1 without the hash of the payload': {
    kind: 'intoto',
    version: '0.0.1',
    envelopeHash: digest,
    verifier: byKey,
  },
  'intoto 0.0.2': {
    kind: 'intoto',
    version: '0.0.2',
    payloadType: 'application/<b>"ü"',
    envelopeHash: digest,
    payloadHash: digest,
    signatures: [{ keyid: 'SHA256:x', signature, verifier: byKey }],
  },
  'hashedrekord 0.0.2 by a key': {
    kind: 'hashedrekord',
    version: '0.0.2',
    digest,
    signature,
    verifier: byKey,
    ...P256,
  },
  'hashedrekord 0.0.2 by a certificate': {
    kind: 'hashedrekord',
    version: '0.0.2',
    digest: { algorithm: 'sha512', bytes: new Uint8Array(64) },
    signature,
    verifier: byCertificate,
    keyDetails: 'PKIX_ED25519_PH',
  },
  'dsse 0.0.2': {
    kind: 'dsse',
    version: '0.0.2',
    payloadHash: digest,
    signatures: [{ signature, verifier: byCertificate, ...P256 }],
  },
};

describe('bodies are byte for byte what Rekor keeps', () => {
  test('of every recorded entry', () => {
    assert.ok(recorded.length >= 20, `${recorded.length} entries`);
    const kinds = new Set<string>();
    for (const { canonicalizedBody } of recorded) {
      const body = decodeLogBody(canonicalizedBody);
      kinds.add(`${body.kind} ${body.version}`);
      assert.equal(Buffer.from(encodeLogBody(body)).toString(), Buffer.from(canonicalizedBody).toString());
    }
    assert.deepEqual([...kinds].toSorted(), ['dsse 0.0.1', 'hashedrekord 0.0.1', 'hashedrekord 0.0.2']);
  });

  test('of every kind, by its text', () => {
    const text = (name: string): string => Buffer.from(encodeLogBody(EXAMPLES[name] ?? assert.fail(name))).toString();
    const hex = '01'.repeat(32);
    const pem = encodeBase64(Buffer.from(encodePem('PUBLIC KEY', spki)));
    const sig = encodeBase64(signature);
    assert.equal(
      text('hashedrekord 0.0.1 by a key'),
      `{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{"data":{"hash":{"algorithm":"sha256","value":"${hex}"}},"signature":{"content":"${sig}","publicKey":{"content":"${pem}"}}}}`,
    );
    assert.equal(
      text('intoto 0.0.1'),
      `{"apiVersion":"0.0.1","kind":"intoto","spec":{"content":{"hash":{"algorithm":"sha256","value":"${hex}"},"payloadHash":{"algorithm":"sha256","value":"${hex}"}},"publicKey":"${pem}"}}`,
    );
    assert.equal(
      text('intoto 0.0.2'),
      `{"apiVersion":"0.0.2","kind":"intoto","spec":{"content":{"envelope":{"payloadType":"application/<b>\\"ü\\"","signatures":[{"keyid":"SHA256:x","publicKey":"${pem}","sig":"${encodeBase64(Buffer.from(sig))}"}]},"hash":{"algorithm":"sha256","value":"${hex}"},"payloadHash":{"algorithm":"sha256","value":"${hex}"}}}}`,
    );
    // services.md section 2.3; sections of cosign 3.0 for the envelope.
    assert.equal(
      text('hashedrekord 0.0.2 by a key'),
      `{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":"SHA2_256","digest":"${encodeBase64(digest.bytes)}"},"signature":{"content":"${sig}","verifier":{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":{"rawBytes":"${encodeBase64(spki)}"}}}}}}`,
    );
    assert.equal(
      text('dsse 0.0.2'),
      `{"apiVersion":"0.0.2","kind":"dsse","spec":{"dsseV002":{"payloadHash":{"algorithm":"SHA2_256","digest":"${encodeBase64(digest.bytes)}"},"signatures":[{"content":"${sig}","verifier":{"keyDetails":"PKIX_ECDSA_P256_SHA_256","x509Certificate":{"rawBytes":"bGVhZg=="}}}]}}}`,
    );
  });

  test('of dsse 0.0.1 with signatures in the order of their text', () => {
    const of = (...signatures: string[]): string =>
      Buffer.from(
        encodeLogBody({
          kind: 'dsse',
          version: '0.0.1',
          envelopeHash: digest,
          payloadHash: digest,
          signatures: signatures.map((text) => ({ signature: Buffer.from(text), verifier: byKey })),
        }),
      ).toString();
    assert.equal(of('c', 'a', 'b'), of('a', 'b', 'c'));
    assert.ok(
      of('b', 'a').indexOf(encodeBase64(Buffer.from('a'))) < of('b', 'a').indexOf(encodeBase64(Buffer.from('b'))),
    );
  });
});

describe('reads back what it writes', () => {
  for (const [name, body] of Object.entries(EXAMPLES))
    test(name, () => assert.deepEqual(decodeLogBody(encodeLogBody(body)), body));
});

test("reads a key as npm's attestations have it, without a line feed at its end", () => {
  const pem = encodeBase64(Buffer.from(encodePem('PUBLIC KEY', spki).trimEnd()));
  const body = JSON.parse(Buffer.from(encodeLogBody(EXAMPLES['intoto 0.0.2'] ?? assert.fail())).toString());
  body.spec.content.envelope.signatures[0].publicKey = pem;
  assert.deepEqual(decodeLogBody(Buffer.from(JSON.stringify(body))), EXAMPLES['intoto 0.0.2']);
});

test('each kind of key has the details that clients rebuild entries with', () => {
  const details = KEY_ALGORITHMS.map((algorithm) => [algorithm, ...Object.values(defaultKeyDetails(algorithm) ?? {})]);
  assert.deepEqual(details, [
    ['ecdsa-p256', 'PKIX_ECDSA_P256_SHA_256', 'sha256'],
    ['ecdsa-p384', 'PKIX_ECDSA_P384_SHA_384', 'sha384'],
    ['ecdsa-p521', 'PKIX_ECDSA_P521_SHA_512', 'sha512'],
    ['ed25519', 'PKIX_ED25519_PH', 'sha512'],
    ['rsa-2048', 'PKIX_RSA_PKCS1V15_2048_SHA256', 'sha256'],
    ['rsa-3072', 'PKIX_RSA_PKCS1V15_3072_SHA256', 'sha256'],
    ['rsa-4096', 'PKIX_RSA_PKCS1V15_4096_SHA256', 'sha256'],
  ]);
  assert.ok(details.every(([, name]) => KEY_DETAILS.some((known) => known === name)));
  assert.equal(defaultKeyDetails('rsa-2056'), undefined);
});

/** A body with one value in it replaced. */
function replaced(name: string, path: readonly (string | number)[], value: Json | undefined): Uint8Array {
  const body: unknown = JSON.parse(Buffer.from(encodeLogBody(EXAMPLES[name] ?? assert.fail(name))).toString());
  let at = body;
  for (const step of path.slice(0, -1)) at = Reflect.get(Object(at), step);
  const last = path.at(-1) ?? assert.fail();
  if (value === undefined) Reflect.deleteProperty(Object(at), last);
  else Reflect.set(Object(at), last, value);
  return Buffer.from(JSON.stringify(body));
}

describe('refuses a body', () => {
  const V1 = 'hashedrekord 0.0.1 by a key';
  const V2 = 'hashedrekord 0.0.2 by a key';
  const pem = (...blocks: [string, Uint8Array][]): string =>
    encodeBase64(Buffer.from(blocks.map(([label, der]) => encodePem(label, der)).join('')));
  const publicKey = ['spec', 'signature', 'publicKey', 'content'];
  const verifier = ['spec', 'hashedRekordV002', 'signature', 'verifier'];
  const cases: Readonly<Record<string, readonly [string, readonly (string | number)[], Json | undefined, RegExp]>> = {
    'with an unknown member': [V1, ['more'], 1, /unknown member 'more'/],
    'with an unknown member in its depth': [
      V1,
      ['spec', 'data', 'url'],
      'http://x',
      /data has an unknown member 'url'/,
    ],
    'whose spec is no object': [V1, ['spec'], [], /spec is no object/],
    'without a signature': [V1, ['spec', 'signature'], undefined, /signature is no object/],
    'with an empty signature': [V1, ['spec', 'signature', 'content'], '', /content is empty/],
    'with a digest of another length': [V1, ['spec', 'data', 'hash', 'value'], '00', /1 octets long/],
    'with a digest in capitals': [V1, ['spec', 'data', 'hash', 'value'], 'AA'.repeat(32), /lower-case/],
    'with SHA-1': [V1, ['spec', 'data', 'hash', 'algorithm'], 'sha1', /'sha1', expected SHA-2/],
    'with a PGP key': [V1, publicKey, pem(['PGP PUBLIC KEY BLOCK', spki]), /neither one public key nor/],
    'with two public keys': [V1, publicKey, pem(['PUBLIC KEY', spki], ['PUBLIC KEY', spki]), /neither/],
    'with a certificate and a key': [V1, publicKey, pem(['CERTIFICATE', spki], ['PUBLIC KEY', spki]), /neither/],
    'with eleven certificates': [
      V1,
      publicKey,
      pem(...Array.from({ length: 11 }, (): [string, Uint8Array] => ['CERTIFICATE', spki])),
      /neither/,
    ],
    'with no PEM where a key should be': [V1, publicKey, encodeBase64(spki), /neither/],
    'with details of a key that are not known': [
      V2,
      [...verifier, 'keyDetails'],
      'PKCS1_RSA_PSS',
      /keyDetails is 'PKCS1/,
    ],
    'with a key and a certificate': [
      V2,
      [...verifier, 'x509Certificate'],
      { rawBytes: 'AA==' },
      /unknown member 'publicKey'/,
    ],
    'with neither': [V2, [...verifier, 'publicKey'], undefined, /publicKey is no object/],
    'without signatures': ['dsse 0.0.1', ['spec', 'signatures'], [], /no list of 1 to 16/],
    'with seventeen signatures': [
      'dsse 0.0.1',
      ['spec', 'signatures'],
      Array.from({ length: 17 }, () => ({})),
      /no list of 1 to 16/,
    ],
    'with a signature that is no object': [
      'dsse 0.0.1',
      ['spec', 'signatures', 0],
      'x',
      /signatures\[0\] is no object/,
    ],
  };
  for (const [name, [example, path, value, pattern]] of Object.entries(cases))
    test(name, () => refused(() => decodeLogBody(replaced(example, path, value)), 'log-entry-malformed', pattern));

  test('of a kind or version that is not read', () => {
    for (const [kind, apiVersion] of [
      ['rekord', '0.0.1'],
      ['hashedrekord', '0.0.3'],
      ['intoto', '0.0.3'],
      ['rfc3161', '0.0.1'],
      ['\u0007', '0'],
    ])
      refused(
        () => decodeLogBody(Buffer.from(JSON.stringify({ kind, apiVersion, spec: {} }))),
        'log-entry-unsupported',
        /expected hashedrekord 0\.0\.1, dsse 0\.0\.1/,
      );
  });

  test('with a member twice, because readers differ about those', () => {
    const text = Buffer.from(encodeLogBody(EXAMPLES[V1] ?? assert.fail())).toString();
    const twice = text.replace('"spec":', '"spec":{},"spec":');
    refused(() => decodeLogBody(Buffer.from(twice)), 'log-entry-malformed', /member 'spec' twice/);
  });

  test('that is not JSON, is too large or too deep', () => {
    for (const bytes of ['', '{', 'null', '[]', `{"a":${'['.repeat(100)}`, `"${'x'.repeat(600_000)}"`])
      assert.throws(
        () => decodeLogBody(Buffer.from(bytes)),
        (error) => error instanceof TrustError || error instanceof WireError,
      );
  });
});

test('throws nothing but TrustError and WireError, whatever is replaced or changed', () => {
  const seeds = [
    ...Object.values(EXAMPLES).map((body) => encodeLogBody(body)),
    ...recorded.map((entry) => entry.canonicalizedBody),
  ];
  const values = fc.oneof(fc.jsonValue(), fc.constantFrom(null, [], {}, '', -1, 'AA==', 'LS0tLS1CRUdJTiA='));
  const staysTyped = (bytes: Uint8Array): void => {
    try {
      decodeLogBody(bytes);
    } catch (error) {
      assert.ok(error instanceof TrustError || error instanceof WireError, String(error));
      assert.ok(error.message.length < 1000 && !error.message.includes('\n'), error.message);
    }
  };
  fc.assert(
    fc.property(fc.constantFrom(...seeds), fc.nat(), values, (seed, at, value) => {
      let places = 0;
      const text = Buffer.from(seed).toString();
      JSON.parse(text, () => void places++);
      let place = 0;
      staysTyped(
        Buffer.from(
          JSON.stringify(JSON.parse(text, (_, old: unknown) => (place++ === at % places ? value : old))) ?? '',
        ),
      );
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.constantFrom(...seeds), fc.nat(), fc.nat(255), (seed, at, octet) => {
      staysTyped(Uint8Array.from(seed).with(at % seed.length, octet));
    }),
    { numRuns: 500 },
  );
});

test('a body that is read is an object of its kind, whatever the order of its members', () => {
  for (const { canonicalizedBody } of recorded.slice(0, 4)) {
    const json: unknown = JSON.parse(Buffer.from(canonicalizedBody).toString());
    assert.ok(isJsonObject(json as Json));
    const { apiVersion, kind, spec } = json as { apiVersion: string; kind: string; spec: Json };
    assert.deepEqual(
      decodeLogBody(Buffer.from(JSON.stringify({ spec, kind, apiVersion }))),
      decodeLogBody(canonicalizedBody),
    );
  }
});
