// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createHash, hash, sign } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { certify, newTestKey } from '../certificate/authority.fixture.ts';
import {
  encodeBasicConstraints,
  encodeExtendedKeyUsage,
  encodeExtension,
  encodeKeyUsage,
} from '../certificate/build-certificate.ts';
import type { Certificate } from '../certificate/certificate.ts';
import type { CertificateRejectionCode } from '../certificate/certificate-rejection.ts';
import { PurposeOid } from '../certificate/object-identifier.ts';
import { encodeSignatureAlgorithm } from '../certificate/signature-algorithm.ts';
import * as der from '../der/der-writer.ts';
import { encodeDigestAlgorithm, encodeMessageImprint } from './digest-algorithm.ts';
import { encodeSigningCertificate } from './signing-certificate.ts';
import { timestampAuthority, type TimestampAuthority } from './timestamp-authority.ts';
import { TIMESTAMP_REJECTIONS, type TimestampRejectionCode } from './timestamp-rejection.ts';
import { encodeTimestampRefusal } from './timestamp-response.ts';
import { CmsOid } from './timestamp-token.ts';
import {
  answerOf,
  attributeOf,
  infoOf,
  newTestAuthority,
  STAMPED,
  type AnswerChange,
  type TestAuthority,
} from './timestamp.fixture.ts';
import { verifyTimestamp, type TimestampCheck } from './verify-timestamp.ts';

const SIGNATURE = Buffer.from('the signature that is timestamped');
const SHA1 = der.sequence(der.oid('1.3.14.3.2.26'), der.nullValue());

let authority: TestAuthority;
let other: TestAuthority;
let trusted: TimestampAuthority;
before(async () => {
  [authority, other] = await Promise.all([newTestAuthority(), newTestAuthority()]);
  trusted = timestampAuthority([authority.leaf, authority.root]);
});

function answer(change?: AnswerChange): Uint8Array {
  return answerOf(authority, SIGNATURE, change);
}

function verify(response: Uint8Array, authorities: readonly TimestampAuthority[] = [trusted]): TimestampCheck {
  return verifyTimestamp(response, SIGNATURE, authorities);
}

function accepted(check: TimestampCheck): Extract<TimestampCheck, { kind: 'accepted' }> {
  assert.ok(check.kind === 'accepted', check.kind === 'rejected' ? JSON.stringify(check.rejection) : '');
  return check;
}

function rejected(
  check: TimestampCheck,
  code: TimestampRejectionCode,
  pattern: RegExp = /./,
  certificate?: CertificateRejectionCode,
): void {
  assert.ok(check.kind === 'rejected', `accepted, expected ${code}`);
  assert.equal(check.rejection.code, code, JSON.stringify(check.rejection));
  assert.match(`${check.rejection.found} | ${check.rejection.expected}`, pattern);
  assert.equal(check.rejection.certificate?.code, certificate);
  assert.ok(!/[\n\x00]/.test(check.rejection.found + check.rejection.expected));
}

