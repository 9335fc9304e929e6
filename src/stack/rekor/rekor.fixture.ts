// SPDX-License-Identifier: Apache-2.0
import { hash, sign } from 'node:crypto';
import {
  encodeCheckpoint,
  encodePem,
  encodePublicKey,
  generatePrivateKey,
  keySigner,
  noteKeyHash,
  noteSigner,
  preAuthEncoding,
  rekorV1Origin,
  signNote,
  type KeyAlgorithm,
  type PrivateKey,
  type TransparencyLog,
} from '../../trust/index.ts';
import type { Reply, Service } from '../../wire/index.ts';
import type { AppendLog } from '../log/append-log.ts';
import { openMemoryLog, type SignCheckpoint } from '../log/memory-log.fixture.ts';
import { createRekorV1Service } from './rekor-v1.ts';
import { createRekorV2Service } from './rekor-v2.ts';

export const TREE_ID = 1193050959916656506n;

/** A log of Rekor with its service, over a log in memory. */
export interface TestRekor {
  readonly service: Service;
  readonly log: AppendLog;
  readonly key: PrivateKey;
  /** as clients trust it */
  readonly trusted: TransparencyLog;
}

/** Signs checkpoints as a log does. */
export function checkpoints(origin: string, name: string, key: PrivateKey): SignCheckpoint {
  const signer = noteSigner(name, keySigner(key));
  return (size, root) => signNote(encodeCheckpoint({ origin, size, root, extensions: [] }), [signer]);
}

export async function newRekorV1(host = '127.0.0.1', now?: () => Date): Promise<TestRekor> {
  const key = await generatePrivateKey('ecdsa-p256');
  const signCheckpoint = checkpoints(rekorV1Origin(host, TREE_ID), host, key);
  const log = await openMemoryLog({ signCheckpoint, ...(now === undefined ? {} : { now }) });
  const { service } = createRekorV1Service({ log, treeId: TREE_ID, signer: keySigner(key) });
  const { publicKey } = key;
  const logId = Buffer.from(publicKey.hint, 'base64');
  return { service, log, key, trusted: { baseUrl: `http://${host}`, publicKey, logId, majorVersion: 1 } };
}

export async function newRekorV2(origin = '127.0.0.1', frozen?: () => boolean): Promise<TestRekor> {
  const key = await generatePrivateKey('ed25519');
  const { publicKey } = key;
  const log = await openMemoryLog({ signCheckpoint: checkpoints(origin, origin, key) });
  const options = { log, origin, publicKey, ...(frozen === undefined ? {} : { frozen }) };
  const { service } = createRekorV2Service(options);
  const logId = noteKeyHash(origin, publicKey);
  return { service, log, key, trusted: { baseUrl: `http://${origin}`, publicKey, logId, majorVersion: 2 } };
}

/** An answer, read. */
export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly octets: Buffer;
  // What a test reads out of an answer it has just been told the shape of.
  readonly json: () => unknown;
}

/** Asks a service as its server does: what is thrown, the service puts into words. */
export async function ask(
  service: Service,
  method: string,
  target: string,
  body?: string | Uint8Array | object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answered> {
  const octets =
    body === undefined
      ? Buffer.alloc(0)
      : Buffer.from(typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body));
  const call = { method, target, headers, body: once(octets) };
  let reply: Reply;
  try {
    reply = await service.answer(call);
  } catch (error) {
    reply = service.fault(error);
  }
  const answered = await read(reply);
  const text = answered.toString('utf8');
  return { status: reply.status, headers: reply.headers, text, octets: answered, json: () => JSON.parse(text) };
}

async function* once(octets: Uint8Array): AsyncGenerator<Uint8Array> {
  if (octets.length > 0) yield octets;
}

