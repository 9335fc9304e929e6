// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import { DerReader } from '../der/der-reader.ts';
import * as der from '../der/der-writer.ts';
import { TrustError } from '../error.ts';
import { encodeDigestAlgorithm } from './digest-algorithm.ts';
import { encodeSigningCertificate } from './signing-certificate.ts';
import { decodeTimestampInfo } from './timestamp-info.ts';
import { decodeTimestampRequest, encodeTimestampRequest, type TimestampRequest } from './timestamp-request.ts';
import { decodeTimestampResponse, encodeTimestampRefusal, type TimestampFailure } from './timestamp-response.ts';
import { CmsOid, type TimestampToken } from './timestamp-token.ts';
import {
  answerOf,
  attributeOf,
  infoOf,
  newTestAuthority,
  type AnswerChange,
  type TestAuthority,
} from './timestamp.fixture.ts';

const SIGNATURE = Buffer.from('signature');

let authority: TestAuthority;
before(async () => {
  authority = await newTestAuthority();
});

function granted(bytes: Uint8Array): TimestampToken {
  const response = decodeTimestampResponse(bytes);
  assert.ok(response.kind === 'granted', JSON.stringify(response));
  return response.token;
}

function refused(act: () => unknown, pattern: RegExp, code = 'timestamp-malformed'): void {
  assert.throws(act, (error) => {
    assert.ok(error instanceof TrustError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    assert.ok(!error.message.includes('\n'));
    return true;
  });
}

describe('a request', () => {
  const digest = { algorithm: 'sha256', bytes: hash('sha256', SIGNATURE, 'buffer') } as const;

  test('as cosign 3 sends it is written byte for byte', () => {
    const bytes = Buffer.from('608a10cad7b9f193a4444c15e2bc2963a4fc3c2c010332239e01aee455e52dc9', 'hex');
    const written = encodeTimestampRequest({ digest: { algorithm: 'sha256', bytes }, certificates: false });
    assert.equal(
      Buffer.from(written).toString('hex'),
      `30360201013031300d060960864801650304020105000420${bytes.toString('hex')}`,
    );
  });

  test('is read as it was written', () => {
    const requests: readonly TimestampRequest[] = [
      { digest, certificates: true },
      { digest, policy: '1.3.6.1.4.1.57264.2', nonce: Buffer.from([0x80, 0, 1]), certificates: false },
      { digest: { algorithm: 'sha384', bytes: Buffer.alloc(48) }, nonce: Buffer.from([7]), certificates: true },
      { digest: { algorithm: 'sha512', bytes: Buffer.alloc(64) }, nonce: Buffer.from([0]), certificates: true },
    ];
    for (const request of requests) {
      const read = decodeTimestampRequest(encodeTimestampRequest(request));
      assert.deepEqual(
        { ...read, digest: { ...read.digest, bytes: Buffer.from(read.digest.bytes) } },
        {
          ...request,
          digest: { ...request.digest, bytes: Buffer.from(request.digest.bytes) },
        },
      );
    }
  });

  const imprint = der.sequence(encodeDigestAlgorithm('sha256'), der.octetString(digest.bytes));
  const short = der.sequence(encodeDigestAlgorithm('sha384'), der.octetString(digest.bytes));
  const sha1 = der.sequence(der.sequence(der.oid('1.3.14.3.2.26')), der.octetString(Buffer.alloc(20)));
  const malformed: Readonly<Record<string, readonly [Uint8Array, string, RegExp]>> = {
    'of another version': [der.sequence(der.integer(2), imprint), 'timestamp-malformed', /version 2/],
    'with a digest of another length': [
      der.sequence(der.integer(1), short),
      'timestamp-malformed',
      /32 octets, expected 48/,
    ],
    'with SHA-1': [der.sequence(der.integer(1), sha1), 'timestamp-algorithm-unsupported', /SHA-1, expected SHA-256/],
    'with extensions': [
      der.sequence(der.integer(1), imprint, der.value(0xa0, der.sequence())),
      'timestamp-extension-unsupported',
      /extensions/,
    ],
    'with something after it': [
      Buffer.concat([der.sequence(der.integer(1), imprint), Buffer.alloc(1)]),
      'der-malformed',
      /too many/,
    ],
    'with a nonce that is negative': [
      der.sequence(der.integer(1), imprint, Buffer.from('020180', 'hex')),
      'der-malformed',
      /negative/,
    ],
    'that is empty': [new Uint8Array(), 'der-malformed', /nothing/],
    'that is too large': [der.sequence(der.octetString(Buffer.alloc(5000))), 'timestamp-malformed', /at most 4096/],
  };
  for (const [name, [bytes, code, pattern]] of Object.entries(malformed))
    test(`${name} is refused`, () => refused(() => decodeTimestampRequest(bytes), pattern, code));
});

describe('what an authority says', () => {
  const time = (text: string): Uint8Array => der.value(0x18, Buffer.from(text));
  const timed = (text: string): string =>
    decodeTimestampInfo(infoOf(SIGNATURE, { time: time(text) })).time.toISOString();
  const accuracy = (...fields: readonly Uint8Array[]): unknown =>
    decodeTimestampInfo(infoOf(SIGNATURE, { more: [der.sequence(...fields)] })).accuracy;

  test('may have a fraction of a second', () => {
    assert.equal(timed('20260601000005Z'), '2026-06-01T00:00:05.000Z');
    assert.equal(timed('20260601000005.5Z'), '2026-06-01T00:00:05.500Z');
    assert.equal(timed('20260601000005.0009Z'), '2026-06-01T00:00:05.000Z');
    assert.equal(timed('20260601000005.123456789Z'), '2026-06-01T00:00:05.123Z');
  });

  for (const bad of [
    '20260601000005',
    '20260601000005.Z',
    '20260601000005.10Z',
    '20260601000005,5Z',
    '20260601000005+0000',
    '20260601000005.1234567891Z',
    '2026060100000Z',
  ])
    test(`is refused with the time ${bad}`, () => refused(() => timed(bad), /a time that is not in UTC/));
  for (const bad of ['20260631000005Z', '20260601250005Z', '2026060100000aZ', '20260601000060.5Z'])
    test(`is refused with the time ${bad}, which no calendar has`, () =>
      refused(() => timed(bad), /./, 'der-malformed'));

  test('may have an accuracy, in whichever parts', () => {
    assert.deepEqual(accuracy(), { seconds: 0, milliseconds: 0, microseconds: 0 });
    assert.deepEqual(accuracy(der.integer(2)), { seconds: 2, milliseconds: 0, microseconds: 0 });
    assert.deepEqual(accuracy(der.implicit(0, Buffer.from([5])), der.implicit(1, Buffer.from([6]))), {
      seconds: 0,
      milliseconds: 5,
      microseconds: 6,
    });
    refused(() => accuracy(der.implicit(0, Buffer.from([0]))), /accuracy of 0/);
    refused(() => accuracy(der.implicit(1, Buffer.from([3, 0xe8]))), /accuracy of 1000/);
  });

  test('may have extensions that need not be understood, as those of qualified authorities, and none that must', () => {
    const extension = (...critical: readonly Uint8Array[]): Uint8Array =>
      der.sequence(der.oid('1.3.6.1.5.5.7.1.3'), ...critical, der.octetString(der.nullValue()));
    const read = (...extensions: readonly Uint8Array[]): string =>
      decodeTimestampInfo(infoOf(SIGNATURE, { more: [der.value(0xa1, ...extensions)] })).time.toISOString();
    assert.equal(read(extension()), '2026-06-01T00:00:05.000Z');
    assert.equal(read(extension(), extension(der.boolean(false))), '2026-06-01T00:00:05.000Z');
    refused(() => read(extension(), extension(der.boolean(true))), /the critical extension 1\.3\.6\.1\.5\.5\.7\.1\.3/);
    refused(() => read(), /an empty list of extensions/);
    refused(() => read(der.sequence()), /./, 'der-malformed');
  });

  test('may have an ordering, a nonce and a name, in that order', () => {
    const name = der.value(0xa0, der.value(0xa4, der.sequence()));
    const info = decodeTimestampInfo(
      infoOf(SIGNATURE, { more: [der.boolean(true), der.integer(Buffer.from([0x80])), name] }),
    );
    assert.deepEqual(Buffer.from(info.nonce ?? []), Buffer.from([0x80]));
    refused(
      () => decodeTimestampInfo(infoOf(SIGNATURE, { more: [name, der.boolean(true)] })),
      /too many/,
      'der-malformed',
    );
  });

  test('is refused in another version', () => {
    refused(() => decodeTimestampInfo(der.sequence(der.integer(2))), /version 2/);
  });
});

describe('a response', () => {
  test('is read with all that it says', () => {
    const { leaf, root } = authority;
    const token = granted(answerOf(authority, SIGNATURE, { certificates: [leaf.der, root.der] }));
    assert.deepEqual(
      token.certificates.map((one) => Buffer.from(one)),
      [leaf, root].map((one) => Buffer.from(one.der)),
    );
    assert.equal(token.signer.digestAlgorithm, 'sha256');
    assert.equal(token.signer.signatureAlgorithm, 'ecdsa-sha256');
    assert.equal(token.signer.certificates.length, 1);
    assert.equal(token.signer.attributes[0], 0x31);
    new DerReader(token.signer.attributes, 'it').enter(0x31);
    assert.deepEqual(Buffer.from(token.content), Buffer.from(infoOf(SIGNATURE)));
  });

  test('that refuses says why', () => {
    const failures: readonly TimestampFailure[] = [
      'badAlg',
      'badRequest',
      'badDataFormat',
      'timeNotAvailable',
      'unacceptedPolicy',
      'unacceptedExtension',
      'addInfoNotAvailable',
      'systemFailure',
    ];
    for (const failure of failures)
      assert.deepEqual(decodeTimestampResponse(encodeTimestampRefusal(failure, 'why')), {
        kind: 'refused',
        failures: [failure],
        text: 'why',
      });
    const both = der.sequence(der.sequence(der.integer(3), der.namedBits((1 << 0) | (1 << 25))));
    assert.deepEqual(decodeTimestampResponse(both), {
      kind: 'refused',
      failures: ['badAlg', 'systemFailure'],
      text: '',
    });
  });

  const signingCertificate = (): Uint8Array =>
    attributeOf(CmsOid.signingCertificateV2, encodeSigningCertificate(authority.leaf));
  const malformed: Readonly<Record<string, readonly [() => AnswerChange, RegExp, string?]>> = {
    'an unknown status': [() => ({ status: der.sequence(der.integer(6)) }), /the status 6/],
    'a token although it refuses': [() => ({ status: der.sequence(der.integer(2)) }), /too many/, 'der-malformed'],
    'no token although it grants': [() => ({ token: [] }), /nothing/, 'der-malformed'],
    'two tokens': [() => ({ token: [der.sequence(), der.sequence()] }), /./, 'der-malformed'],
    'something else than signed data': [
      () => ({ token: [der.sequence(der.oid('1.2.840.113549.1.7.1'), der.explicit(0, der.sequence()))] }),
      /signed data/,
    ],
    'another content than a timestamp': [
      () => ({ contentType: der.oid('1.2.840.113549.1.7.1') }),
      /the content of a timestamp/,
    ],
    'no content': [() => ({ content: der.explicit(0, der.nullValue()) }), /./, 'der-malformed'],
    'a version of the future': [() => ({ version: der.integer(6) }), /version 6/],
    'no signer': [() => ({ signers: () => [] }), /nothing/, 'der-malformed'],
    'two signers': [() => ({ signers: (signer) => [signer, signer] }), /more than one signer/],
    'seventeen certificates': [
      () => ({ certificates: Array.from({ length: 17 }, () => der.sequence()) }),
      /more than 16 certificates/,
    ],
    'no type of content among the attributes': [() => ({ attributes: { contentType: undefined } }), /content type/],
    'another type of content among the attributes': [
      () => ({ attributes: { contentType: attributeOf(CmsOid.contentType, der.oid('1.2.3')) } }),
      /the content type of a timestamp/,
    ],
    'no digest among the attributes': [() => ({ attributes: { messageDigest: undefined } }), /digest/],
    'no certificate among the attributes': [
      () => ({ attributes: { signingCertificate: undefined } }),
      /which certificate/,
    ],
    'an attribute twice': [() => ({ more: [signingCertificate()] }), /16\.2\.47 twice/],
    'an attribute with two values': [
      () => ({
        attributes: {
          messageDigest: attributeOf(CmsOid.messageDigest, der.octetString(SIGNATURE), der.octetString(SIGNATURE)),
        },
      }),
      /several values/,
    ],
    'an attribute without a value': [
      () => ({ attributes: { messageDigest: attributeOf(CmsOid.messageDigest) } }),
      /nothing/,
      'der-malformed',
    ],
    'more attributes than are read': [
      () => ({ more: Array.from({ length: 32 }, (_, n) => attributeOf(`1.2.3.${n}`, der.nullValue())) }),
      /more than 32 attributes/,
    ],
    'a certificate named by SHA-1 in the second version of the attribute': [
      () => ({
        attributes: {
          signingCertificate: attributeOf(
            CmsOid.signingCertificateV2,
            der.sequence(
              der.sequence(der.sequence(der.sequence(der.oid('1.3.14.3.2.26')), der.octetString(SIGNATURE))),
            ),
          ),
        },
      }),
      /its SHA-1, expected SHA-2/,
    ],
  };
  for (const [name, [change, pattern, code]] of Object.entries(malformed))
    test(`with ${name} is refused`, () =>
      refused(() => decodeTimestampResponse(answerOf(authority, SIGNATURE, change())), pattern, code));

  test('that is too large is refused before it is read', () => {
    refused(() => decodeTimestampResponse(Buffer.alloc(300_000)), /at most 262144/);
  });
});

test('answers in codes, whatever is changed or sent', () => {
  const seeds = [
    answerOf(authority, SIGNATURE, { certificates: [authority.leaf.der] }),
    encodeTimestampRefusal('badAlg', 'why'),
    encodeTimestampRequest({
      digest: { algorithm: 'sha256', bytes: Buffer.alloc(32) },
      policy: '1.2.3',
      nonce: Buffer.from([1]),
      certificates: true,
    }),
  ];
  const staysTyped = (bytes: Uint8Array): void => {
    for (const decode of [decodeTimestampResponse, decodeTimestampRequest, decodeTimestampInfo])
      try {
        decode(bytes);
      } catch (error) {
        assert.ok(error instanceof TrustError, String(error));
        assert.ok(error.message.length < 600 && !error.message.includes('\n'), error.message);
      }
  };
  const edits = fc.array(fc.record({ at: fc.nat(), octet: fc.nat(255), cut: fc.nat(2) }), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(fc.constantFrom(...seeds), edits, (seed, all) => {
      staysTyped(
        all.reduce<Uint8Array>((bytes, { at, octet, cut }) => {
          const place = at % (bytes.length + 1);
          return Uint8Array.from([...bytes.subarray(0, place), octet, ...bytes.subarray(place + cut)]);
        }, seed),
      );
    }),
    { numRuns: 1500 },
  );
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => staysTyped(bytes)));
});
