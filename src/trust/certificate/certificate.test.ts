// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import * as der from '../der/der-writer.ts';
import { TrustError, type TrustErrorCode } from '../error.ts';
import { decodePublicKey } from '../key/public-key.ts';
import { newTestKey } from './authority.fixture.ts';
import { encodeBasicConstraints, encodeExtension, encodeSubjectAltName } from './build-certificate.ts';
import { decodeCertificates, encodeCertificates } from './certificate-chain.ts';
import { certificateKey, decodeCertificate, type Certificate } from './certificate.ts';
import { describeName, encodeName } from './distinguished-name.ts';
import { ExtensionOid, FULCIO_USERNAME } from './object-identifier.ts';
import { importSpki } from './subject-public-key.ts';

const golden = join(import.meta.dirname, '../../../test/golden');

function file(path: string): Buffer {
  return readFileSync(join(golden, path));
}

function refused(act: () => unknown, code: TrustErrorCode, pattern: RegExp): void {
  assert.throws(act, (error) => {
    assert.ok(error instanceof TrustError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    assert.ok(!error.message.includes('\n'));
    return true;
  });
}

const SOME_KEY = file('_stack/ctfe.pub');
const spki = decodePublicKey(SOME_KEY, 'ctfe.pub').spki;
const ECDSA_SHA256 = der.sequence(der.oid('1.2.840.10045.4.3.2'));
const VALIDITY = der.sequence(der.time(new Date('2026-01-01T00:00:00Z')), der.time(new Date('2027-01-01T00:00:00Z')));

interface Parts {
  readonly version?: readonly Uint8Array[];
  readonly serialNumber?: Uint8Array;
  readonly algorithm?: Uint8Array;
  readonly validity?: Uint8Array;
  readonly uniqueIds?: readonly Uint8Array[];
  readonly extensions?: readonly Uint8Array[];
  readonly rest?: readonly Uint8Array[];
  readonly outerAlgorithm?: Uint8Array;
  readonly signature?: Uint8Array;
  readonly after?: readonly Uint8Array[];
}

/** A certificate of these parts, signed by nobody. */
function assembled(parts: Parts): Uint8Array {
  const {
    version = [der.explicit(0, der.integer(2))],
    serialNumber = der.integer(1),
    algorithm = ECDSA_SHA256,
  } = parts;
  const { validity = VALIDITY, uniqueIds = [], extensions, rest = [], after = [] } = parts;
  const { outerAlgorithm = algorithm, signature = der.bitString(Uint8Array.of(1)) } = parts;
  const name = encodeName({ commonName: 'it' });
  const wrapped = extensions === undefined ? [] : [der.explicit(3, der.sequence(...extensions))];
  const fields = [...version, serialNumber, algorithm, name, validity, name, spki, ...uniqueIds];
  return der.sequence(der.sequence(...fields, ...wrapped, ...rest), outerAlgorithm, signature, ...after);
}

function decodeParts(parts: Parts): Certificate {
  return decodeCertificate(assembled(parts), 'it');
}

describe('reads what others issued, as the library does', () => {
  for (const path of ['_stack/fulcio-chain.pem', '_stack/tsa-chain.pem', '_pki/leaf.crt', '_pki/chain.pem']) {
    test(path, () => {
      const certificates = decodeCertificates(file(path), path);
      const blocks = file(path)
        .toString()
        .split(/(?<=-----END CERTIFICATE-----\n)/)
        .filter((block) => block.includes('BEGIN'));
      assert.equal(certificates.length, blocks.length);
      for (const [index, certificate] of certificates.entries()) {
        const second = new X509Certificate(blocks[index] ?? '');
        assert.ok(second.raw.equals(certificate.der));
        assert.equal(Buffer.from(certificate.serialNumber).toString('hex').toUpperCase(), second.serialNumber);
        assert.equal(certificate.notBefore.getTime(), Date.parse(second.validFrom));
        assert.equal(certificate.notAfter.getTime(), Date.parse(second.validTo));
        assert.equal(certificate.basicConstraints?.ca ?? false, second.ca);
        assert.deepEqual(certificate.extendedKeyUsage, second.keyUsage);
        const key = certificateKey(certificate, path);
        assert.ok(second.publicKey.equals(key.object));
        assert.equal(certificateKey(certificate, path), key);
      }
      assert.equal(encodeCertificates(certificates), blocks.join(''));
    });
  }

  test('field by field', () => {
    const leaf = decodeCertificate(new X509Certificate(file('_pki/leaf.crt')).raw, 'leaf.crt');
    assert.deepEqual([...(leaf.keyUsage ?? [])], ['digitalSignature']);
    assert.deepEqual(leaf.subjectAltNames, [{ kind: 'email', value: 'signer@example.com' }]);
    assert.equal(
      Buffer.from(leaf.subjectKeyIdentifier ?? []).toString('hex'),
      '9e2feb74e2951acf95cafc32a679cbc87ae5f922',
    );
    assert.equal(
      Buffer.from(leaf.authorityKeyIdentifier ?? []).toString('hex'),
      '5e5ec4853a49a4212138be48119c10a2a57aacd9',
    );
    assert.equal(describeName(leaf.issuer), "'O=golden, CN=golden-inter'");
    assert.equal(describeName(leaf.subject), 'an empty name');
    assert.equal(leaf.signatureAlgorithm, 'ecdsa-sha256');
    const [inter] = decodeCertificates(file('_pki/inter.crt'), 'inter.crt');
    assert.deepEqual(inter.basicConstraints, { ca: true, pathLength: 0 });
    assert.deepEqual([...(inter.keyUsage ?? [])], ['keyCertSign', 'cRLSign']);
    assert.ok(Buffer.from(inter.subject).equals(leaf.issuer));
  });
});

test('copies nothing', () => {
  const bytes = new Uint8Array(new X509Certificate(file('_pki/leaf.crt')).raw);
  const { tbs, spki: key, issuer, signature, extensions } = decodeCertificate(bytes, 'it');
  for (const slice of [tbs, key, issuer, signature, ...[...extensions.values()].map(({ value }) => value)])
    assert.equal(slice.buffer, bytes.buffer);
});

describe('takes what is unusual and clear', () => {
  const critical = (truth: boolean): Uint8Array =>
    der.sequence(der.oid('1.2.3'), der.boolean(truth), der.octetString(der.nullValue()));
  test('no extensions', () => assert.equal(decodeParts({}).extensions.size, 0));
  test('identifiers of old', () => {
    assert.equal(
      decodeParts({ uniqueIds: [der.implicit(1, Uint8Array.of(0)), der.implicit(2, Uint8Array.of(0))] }).extensions
        .size,
      0,
    );
  });
  test('a FALSE that DER would leave out', () => {
    assert.equal(decodeParts({ extensions: [critical(false)] }).extensions.get('1.2.3')?.critical, false);
    const constraints = encodeExtension(ExtensionOid.basicConstraints, der.sequence(der.boolean(false)));
    assert.deepEqual(decodeParts({ extensions: [constraints] }).basicConstraints, { ca: false });
  });
  test('names of every form', () => {
    const names = [
      der.value(0xa0, der.oid(FULCIO_USERNAME), der.explicit(0, der.utf8String('jane!example.com'))),
      der.value(0xa0, der.oid('1.2.3'), der.explicit(0, der.nullValue())),
      der.implicit(1, der.ascii('dev@example.com')),
      der.implicit(2, der.ascii('example.com')),
      der.explicit(4, encodeName({ commonName: 'x' })),
      der.implicit(6, der.ascii('https://example.com')),
      der.implicit(7, Uint8Array.of(127, 0, 0, 1)),
    ];
    const extension = encodeExtension(ExtensionOid.subjectAltName, der.sequence(...names));
    assert.deepEqual(
      decodeParts({ extensions: [extension] }).subjectAltNames.map((name) =>
        name.kind === 'other' ? name.kind : name,
      ),
      [
        { kind: 'username', value: 'jane!example.com' },
        'other',
        { kind: 'email', value: 'dev@example.com' },
        { kind: 'dns', value: 'example.com' },
        'other',
        { kind: 'uri', value: 'https://example.com' },
        'other',
      ],
    );
  });
  test('an authority key identifier without a key', () => {
    const value = der.sequence(der.implicit(2, Uint8Array.of(1)));
    const extension = encodeExtension(ExtensionOid.authorityKeyIdentifier, value);
    assert.equal(decodeParts({ extensions: [extension] }).authorityKeyIdentifier, undefined);
  });
  test('RSA with and without parameters', () => {
    const oid = der.oid('1.2.840.113549.1.1.11');
    assert.equal(decodeParts({ algorithm: der.sequence(oid) }).signatureAlgorithm, 'rsa-sha256');
    assert.equal(decodeParts({ algorithm: der.sequence(oid, der.nullValue()) }).signatureAlgorithm, 'rsa-sha256');
  });
});

describe('refuses', () => {
  const twice = encodeBasicConstraints({ ca: true });
  const extension = (oid: string, value: Uint8Array): Parts => ({ extensions: [encodeExtension(oid, value)] });
  const san = (...names: readonly Uint8Array[]): Parts =>
    extension(ExtensionOid.subjectAltName, der.sequence(...names));
  const malformed: Readonly<Record<string, readonly [Parts, RegExp]>> = {
    'an extension twice': [{ extensions: [twice, twice] }, /2\.5\.29\.19 twice/],
    'an empty list of extensions': [{ extensions: [] }, /empty list of extensions/],
    'a crowd of extensions': [
      { extensions: Array.from({ length: 65 }, (_, n) => encodeExtension(`1.2.3.${n}`, der.nullValue())) },
      /more than 64 extensions/,
    ],
    'version 1': [{ version: [] }, /version 1, expected 3/],
    'version 2': [{ version: [der.explicit(0, der.integer(1))] }, /version 2, expected 3/],
    'two algorithms': [
      { outerAlgorithm: der.sequence(der.oid('1.2.840.10045.4.3.3')) },
      /two different signature algorithms/,
    ],
    'a path length of what is no authority': [
      extension(ExtensionOid.basicConstraints, der.sequence(der.integer(1))),
      /path length although it is no authority/,
    ],
    'no extended key usage': [
      extension(ExtensionOid.extendedKeyUsage, der.sequence()),
      /empty list of extended key usages/,
    ],
    'a crowd of extended key usages': [
      extension(ExtensionOid.extendedKeyUsage, der.sequence(...Array.from({ length: 33 }, () => der.oid('1.2.3')))),
      /more than 32 extended key usages/,
    ],
    'no subject alternative name': [san(), /empty list of subject alternative names/],
    'a crowd of subject alternative names': [
      san(...Array.from({ length: 33 }, () => der.implicit(1, der.ascii('a')))),
      /more than 32 subject alternative names/,
    ],
    'an empty name': [san(der.implicit(1, der.ascii(''))), /empty or has control characters/],
    'a name with a NUL (CVE-2009-2408)': [san(der.implicit(1, der.ascii('a@good.example\0.evil.example'))), /u\{0\}/],
    'a name with a line feed': [san(der.implicit(6, der.ascii('https://example.com\n'))), /control characters/],
    'a username with an escape': [
      san(der.value(0xa0, der.oid(FULCIO_USERNAME), der.explicit(0, der.utf8String('a\u009b!b')))),
      /control characters/,
    ],
  };
  for (const [name, [parts, pattern]] of Object.entries(malformed)) {
    test(name, () => refused(() => decodeParts(parts), 'certificate-malformed', pattern));
  }

  const notDer: Readonly<Record<string, readonly [Parts, RegExp]>> = {
    'something after the certificate': [{ after: [der.nullValue()] }, /2 bytes too many/],
    'something after the extensions': [{ extensions: [twice], rest: [der.nullValue()] }, /2 bytes too many/],
    'something beside the version': [
      { version: [der.value(0xa0, der.integer(2), der.nullValue())] },
      /2 bytes too many/,
    ],
    'a negative number': [{ serialNumber: der.value(2, Uint8Array.of(0x80)) }, /INTEGER/],
    'a number of more than 160 bits': [
      { serialNumber: der.value(2, Uint8Array.of(1, ...new Uint8Array(21))) },
      /INTEGER/,
    ],
    'parameters of ECDSA': [{ algorithm: der.sequence(der.oid('1.2.840.10045.4.3.2'), der.nullValue()) }, /too many/],
    'a signature that is not made of octets': [{ signature: der.value(3, Uint8Array.of(1, 2)) }, /BIT STRING/],
    'a third time': [{ validity: der.sequence(...Array.from({ length: 3 }, () => der.time(new Date(0)))) }, /too many/],
    'a time without a zone': [
      { validity: der.sequence(der.value(0x17, Buffer.from('260101000000'))) },
      /to the second/,
    ],
    'an extension with something after its value': [
      { extensions: [der.sequence(der.oid('1.2.3'), der.octetString(), der.nullValue())] },
      /too many/,
    ],
    'basic constraints with something in them': [
      extension(ExtensionOid.basicConstraints, der.sequence(der.nullValue())),
      /too many/,
    ],
    'a key identifier that is none': [extension(ExtensionOid.subjectKeyIdentifier, der.nullValue()), /tag 5/],
    'an e-mail address that is not ASCII': [san(der.implicit(1, Buffer.from('dév@example.com'))), /ASCII/],
    'a username with something behind': [
      san(der.value(0xa0, der.oid(FULCIO_USERNAME), der.explicit(0, der.utf8String('a')), der.nullValue())),
      /too many/,
    ],
  };
  for (const [name, [parts, pattern]] of Object.entries(notDer)) {
    test(name, () => refused(() => decodeParts(parts), 'der-malformed', pattern));
  }

  test('something behind the value of an extension', () => {
    const values: Readonly<Record<keyof typeof ExtensionOid, Uint8Array | undefined>> = {
      subjectKeyIdentifier: der.octetString(),
      keyUsage: der.namedBits(1),
      subjectAltName: der.sequence(der.implicit(1, der.ascii('a'))),
      basicConstraints: der.sequence(),
      authorityKeyIdentifier: der.sequence(),
      extendedKeyUsage: der.sequence(der.oid('1.2.3')),
      nameConstraints: undefined, // refused by verification, whatever is in it
      sctList: undefined, // read by what verifies it
      poison: undefined,
    };
    for (const [name, value] of Object.entries(values)) {
      if (value === undefined) continue;
      const oid = ExtensionOid[name as keyof typeof ExtensionOid];
      assert.ok(decodeParts(extension(oid, value)), name);
      const longer = Buffer.concat([value, der.nullValue()]);
      refused(() => decodeParts(extension(oid, longer)), 'der-malformed', /2 bytes too many/);
    }
  });

  test('two lists of extensions', () => {
    const list = der.sequence(twice);
    const rest = [der.value(0xa3, list, list)];
    refused(() => decodeParts({ rest }), 'der-malformed', /bytes too many/);
  });

  test('a username with something behind its text', () => {
    const value = der.value(0xa0, der.utf8String('a'), der.nullValue());
    const parts = san(der.value(0xa0, der.oid(FULCIO_USERNAME), value));
    refused(() => decodeParts(parts), 'der-malformed', /2 bytes too many/);
  });

  test('bytes behind the certificate', () => {
    const bytes = Buffer.concat([assembled({}), Uint8Array.of(0)]);
    refused(() => decodeCertificate(bytes, 'it'), 'der-malformed', /1 bytes too many/);
  });

  test('more than 64 KiB', () => {
    refused(() => decodeCertificate(new Uint8Array(64 * 1024 + 1), 'it'), 'certificate-malformed', /65537 bytes/);
  });
});

describe('of a file of certificates, refuses', () => {
  const one = file('_pki/root.crt').toString();
  const cases: Readonly<Record<string, readonly [Uint8Array | string, TrustErrorCode, RegExp]>> = {
    'more than ten': [one.repeat(11), 'certificate-malformed', /11 certificates, at most 10/],
    none: ['hello', 'certificate-malformed', /no PEM block CERTIFICATE/],
    nothing: ['', 'certificate-malformed', /no PEM block CERTIFICATE/],
    'another block among them': [one + file('_stack/ctfe.pub').toString(), 'certificate-malformed', /'PUBLIC KEY'/],
    'a broken one, by its place': [
      one + one.replace(/MII/, 'MIJ'),
      'der-malformed',
      /^the file, certificate 2, is not DER/,
    ],
    'more than a megabyte': [new Uint8Array(1024 * 1024 + 1), 'certificate-malformed', /1048577 bytes/],
  };
  for (const [name, [bytes, code, pattern]] of Object.entries(cases)) {
    test(name, () => refused(() => decodeCertificates(Buffer.from(bytes), 'the file'), code, pattern));
  }

  test('but takes ten, and one as DER', () => {
    assert.equal(decodeCertificates(Buffer.from(one.repeat(10)), 'it').length, 10);
    assert.equal(decodeCertificates(new X509Certificate(one).raw, 'it').length, 1);
  });
});

describe('imports the key', () => {
  for (const algorithm of ['ecdsa-p256', 'ecdsa-p384', 'ecdsa-p521', 'ed25519', 'rsa-2048'] as const) {
    test(`${algorithm}, as from a file`, async () => {
      const { publicKey } = (await newTestKey(algorithm)).private;
      const imported = importSpki(publicKey.spki, 'it');
      assert.deepEqual({ ...imported, object: undefined }, { ...publicKey, object: undefined });
      assert.ok(imported.object.equals(publicKey.object));
    });
  }

  for (const name of [
    'secp256k1.pub',
    'p224.pub',
    'ed448.pub',
    'rsa-pss.pub',
    'rsa-e3.pub',
    'rsa5120.pub',
    'compressed.pub',
    'explicit-parameters.pub',
  ]) {
    test(`but not ${name}`, () => {
      const pem = file(`openssl-keys/${name}`)
        .toString()
        .replace(/-----[^-]+-----|\s/g, '');
      refused(() => importSpki(Buffer.from(pem, 'base64'), 'it'), 'key-unsupported', /^it holds a key of type/);
    });
  }

  test('but not from PEM that hides in it: the octets of a certificate are DER', () => {
    const hidden = der.sequence(
      der.sequence(der.oid('1.2.3'), der.octetString(SOME_KEY)),
      der.bitString(Uint8Array.of(1)),
    );
    refused(() => importSpki(hidden, 'it'), 'key-unsupported', /1\.2\.3/);
  });

  test('but not in another encoding', () => {
    const rsa = der.sequence(der.oid('1.2.840.113549.1.1.1'));
    const key = decodePublicKey(file('_keys/imp-rsa2048.pub'), 'it').spki;
    const bits = key.subarray(key.length - 275); // BIT STRING of a 2048-bit key
    assert.equal(bits[0], 3);
    // Some libraries take an RSA key without its NULL, and others do not.
    assert.throws(
      () => importSpki(der.sequence(rsa, bits), 'it'),
      (error) => error instanceof TrustError && /unusual encoding|broken RSA key/.test(error.message),
    );
    for (const known of [key, spki])
      refused(() => importSpki(Buffer.concat([known, Uint8Array.of(0)]), 'it'), 'key-malformed', /no public key/);
    const point = der.bitString(Uint8Array.of(...spki.subarray(26), 0));
    const longer = der.sequence(der.sequence(der.oid('1.2.840.10045.2.1'), der.oid('1.2.840.10045.3.1.7')), point);
    assert.throws(() => importSpki(longer, 'it'), TrustError);
  });
});

test('names are shown on one line, escaped, and never fail', () => {
  assert.equal(describeName(encodeName({ commonName: 'a, CN=b\n' })), "'CN=a\\, CN\\=b\\u{a}'");
  assert.equal(describeName(Uint8Array.of(0x30, 5)), 'a name that cannot be read');
  assert.equal(describeName(der.sequence(der.setOf(der.sequence(der.oid('1.2.3'), der.utf8String('x'))))), "'1.2.3=x'");
  assert.ok(describeName(encodeName({ commonName: 'x'.repeat(10_000) })).length < 200);
});

test('writes no name that it would not read', () => {
  for (const value of ['', 'a\0b', 'a\nb'])
    refused(
      () => encodeSubjectAltName({ kind: 'uri', value }),
      'certificate-unissuable',
      /cannot be issued with the name/,
    );
  refused(() => encodeSubjectAltName({ kind: 'email', value: '\u0142@example.com' }), 'der-unencodable', /IA5String/);
});