async function read({ body }: Reply): Promise<Buffer> {
  if (body === undefined) return Buffer.alloc(0);
  if (typeof body === 'string' || body instanceof Uint8Array) return Buffer.from(body);
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const DETAILS: ReadonlyMap<string, readonly [details: string, digest: 'sha256' | 'sha384' | 'sha512']> = new Map([
  ['ecdsa-p256', ['PKIX_ECDSA_P256_SHA_256', 'sha256']],
  ['ecdsa-p384', ['PKIX_ECDSA_P384_SHA_384', 'sha384']],
  ['ecdsa-p521', ['PKIX_ECDSA_P521_SHA_512', 'sha512']],
  ['ed25519', ['PKIX_ED25519_PH', 'sha512']],
  ['rsa-2048', ['PKIX_RSA_PKCS1V15_2048_SHA256', 'sha256']],
  ['rsa-3072', ['PKIX_RSA_PKCS1V15_3072_SHA256', 'sha256']],
  ['rsa-4096', ['PKIX_RSA_PKCS1V15_4096_SHA256', 'sha256']],
] as const);

/** Who signs in a test. */
export interface TestSigner {
  readonly key: PrivateKey;
  /** DER, where it has one */
  readonly certificate?: Uint8Array;
}

export async function newSigner(algorithm: KeyAlgorithm = 'ecdsa-p256'): Promise<TestSigner> {
  return { key: await generatePrivateKey(algorithm) };
}

/** A request of Rekor v2 to enter a signature over a message, as cosign 3.1 sends it. */
export async function hashedRekordV2(signer: TestSigner, message: string): Promise<HashedRekordRequest> {
  const { algorithm } = signer.key.publicKey;
  const [, digest = 'sha256'] = DETAILS.get(algorithm) ?? [];
  return {
    hashedRekordRequestV002: {
      digest: hash(digest, message, 'base64'),
      signature: {
        content: (await signLogged(signer, message)).toString('base64'),
        verifier: verifierV2(signer),
      },
    },
  };
}

export interface HashedRekordRequest {
  readonly hashedRekordRequestV002: {
    readonly digest: string;
    readonly signature: { readonly content: string; readonly verifier: object };
  };
}

export function verifierV2({ key, certificate }: TestSigner): object {
  const [keyDetails] = DETAILS.get(key.publicKey.algorithm) ?? [];
  return certificate === undefined
    ? { publicKey: { rawBytes: Buffer.from(key.publicKey.spki).toString('base64') }, keyDetails }
    : { x509Certificate: { rawBytes: Buffer.from(certificate).toString('base64') }, keyDetails };
}

/** With the digest of its kind of key; Ed25519 in the prehashed form. */
export async function signLogged({ key }: TestSigner, message: string): Promise<Buffer> {
  const { algorithm } = key.publicKey;
  const [, digest = 'sha256'] = DETAILS.get(algorithm) ?? [];
  if (algorithm !== 'ed25519') return sign(digest, Buffer.from(message), key.object);
  const { ed25519ph } = await import('@noble/curves/ed25519.js');
  const seed = key.object.export({ type: 'pkcs8', format: 'der' }).subarray(-32);
  return Buffer.from(ed25519ph.sign(Buffer.from(message), seed));
}

/** An envelope over a payload, in JSON. */
export function envelope(
  signers: readonly TestSigner[],
  payload: string,
  payloadType = 'application/vnd.in-toto+json',
): { payload: string; payloadType: string; signatures: readonly { sig: string }[] } {
  const message = preAuthEncoding(payloadType, Buffer.from(payload));
  const signatures = signers.map(({ key }) => {
    const [, digest = 'sha256'] = DETAILS.get(key.publicKey.algorithm) ?? [];
    const made = sign(key.publicKey.algorithm === 'ed25519' ? null : digest, message, key.object);
    return { sig: made.toString('base64') };
  });
  return { payload: Buffer.from(payload).toString('base64'), payloadType, signatures };
}

/** A statement about one digest. */
export function statement(sha256: string): string {
  return JSON.stringify({
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ digest: { sha256 }, annotations: {} }],
    predicateType: 'https://sigstore.dev/cosign/sign/v1',
    predicate: {},
  });
}

/** A proposed entry of Rekor v1, as cosign sends it for a blob. */
export async function hashedRekordV1(signer: TestSigner, message: string): Promise<HashedRekordProposal> {
  const [, algorithm = 'sha256'] = DETAILS.get(signer.key.publicKey.algorithm) ?? [];
  return {
    apiVersion: '0.0.1',
    kind: 'hashedrekord',
    spec: {
      data: { hash: { algorithm, value: hash(algorithm, message, 'hex') } },
      signature: {
        content: (await signLogged(signer, message)).toString('base64'),
        publicKey: { content: pemOf(signer) },
      },
    },
  };
}

export interface HashedRekordProposal {
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec: {
    readonly data: { readonly hash: { readonly algorithm: string; readonly value: string } };
    readonly signature: { readonly content: string; readonly publicKey: { readonly content: string } };
  };
}

/** A proposed entry of Rekor v1 for an envelope, as cosign sends it for an image. */
export function dsseV1(signers: readonly TestSigner[], document: string): object {
  return {
    apiVersion: '0.0.1',
    kind: 'dsse',
    spec: { proposedContent: { envelope: document, verifiers: signers.map(pemOf) } },
  };
}

/** Base64 of PEM. */
export function pemOf({ key, certificate }: TestSigner): string {
  const pem = certificate === undefined ? encodePublicKey(key.publicKey) : encodePem('CERTIFICATE', certificate);
  return Buffer.from(pem).toString('base64');
}
