// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import * as der from '../der/der-writer.ts';
import {
  BEGIN,
  certify,
  END,
  newTestKey,
  newTestKeys,
  newTestStack,
  NOW,
  type Change,
  type TestKeys,
} from './authority.fixture.ts';
import {
  certificateSigner,
  encodeAuthorityKeyIdentifier,
  encodeBasicConstraints,
  encodeExtendedKeyUsage,
  encodeExtension,
  encodeKeyUsage,
} from './build-certificate.ts';
import { CERTIFICATE_REJECTIONS, type CertificateRejectionCode } from './certificate-rejection.ts';
import { decodeCertificate, type Certificate } from './certificate.ts';
import { encodeName } from './distinguished-name.ts';
import { ExtensionOid, PurposeOid } from './object-identifier.ts';
import { verifyChain, type ChainCheck } from './verify-chain.ts';
import type { CertificateAuthority, Purpose } from './certificate-authority.ts';

let keys: TestKeys;
before(async () => {
  keys = await newTestKeys();
});

type Changes = { readonly root?: Change; readonly intermediate?: Change; readonly leaf?: Change };

function rejects(result: ChainCheck, code: CertificateRejectionCode, found?: RegExp): void {
  assert.equal(result.kind, 'rejected');
  assert.ok(result.kind === 'rejected');
  assert.equal(result.rejection.code, code, JSON.stringify(result.rejection));
  if (found !== undefined) assert.match(result.rejection.found, found);
  for (const text of [result.rejection.found, result.rejection.expected])
    assert.ok(text !== '' && !/\p{Cc}/u.test(text), text);
}

async function check(
  changes: Changes,
  times: readonly Date[] = [NOW],
  purpose: Purpose = 'code-signing',
): Promise<ChainCheck> {
  const { leaf, authority } = await newTestStack(keys, changes);
  return verifyChain(leaf, [authority], times, purpose);
}

test('accepts a leaf of a trusted authority, and says who issued it', async () => {
  const { leaf, intermediate, authority } = await newTestStack(keys);
  const result = verifyChain(leaf, [authority], [NOW], 'code-signing');
  assert.ok(result.kind === 'accepted', JSON.stringify(result));
  assert.equal(result.issuer, intermediate);
  assert.equal(result.authority, authority);
});

describe('accepts what is unusual and right', () => {
  const seconds = (text: string): Date => new Date(text);
  const cases: Readonly<Record<string, readonly [Changes, (readonly Date[])?]>> = {
    'the first second of the leaf': [{}, [seconds('2026-06-01T00:00:00Z')]],
    'the last second of the leaf': [{}, [seconds('2026-06-01T00:10:00Z')]],
    'several times': [{}, [NOW, seconds('2026-06-01T00:06:00Z')]],
    'authorities that say nothing of what they are for': [{ intermediate: { extensions: { purpose: undefined } } }],
    'an authority for any purpose': [
      { intermediate: { extensions: { purpose: encodeExtendedKeyUsage(PurposeOid.any) } } },
    ],
    'authorities without key usage': [{ root: { extensions: { usage: undefined } } }],
    'certificates without key identifiers': [
      { leaf: { extensions: { authorityKey: undefined } }, intermediate: { extensions: { subjectKey: undefined } } },
    ],
    'a leaf that says it is no authority': [
      { leaf: { extensions: { constraints: encodeBasicConstraints({ ca: false }) } } },
    ],
    'an unknown extension that is not critical': [
      { leaf: { extensions: { unknown: encodeExtension('1.2.3.4', der.nullValue()) } } },
    ],
    'a leaf for code signing and something else': [
      {
        leaf: {
          extensions: {
            purpose: encodeExtension(
              ExtensionOid.extendedKeyUsage,
              der.sequence(der.oid(PurposeOid.serverAuth), der.oid(PurposeOid.codeSigning)),
            ),
          },
        },
      },
    ],
  };
  for (const [name, [changes, times]] of Object.entries(cases)) {
    test(name, async () => {
      const result = await check(changes, times);
      assert.equal(result.kind, 'accepted', JSON.stringify(result));
    });
  }
});

describe('accepts authorities with keys of every kind', () => {
  for (const algorithm of ['ecdsa-p384', 'ecdsa-p521', 'ed25519', 'rsa-2048'] as const) {
    test(algorithm, async () => {
      const result = await check({ intermediate: { key: await newTestKey(algorithm) } });
      assert.equal(result.kind, 'accepted', JSON.stringify(result));
    });
  }
});

