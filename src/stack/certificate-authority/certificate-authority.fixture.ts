// SPDX-License-Identifier: Apache-2.0
import { sign } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JSONWebKeySet, type JWTPayload } from 'jose';
import { SqliteDatabase } from '../../store/index.ts';
import {
  certificateSigner,
  encodePublicKey,
  generatePrivateKey,
  issueIntermediate,
  issueRoot,
  keySigner,
  randomSerialNumber,
  type KeyAlgorithm,
  type PrivateKey,
} from '../../trust/index.ts';
import { HttpClient, type Call, type Reply } from '../../wire/index.ts';
import type { AppendLog } from '../log/append-log.ts';
import { openMemoryLog } from '../log/memory-log.fixture.ts';
import type { Issuance, SigningAuthority } from './issuance/signing-authority.ts';
import {
  openCertificateAuthority,
  type CertificateAuthorityOptions,
  type OpenedCertificateAuthority,
} from './open-certificate-authority.ts';
import { decodeRules } from './rules/decode-rules.ts';
import type { Rule } from './rules/rule.ts';

// An authority on a temporary database, with the stack's own issuer beside it.

export const ISSUER = 'https://issuer.example/oidc';
export const AUDIENCE = 'sigstore';

/** Signs tokens. */
export class TestIssuer {
  readonly url: string;
  readonly keys: JSONWebKeySet;
  readonly #key: CryptoKey;
  readonly #alg: string;

  private constructor(url: string, keys: JSONWebKeySet, key: CryptoKey, alg: string) {
    this.url = url;
    this.keys = keys;
    this.#key = key;
    this.#alg = alg;
  }

  static async open(url: string = ISSUER, alg = 'ES256', kid = 'k1'): Promise<TestIssuer> {
    const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' };
    return new TestIssuer(url, { keys: [jwk] }, privateKey, alg);
  }