describe('accepts a timestamp', () => {
  test('and says when, by whom and with which certificate', () => {
    const check = accepted(verify(answer()));
    assert.deepEqual(check.time, STAMPED);
    assert.equal(check.authority, trusted);
    assert.equal(check.signer, authority.leaf);
    assert.equal(check.info.policy, '1.2.3.4');
    assert.equal(check.info.accuracy, undefined);
  });

  test('with the certificate in it, or any others', () => {
    for (const certificates of [
      [],
      [authority.leaf.der],
      [authority.leaf.der, authority.root.der],
      [other.leaf.der, authority.root.der, authority.leaf.der],
      [der.value(0xa1, Buffer.from('an attribute certificate'))],
      [der.sequence(Buffer.from('no certificate'))],
    ])
      accepted(verify(answer({ certificates })));
  });

  test('by any certificate that the authority has issued for it, where none is known, if it comes along', async () => {
    const anyOf = timestampAuthority([authority.root]);
    assert.equal(anyOf.leaf, undefined);
    const certificates = [other.leaf.der, authority.root.der, authority.leaf.der];
    assert.deepEqual(accepted(verify(answer({ certificates }), [anyOf])).signer.der, authority.leaf.der);
    rejected(verify(answer(), [anyOf]), 'timestamp-signer-unknown', /which it must have with it/);
    rejected(verify(answer({ certificates: [other.leaf.der] }), [anyOf]), 'timestamp-signer-unknown');
  });

  test('whose signer is named by its key', () => {
    const { subjectKeyIdentifier = assert.fail() } = authority.leaf;
    accepted(verify(answer({ signerId: der.implicit(0, subjectKeyIdentifier) })));
  });

  test('whose signer is named in the first version of the attribute, which has SHA-1, or in both', () => {
    const first = attributeOf(
      CmsOid.signingCertificate,
      der.sequence(der.sequence(der.sequence(der.octetString(createHash('sha1').update(authority.leaf.der).digest())))),
    );
    accepted(verify(answer({ attributes: { signingCertificate: first } })));
    accepted(verify(answer({ more: [first] })));
  });

  test('whose signer is named by another digest, without issuer, with policies after it', () => {
    const id = der.sequence(
      encodeDigestAlgorithm('sha384'),
      der.octetString(hash('sha384', authority.leaf.der, 'buffer')),
    );
    const attribute = attributeOf(CmsOid.signingCertificateV2, der.sequence(der.sequence(id), der.sequence()));
    accepted(verify(answer({ attributes: { signingCertificate: attribute } })));
  });

  test('with signed and unsigned attributes that are not known', () => {
    const more = [
      attributeOf('1.2.3.4.5', der.integer(1), der.integer(2)),
      attributeOf(CmsOid.signingTime, der.time(STAMPED)),
    ];
    accepted(verify(answer({ more, unsigned: [der.value(0xa1, attributeOf('1.2.3', der.integer(1)))] })));
  });

  test('that was granted with modifications, and with a text beside the status', () => {
    accepted(verify(answer({ status: der.sequence(der.integer(1)) })));
    accepted(verify(answer({ status: der.sequence(der.integer(0), der.sequence(der.utf8String('here you are'))) })));
  });

  test('of SHA-384 and SHA-512', () => {
    for (const algorithm of ['sha384', 'sha512'] as const) {
      const imprint = encodeMessageImprint(algorithm, hash(algorithm, SIGNATURE, 'buffer'));
      accepted(verify(answer({ info: infoOf(SIGNATURE, { imprint }) })));
    }
  });

  test('whose signature names the key only, as OpenSSL does for RSA', async () => {
    accepted(verify(answer({ signatureAlgorithm: der.sequence(der.oid('1.2.840.10045.2.1')) })));
    const rsa = await newTestAuthority('rsa-2048');
    const response = answerOf(rsa, SIGNATURE, {
      signatureAlgorithm: der.sequence(der.oid('1.2.840.113549.1.1.1'), der.nullValue()),
    });
    accepted(verify(response, [timestampAuthority([rsa.leaf, rsa.root])]));
  });

  test('of several authorities whichever made it', () => {
    const second = timestampAuthority([other.leaf, other.root]);
    assert.equal(accepted(verify(answer(), [second, trusted])).authority, trusted);
    assert.equal(accepted(verify(answerOf(other, SIGNATURE), [trusted, second])).authority, second);
  });

  test('through an intermediate authority that has no purpose, that one, or any', async () => {
    for (const purposes of [[], [PurposeOid.timeStamping], [PurposeOid.any]]) {
      const chain = await chainThrough(purposes);
      accepted(verifyTimestamp(answerOf(chain, SIGNATURE), SIGNATURE, [timestampAuthority(chain.certificates)]));
    }
    const chain = await chainThrough([PurposeOid.codeSigning]);
    rejected(
      verifyTimestamp(answerOf(chain, SIGNATURE), SIGNATURE, [timestampAuthority(chain.certificates)]),
      'timestamp-certificate',
      /codeSigning|1\.3\.6\.1\.5\.5\.7\.3\.3/,
      'authority-purpose',
    );
  });
});

/** An authority whose leaf was issued by an intermediate one with these purposes. */
async function chainThrough(
  purposes: readonly string[],
): Promise<TestAuthority & { readonly certificates: readonly [Certificate, Certificate, Certificate] }> {
  const key = await newTestKey();
  const { root, rootKey } = authority;
  const subject = der.sequence(der.setOf(der.sequence(der.oid('2.5.4.3'), der.utf8String('TSA intermediate'))));
  const intermediate = await certify(
    { subject, issuer: root.subject, key, signer: rootKey.signer },
    {
      constraints: encodeBasicConstraints({ ca: true, pathLength: 0 }),
      usage: encodeKeyUsage('keyCertSign'),
      purpose: purposes.map((purpose) => encodeExtendedKeyUsage(purpose))[0],
    },
  );
  const below = await newTestAuthority('ecdsa-p256', { leaf: { issuer: subject, signer: key.signer } });
  return { ...below, certificates: [below.leaf, intermediate, root] };
}