describe('rejects', () => {
  const unknown = { unknown: encodeExtension('1.2.3.4', der.nullValue(), true) };
  const serverAuth = { purpose: encodeExtendedKeyUsage(PurposeOid.serverAuth) };
  const cases: Readonly<Record<string, readonly [CertificateRejectionCode, Changes, RegExp?]>> = {
    'a leaf that has expired at that time': [
      'certificate-expired',
      { leaf: { notAfter: new Date(NOW.getTime() - 1000) } },
      /^used at 2026-06-01T00:05:00\.000Z$/,
    ],
    'a leaf that is not valid yet at that time': [
      'certificate-not-yet-valid',
      { leaf: { notBefore: new Date(NOW.getTime() + 1000) } },
    ],
    'an intermediate that has expired although the leaf has not (CVE-2026-24122)': [
      'authority-expired',
      { intermediate: { notAfter: new Date(NOW.getTime() - 1000) } },
    ],
    'a root that has expired although the others have not': [
      'authority-expired',
      { root: { notAfter: new Date(NOW.getTime() - 1000) } },
    ],
    'an intermediate that is not valid yet': [
      'authority-not-yet-valid',
      { intermediate: { notBefore: new Date(NOW.getTime() + 1000) } },
    ],
    'a root that is not valid yet': [
      'authority-not-yet-valid',
      { root: { notBefore: new Date(NOW.getTime() + 1000) } },
    ],
    'a leaf for web servers only': [
      'certificate-purpose',
      { leaf: { extensions: serverAuth } },
      /1\.3\.6\.1\.5\.5\.7\.3\.1/,
    ],
    'a leaf for whatever purpose': [
      'certificate-purpose',
      { leaf: { extensions: { purpose: encodeExtendedKeyUsage(PurposeOid.any) } } },
    ],
    'a leaf that does not say what it is for': [
      'certificate-purpose',
      { leaf: { extensions: { purpose: undefined } } },
    ],
    'a leaf for timestamps': [
      'certificate-purpose',
      { leaf: { extensions: { purpose: encodeExtendedKeyUsage(PurposeOid.timeStamping, true) } } },
    ],
    'an intermediate for web servers only': ['authority-purpose', { intermediate: { extensions: serverAuth } }],
    'a root for web servers only': ['authority-purpose', { root: { extensions: serverAuth } }],
    'a leaf with an unknown critical extension': [
      'certificate-extension-unknown',
      { leaf: { extensions: unknown } },
      /1\.2\.3\.4/,
    ],
    'an intermediate with an unknown critical extension': [
      'authority-extension-unknown',
      { intermediate: { extensions: unknown } },
    ],
    'a root with an unknown critical extension': ['authority-extension-unknown', { root: { extensions: unknown } }],
    'a precertificate': [
      'certificate-extension-unknown',
      { leaf: { extensions: { poison: encodeExtension(ExtensionOid.poison, der.nullValue(), true) } } },
    ],
    'an authority with name constraints, which nothing here enforces, even if they are not critical': [
      'authority-extension-unknown',
      { root: { extensions: { constraint: encodeExtension(ExtensionOid.nameConstraints, der.sequence()) } } },
    ],
    'an issuer with CA:FALSE': [
      'authority-not-ca',
      { intermediate: { extensions: { constraints: encodeBasicConstraints({ ca: false }) } } },
    ],
    'an issuer without basic constraints': [
      'authority-not-ca',
      { intermediate: { extensions: { constraints: undefined } } },
    ],
    'a root without basic constraints': ['authority-not-ca', { root: { extensions: { constraints: undefined } } }],
    'more authorities below the root than it may have': [
      'authority-path-length',
      { root: { extensions: { constraints: encodeBasicConstraints({ ca: true, pathLength: 0 }) } } },
      /^1 authorities below 'O=test, CN=root'$/,
    ],
    'an issuer whose key may not sign certificates': [
      'authority-key-usage',
      { intermediate: { extensions: { usage: encodeKeyUsage('digitalSignature', 'cRLSign') } } },
      /digitalSignature, cRLSign/,
    ],
    'a leaf that is an authority': [
      'certificate-is-authority',
      { leaf: { extensions: { constraints: encodeBasicConstraints({ ca: true }) } } },
    ],
    'a leaf whose key may sign certificates': [
      'certificate-is-authority',
      { leaf: { extensions: { usage: encodeKeyUsage('digitalSignature', 'keyCertSign') } } },
    ],
    'a leaf whose key may not sign': [
      'certificate-key-usage',
      { leaf: { extensions: { usage: encodeKeyUsage('keyEncipherment') } } },
      /keyEncipherment/,
    ],
    'a leaf with another issuer': [
      'certificate-issuer-unknown',
      { leaf: { issuer: encodeName({ commonName: 'somebody, else' }) } },
      /^issued by 'CN=somebody\\, else'$/,
    ],
    'a leaf whose issuer is only written in another way': [
      'certificate-issuer-unknown',
      {
        leaf: {
          issuer: der.sequence(
            der.setOf(der.sequence(der.oid('2.5.4.10'), der.printableString('test'))),
            der.setOf(der.sequence(der.oid('2.5.4.3'), der.printableString('intermediate'))),
          ),
        },
      },
    ],
    'an intermediate with another issuer': [
      'authority-name-mismatch',
      { intermediate: { issuer: encodeName({ commonName: 'another root' }) } },
      /another root/,
    ],
    'a leaf that names another key of its issuer': [
      'certificate-key-identifier',
      { leaf: { extensions: { authorityKey: encodeAuthorityKeyIdentifier(Uint8Array.of(1)) } } },
    ],
    'an intermediate that names another key of its issuer': [
      'authority-key-identifier',
      { intermediate: { extensions: { authorityKey: encodeAuthorityKeyIdentifier(Uint8Array.of(1)) } } },
    ],
  };
  for (const [name, [code, changes, found]] of Object.entries(cases)) {
    test(name, async () => rejects(await check(changes), code, found));
  }

  test('a leaf that another key signed in the name of the issuer', async () => {
    rejects(await check({ leaf: { signer: keys.root.signer } }), 'certificate-signature-invalid');
  });

  test('an intermediate that another key signed in the name of the root', async () => {
    rejects(await check({ intermediate: { signer: keys.leaf.signer } }), 'authority-signature-invalid');
  });

  test('a leaf in which one byte was changed after it was signed', async () => {
    const { leaf, authority } = await newTestStack(keys);
    const bytes = Buffer.from(leaf.der);
    bytes.write('E', bytes.indexOf('dev@example.com') + 4);
    const forged = decodeCertificate(bytes, 'the certificate');
    assert.deepEqual(forged.subjectAltNames, [{ kind: 'email', value: 'dev@Example.com' }]);
    rejects(verifyChain(forged, [authority], [NOW], 'code-signing'), 'certificate-signature-invalid');
  });

  test('when nobody knows a time at which the certificate was used', async () => {
    rejects(await check({}, []), 'time-missing');
  });

  test('a time that is none', async () => {
    rejects(await check({}, [new Date(Number.NaN)]), 'authority-expired', /a time that is none/);
  });

  test('when the certificate was valid at one of the times and not at the other', async () => {
    rejects(await check({}, [NOW, new Date('2026-06-01T00:11:00Z')]), 'certificate-expired', /00:11:00/);
    rejects(await check({}, [new Date('2026-05-31T00:00:00Z'), NOW]), 'certificate-not-yet-valid', /05-31/);
  });

  test('everything when no authority is trusted', async () => {
    const { leaf } = await newTestStack(keys);
    rejects(verifyChain(leaf, [], [NOW], 'code-signing'), 'certificate-issuer-unknown');
  });

  test('a leaf that is trusted as its own authority', async () => {
    const { leaf } = await newTestStack(keys);
    rejects(verifyChain(leaf, [{ chain: [leaf] }], [NOW], 'code-signing'), 'certificate-issuer-unknown');
  });

  test('a root without its intermediate', async () => {
    const { leaf, root } = await newTestStack(keys);
    rejects(verifyChain(leaf, [{ chain: [root] }], [NOW], 'code-signing'), 'certificate-issuer-unknown');
  });

  test('a leaf below a leaf', async () => {
    const { leaf, intermediate, root } = await newTestStack(keys, {
      leaf: { subject: encodeName({ commonName: 'evil' }) },
    });
    const below = await certify(
      { subject: encodeName({}), issuer: leaf.subject, key: keys.root, signer: keys.leaf.signer },
      { purpose: encodeExtendedKeyUsage(PurposeOid.codeSigning) },
    );
    const path: CertificateAuthority = { chain: [leaf, intermediate, root] };
    rejects(verifyChain(below, [path], [NOW], 'code-signing'), 'authority-not-ca', /evil/);
  });
});

