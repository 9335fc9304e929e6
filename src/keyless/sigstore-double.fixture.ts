// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import {
  BEGIN,
  END,
  newTestKey,
  newTestKeys,
  newTestStack,
  type TestKey,
  type TestKeys,
} from '../trust/certificate/authority.fixture.ts';
import { newTestLog, INTEGRATED, type TestLog } from '../trust/log/log.fixture.ts';
import {
  buildTimestampResponse,
  createTimestampIssuer,
  decodeCertificate,
  decodeCertificates,
  decodePublicKey,
  decodeTimestampRequest,
  draftLeaf,
  encodeCertificates,
  finishLeaf,
  issueRoot,
  issueTimestampCertificate,
  keySigner,
  leafHash,
  preAuthEncoding,
  randomSerialNumber,
  signSct,
  timestampAuthority,
  verifySignature,
  type Certificate,
  type LogBody,
  type LogEntry,
  type LogVerifier,
  type TimestampIssuer,
  type TrustedRoot,
} from '../trust/index.ts';
import type { TransportRequest } from '../wire/index.ts';
import type { IdentityToken } from './token/identity-token.ts';
import { testIssuer } from './token/test-issuer.fixture.ts';
import { jsonBody, tokenServer, type TokenAnswer, type TokenServer } from './token/token-transport.fixture.ts';

// The services of a sigstore without a socket, which check what they are told: tokens, proofs, signatures.

/** when everything happens */
export const SIGNED: Date = new Date(INTEGRATED * 1000);
export const ISSUER = 'https://issuer.example';
export const SUBJECT = 'https://ci.example/app/release@refs/tags/v1';
export const FULCIO = 'https://fulcio.example/prefix';
export const REKOR = 'https://log.example/rekor1';
export const REKOR2 = 'https://log.example/rekor2';
export const TSA = 'https://tsa.example/api/v1/timestamp';

/** Answers in the place of a service; `undefined` lets it answer itself. */
export type Meddler = (
  request: TransportRequest,
  answer: () => Promise<TokenAnswer>,
) => Promise<TokenAnswer> | TokenAnswer | undefined;

export interface SigstoreDouble {
  readonly server: TokenServer;
  readonly trustedRoot: TrustedRoot;
  readonly token: IdentityToken;
  readonly logV2: TestLog;
  /** puts somebody between the services and us */
  meddle(meddler: Meddler): void;
}

export async function openSigstoreDouble(): Promise<SigstoreDouble> {
  const keys = await newTestKeys();
  const { authority, intermediate } = await newTestStack(keys);
  const [ctLog, clockRoot, clock] = await Promise.all([newTestKey(), newTestKey(), newTestKey()]);
  const [logV1, logV2] = await Promise.all([newTestLog(1), newTestLog(2)]);
  const tsa = await newClock(clockRoot, clock);
  const issuer = await testIssuer(ISSUER, () => SIGNED.getTime());
  const text = await issuer.sign({ sub: SUBJECT, aud: 'sigstore' });
  const expiresAt = new Date(SIGNED.getTime() + 600_000);
  const token = { text, issuer: ISSUER, subject: SUBJECT, audience: ['sigstore'], expiresAt, challenge: SUBJECT };
  const chain = (leaf: Uint8Array): readonly Certificate[] => [decodeCertificate(leaf, 'leaf'), ...authority.chain];
  const certify = async (pem: string, proof: string, request: TransportRequest): Promise<readonly Certificate[]> => {
    const [, bearer = ''] = (request.headers['authorization'] ?? '').split(' ');
    const { payload } = await issuer.verify(bearer, 'sigstore');
    const publicKey = decodePublicKey(Buffer.from(pem), 'the key');
    const challenge = Buffer.from(String(payload.sub));
    if ((await verifySignature(publicKey, challenge, Buffer.from(proof, 'base64'))) === undefined)
      throw new Refusal(400, 'The signature supplied in the request could not be verified');
    return chain(await issueLeaf({ publicKey, subject: String(payload.sub) }, intermediate, keys, ctLog));
  };
  const log1 = rekorV1(logV1);
  const log2 = rekorV2(logV2);
  const route = async (request: TransportRequest): Promise<TokenAnswer> => {
    const { url, method } = request;
    const body = jsonBodyOf(request);
    switch (`${method} ${url.origin}${url.pathname}`) {
      case `POST ${FULCIO}/api/v2/signingCert`: {
        const { publicKey, proofOfPossession } = body['publicKeyRequest'] as {
          publicKey: { content: string };
          proofOfPossession: string;
        };
        const issued = await certify(publicKey.content, proofOfPossession, request);
        const certificates = issued.map((certificate) => encodeCertificates([certificate]));
        return { body: { signedCertificateEmbeddedSct: { chain: { certificates } } } };
      }
      case `POST ${FULCIO}/api/v1/signingCert`: {
        const { content } = body['publicKey'] as { content: string };
        const pem = Buffer.from(content, 'base64').toString();
        const issued = await certify(pem, body['signedEmailAddress'] as string, request);
        const headers = { 'content-type': 'application/pem-certificate-chain' };
        return { status: 201, headers, body: encodeCertificates(issued) };
      }
      case `POST ${REKOR2}/api/v2/log/entries`:
        return log2(body);
      case `POST ${TSA}`: {
        const asked = decodeTimestampRequest(request.body as Uint8Array);
        const stamp = { serialNumber: randomSerialNumber(), time: SIGNED };
        const headers = { 'content-type': 'application/timestamp-reply' };
        return { status: 201, headers, body: await buildTimestampResponse(asked, tsa, stamp) };
      }
      default:
        if (url.href.startsWith(`${REKOR}/api/v1/log/`)) return log1(method, url, body);
        return { status: 404, body: { code: 5, message: 'Not Found' } };
    }
  };
  let meddler: Meddler = () => undefined;
  const server = tokenServer(async (request) => {
    const honest = (): Promise<TokenAnswer> => route(request).catch(refused);
    return (await meddler(request, honest)) ?? (await honest());
  });
  const validFor = { start: BEGIN, end: END };
  const trustedRoot: TrustedRoot = {
    logs: [
      { ...logV1.log, validFor },
      { ...logV2.log, validFor },
    ],
    certificateLogs: [{ publicKey: ctLog.private.publicKey, validFor }],
    certificateAuthorities: [{ ...authority, validFor }],
    timestampAuthorities: [timestampAuthority(tsa.chain, { validFor })],
    skipped: [],
  };
  return { server, trustedRoot, token, logV2, meddle: (next) => (meddler = next) };
}