describe('rejects a timestamp', () => {
  test('of another signature', () => {
    rejected(verifyTimestamp(answer(), Buffer.from('other'), [trusted]), 'timestamp-imprint-mismatch', /sha256:/);
  });

  test('of a digest by SHA-1 or another that is not accepted', () => {
    const info = infoOf(SIGNATURE, {
      imprint: der.sequence(SHA1, der.octetString(createHash('sha1').update(SIGNATURE).digest())),
    });
    rejected(verify(answer({ info })), 'timestamp-algorithm', /SHA-1 \| SHA-256/);
    const unknown = infoOf(SIGNATURE, {
      imprint: der.sequence(der.sequence(der.oid('1.2.3')), der.octetString(SIGNATURE)),
    });
    rejected(verify(answer({ info: unknown })), 'timestamp-algorithm', /1\.2\.3/);
  });

  test('that is a refusal, and gives its reason on one line', () => {
    rejected(verify(encodeTimestampRefusal('badAlg', 'no\nSHA-1')), 'timestamp-refused', /badAlg, no\\u\{a\}SHA-1/);
    rejected(verify(der.sequence(der.sequence(der.integer(2)))), 'timestamp-refused', /no reason/);
  });

  test('that answers another request', () => {
    const nonce = Buffer.from([0, 7, 7]);
    const info = infoOf(SIGNATURE, { more: [der.integer(nonce)] });
    const check = (response: Uint8Array, sent: Uint8Array): TimestampCheck =>
      verifyTimestamp(response, SIGNATURE, [trusted], { nonce: sent });
    accepted(check(answer({ info }), nonce));
    accepted(check(answer({ info }), nonce.subarray(1)));
    rejected(check(answer({ info }), Buffer.from([7])), 'timestamp-nonce-mismatch', /0x0707 \| the nonce 0x07 /);
    rejected(check(answer(), nonce), 'timestamp-nonce-mismatch', /no nonce/);
  });

  test('that was put under the signature of another', () => {
    const later = infoOf(SIGNATURE, { time: der.generalizedTime(new Date('2030-01-01')) });
    rejected(
      verify(answer({ content: der.explicit(0, der.octetString(later)) })),
      'timestamp-content-mismatch',
      /other content/,
    );
  });

  test('whose signature was made by another key, over something else, or changed', () => {
    for (const signature of [
      (octets: Uint8Array): Uint8Array => sign('sha256', octets, other.leafKey.private.object),
      (): Uint8Array => sign('sha256', SIGNATURE, authority.leafKey.private.object),
      // under the tag that the attributes stand under, and not the one that they are signed under
      (octets: Uint8Array): Uint8Array =>
        sign('sha256', Uint8Array.from(octets).with(0, 0xa0), authority.leafKey.private.object),
      (): Uint8Array => Buffer.alloc(0),
    ])
      rejected(verify(answer({ signature })), 'timestamp-signature-invalid');
  });

  test('over the content itself, without attributes', () => {
    const info = infoOf(SIGNATURE);
    const signers = (): readonly Uint8Array[] => [
      der.sequence(
        der.integer(1),
        der.sequence(authority.leaf.issuer, der.integer(authority.leaf.serialNumber)),
        encodeDigestAlgorithm('sha256'),
        encodeSignatureAlgorithm('ecdsa-sha256'),
        der.octetString(sign('sha256', info, authority.leafKey.private.object)),
      ),
    ];
    rejected(verify(answer({ info, signers })), 'timestamp-malformed');
  });

  test('whose signature and digest do not go together', () => {
    for (const change of [
      { signatureAlgorithm: encodeSignatureAlgorithm('ecdsa-sha384') },
      { signatureAlgorithm: der.sequence(der.oid('1.2.840.10045.4.1')) },
      { signatureAlgorithm: encodeSignatureAlgorithm('ed25519') },
    ])
      rejected(verify(answer(change)), 'timestamp-algorithm', /signed with/);
    rejected(verify(answer({ digestAlgorithm: SHA1 })), 'timestamp-algorithm', /SHA-1/);
  });

  test('whose signature is by another algorithm than the key has', () => {
    rejected(
      verify(answer({ signatureAlgorithm: encodeSignatureAlgorithm('rsa-sha256') })),
      'timestamp-signature-invalid',
    );
  });
});

