// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { TrustError } from '../error.ts';
import { keySigner } from '../key/signer.ts';
import { BEGIN, END, newTestKey, NOW, type TestKey } from './authority.fixture.ts';
import { randomSerialNumber } from './build-certificate.ts';
import { certificateIdentity } from './certificate-identity.ts';
import { decodeCertificate, type Certificate } from './certificate.ts';
import {
  issueIntermediate,
  issueRoot,
  issueTimestampCertificate,
  type AuthorityRequest,
  type Issuer,
} from './issue-authority.ts';
import { draftLeaf, finishLeaf, signPrecertificate, type LeafRequest } from './issue-leaf.ts';
import { ExtensionOid, PurposeOid } from './object-identifier.ts';
import { isPrecertificate, precertificateEntry, signSct } from './sct.ts';
import { verifyChain } from './verify-chain.ts';
import { verifyScts } from './verify-scts.ts';

let leafKey: TestKey;
let logKey: TestKey;
before(async () => {
  [leafKey, logKey] = await Promise.all([newTestKey(), newTestKey()]);
});

const life = { notBefore: BEGIN, notAfter: END };

function named(commonName: string, key: TestKey, change: Partial<AuthorityRequest> = {}): AuthorityRequest {
  const name = { organization: 'test', commonName };
  return { name, publicKey: key.private.publicKey, serialNumber: randomSerialNumber(), ...life, ...change };
}

async function newAuthority(algorithm: 'ecdsa-p256' | 'ecdsa-p384'): Promise<{ root: Certificate; issuer: Issuer }> {
  const [rootKey, key] = await Promise.all([newTestKey(algorithm), newTestKey(algorithm)]);
  const root = await issueRoot(named('root', rootKey), 1, rootKey.signer);
  const certificate = await issueIntermediate(named('intermediate', key), 'code-signing', {
    certificate: root,
    signer: rootKey.signer,
  });
  return { root, issuer: { certificate, signer: key.signer } };
}

function requested(change: Partial<LeafRequest> = {}): LeafRequest {
  return {
    publicKey: leafKey.private.publicKey,
    name: { kind: 'uri', value: 'https://github.com/org/app/.github/workflows/release.yml@refs/heads/main' },
    claims: { issuer: 'https://token.actions.githubusercontent.com', sourceRepositoryRef: 'refs/heads/main' },
    serialNumber: randomSerialNumber(),
    notBefore: new Date('2026-06-01T00:00:00Z'),
    notAfter: new Date('2026-06-01T00:10:00Z'),
    ...change,
  };
}

async function issueLeaf(issuer: Issuer, change: Partial<LeafRequest> = {}): Promise<Uint8Array> {
  const draft = draftLeaf(requested(change), issuer.certificate, issuer.signer.algorithm);
  const sct = await signSct(keySigner(logKey.private), draft.entry, NOW.getTime());
  return finishLeaf(draft, [sct], issuer.signer);
}