class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

function refused(error: unknown): TokenAnswer {
  const status = error instanceof Refusal ? error.status : 400;
  return { status, body: { code: 3, message: error instanceof Error ? error.message : String(error), details: [] } };
}

function jsonBodyOf(request: TransportRequest): Record<string, unknown> {
  const json = request.headers['content-type'] === 'application/json';
  return json ? (jsonBody(request) as Record<string, unknown>) : {};
}

async function newClock(rootKey: TestKey, key: TestKey): Promise<TimestampIssuer> {
  const about = { notBefore: BEGIN, notAfter: END };
  const named = (commonName: string, { private: { publicKey } }: TestKey) =>
    ({ ...about, name: { commonName }, publicKey, serialNumber: randomSerialNumber() }) as const;
  const root = await issueRoot(named('clock root', rootKey), 1, rootKey.signer);
  const by = { certificate: root, signer: rootKey.signer };
  return createTimestampIssuer(key.signer, [await issueTimestampCertificate(named('clock', key), by), root]);
}

async function issueLeaf(
  { publicKey, subject }: { readonly publicKey: ReturnType<typeof decodePublicKey>; readonly subject: string },
  issuer: Certificate,
  keys: TestKeys,
  ctLog: TestKey,
): Promise<Uint8Array> {
  const begin = SIGNED.getTime() - 60_000;
  const request = {
    publicKey,
    name: { kind: 'uri', value: subject },
    claims: { issuer: ISSUER },
    serialNumber: randomSerialNumber(),
    notBefore: new Date(begin),
    notAfter: new Date(begin + 600_000),
  } as const;
  const draft = draftLeaf(request, issuer, keys.intermediate.signer.algorithm);
  const sct = await signSct(keySigner(ctLog.private), draft.entry, begin);
  return finishLeaf(draft, [sct], keys.intermediate.signer);
}

type Json = Record<string, unknown>;
type Log1 = (method: string, url: URL, body: Json) => Promise<TokenAnswer>;

function rekorV1(log: TestLog): Log1 {
  const kept = new Map<string, unknown>();
  const entered = new Map<string, string>();
  return async (method, url, proposed) => {
    if (method === 'GET') {
      const id = url.pathname.split('/').at(-1) ?? '';
      return kept.has(id) ? { body: { [id]: kept.get(id) } } : { status: 404, body: { code: 404, message: 'gone' } };
    }
    const search = url.pathname.endsWith('/retrieve');
    const entry = search ? (proposed['entries'] as Json[])[0] : proposed;
    const body = await bodyV1(entry ?? {});
    const known = entered.get(JSON.stringify(entry));
    if (search) return { body: known === undefined ? [] : [{ [known]: kept.get(known) }] };
    if (known !== undefined) {
      const message = `an equivalent entry already exists in the transparency log with UUID ${known}`;
      const headers = { location: `https://elsewhere.example/api/v1/log/entries/${known}` };
      return { status: 409, headers, body: { code: 409, message } };
    }
    const made = await log.enter(body);
    const id = `000000000000002a${Buffer.from(leafHash(made.canonicalizedBody)).toString('hex')}`;
    kept.set(id, jsonV1(made));
    entered.set(JSON.stringify(entry), id);
    return { status: 201, headers: { etag: id }, body: { [id]: kept.get(id) } };
  };
}