describe('rejects a signer', () => {
  test('that no trusted authority has', () => {
    rejected(verify(answerOf(other, SIGNATURE)), 'timestamp-signer-unknown', /certificate 0x010203/);
    rejected(verify(answer(), []), 'timestamp-signer-unknown', /none is given/);
    const { subjectKeyIdentifier = assert.fail() } = other.leaf;
    rejected(
      verify(answer({ signerId: der.implicit(0, subjectKeyIdentifier) })),
      'timestamp-signer-unknown',
      /of the key/,
    );
  });

  test('that is another certificate of the same key by the same authority', async () => {
    const renewed = await newTestAuthority();
    const twin = await certify(
      {
        subject: authority.leaf.subject,
        issuer: authority.leaf.issuer,
        key: authority.leafKey,
        signer: authority.rootKey.signer,
      },
      { usage: encodeKeyUsage('digitalSignature'), purpose: encodeExtendedKeyUsage(PurposeOid.timeStamping, true) },
    );
    assert.notEqual(renewed.leaf, twin);
    const attributes = { signingCertificate: attributeOf(CmsOid.signingCertificateV2, encodeSigningCertificate(twin)) };
    rejected(verify(answer({ attributes, certificates: [twin.der] })), 'timestamp-signer-unknown');
  });

  // GHSA-4qg8-fj49-pxjh, GHSA-xm5m-wgh2-rrg3, GHSA-9c54-x2g4-v92j
  test('that is not the trusted leaf, whichever certificates are put before it', () => {
    for (const certificates of [[authority.leaf.der], [authority.leaf.der, other.leaf.der, other.root.der]])
      rejected(verify(answerOf(other, SIGNATURE, { certificates })), 'timestamp-signer-unknown');
  });

  test('that came along, although only another one that came along was issued by the authority', () => {
    const certificates = [authority.leaf.der, other.leaf.der];
    rejected(
      verify(answerOf(other, SIGNATURE, { certificates }), [timestampAuthority([authority.root])]),
      'timestamp-certificate',
      /did not make/,
      'certificate-signature-invalid',
    );
  });

  test('that names the trusted leaf outside of what it signed, and itself inside', () => {
    const signerId = der.sequence(authority.leaf.issuer, der.integer(authority.leaf.serialNumber));
    rejected(verify(answerOf(other, SIGNATURE, { signerId })), 'timestamp-signer-unknown');
  });

  test('that names the trusted leaf everywhere, and has another key', () => {
    const attributes = {
      signingCertificate: attributeOf(CmsOid.signingCertificateV2, encodeSigningCertificate(authority.leaf)),
    };
    const signerId = der.sequence(authority.leaf.issuer, der.integer(authority.leaf.serialNumber));
    rejected(verify(answerOf(other, SIGNATURE, { signerId, attributes })), 'timestamp-signature-invalid');
  });

  test('of whom the two versions of the attribute say two things', () => {
    const first = attributeOf(
      CmsOid.signingCertificate,
      der.sequence(der.sequence(der.sequence(der.octetString(createHash('sha1').update(other.leaf.der).digest())))),
    );
    rejected(verify(answer({ more: [first] })), 'timestamp-signer-unknown');
  });

  test('of whom the attribute has the right hash and another number or issuer', () => {
    const { leaf } = authority;
    const digest = der.octetString(hash('sha256', leaf.der, 'buffer'));
    for (const [issuer, serial] of [
      [leaf.issuer, der.integer(9)],
      [leaf.subject, der.integer(leaf.serialNumber)],
    ] as const) {
      const id = der.sequence(digest, der.sequence(der.sequence(der.value(0xa4, issuer)), serial));
      const signingCertificate = attributeOf(CmsOid.signingCertificateV2, der.sequence(der.sequence(id)));
      rejected(verify(answer({ attributes: { signingCertificate } })), 'timestamp-signer-unknown');
    }
  });
});

