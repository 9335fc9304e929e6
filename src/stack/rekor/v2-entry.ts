// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import { defaultKeyDetails, encodeLogBody, leafHash } from '../../trust/index.ts';
import type { KeyDetails, LogBody, LogDigestAlgorithm, SignatureScheme } from '../../trust/index.ts';
import { encodeBase64 } from '../../wire/index.ts';
import type { NewEntry, ProvenEntry } from '../log/append-log.ts';
import type { EntryVerifier, EntryVerifiers } from './entry-verifier.ts';
import { RekorError } from './rekor-error.ts';
import { digestTerm, distinctTerms, envelopeTerms } from './search-terms.ts';
import type { V2Dsse, V2HashedRekord, V2Request, V2Verifier } from './v2-request.ts';
import { matchSignatures, verifyOverDigest } from './verify-entry-signature.ts';

/** How an envelope is signed by a key that is entered so. */
const SCHEMES: Readonly<Record<KeyDetails, SignatureScheme>> = {
  PKIX_ECDSA_P256_SHA_256: 'ecdsa-p256-sha256',
  PKIX_ECDSA_P384_SHA_384: 'ecdsa-p384-sha384',
  PKIX_ECDSA_P521_SHA_512: 'ecdsa-p521-sha512',
  PKIX_ED25519: 'ed25519',
  PKIX_ED25519_PH: 'ed25519ph',
  PKIX_RSA_PKCS1V15_2048_SHA256: 'rsa-pkcs1-sha256',
  PKIX_RSA_PKCS1V15_3072_SHA256: 'rsa-pkcs1-sha256',
  PKIX_RSA_PKCS1V15_4096_SHA256: 'rsa-pkcs1-sha256',
};
const DIGEST_BYTES: Readonly<Record<LogDigestAlgorithm, number>> = { sha256: 32, sha384: 48, sha512: 64 };

/**
 * What the log keeps of a proposal, once its signatures have been verified.
 *
 * @throws RekorError `entry-malformed`, `key-unsupported`, `signature-invalid`
 */
export async function verifyV2Request(request: V2Request, verifiers: EntryVerifiers): Promise<NewEntry> {
  return request.kind === 'hashedrekord'
    ? await verifyHashedRekord(request, verifiers)
    : await verifyDsse(request, verifiers);
}

async function verifyHashedRekord(request: V2HashedRekord, verifiers: EntryVerifiers): Promise<NewEntry> {
  const { signature } = request;
  const { key, verifier, terms, keyDetails, algorithm } = readVerifier(request.by, verifiers, []);
  const digest = { algorithm, bytes: request.digest };
  if (digest.bytes.length !== DIGEST_BYTES[algorithm])
    throw new RekorError(
      'entry-malformed',
      `the entry has a digest of ${digest.bytes.length} bytes, expected ${DIGEST_BYTES[algorithm]} of ${algorithm}, which goes with ${keyDetails}`,
    );
  await verifyOverDigest(key, digest, signature);
  const body: LogBody = { kind: 'hashedrekord', version: '0.0.2', digest, signature, verifier, keyDetails };
  return newEntry(body, [digestTerm(digest), ...terms]);
}

async function verifyDsse({ envelope, by }: V2Dsse, verifiers: EntryVerifiers): Promise<NewEntry> {
  // The log has the envelope, so that it can verify the pure form of Ed25519 as well.
  const read = by.map((item) => readVerifier(item, verifiers, ['PKIX_ED25519']));
  const matches = await matchSignatures(
    envelope,
    read.map(({ key }) => key),
  );
  const signatures = envelope.signatures.flatMap(({ sig }, index) => {
    const match = matches[index];
    const signer = match === undefined ? undefined : read[match.key];
    if (match === undefined || signer === undefined) return [];
    if (SCHEMES[signer.keyDetails] !== match.scheme)
      throw new RekorError(
        'signature-invalid',
        `signature ${index + 1} of the envelope is made as ${match.scheme}, expected ${signer.keyDetails}`,
      );
    return [{ signature: sig, verifier: signer.verifier, keyDetails: signer.keyDetails }];
  });
  const payloadHash = { algorithm: 'sha256', bytes: hash('sha256', envelope.payload, 'buffer') } as const;
  const body: LogBody = { kind: 'dsse', version: '0.0.2', payloadHash, signatures };
  return newEntry(body, [...read.flatMap(({ terms }) => terms), ...envelopeTerms(envelope)]);
}

/** The key of an entry, which must be of the kind that the entry says it is: whoever rebuilds the entry goes by the key alone. */
function readVerifier(
  { verifier, keyDetails }: V2Verifier,
  verifiers: EntryVerifiers,
  others: readonly KeyDetails[],
): EntryVerifier & { readonly keyDetails: KeyDetails; readonly algorithm: LogDigestAlgorithm } {
  const read = verifiers.read(verifier);
  const expected = defaultKeyDetails(read.key.algorithm);
  if (expected === undefined)
    throw new RekorError('key-unsupported', `the log takes no key of type ${read.key.algorithm}`);
  const taken = keyDetails === expected.keyDetails || (read.key.algorithm === 'ed25519' && others.includes(keyDetails));
  if (!taken)
    throw new RekorError(
      'key-unsupported',
      `the entry has a key of type ${read.key.algorithm} as ${keyDetails}, expected ${expected.keyDetails}`,
    );
  // Whoever rebuilds the entry writes the key in its usual encoding.
  if (Buffer.compare(read.verifier.der, verifier.der) !== 0)
    throw new RekorError(
      'key-unsupported',
      'the entry has a key in an unusual encoding, expected its point written out',
    );
  return { ...read, keyDetails, algorithm: expected.digest };
}

function newEntry(body: LogBody, terms: readonly string[]): NewEntry {
  const leaf = encodeLogBody(body);
  return { leaf, identity: leafHash(leaf), terms: distinctTerms(terms) };
}

/** Which log it is, in its answers. */
export interface V2LogName {
  /** base64 of the whole hash of its key under its origin */
  readonly keyId: string;
}

/**
 * An entry as Rekor v2 answers it: a `TransparencyLogEntry` in ProtoJSON, unset fields included.
 *
 * @see https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_rekor.proto
 */
export function encodeV2Entry(entry: ProvenEntry, { keyId }: V2LogName): string {
  const { index, leaf, tree, proof } = entry;
  const logIndex = String(index);
  return JSON.stringify({
    logIndex,
    logId: { keyId },
    kindVersion: { kind: kindOf(leaf), version: '0.0.2' },
    integratedTime: '0',
    inclusionPromise: null,
    inclusionProof: {
      logIndex,
      rootHash: encodeBase64(tree.rootHash),
      treeSize: String(tree.size),
      hashes: proof.map((one) => encodeBase64(one)),
      checkpoint: { envelope: tree.checkpoint },
    },
    canonicalizedBody: encodeBase64(leaf),
  });
}

const DSSE = Buffer.from('{"apiVersion":"0.0.2","kind":"dsse"');

/** By the beginning of what is kept, whose spelling is its own. */
function kindOf(leaf: Uint8Array): string {
  return Buffer.compare(leaf.subarray(0, DSSE.length), DSSE) === 0 ? 'dsse' : 'hashedrekord';
}