describe('rejects weak signatures', () => {
  const nothing = der.nullValue();
  const weak: Readonly<Record<string, readonly [Uint8Array, string]>> = {
    'ECDSA with SHA-1': [der.sequence(der.oid('1.2.840.10045.4.1')), 'sha1'],
    'RSA with SHA-1': [der.sequence(der.oid('1.2.840.113549.1.1.5'), nothing), 'sha1'],
    'RSA with MD5': [der.sequence(der.oid('1.2.840.113549.1.1.4'), nothing), 'md5'],
    '1.3.6.1.4.1.99999': [der.sequence(der.oid('1.3.6.1.4.1.99999')), 'sha256'],
  };
  for (const [name, [algorithm, digest]] of Object.entries(weak)) {
    test(`${name}, made by the right key`, async () => {
      const key = await newTestKey(name.startsWith('RSA') ? 'rsa-2048' : 'ecdsa-p256');
      const signer = { ...key.signer, sign: (tbs: Uint8Array) => sign(digest, tbs, key.private.object) };
      const ofLeaf = await check({ intermediate: { key }, leaf: { algorithm, signer } });
      rejects(ofLeaf, 'certificate-signature-algorithm', new RegExp(name));
      const ofAuthority = await check({ root: { key }, intermediate: { algorithm, signer } });
      rejects(ofAuthority, 'authority-signature-algorithm', new RegExp(name));
    });
  }

  test('an algorithm for keys of another kind', async () => {
    const signer = { ...keys.intermediate.signer, algorithm: 'ed25519' } as const;
    rejects(await check({ leaf: { signer } }), 'certificate-signature-algorithm', /ed25519/);
  });
});

