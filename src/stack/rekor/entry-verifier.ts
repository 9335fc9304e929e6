// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import {
  certificateKey,
  decodeCertificate,
  decodePublicKey,
  TrustError,
  verifyChain,
  type Certificate,
  type LogVerifier,
  type PublicKey,
} from '../../trust/index.ts';
import { RekorError } from './rekor-error.ts';
import { certificateTerms, keyTerm } from './search-terms.ts';

/** A key or certificate of an entry, read and imported. */
export interface EntryVerifier {
  /** in its one usual encoding */
  readonly verifier: LogVerifier;
  readonly key: PublicKey;
  /** what entries by it are found by */
  readonly terms: readonly string[];
}

/** entries; a key takes 3 KB with what the library keeps of it */
const CAPACITY = 2048;

/**
 * Reads keys and certificates, and keeps those that came last: pipelines sign again and again with the same key, and whoever retries
 * sends the same certificate.
 */
export class EntryVerifiers {
  readonly #known = new Map<string, EntryVerifier>();

  /** @throws RekorError `key-unsupported`, `signature-invalid` for a chain that does not hold */
  read(verifier: LogVerifier): EntryVerifier {
    const name = nameOf(verifier);
    const known = this.#known.get(name);
    if (known !== undefined) {
      // At the end again: the first of a Map is what was not asked for the longest.
      this.#known.delete(name);
      this.#known.set(name, known);
      return known;
    }
    const read = readVerifier(verifier);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size < CAPACITY) break;
      this.#known.delete(oldest);
    }
    this.#known.set(name, read);
    return read;
  }
}

function nameOf(verifier: LogVerifier): string {
  const chain = verifier.kind === 'certificate' ? verifier.chain : [];
  return `${verifier.kind} ${[verifier.der, ...chain].map((der) => hash('sha256', der, 'hex')).join(' ')}`;
}

function readVerifier(verifier: LogVerifier): EntryVerifier {
  try {
    if (verifier.kind === 'public-key') {
      const key = decodePublicKey(verifier.der, 'the public key of the entry');
      return { verifier: { kind: 'public-key', der: key.spki }, key, terms: [keyTerm(key)] };
    }
    const what = 'the certificate of the entry';
    const certificate = decodeCertificate(verifier.der, what);
    const key = certificateKey(certificate, what);
    requireChain(certificate, verifier.chain);
    return { verifier, key, terms: [keyTerm(key), ...certificateTerms(certificate)] };
  } catch (error) {
    if (error instanceof TrustError) throw new RekorError('key-unsupported', error.message, { cause: error });
    throw error;
  }
}

// What comes after the certificate is kept, so that it must at least belong to it; when, is for whoever believes in its root to ask.
function requireChain(certificate: Certificate, above: readonly Uint8Array[]): void {
  const [issuer, ...others] = above.map((der, index) =>
    decodeCertificate(der, `the certificate ${index + 2} of the entry`),
  );
  if (issuer === undefined) return;
  const authority = { chain: [issuer, ...others] } as const;
  const check = verifyChain(certificate, [authority], [certificate.notBefore], 'code-signing');
  if (check.kind === 'accepted') return;
  const { found, expected } = check.rejection;
  throw new RekorError(
    'signature-invalid',
    `the certificates of the entry are no chain: found ${found}, expected ${expected}`,
  );
}
