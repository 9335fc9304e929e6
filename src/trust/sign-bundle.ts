// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import { BUNDLE_V03, type Bundle, type BundleContent } from './bundle/bundle.ts';
import { encodeEnvelope, IN_TOTO_PAYLOAD_TYPE, preAuthEncoding } from './bundle/envelope.ts';
import { TrustError } from './error.ts';
import type { Signer } from './key/signer.ts';
import { verifySignature, type SignatureScheme } from './key/verify-signature.ts';
import type { LogDigestAlgorithm } from './log/canonical-body.ts';
import type { LoggedSignature } from './log/logged-signature.ts';
import type { Witness, WitnessedSignature } from './witness.ts';

/**
 * Signs an in-toto statement and packs it into a bundle: with the signer's certificate or a hint of its key, and what the witnesses give.
 *
 * @param statementPayload the statement as JSON; these bytes are what is signed
 * @param options `kept: 'envelope'` for cosign 2, which keeps the envelope as a file: clocks stamp that, and logs hash it
 * @throws what the signer and the witnesses throw; TrustError where the signer's certificate is not its own
 * @example
 * const bundle = await signBundle(encodeSignStatement({ algorithm: 'sha256', hex }, {}), signer, [clock, log]);
 */
export async function signBundle(
  statementPayload: Uint8Array,
  signer: Signer,
  witnesses: readonly Witness[] = [],
  options: { readonly kept?: 'bundle' | 'envelope' } = {},
): Promise<Bundle> {
  const payload = new Uint8Array(statementPayload); // so that what is packed is what was signed, whatever the caller does meanwhile
  const sig = await signer.sign(preAuthEncoding(IN_TOTO_PAYLOAD_TYPE, payload));
  const envelope = { payloadType: IN_TOTO_PAYLOAD_TYPE, payload, signatures: [{ sig }] };
  const kept = { envelope, ...(options.kept === 'envelope' ? { document: encodeEnvelope(envelope) } : {}) };
  const given = await witness(sig, { kind: 'envelope', ...kept }, signer, witnesses);
  return pack({ kind: 'dsse', ...kept }, signer, given);
}

/**
 * Signs an artifact itself and packs the signature into a bundle; the artifact stays outside, the bundle has its digest.
 *
 * @throws what the signer and the witnesses throw; TrustError `key-malformed` if the signer's signature is not its key's
 * @example
 * const bundle = await signBlobBundle(await readFile('app.tar'), signer, [clock, log]);
 * await writeFile('app.tar.sigstore.json', encodeBundle(bundle));
 */
export async function signBlobBundle(
  artifact: Uint8Array,
  signer: Signer,
  witnesses: readonly Witness[] = [],
): Promise<Bundle> {
  const signature = await signer.sign(artifact);
  const scheme = await verifySignature(signer.publicKey, artifact, signature);
  if (scheme === undefined)
    throw new TrustError('key-malformed', `the signer made a signature that key ${signer.publicKey.hint} did not make`);
  // cosign names the digest that the key signs with, and takes that one for the artifact's.
  const algorithm = digestOf(scheme);
  const content: BundleContent = {
    kind: 'message',
    digest: { algorithm, bytes: hash(algorithm, artifact, 'buffer') },
    signature,
  };
  return pack(content, signer, await witness(signature, { kind: 'bytes', bytes: artifact }, signer, witnesses));
}

function digestOf(scheme: SignatureScheme): LogDigestAlgorithm {
  if (scheme === 'ed25519ph' || scheme.endsWith('-sha512')) return 'sha512';
  return scheme.endsWith('-sha384') ? 'sha384' : 'sha256';
}

const NO_EVIDENCE: WitnessedSignature = { timestamps: [], logEntries: [] };

async function witness(
  signature: Uint8Array,
  content: LoggedSignature['content'],
  signer: Signer,
  witnesses: readonly Witness[],
): Promise<WitnessedSignature> {
  // What reads certificates is loaded only where there is one.
  if (signer.certificate === undefined && witnesses.length === 0) return NO_EVIDENCE;
  const { askWitnesses, verifierOf } = await import('./witness.ts');
  return askWitnesses({ signature, verifier: verifierOf(signer), content }, witnesses);
}

// Version 0.3 has the leaf only: what it chains to is for the verifier to know.
function pack(
  content: BundleContent,
  { certificate, publicKey }: Signer,
  { timestamps, logEntries }: WitnessedSignature,
): Bundle {
  return {
    mediaType: BUNDLE_V03,
    material:
      certificate === undefined
        ? { kind: 'public-key', hint: publicKey.hint }
        : { kind: 'certificate', chain: [certificate[0]] },
    content,
    logEntries,
    timestamps,
  };
}
