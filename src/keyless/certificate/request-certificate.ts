// SPDX-License-Identifier: Apache-2.0
import {
  decodeCertificates,
  encodePublicKey,
  TrustError,
  type Certificate,
  type PublicKey,
} from '../../trust/index.ts';
import { encodeBase64, isJsonObject, parseJson, WireError, type HttpClient, type Json } from '../../wire/index.ts';
import { askService, badAnswer, refusalOf, type ServiceAnswer, type ServiceRequest } from '../service/ask-service.ts';
import { below, parseServiceAddress } from '../service/service-address.ts';
import type { IdentityToken } from '../token/identity-token.ts';

/** A certificate authority that speaks Fulcio's protocol. */
export interface CertificateAuthorityService {
  /** what paths are added to */
  readonly url: string;
  /** which of its protocols is spoken; the second unless told, and the first where a server does not know that */
  readonly protocol?: 'v1' | 'v2';
}

/** Whom the certificate is to be for. */
export interface CertificateOrder {
  readonly token: IdentityToken;
  readonly publicKey: PublicKey;
  /** signature by that key over `token.challenge`, by the digest of its curve */
  readonly proof: Uint8Array;
}

/** The certificate of the key, then those above it. */
export type CertificateChain = readonly [Certificate, ...Certificate[]];

const WITHIN_MS = 60_000;
const MAX_BYTES = 1024 * 1024;
const MAX_CHAIN = 10;
const NOT_THERE: ReadonlySet<number> = new Set([404, 405, 501]);

/**
 * Asks for a certificate: the token says who it is for, the signature that they have the key. What comes back is for this key, or it is an
 * error. Whether anybody trusts the authority is for whoever has a trusted root.
 *
 * @throws KeylessError `service-refused`, `service-unavailable`, `answer-malformed`, `answer-mismatch`, `setting-malformed`; WireError as the
 * client does. No message has the token.
 * @see https://github.com/sigstore/fulcio/blob/main/fulcio.proto
 * @example
 * const [leaf, ...above] = await requestCertificate({ url: 'https://fulcio.example' }, { token, publicKey, proof }, http);
 */
export async function requestCertificate(
  service: CertificateAuthorityService,
  order: CertificateOrder,
  http: HttpClient,
): Promise<CertificateChain> {
  const base = parseServiceAddress(service.url, 'the address of the certificate authority');
  if (service.protocol === 'v1') return orderV1(base, order, http);
  const answer = await askService(requestV2(base, order, http));
  if (service.protocol === undefined && NOT_THERE.has(answer.status)) return orderV1(base, order, http);
  if (answer.status !== 200 && answer.status !== 201) throw refusalOf(answer);
  return chainFor(order, answer, chainInV2(answer));
}

async function orderV1(base: URL, order: CertificateOrder, http: HttpClient): Promise<CertificateChain> {
  const { publicKey, proof } = order;
  // This version has the key as octets: base64 of PEM, which is base64 itself.
  const content = encodeBase64(Buffer.from(encodePublicKey(publicKey)));
  const body = {
    publicKey: { content, algorithm: familyOf(publicKey) },
    signedEmailAddress: encodeBase64(proof),
    certificateSigningRequest: null,
  };
  const answer = await askService(requestTo(below(base, 'api/v1/signingCert'), body, order, http));
  if (answer.status !== 200 && answer.status !== 201) throw refusalOf(answer);
  return chainFor(order, answer, new TextDecoder().decode(answer.body));
}

function requestV2(base: URL, order: CertificateOrder, http: HttpClient): ServiceRequest {
  const { publicKey, proof } = order;
  const key = { algorithm: familyOf(publicKey).toUpperCase(), content: encodePublicKey(publicKey) };
  const body = { publicKeyRequest: { publicKey: key, proofOfPossession: encodeBase64(proof) } };
  return requestTo(below(base, 'api/v2/signingCert'), body, order, http);
}

function requestTo(url: URL, body: Json, { token }: CertificateOrder, http: HttpClient): ServiceRequest {
  return {
    http,
    what: 'the certificate authority',
    method: 'POST',
    url,
    headers: {
      accept: 'application/json, application/pem-certificate-chain',
      'content-type': 'application/json',
      authorization: `Bearer ${token.text}`,
    },
    body: new TextEncoder().encode(JSON.stringify(body)),
    withinMs: WITHIN_MS,
    maxBytes: MAX_BYTES,
    secrets: [token.text, ...token.text.split('.')],
  };
}

// A hint that servers do not look at: the key decides.
function familyOf({ algorithm }: PublicKey): 'ecdsa' | 'ed25519' | 'rsa' {
  if (algorithm === 'ed25519') return 'ed25519';
  return algorithm.startsWith('rsa-') ? 'rsa' : 'ecdsa';
}

// A timestamp of a certificate log that is not in the certificate has no place in a bundle, so that it is not read.
function chainInV2(answer: ServiceAnswer): string {
  const value = parseAnswer(answer);
  const fields = isJsonObject(value) ? value : {};
  const signed = fields['signedCertificateEmbeddedSct'] ?? fields['signedCertificateDetachedSct'];
  const chain = isJsonObject(signed) ? signed['chain'] : undefined;
  const certificates = isJsonObject(chain) ? chain['certificates'] : undefined;
  const isText = (item: Json): item is string => typeof item === 'string';
  if (!Array.isArray(certificates) || certificates.length > MAX_CHAIN || !certificates.every(isText))
    throw badAnswer(answer, 'answer-malformed', `no list of at most ${MAX_CHAIN} certificates`);
  return certificates.map((pem) => `${pem.trimEnd()}\n`).join('');
}

function parseAnswer(answer: ServiceAnswer): Json {
  try {
    return parseJson(answer.body, { what: 'the answer', maxBytes: MAX_BYTES, maxDepth: 8 });
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw badAnswer(answer, 'answer-malformed', `what is no JSON (${error.code})`);
  }
}

function chainFor({ publicKey }: CertificateOrder, answer: ServiceAnswer, pem: string): CertificateChain {
  let chain: CertificateChain;
  try {
    chain = decodeCertificates(new TextEncoder().encode(pem), 'the chain in it');
  } catch (error) {
    if (!(error instanceof TrustError || error instanceof WireError)) throw error;
    throw badAnswer(answer, 'answer-malformed', `what cannot be read: ${error.message}`);
  }
  if (!Buffer.from(chain[0].spki).equals(publicKey.spki))
    throw badAnswer(answer, 'answer-mismatch', 'a certificate of another key than the one it was asked for');
  return chain;
}