async function bodyV1({ kind, spec }: Json): Promise<LogBody> {
  const said = spec as { [name: string]: never };
  if (kind === 'dsse') {
    const { envelope, verifiers } = said['proposedContent'] as unknown as { envelope: string; verifiers: [string] };
    const { payload, payloadType, signatures } = JSON.parse(envelope) as {
      payload: string;
      payloadType: string;
      signatures: [{ sig: string }];
    };
    const octets = Buffer.from(payload, 'base64');
    const signature = Buffer.from(signatures[0].sig, 'base64');
    const verifier = await verified(verifiers[0], preAuthEncoding(payloadType, octets), signature);
    return {
      kind: 'dsse',
      version: '0.0.1',
      envelopeHash: { algorithm: 'sha256', bytes: hash('sha256', envelope, 'buffer') },
      payloadHash: { algorithm: 'sha256', bytes: hash('sha256', octets, 'buffer') },
      signatures: [{ signature, verifier }],
    };
  }
  const { data, signature } = said as unknown as {
    data: { hash: { algorithm: 'sha256'; value: string } };
    signature: { content: string; publicKey: { content: string } };
  };
  const digest = { algorithm: data.hash.algorithm, bytes: Buffer.from(data.hash.value, 'hex') };
  const octets = Buffer.from(signature.content, 'base64');
  return {
    kind: 'hashedrekord',
    version: '0.0.1',
    digest,
    signature: octets,
    verifier: verifierIn(signature.publicKey.content),
  };
}

async function verified(pem: string, message: Uint8Array, signature: Uint8Array): Promise<LogVerifier> {
  const verifier = verifierIn(pem);
  const key = decodePublicKey(
    verifier.kind === 'certificate' ? decodeCertificate(verifier.der, 'it').spki : verifier.der,
    'it',
  );
  if ((await verifySignature(key, message, signature)) === undefined) throw new Refusal(400, 'signature invalid');
  return verifier;
}

function verifierIn(base64: string): LogVerifier {
  const pem = Buffer.from(base64, 'base64');
  if (!pem.includes('CERTIFICATE')) return { kind: 'public-key', der: decodePublicKey(pem, 'it').spki };
  return { kind: 'certificate', der: decodeCertificates(pem, 'it')[0].der, chain: [] };
}

function jsonV1(entry: LogEntry): unknown {
  const hex = (octets: Uint8Array): string => Buffer.from(octets).toString('hex');
  const proof = entry.inclusionProof;
  return {
    body: Buffer.from(entry.canonicalizedBody).toString('base64'),
    integratedTime: entry.integratedTime,
    logID: hex(entry.logKeyId ?? Buffer.of()),
    logIndex: entry.logIndex,
    verification: {
      inclusionProof: {
        checkpoint: proof?.checkpoint,
        hashes: proof?.hashes.map(hex),
        logIndex: proof?.logIndex,
        rootHash: hex(proof?.rootHash ?? Buffer.of()),
        treeSize: proof?.treeSize,
      },
      signedEntryTimestamp: Buffer.from(entry.signedEntryTimestamp ?? Buffer.of()).toString('base64'),
    },
  };
}

type Log2 = (body: Json) => Promise<TokenAnswer>;

function rekorV2(log: TestLog): Log2 {
  return async (asked) => {
    const { digest, signature } = asked['hashedRekordRequestV002'] as {
      digest: string;
      signature: { content: string; verifier: { keyDetails: 'PKIX_ECDSA_P256_SHA_256' } & Json };
    };
    const { keyDetails, x509Certificate, publicKey } = signature.verifier;
    const raw = (x509Certificate ?? publicKey) as { rawBytes: string };
    const der = Buffer.from(raw.rawBytes, 'base64');
    const entry = await log.enter({
      kind: 'hashedrekord',
      version: '0.0.2',
      digest: {
        algorithm: digest.length > 80 ? 'sha512' : digest.length > 50 ? 'sha384' : 'sha256',
        bytes: Buffer.from(digest, 'base64'),
      },
      signature: Buffer.from(signature.content, 'base64'),
      verifier: x509Certificate === undefined ? { kind: 'public-key', der } : { kind: 'certificate', der, chain: [] },
      keyDetails,
    });
    return { status: 201, body: jsonV2(entry) };
  };
}

/** As rekor-tiles writes it: with all that is unset. */
function jsonV2({ logIndex, logKeyId, kindVersion, inclusionProof: proof, canonicalizedBody }: LogEntry): unknown {
  const base64 = (octets: Uint8Array = Buffer.of()): string => Buffer.from(octets).toString('base64');
  return {
    logIndex: String(logIndex),
    logId: { keyId: base64(logKeyId) },
    kindVersion,
    integratedTime: '0',
    inclusionPromise: null,
    inclusionProof: {
      logIndex: String(proof?.logIndex),
      rootHash: base64(proof?.rootHash),
      treeSize: String(proof?.treeSize),
      hashes: proof?.hashes.map((octets) => base64(octets)),
      checkpoint: { envelope: proof?.checkpoint },
    },
    canonicalizedBody: base64(canonicalizedBody),
  };
}
