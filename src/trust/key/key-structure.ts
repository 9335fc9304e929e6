// SPDX-License-Identifier: Apache-2.0
import { DerReader, DerTag } from '../der/der-reader.ts';
import { TrustError } from '../error.ts';

/** What DER holds, as far as it shows without opening it. */
export interface KeyStructure {
  readonly form: 'spki' | 'pkcs1-public' | 'pkcs8' | 'encrypted-pkcs8' | 'sec1' | 'pkcs1' | 'certificate';
  /** what the key is for: `P-256`, `RSA`, `secp256k1`, or the object identifier where it has no name here */
  readonly type?: string;
}

const EC = '1.2.840.10045.2.1';
const TYPES: ReadonlyMap<string, string> = new Map([
  ['1.2.840.113549.1.1.1', 'RSA'],
  ['1.2.840.113549.1.1.10', 'RSA-PSS'],
  ['1.2.840.10040.4.1', 'DSA'],
  ['1.3.101.110', 'X25519'],
  ['1.3.101.111', 'X448'],
  ['1.3.101.112', 'Ed25519'],
  ['1.3.101.113', 'Ed448'],
  ['2.16.840.1.101.3.4.3.17', 'ML-DSA-44'],
  ['2.16.840.1.101.3.4.3.18', 'ML-DSA-65'],
  ['2.16.840.1.101.3.4.3.19', 'ML-DSA-87'],
]);
const CURVES: ReadonlyMap<string, string> = new Map([
  ['1.2.840.10045.3.1.1', 'P-192'],
  ['1.2.840.10045.3.1.7', 'P-256'],
  ['1.3.132.0.10', 'secp256k1'],
  ['1.3.132.0.33', 'P-224'],
  ['1.3.132.0.34', 'P-384'],
  ['1.3.132.0.35', 'P-521'],
  ['1.3.36.3.3.2.8.1.1.7', 'brainpoolP256r1'],
  ['1.3.36.3.3.2.8.1.1.11', 'brainpoolP384r1'],
  ['1.3.36.3.3.2.8.1.1.13', 'brainpoolP512r1'],
]);

/**
 * Tells the forms of keys apart before a library sees them, so that the answer is the same on every runtime and names what was
 * found. `undefined` if it is none of them.
 */
export function readKeyStructure(der: Uint8Array): KeyStructure | undefined {
  try {
    const outer = new DerReader(der, 'a key');
    const key = outer.sequence();
    outer.end();
    return key.peek() === DerTag.integer ? beginningWithInteger(key) : beginningWithSequence(key);
  } catch (error) {
    if (error instanceof TrustError) return undefined;
    throw error;
  }
}

// PKCS#8 (RFC 5958 section 2), SEC1 (RFC 5915 section 3), RSA keys (RFC 8017 appendix A.1)
function beginningWithInteger(key: DerReader): KeyStructure | undefined {
  const first = key.read(DerTag.integer);
  switch (key.peek()) {
    case DerTag.sequence:
      return { form: 'pkcs8', type: typeOf(key.sequence()) };
    case DerTag.octetString: {
      key.read(DerTag.octetString);
      if (key.peek() !== DerTag.context0) return { form: 'sec1' };
      return { form: 'sec1', type: curveOf(new DerReader(key.read(DerTag.context0), 'a key')) };
    }
    case DerTag.integer:
      // a version, or a modulus
      return {
        form: first.length === 1 && first[0] !== undefined && first[0] <= 1 ? 'pkcs1' : 'pkcs1-public',
        type: 'RSA',
      };
    default:
      return undefined;
  }
}

// SubjectPublicKeyInfo and Certificate (RFC 5280 section 4.1), EncryptedPrivateKeyInfo (RFC 5958 section 3)
function beginningWithSequence(key: DerReader): KeyStructure | undefined {
  const head = key.sequence();
  switch (key.peek()) {
    case DerTag.bitString:
      return { form: 'spki', type: typeOf(head) };
    case DerTag.octetString:
      return { form: 'encrypted-pkcs8' };
    case DerTag.sequence:
      return { form: 'certificate' };
    default:
      return undefined;
  }
}

function typeOf(algorithm: DerReader): string {
  const oid = algorithm.oid();
  return oid === EC ? curveOf(algorithm) : (TYPES.get(oid) ?? oid);
}

// RFC 5480 section 2.1.1: curves are named. Parameters written out could be those of another, weaker curve (CVE-2020-0601).
function curveOf(parameters: DerReader): string {
  if (parameters.peek() !== DerTag.oid) return 'EC with explicit parameters';
  const oid = parameters.oid();
  return CURVES.get(oid) ?? oid;
}