for (const algorithm of ['ecdsa-p256', 'ecdsa-p384'] as const) {
  describe(`an authority on ${algorithm.slice(-4)}`, () => {
    let root: Certificate;
    let issuer: Issuer;
    let bytes: Uint8Array;
    before(async () => {
      ({ root, issuer } = await newAuthority(algorithm));
      bytes = await issueLeaf(issuer);
    });

    test('issues what is verified here', () => {
      const leaf = decodeCertificate(bytes, 'it');
      const chain = verifyChain(leaf, [{ chain: [issuer.certificate, root] }], [NOW], 'code-signing');
      assert.ok(chain.kind === 'accepted', JSON.stringify(chain));
      const scts = verifyScts(leaf, chain.issuer, [{ publicKey: logKey.private.publicKey }]);
      assert.equal(scts.kind, 'accepted', JSON.stringify(scts));
      assert.deepEqual(certificateIdentity(leaf), {
        kind: 'accepted',
        identity: {
          kind: 'uri',
          subject: 'https://github.com/org/app/.github/workflows/release.yml@refs/heads/main',
          claims: requested().claims,
        },
      });
    });

    test('issues what the library reads and verifies', () => {
      const [leaf, above, top] = [bytes, issuer.certificate.der, root.der].map((der) => new X509Certificate(der));
      assert.ok(leaf !== undefined && above !== undefined && top !== undefined);
      for (const [below, by] of [
        [leaf, above],
        [above, top],
        [top, top],
      ] as const) {
        assert.ok(below.verify(by.publicKey));
        assert.ok(below.checkIssued(by));
      }
      assert.ok(leaf.publicKey.equals(leafKey.private.publicKey.object));
      assert.deepEqual([leaf.ca, above.ca, top.ca], [false, true, true]);
      assert.equal(leaf.subjectAltName, `URI:${requested().name.value}`);
      assert.deepEqual(leaf.keyUsage, [PurposeOid.codeSigning]);
      assert.equal(Date.parse(leaf.validTo), requested().notAfter.getTime());
      assert.match(top.subject, /^O=test\nCN=root$/);
    });

    test('by Fulcio’s profile', () => {
      const leaf = decodeCertificate(bytes, 'it');
      assert.equal(leaf.subject.length, 2);
      assert.deepEqual([...(leaf.keyUsage ?? [])], ['digitalSignature']);
      assert.equal(leaf.basicConstraints, undefined);
      assert.deepEqual(
        [...leaf.extensions.values()].map(({ oid, critical }) => `${oid}${critical ? '!' : ''}`),
        [
          `${ExtensionOid.keyUsage}!`,
          ExtensionOid.extendedKeyUsage,
          ExtensionOid.subjectKeyIdentifier,
          ExtensionOid.authorityKeyIdentifier,
          `${ExtensionOid.subjectAltName}!`,
          '1.3.6.1.4.1.57264.1.1',
          '1.3.6.1.4.1.57264.1.8',
          '1.3.6.1.4.1.57264.1.14',
          ExtensionOid.sctList,
        ],
      );
      assert.deepEqual(leaf.authorityKeyIdentifier, issuer.certificate.subjectKeyIdentifier);
      assert.deepEqual(issuer.certificate.basicConstraints, { ca: true, pathLength: 0 });
      assert.deepEqual(issuer.certificate.extendedKeyUsage, [PurposeOid.codeSigning]);
      assert.deepEqual(issuer.certificate.authorityKeyIdentifier, root.subjectKeyIdentifier);
      assert.deepEqual(root.basicConstraints, { ca: true, pathLength: 1 });
      for (const { keyUsage } of [root, issuer.certificate])
        assert.deepEqual([...(keyUsage ?? [])], ['keyCertSign', 'cRLSign']);
      assert.equal(root.extendedKeyUsage, undefined);
      assert.equal(root.authorityKeyIdentifier, undefined);
    });

    test('submits a precertificate, of which the log sees what the certificate will be', async () => {
      const draft = draftLeaf(requested(), issuer.certificate, issuer.signer.algorithm);
      const precertificate = decodeCertificate(await signPrecertificate(draft, issuer.signer), 'it');
      assert.equal([...precertificate.extensions.keys()].at(-1), ExtensionOid.poison);
      assert.equal(isPrecertificate(precertificate), true);
      assert.ok(new X509Certificate(precertificate.der).verify(new X509Certificate(issuer.certificate.der).publicKey));
      const chain = verifyChain(precertificate, [{ chain: [issuer.certificate, root] }], [NOW], 'code-signing');
      assert.ok(chain.kind === 'rejected' && chain.rejection.code === 'certificate-extension-unknown');
      const atLog = precertificateEntry(precertificate, issuer.certificate);
      assert.deepEqual(hex(atLog), hex(draft.entry));
      const sct = await signSct(keySigner(logKey.private), atLog, NOW.getTime());
      const leaf = decodeCertificate(await finishLeaf(draft, [sct], issuer.signer), 'it');
      assert.equal(isPrecertificate(leaf), false);
      assert.deepEqual(hex(precertificateEntry(leaf, issuer.certificate)), hex(draft.entry));
      assert.equal(verifyScts(leaf, issuer.certificate, [{ publicKey: logKey.private.publicKey }]).kind, 'accepted');
    });

    test('certifies one who gives timestamps', async () => {
      const [rootKey, key] = await Promise.all([newTestKey(algorithm), newTestKey(algorithm)]);
      const tsaRoot = await issueRoot(named('tsa root', rootKey), 1, rootKey.signer);
      const tsaIssuer = { certificate: tsaRoot, signer: rootKey.signer };
      const tsa = await issueTimestampCertificate(named('tsa', key), tsaIssuer);
      const check = verifyChain(tsa, [{ chain: [tsaRoot] }], [NOW], 'time-stamping');
      assert.equal(check.kind, 'accepted', JSON.stringify(check));
      assert.deepEqual(tsa.basicConstraints, { ca: false });
      assert.ok(new X509Certificate(tsa.der).verify(new X509Certificate(tsaRoot.der).publicKey));
    });
  });
}

