// SPDX-License-Identifier: Apache-2.0
import type { LogEntry } from './bundle/log-entry.ts';
import { certificateKey, decodeCertificate } from './certificate/certificate.ts';
import { sameOctets } from './der/same-octets.ts';
import { TrustError } from './error.ts';
import type { Signer } from './key/signer.ts';
import { timestampedOctets, type LoggedSignature, type SignatureVerifier } from './log/logged-signature.ts';

/** Somebody who is told of a signature and gives evidence that it was there: a clock or a log. */
export type Witness = TimestampWitness | LogWitness;

/** A timestamp authority. */
export interface TimestampWitness {
  readonly kind: 'timestamp-authority';
  /** for messages, such as its address */
  readonly name: string;
  /** The DER TimeStampResp over this signature, or the envelope that it is in. Rejects where there is none: what is answered is about this signature. */
  timestamp(signature: Uint8Array): Promise<Uint8Array>;
}

/** A transparency log. */
export interface LogWitness {
  readonly kind: 'log';
  /** for messages, such as its address */
  readonly name: string;
  /** The entry of this signature. The same signature again gives the same entry. Rejects where there is none. */
  enter(signed: LoggedSignature): Promise<LogEntry>;
}

/** What the witnesses gave, in the order in which they were named. */
export interface WitnessedSignature {
  readonly timestamps: readonly Uint8Array[];
  readonly logEntries: readonly LogEntry[];
}

/**
 * Shows a signature to all witnesses: first to the clocks, so that no log has a signature of which nobody says when it was made; then to
 * the logs. All of them must answer.
 *
 * @throws what a witness throws
 */
export async function askWitnesses(
  signed: LoggedSignature,
  witnesses: readonly Witness[],
): Promise<WitnessedSignature> {
  const timestamps = await Promise.all(
    witnesses.flatMap((witness) =>
      witness.kind === 'timestamp-authority' ? [witness.timestamp(timestampedOctets(signed))] : [],
    ),
  );
  const logEntries = await Promise.all(
    witnesses.flatMap((witness) => (witness.kind === 'log' ? [witness.enter(signed)] : [])),
  );
  return { timestamps, logEntries };
}

/**
 * Whose signatures a signer makes: those of its certificate, or else of its key.
 *
 * @throws TrustError `certificate-malformed`, `der-malformed`; `key-malformed` if the certificate is another key's
 */
export function verifierOf({ publicKey, certificate: chain }: Signer): SignatureVerifier {
  if (chain === undefined) return { kind: 'public-key', key: publicKey };
  const certificate = decodeCertificate(chain[0], 'the certificate of the signer');
  if (!sameOctets(certificateKey(certificate, 'the certificate of the signer').spki, publicKey.spki))
    throw new TrustError('key-malformed', `the certificate of the signer is of another key than ${publicKey.hint}`);
  return { kind: 'certificate', certificate };
}