  /** A token of five minutes with these claims; one that is `undefined` is left out. */
  async token(claims: Readonly<Record<string, unknown>>, now: Date = new Date()): Promise<string> {
    const seconds = Math.floor(now.getTime() / 1000);
    const all = { iss: this.url, aud: AUDIENCE, iat: seconds, exp: seconds + 300, ...claims };
    const [{ kid } = {}] = this.keys.keys;
    return new SignJWT(JSON.parse(JSON.stringify(all)) as JWTPayload)
      .setProtectedHeader({ alg: this.#alg, ...(kid === undefined ? {} : { kid }) })
      .sign(this.#key);
  }

  /** As `token`, for a person. */
  async personToken(email = 'dev@example.com', now: Date = new Date()): Promise<string> {
    return this.token({ sub: email, email, email_verified: true }, now);
  }
}

export interface TestAuthority extends OpenedCertificateAuthority, AsyncDisposable {
  readonly issuer: TestIssuer;
  readonly issuance: Issuance;
  readonly log: AppendLog;
  readonly database: SqliteDatabase;
  /** opens another authority on the same database, log and keys, as after a restart */
  reopen(changes?: Partial<CertificateAuthorityOptions>): Promise<OpenedCertificateAuthority>;
}

/** A root and an intermediate for ten years. */
export async function newAuthority(
  algorithm: KeyAlgorithm = 'ecdsa-p256',
  now: Date = new Date(),
): Promise<SigningAuthority> {
  const [root, intermediate] = await Promise.all([generatePrivateKey(algorithm), generatePrivateKey(algorithm)]);
  const life = {
    notBefore: atSecond(now.getTime() - 3600_000),
    notAfter: atSecond(now.getTime() + 3600_000 * 24 * 3650),
  };
  const name = { organization: 'test', commonName: 'root' };
  const serialNumber = randomSerialNumber();
  const rootCertificate = await issueRoot(
    { name, publicKey: root.publicKey, serialNumber, ...life },
    1,
    certificateSigner(root),
  );
  const certificate = await issueIntermediate(
    {
      name: { organization: 'test', commonName: 'intermediate' },
      publicKey: intermediate.publicKey,
      serialNumber,
      ...life,
    },
    'code-signing',
    { certificate: rootCertificate, signer: certificateSigner(root) },
  );
  return { signer: certificateSigner(intermediate), chain: [certificate, rootCertificate] };
}

// X.509 has no smaller units.
function atSecond(milliseconds: number): Date {
  return new Date(Math.floor(milliseconds / 1000) * 1000);
}

export async function rulesOf(text: string): Promise<readonly Rule[]> {
  return decodeRules(Buffer.from(text), 'rules.yaml');
}

const EVERYONE: string = `rules: [{ name: built-in issuer, issuer: ${ISSUER}, everyone: true }]`;

/** Opens an authority with the stack's own issuer, whose tokens are all admitted unless told. */
export async function openTestAuthority(changes: Partial<CertificateAuthorityOptions> = {}): Promise<TestAuthority> {
  const folder = await mkdtemp(join(tmpdir(), 'bulla-ca-'));
  const database = await SqliteDatabase.open(join(folder, 'ca.db'));
  const issuer = await TestIssuer.open();
  const log = changes.certificateLog?.log ?? (await openMemoryLog());
  const options: CertificateAuthorityOptions = {
    database,
    authority: await newAuthority(),
    certificateLog: { signer: keySigner(await generatePrivateKey('ecdsa-p256')), log },
    issuers: [],
    builtIn: { url: ISSUER, keys: () => issuer.keys },
    rules: await rulesOf(EVERYONE),
    http: new HttpClient({ transport: () => Promise.reject(new Error('no test of this asks anybody')) }),
    now: () => new Date(),
    ...changes,
  };
  return {
    ...(await openCertificateAuthority(options)),
    issuer,
    issuance: { authority: options.authority, certificateLog: options.certificateLog },
    log,
    database,
    reopen: (more = {}) => openCertificateAuthority({ ...options, ...more }),
    async [Symbol.asyncDispose]() {
      await database.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** A key with the proof that its holder has it, by the digest that fits the key. */
export async function newClientKey(
  challenge: string,
  algorithm: KeyAlgorithm = 'ecdsa-p256',
): Promise<{ readonly private: PrivateKey; readonly pem: string; readonly proof: Buffer }> {
  const key = await generatePrivateKey(algorithm);
  return { private: key, pem: encodePublicKey(key.publicKey), proof: proofBy(key, challenge) };
}

const DIGESTS: Readonly<Record<string, string | null>> = {
  'ecdsa-p384': 'sha384',
  'ecdsa-p521': 'sha512',
  ed25519: null,
};

function proofBy(key: PrivateKey, challenge: string): Buffer {
  const digest = DIGESTS[key.publicKey.algorithm];
  return sign(digest === undefined ? 'sha256' : digest, Buffer.from(challenge), key.object);
}

/** A request as cosign 3 sends it. */
export function v2Call(token: string | undefined, body: unknown, headers: Readonly<Record<string, string>> = {}): Call {
  return callOf('POST', '/api/v2/signingCert', JSON.stringify(body), {
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...headers,
  });
}

export function callOf(
  method: string,
  target: string,
  body: string | Uint8Array = '',
  headers: Readonly<Record<string, string>> = {},
): Call {
  return {
    method,
    target,
    headers,
    body: (async function* () {
      yield Buffer.from(body);
    })(),
  };
}

/** What the service answers, faults included. */
export async function ask(
  service: OpenedCertificateAuthority['service'],
  call: Call,
): Promise<Reply & { readonly text: string }> {
  const reply = await service.answer(call).catch((error: unknown) => service.fault(error));
  const { body = '' } = reply;
  const text = typeof body === 'string' ? body : body instanceof Uint8Array ? Buffer.from(body).toString() : '';
  return { ...reply, text };
}

/** The body of a v2 request. */
export function keyBody({ pem, proof }: { readonly pem: string; readonly proof: Uint8Array }): unknown {
  return {
    publicKeyRequest: {
      publicKey: { algorithm: 'ECDSA', content: pem },
      proofOfPossession: Buffer.from(proof).toString('base64'),
    },
  };
}

/** The certificates of a v2 answer. */
export function certificatesOf(text: string): readonly string[] {
  const answer = JSON.parse(text) as { signedCertificateEmbeddedSct: { chain: { certificates: readonly string[] } } };
  return answer.signedCertificateEmbeddedSct.chain.certificates;
}