describe('rejects keys that are not used here', () => {
  test('of the leaf', async () => {
    const pem = readFileSync(join(import.meta.dirname, '../../../test/golden/openssl-keys/secp256k1.pub'), 'utf8');
    const spki = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
    rejects(await check({ leaf: { spki } }), 'certificate-key-unsupported', /secp256k1/);
  });

  test('of an authority', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const spki = publicKey.export({ type: 'spki', format: 'der' });
    const signer = { algorithm: 'rsa-sha256', sign: (tbs: Uint8Array) => sign('sha256', tbs, privateKey) } as const;
    const ofIntermediate = await check({ intermediate: { spki }, leaf: { signer } });
    rejects(ofIntermediate, 'authority-key-unsupported', /RSA with 1024 bits/);
    const ofRoot = await check({ root: { spki }, intermediate: { signer } });
    rejects(ofRoot, 'authority-key-unsupported', /RSA with 1024 bits/);
  });

  test('a point that is not on the curve', async () => {
    const spki = Buffer.from(keys.leaf.private.publicKey.spki);
    spki[90] = (spki[90] ?? 0) ^ 1;
    rejects(await check({ leaf: { spki } }), 'certificate-key-unsupported', /broken/);
  });
});

describe('looks at the period in which an authority is trusted', () => {
  const periods: Readonly<Record<string, readonly [CertificateAuthority['validFor'], boolean]>> = {
    'from now on': [{ start: NOW }, true],
    'until now': [{ start: BEGIN, end: NOW }, true],
    'from a second later': [{ start: new Date(NOW.getTime() + 1000) }, false],
    'until a second earlier': [{ start: BEGIN, end: new Date(NOW.getTime() - 1000) }, false],
    'from a time that is none': [{ start: new Date(Number.NaN) }, false],
    'until a time that is none': [{ start: BEGIN, end: new Date(Number.NaN) }, false],
  };
  for (const [name, [validFor, trusted]] of Object.entries(periods)) {
    test(name, async () => {
      const { leaf, authority } = await newTestStack(keys);
      assert.ok(validFor !== undefined);
      const result = verifyChain(leaf, [{ ...authority, validFor }], [NOW], 'code-signing');
      if (trusted) assert.equal(result.kind, 'accepted');
      else rejects(result, 'authority-not-trusted');
    });
  }

  test('which may be two periods while it is renewed', async () => {
    const { leaf, authority } = await newTestStack(keys);
    const renewal = new Date(NOW.getTime() + 1000);
    const [old, young] = [
      { ...authority, validFor: { start: BEGIN, end: NOW } },
      { ...authority, validFor: { start: renewal } },
    ];
    const result = verifyChain(leaf, [young, old], [NOW, renewal], 'code-signing');
    assert.ok(result.kind === 'accepted');
    assert.equal(result.authority, old);
    rejects(verifyChain(leaf, [old], [NOW, renewal], 'code-signing'), 'authority-not-trusted');
  });
});

