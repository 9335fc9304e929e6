// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import {
  certificateKey,
  verifySignature,
  type Certificate,
  type CertificateSigner,
  type Signer,
} from '../../../trust/index.ts';
import type { AppendLog } from '../../log/append-log.ts';
import { AuthorityError } from '../error.ts';

/** Who signs certificates. */
export interface SigningAuthority {
  /** the key of the first certificate of the chain */
  readonly signer: CertificateSigner;
  /** from the issuer of leaves to the root */
  readonly chain: CertificateChain;
}

/** From the issuer of leaves to the root. */
export type CertificateChain = readonly [Certificate, ...Certificate[]];

/** Where certificates are logged before they are given out, and the key that says so: ECDSA on P-256 or RSA. */
export interface CertificateLogKeeper {
  readonly signer: Signer;
  readonly log: AppendLog;
}

/** What issues at a time; replaced as a whole. */
export interface Issuance {
  readonly authority: SigningAuthority;
  readonly certificateLog: CertificateLogKeeper;
}

/** A leaf's life. @see https://github.com/sigstore/fulcio/blob/main/docs/certificate-specification.md */
export const LIFE_MS: number = 10 * 60_000;

/**
 * Refuses an authority whose certificates nobody could verify. Whether its own are valid at the time is another question, that every request
 * asks: what surrounds an authority that has ended must go on, or nobody could rotate it.
 *
 * @throws AuthorityError `authority-malformed`
 */
export async function checkIssuance({ authority, certificateLog }: Issuance): Promise<void> {
  const [issuer] = authority.chain;
  if (issuer.basicConstraints?.ca !== true) throw broken('a chain that does not begin with an authority');
  const probe = Buffer.from('bulla: is this the key of the certificate?');
  const signature = await authority.signer.sign(probe);
  const key = certificateKey(issuer, 'the issuer of the certificates');
  if ((await verifySignature(key, probe, signature)) === undefined) throw broken("a key that is not its certificate's");
  const { algorithm } = certificateLog.signer.publicKey;
  // RFC 6962 section 2.1.4
  if (algorithm !== 'ecdsa-p256' && !algorithm.startsWith('rsa-'))
    throw broken(`a log key of type ${algorithm}, expected ecdsa-p256 or RSA`);
}

/** Refuses an authority by which nothing can be issued now. @throws AuthorityError `authority-malformed` */
export function requireValid(chain: CertificateChain, now: Date): void {
  if (!isValid(chain, now)) throw broken('a chain that is not valid now, or not for ten minutes more');
}

/** Whether a leaf that is issued now would be valid for all its life. */
export function isValid(chain: CertificateChain, now: Date): boolean {
  const end = now.getTime() + LIFE_MS;
  return chain.every(({ notBefore, notAfter }) => notBefore <= now && end <= notAfter.getTime());
}

/** What names an authority in what is kept. */
export function chainName([issuer]: CertificateChain): Uint8Array {
  return hash('sha256', issuer.der, 'buffer');
}

function broken(found: string): AuthorityError {
  return new AuthorityError('authority-malformed', `the certificate authority has ${found}`);
}
