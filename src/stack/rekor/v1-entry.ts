// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import { encodeLogBody, encodePromise, leafHash } from '../../trust/index.ts';
import type { LogBody, LogSignature, Signer } from '../../trust/index.ts';
import { encodeBase64 } from '../../wire/index.ts';
import type { NewEntry, ProvenEntry } from '../log/append-log.ts';
import type { EntryVerifier, EntryVerifiers } from './entry-verifier.ts';
import { digestTerm, distinctTerms, envelopeTerms } from './search-terms.ts';
import type { V1Dsse, V1HashedRekord, V1Intoto, V1Proposal } from './v1-proposal.ts';
import { matchSignatures, verifyOverDigest } from './verify-entry-signature.ts';

/**
 * What the log keeps of a proposal, once its signatures have been verified. Keys and certificates are written anew, so that one entry has
 * one spelling.
 *
 * @throws RekorError `key-unsupported`, `signature-invalid`
 */
export async function verifyV1Proposal(proposal: V1Proposal, verifiers: EntryVerifiers): Promise<NewEntry> {
  switch (proposal.kind) {
    case 'hashedrekord':
      return await verifyHashedRekord(proposal, verifiers);
    case 'dsse':
      return await verifyDsse(proposal, verifiers);
    case 'intoto':
      return await verifyIntoto(proposal, verifiers);
  }
}

async function verifyHashedRekord(proposal: V1HashedRekord, verifiers: EntryVerifiers): Promise<NewEntry> {
  const { digest, signature } = proposal;
  const { key, verifier, terms } = verifiers.read(proposal.by);
  await verifyOverDigest(key, digest, signature);
  const body: LogBody = { kind: 'hashedrekord', version: '0.0.1', digest, signature, verifier };
  return newEntry(body, [digestTerm(digest), ...terms]);
}

async function verifyDsse({ envelope, envelopeHash, by }: V1Dsse, verifiers: EntryVerifiers): Promise<NewEntry> {
  const read = by.map((verifier) => verifiers.read(verifier));
  const matches = await matchSignatures(
    envelope,
    read.map(({ key }) => key),
  );
  const signatures = envelope.signatures.flatMap(({ sig }, index): readonly LogSignature[] => {
    const signer = read[matches[index]?.key ?? -1];
    return signer === undefined ? [] : [{ signature: sig, verifier: signer.verifier }];
  });
  const body: LogBody = {
    kind: 'dsse',
    version: '0.0.1',
    envelopeHash,
    payloadHash: payloadHash(envelope),
    signatures,
  };
  return newEntry(body, envelopeEntryTerms(proposalTerms(read), body, envelope));
}

async function verifyIntoto({ envelope, envelopeHash, by }: V1Intoto, verifiers: EntryVerifiers): Promise<NewEntry> {
  const read = by.map((verifier) => verifiers.read(verifier));
  for (const [index, signature] of envelope.signatures.entries()) {
    const signer = read[index];
    if (signer !== undefined) await matchSignatures({ ...envelope, signatures: [signature] }, [signer.key]);
  }
  const signatures = envelope.signatures.flatMap(({ sig, keyid = '' }, index) => {
    const signer = read[index];
    return signer === undefined ? [] : [{ signature: sig, verifier: signer.verifier, keyid }];
  });
  const body: LogBody = {
    kind: 'intoto',
    version: '0.0.2',
    payloadType: envelope.payloadType,
    envelopeHash,
    payloadHash: payloadHash(envelope),
    signatures,
  };
  return newEntry(body, envelopeEntryTerms(proposalTerms(read), body, envelope));
}

function payloadHash({ payload }: V1Dsse['envelope']): V1Dsse['envelopeHash'] {
  return { algorithm: 'sha256', bytes: hash('sha256', payload, 'buffer') };
}

function proposalTerms(read: readonly EntryVerifier[]): readonly string[] {
  return read.flatMap(({ terms }) => terms);
}

function envelopeEntryTerms(
  signers: readonly string[],
  { envelopeHash }: { readonly envelopeHash: V1Dsse['envelopeHash'] },
  envelope: V1Dsse['envelope'],
): readonly string[] {
  return [...signers, digestTerm(envelopeHash), ...envelopeTerms(envelope)];
}

function newEntry(body: LogBody, terms: readonly string[]): NewEntry {
  const leaf = encodeLogBody(body);
  return { leaf, identity: leafHash(leaf), terms: distinctTerms(terms) };
}

/** Which log it is, in its answers, and with what it promises. */
export interface V1Log {
  /** not 0; part of every entry's name */
  readonly treeId: bigint;
  readonly signer: Signer;
}

/** The name of an entry: the tree in 16 digits, and the hash of its leaf in 64. @see https://docs.sigstore.dev/logging/sharding/#entry-ids */
export function entryId({ treeId }: Pick<V1Log, 'treeId'>, leaf: Uint8Array): string {
  return treeId.toString(16).padStart(16, '0') + hex(leafHash(leaf));
}

/**
 * An entry as Rekor v1 answers it, under its name.
 *
 * @see https://github.com/sigstore/rekor/blob/main/openapi.yaml (`LogEntry`)
 */
export async function encodeV1Entry(entry: ProvenEntry, log: V1Log): Promise<{ readonly [id: string]: object }> {
  const { index: logIndex, leaf: body, time, tree, proof } = entry;
  const { publicKey } = log.signer;
  const logId = Buffer.from(publicKey.hint, 'base64');
  const integratedTime = Math.floor(time / 1000);
  const promise = await log.signer.sign(encodePromise({ body, integratedTime, logId, logIndex }));
  return {
    [entryId(log, body)]: {
      body: encodeBase64(body),
      integratedTime,
      logID: hex(logId),
      logIndex,
      verification: {
        inclusionProof: {
          checkpoint: tree.checkpoint,
          hashes: proof.map(hex),
          logIndex,
          rootHash: hex(tree.rootHash),
          treeSize: tree.size,
        },
        signedEntryTimestamp: encodeBase64(promise),
      },
    },
  };
}

function hex(octets: Uint8Array): string {
  return Buffer.from(octets).toString('hex');
}