describe('of several authorities', () => {
  test('takes the one that issued the leaf, whatever is wrong with the others', async () => {
    const { leaf, authority } = await newTestStack(keys);
    const { authority: expired } = await newTestStack(keys, { root: { notAfter: BEGIN } });
    const { authority: stranger } = await newTestStack(await newTestKeys());
    const result = verifyChain(leaf, [stranger, expired, authority], [NOW], 'code-signing');
    assert.ok(result.kind === 'accepted');
    assert.equal(result.authority, authority);
  });

  test('tells two of one name apart by their keys, with key identifiers and without', async () => {
    const others = await newTestKeys();
    for (const authorityKey of [{}, { authorityKey: undefined }]) {
      const { leaf, intermediate, authority } = await newTestStack(keys, { leaf: { extensions: authorityKey } });
      const { authority: namesake } = await newTestStack(others);
      const result = verifyChain(leaf, [namesake, authority], [NOW], 'code-signing');
      assert.ok(result.kind === 'accepted', JSON.stringify(result));
      assert.equal(result.issuer, intermediate);
    }
  });

  test('speaks of the nearest miss', async () => {
    const { leaf, authority } = await newTestStack(keys);
    const { authority: stranger } = await newTestStack(await newTestKeys());
    rejects(verifyChain(leaf, [authority, stranger], [END], 'code-signing'), 'certificate-expired');
  });
});

describe('time-stamping', () => {
  const stamping = encodeExtendedKeyUsage(PurposeOid.timeStamping, true);
  const intermediate = { extensions: { purpose: stamping } };

  test('accepts a leaf whose one purpose that is, marked critical', async () => {
    const result = await check({ intermediate, leaf: { extensions: { purpose: stamping } } }, [NOW], 'time-stamping');
    assert.equal(result.kind, 'accepted', JSON.stringify(result));
  });

  const wrong: Readonly<Record<string, Uint8Array>> = {
    'not marked critical': encodeExtendedKeyUsage(PurposeOid.timeStamping),
    'beside another': encodeExtension(
      ExtensionOid.extendedKeyUsage,
      der.sequence(der.oid(PurposeOid.timeStamping), der.oid(PurposeOid.codeSigning)),
      true,
    ),
    'and it is for code signing': encodeExtendedKeyUsage(PurposeOid.codeSigning, true),
  };
  for (const [name, purpose] of Object.entries(wrong)) {
    test(`rejects a leaf ${name}`, async () => {
      rejects(
        await check({ intermediate, leaf: { extensions: { purpose } } }, [NOW], 'time-stamping'),
        'certificate-purpose',
      );
    });
  }

  test('rejects an authority for code signing', async () => {
    rejects(await check({ leaf: { extensions: { purpose: stamping } } }, [NOW], 'time-stamping'), 'authority-purpose');
  });

  test('what was found out of an authority for one purpose is not used for another', async () => {
    const { leaf, authority } = await newTestStack(keys);
    assert.equal(verifyChain(leaf, [authority], [NOW], 'code-signing').kind, 'accepted');
    const stamp = await newTestStack(keys, { leaf: { extensions: { purpose: stamping } } });
    rejects(verifyChain(stamp.leaf, [authority], [NOW], 'time-stamping'), 'authority-purpose');
  });
});

test('checks the signatures between authorities once, and then remembers', async () => {
  const { leaf, intermediate, root } = await newTestStack(keys);
  let reads = 0;
  const watched: Certificate = {
    ...intermediate,
    get tbs() {
      reads++;
      return intermediate.tbs;
    },
  };
  const authority = { chain: [watched, root] } as const;
  for (let i = 0; i < 3; i++) assert.equal(verifyChain(leaf, [authority], [NOW], 'code-signing').kind, 'accepted');
  assert.equal(reads, 1);
});

test('each code stands once in the order of checks', () => {
  assert.equal(new Set(CERTIFICATE_REJECTIONS).size, CERTIFICATE_REJECTIONS.length);
});

test('signs with the digest that fits the key', async () => {
  assert.equal(certificateSigner((await newTestKey('ecdsa-p384')).private).algorithm, 'ecdsa-sha384');
});