function hex(entry: ReturnType<typeof precertificateEntry>): unknown {
  return Object.entries(entry).map(([name, value]) => [name, Buffer.from(value).toString('hex')]);
}

test('finishes a certificate without timestamps, where no log is kept', async () => {
  const { issuer } = await newAuthority('ecdsa-p256');
  const draft = draftLeaf(requested(), issuer.certificate, issuer.signer.algorithm);
  const leaf = decodeCertificate(await finishLeaf(draft, [], issuer.signer), 'it');
  assert.equal(leaf.extensions.has(ExtensionOid.sctList), false);
});

test('takes a signer that answers later', async () => {
  const { root, issuer } = await newAuthority('ecdsa-p256');
  const { algorithm, sign } = issuer.signer;
  const slow = { algorithm, sign: async (message: Uint8Array) => sign(message) };
  const leaf = decodeCertificate(await issueLeaf({ certificate: issuer.certificate, signer: slow }), 'it');
  assert.equal(verifyChain(leaf, [{ chain: [issuer.certificate, root] }], [NOW], 'code-signing').kind, 'accepted');
});

test('no two serial numbers are the same, and each is positive', () => {
  const numbers = Array.from({ length: 1000 }, () => randomSerialNumber());
  assert.equal(new Set(numbers.map((number) => Buffer.from(number).toString('hex'))).size, 1000);
  assert.ok(numbers.every((number) => number.length === 20 && (number[0] ?? 0xff) < 0x80));
});

describe('refuses to issue', () => {
  const cases: Readonly<Record<string, readonly [Partial<LeafRequest>, RegExp]>> = {
    'without an issuer of the token': [{ claims: {} }, /without the issuer/],
    'to nobody': [{ name: { kind: 'email', value: '' } }, /the name ''/],
    'to a name with a NUL': [{ name: { kind: 'email', value: 'a\0b' } }, /the name 'a\\u\{0\}b'/],
    'an end before the beginning': [{ notAfter: new Date('2026-05-31T00:00:00Z') }, /an end after the beginning/],
    'beyond the life of the issuer': [{ notAfter: new Date(END.getTime() + 1000) }, /within its issuer's/],
    'before the life of the issuer': [{ notBefore: new Date(BEGIN.getTime() - 1000) }, /within its issuer's/],
    'for a time that is none': [{ notAfter: new Date(Number.NaN) }, /within its issuer's/],
    'the number 0': [{ serialNumber: new Uint8Array(20) }, /a serial number of 20 octets/],
    'no number': [{ serialNumber: new Uint8Array() }, /a serial number of 0 octets/],
    'a number of 160 bits': [{ serialNumber: Buffer.alloc(20, 0x80) }, /a serial number of 20 octets/],
    'a number of 21 octets': [{ serialNumber: Buffer.alloc(21, 1) }, /a serial number of 21 octets/],
  };
  for (const [name, [change, pattern]] of Object.entries(cases)) {
    test(name, async () => {
      const { issuer } = await newAuthority('ecdsa-p256');
      await assert.rejects(
        issueLeaf(issuer, change),
        (error) =>
          error instanceof TrustError && error.code === 'certificate-unissuable' && pattern.test(error.message),
      );
    });
  }

  const unissuable = (error: unknown): boolean =>
    error instanceof TrustError && error.code === 'certificate-unissuable';

  test('with a signer whose key is not the issuer’s', async () => {
    const [one, other] = await Promise.all([newTestKey(), newTestKey()]);
    await assert.rejects(issueRoot(named('root', one), 1, other.signer), unissuable);
    const root = await issueRoot(named('root', one), 1, one.signer);
    const issuer = { certificate: root, signer: other.signer };
    await assert.rejects(issueIntermediate(named('x', other), 'code-signing', issuer), unissuable);
    await assert.rejects(issueTimestampCertificate(named('x', other), issuer), unissuable);
  });

  test('an authority without a name, or that outlives its root', async () => {
    const [one, other] = await Promise.all([newTestKey(), newTestKey()]);
    await assert.rejects(issueRoot(named('root', one, { name: {} }), 1, one.signer), unissuable);
    const root = await issueRoot(named('root', one), 1, one.signer);
    const later = named('x', other, { notAfter: new Date(END.getTime() + 1000) });
    await assert.rejects(
      issueIntermediate(later, 'code-signing', { certificate: root, signer: one.signer }),
      unissuable,
    );
  });
});
