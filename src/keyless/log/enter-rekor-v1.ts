// SPDX-License-Identifier: Apache-2.0
import {
  decodeRekorEntries,
  encodeCertificates,
  encodePublicKey,
  type Envelope,
  type LoggedSignature,
  type SignatureVerifier,
} from '../../trust/index.ts';
import { encodeBase64, type HttpClient, type Json } from '../../wire/index.ts';
import { KeylessError } from '../error.ts';
import { askService, badAnswer, refusalOf, type ServiceAnswer, type ServiceRequest } from '../service/ask-service.ts';
import { below } from '../service/service-address.ts';
import { readAnswer, type Entered } from './log-witness.ts';
import { schemeOfSignature } from './scheme-of-signature.ts';

const WITHIN_MS = 60_000;
const MAX_BYTES = 4 * 1024 * 1024;
/** a tree's number of 16 digits, or none, before the hash of the leaf */
const ENTRY_ID = /(?<![0-9a-f])(?:[0-9a-f]{80}|[0-9a-f]{64})(?![0-9a-f])/;

/**
 * Enters a signature into a log of Rekor v1: an envelope as kind dsse, anything else as hashedrekord, as cosign 2 and 3 do.
 *
 * @throws KeylessError as `logWitness`
 */
export async function enterRekorV1(base: URL, signed: LoggedSignature, http: HttpClient): Promise<Entered> {
  const proposed = await proposal(signed);
  const answer = await askService(request(http, below(base, 'api/v1/log/entries'), proposed));
  if (answer.status === 201 || answer.status === 200) return entryIn(answer);
  if (answer.status !== 409) throw refusalOf(answer);
  // The log has it, by somebody who asked before us or by us, whose answer was lost.
  return entryIn(await findDuplicate(base, answer, proposed, http));
}

async function findDuplicate(
  base: URL,
  conflict: ServiceAnswer,
  proposed: Json,
  http: HttpClient,
): Promise<ServiceAnswer> {
  const id = idOfDuplicate(conflict);
  // Of the address in the answer only the name is taken: it is this log that was asked.
  const answer = await askService(
    id === undefined
      ? request(http, below(base, 'api/v1/log/entries/retrieve'), { entries: [proposed] })
      : request(http, below(base, `api/v1/log/entries/${id}`)),
  );
  if (answer.status !== 200) throw refusalOf(answer);
  return answer;
}

function idOfDuplicate({ headers, body }: ServiceAnswer): string | undefined {
  const located = ENTRY_ID.exec(headers['location'] ?? '')?.[0];
  return located ?? ENTRY_ID.exec(new TextDecoder().decode(body.subarray(0, 4096)))?.[0];
}

function entryIn(answer: ServiceAnswer): Entered {
  // A search answers with a list of what a write answers alone.
  const text = new TextDecoder().decode(answer.body).trim();
  const alone = text.startsWith('[') && text.endsWith(']') ? Buffer.from(text.slice(1, -1)) : answer.body;
  const [entry, ...others] = readAnswer(answer, () => decodeRekorEntries(alone, 'the answer of the log')).values();
  if (entry === undefined || others.length > 0)
    throw badAnswer(
      answer,
      'answer-malformed',
      `${others.length + (entry === undefined ? 0 : 1)} entries, expected one`,
    );
  return { entry, answer };
}

async function proposal(signed: LoggedSignature): Promise<Json> {
  const { signature, verifier, content } = signed;
  const { scheme, digest } = await schemeOfSignature(signed);
  if (content.kind === 'envelope') {
    const envelope =
      content.document === undefined
        ? JSON.stringify(envelopeJson(content.envelope))
        : new TextDecoder().decode(content.document);
    const proposedContent = { envelope, verifiers: [encodeBase64(Buffer.from(pemOf(verifier)))] };
    return { apiVersion: '0.0.1', spec: { proposedContent }, kind: 'dsse' };
  }
  // The log has the digest only, and the pure form is over all octets.
  if (scheme === 'ed25519')
    throw new KeylessError(
      'signature-unloggable',
      'a log takes a signature by Ed25519 over a digest only (Ed25519ph), and this one is over the artifact',
    );
  const { algorithm, bytes } = digest;
  return {
    apiVersion: '0.0.1',
    spec: {
      data: { hash: { algorithm, value: Buffer.from(bytes).toString('hex') } },
      signature: {
        content: encodeBase64(signature),
        publicKey: { content: encodeBase64(Buffer.from(pemOf(verifier))) },
      },
    },
    kind: 'hashedrekord',
  };
}

/** The envelope as cosign 3 sends it. */
function envelopeJson({ payload, payloadType, signatures }: Envelope): Json {
  return {
    payload: encodeBase64(payload),
    payloadType,
    signatures: signatures.map(({ sig, keyid = '' }) => ({
      sig: encodeBase64(sig),
      ...(keyid === '' ? {} : { keyid }),
    })),
  };
}

function pemOf(verifier: SignatureVerifier): string {
  return verifier.kind === 'public-key' ? encodePublicKey(verifier.key) : encodeCertificates([verifier.certificate]);
}

function request(http: HttpClient, url: URL, body?: Json): ServiceRequest {
  const what = 'the transparency log';
  const asked = { http, what, url, withinMs: WITHIN_MS, maxBytes: MAX_BYTES } as const;
  const accept = 'application/json';
  return body === undefined
    ? { ...asked, method: 'GET', headers: { accept } }
    : {
        ...asked,
        method: 'POST',
        headers: { accept, 'content-type': 'application/json' },
        body: new TextEncoder().encode(JSON.stringify(body)),
      };
}