describe('rejects a certificate', () => {
  const purposes = {
    'for code signing': [[encodeExtendedKeyUsage(PurposeOid.codeSigning, true)], 'certificate-purpose'],
    'for time stamping that is not critical': [
      [encodeExtendedKeyUsage(PurposeOid.timeStamping)],
      'certificate-purpose',
    ],
    'for time stamping and something else': [
      [
        encodeExtension(
          '2.5.29.37',
          der.sequence(der.oid(PurposeOid.timeStamping), der.oid(PurposeOid.codeSigning)),
          true,
        ),
      ],
      'certificate-purpose',
    ],
    'for any purpose': [[encodeExtendedKeyUsage(PurposeOid.any, true)], 'certificate-purpose'],
    'for no purpose': [[undefined], 'certificate-purpose'],
  } as const;
  for (const [name, [[purpose], code]] of Object.entries(purposes))
    test(name, async () => {
      const changed = await newTestAuthority('ecdsa-p256', { leaf: { extensions: { purpose } } });
      const believed = timestampAuthority([changed.leaf, changed.root]);
      rejected(verify(answerOf(changed, SIGNATURE), [believed]), 'timestamp-certificate', /time-stamping/, code);
    });

  test('that was not valid yet, or no longer, at the time that it gives', async () => {
    for (const [leaf, code] of [
      [{ notBefore: new Date('2026-06-01T00:00:06Z') }, 'certificate-not-yet-valid'],
      [{ notAfter: new Date('2026-06-01T00:00:04Z') }, 'certificate-expired'],
    ] as const) {
      const changed = await newTestAuthority('ecdsa-p256', { leaf });
      const believed = timestampAuthority([changed.leaf, changed.root]);
      rejected(verify(answerOf(changed, SIGNATURE), [believed]), 'timestamp-certificate', /used at 2026-06-01/, code);
    }
  });

  test('whose issuer was no longer valid at that time, although the leaf was (CVE-2026-24122)', async () => {
    const changed = await newTestAuthority('ecdsa-p256', { root: { notAfter: new Date('2026-02-01') } });
    const believed = timestampAuthority([changed.leaf, changed.root]);
    rejected(
      verify(answerOf(changed, SIGNATURE), [believed]),
      'timestamp-certificate',
      /used at 2026-06-01/,
      'authority-expired',
    );
  });

  test('that the trusted authority did not issue', () => {
    const believed: TimestampAuthority = { leaf: authority.leaf, issuer: { chain: [other.root] } };
    rejected(verify(answer(), [believed]), 'timestamp-certificate', /did not make/, 'certificate-signature-invalid');
  });

  test('again at each time, and not only the first that was seen', async () => {
    const changed = await newTestAuthority('ecdsa-p256', { leaf: { notAfter: new Date('2026-07-01') } });
    const believed = timestampAuthority([changed.leaf, changed.root]);
    const at = (time: string): Uint8Array =>
      answerOf(changed, SIGNATURE, { info: infoOf(SIGNATURE, { time: der.generalizedTime(new Date(time)) }) });
    for (let round = 0; round < 2; round++) {
      accepted(verify(at('2026-06-15'), [believed]));
      rejected(verify(at('2026-07-02'), [believed]), 'timestamp-certificate', /2026-07-02/, 'certificate-expired');
      rejected(verify(at('2025-07-02'), [believed]), 'timestamp-certificate', /2025-07-02/, 'authority-not-yet-valid');
    }
  });
});

describe('rejects an authority', () => {
  const during = (start: Date, end?: Date): TimestampAuthority =>
    timestampAuthority([authority.leaf, authority.root], {
      validFor: { start, ...(end === undefined ? {} : { end }) },
    });

  test('that was not trusted at that time', () => {
    for (const period of [
      during(new Date(STAMPED.getTime() + 1)),
      during(new Date(0), new Date(STAMPED.getTime() - 1)),
      during(new Date(Number.NaN)),
    ])
      rejected(verify(answer(), [period]), 'timestamp-authority-not-trusted', /used at/, 'authority-not-trusted');
    accepted(verify(answer(), [during(STAMPED, STAMPED)])); // both ends belong to it
  });

  test('again at each time, and not only the first that was seen', () => {
    const believed = during(new Date(0), STAMPED);
    const later = answer({
      info: infoOf(SIGNATURE, { time: der.generalizedTime(new Date(STAMPED.getTime() + 1000)) }),
    });
    for (let round = 0; round < 2; round++) {
      accepted(verify(answer(), [believed]));
      rejected(verify(later, [believed]), 'timestamp-authority-not-trusted', /./, 'authority-not-trusted');
    }
  });

  test('and takes no period from another that has the same certificate', () => {
    const past = during(new Date(0), new Date('2026-01-02'));
    assert.equal(
      accepted(verify(answer(), [past, during(new Date('2026-01-02'))])).authority.issuer.validFor?.end,
      undefined,
    );
    rejected(
      verify(answer(), [past, timestampAuthority([other.leaf, other.root])]),
      'timestamp-authority-not-trusted',
      /./,
      'authority-not-trusted',
    );
  });

  test('that has nobody above it', () => {
    assert.throws(() => timestampAuthority([authority.leaf]), /has no issuer/);
  });
});

test('of several reasons the nearest miss is given', async () => {
  const expired = timestampAuthority([authority.leaf, authority.root], {
    validFor: { start: new Date(0), end: new Date(1) },
  });
  const second = timestampAuthority([other.leaf, other.root]);
  for (const authorities of [
    [second, expired],
    [expired, second],
  ])
    rejected(verify(answer(), authorities), 'timestamp-authority-not-trusted', /./, 'authority-not-trusted');
  assert.equal(new Set(TIMESTAMP_REJECTIONS).size, TIMESTAMP_REJECTIONS.length);
});
