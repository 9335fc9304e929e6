// SPDX-License-Identifier: Apache-2.0
import {
  askWitnesses,
  decodeCertificate,
  encodeCertificates,
  encodeRekorBundle,
  verifierOf,
  type Bundle,
  type LoggedSignature,
  type Signer,
  type Witness,
  type WitnessedSignature,
} from '../trust/index.ts';
import { encodeBase64 } from '../wire/index.ts';
import { ImageError } from './error.ts';
import { withEvidence } from './legacy-evidence.ts';
import { evidenceBeside, LegacyAnnotation } from './legacy-signatures.ts';

/** A legacy signature with what lies beside it. */
export interface WitnessedSeal extends WitnessedSignature {
  /** what a verifier reads from the annotations */
  readonly bundle: Bundle;
  /** the annotations, in the order in which cosign writes them */
  readonly beside: Readonly<Record<string, string>>;
}

/**
 * Shows a legacy signature or attestation to the witnesses and writes what they give, and the signer's certificate, as cosign 2 does.
 *
 * @throws ImageError `evidence-uncarried` where the format has no place for it; what the witnesses throw
 * @see https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md#properties
 */
export async function witnessLegacy(
  bundle: Bundle,
  payload: Uint8Array,
  signer: Signer,
  witnesses: readonly Witness[],
): Promise<WitnessedSeal> {
  for (const kind of ['log', 'timestamp-authority'] as const) {
    const asked = witnesses.filter((witness) => witness.kind === kind).length;
    if (asked > 1) throw uncarried(`${asked} witnesses of the kind ${kind}`, 'one');
  }
  const { content } = bundle;
  const given = await askWitnesses({ verifier: verifierOf(signer), ...signedOf(content, payload) }, witnesses);
  const beside = annotationsOf(signer, given);
  return { ...given, beside, bundle: withEvidence(bundle, evidenceBeside(beside)) };
}

function signedOf(content: Bundle['content'], payload: Uint8Array): Pick<LoggedSignature, 'signature' | 'content'> {
  if (content.kind === 'message') return { signature: content.signature, content: { kind: 'bytes', bytes: payload } };
  const { envelope, document = payload } = content;
  const [signature] = envelope.signatures;
  return { signature: signature?.sig ?? new Uint8Array(), content: { kind: 'envelope', envelope, document } };
}

function annotationsOf(
  { certificate: chain }: Signer,
  { timestamps, logEntries }: WitnessedSignature,
): Readonly<Record<string, string>> {
  const [entry] = logEntries;
  const [timestamp] = timestamps;
  if (entry !== undefined && entry.signedEntryTimestamp === undefined)
    throw uncarried('a log entry without a promise, as logs of Rekor v2 give', 'one of a log of Rekor v1');
  const certificates = (chain ?? []).map((der) => decodeCertificate(der, 'the certificate of the signer'));
  return {
    ...(entry === undefined ? {} : { [LegacyAnnotation.bundle]: encodeRekorBundle(entry) }),
    ...(certificates.length === 0
      ? {}
      : { [LegacyAnnotation.certificate]: encodeCertificates(certificates.slice(0, 1)) }),
    ...(certificates.length < 2 ? {} : { [LegacyAnnotation.chain]: encodeCertificates(certificates.slice(1)) }),
    ...(timestamp === undefined
      ? {}
      : { [LegacyAnnotation.timestamp]: JSON.stringify({ SignedRFC3161Timestamp: encodeBase64(timestamp) }) }),
  };
}

function uncarried(found: string, expected: string): ImageError {
  return new ImageError('evidence-uncarried', `the legacy format has no place for ${found}, expected ${expected}`);
}
