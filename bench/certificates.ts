// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeRules, firstRules, openAppendLog, openCertificateAuthority } from '../src/stack/index.ts';
import { SqliteDatabase } from '../src/store/index.ts';
import {
  certificateSigner,
  decodeCertificates,
  encodeCheckpoint,
  generatePrivateKey,
  issueIntermediate,
  issueRoot,
  keySigner,
  noteSigner,
  randomSerialNumber,
  signNote,
  verifyChain,
  type Certificate,
  type KeyAlgorithm,
} from '../src/trust/index.ts';
import { HttpClient, type Call, type Service } from '../src/wire/index.ts';
import type { Row, Table } from './report.ts';

const ISSUER = 'https://issuer.example/oidc';
const HOUR = 3_600_000;

const CERTIFICATES = 6000;
const CLIENTS = 64;

/**
 * How many certificates a second the authority issues in this process, from the bytes of a request to those of the answer: token, proof, rule,
 * two signatures by the authority, a logged and published timestamp, the record on the disk. Every request has its own token, key and
 * proof; the last answer is verified.
 */
export async function certificatesBench(): Promise<readonly Table[]> {
  const rows: Row[] = [];
  for (const algorithm of ['ecdsa-p256', 'ecdsa-p384'] as const) {
    const values = await measure(algorithm, algorithm === 'ecdsa-p256' ? CERTIFICATES : CERTIFICATES / 4);
    const goal = algorithm === 'ecdsa-p256' ? 'at least 2,000/s' : undefined;
    rows.push({
      name: `authority of ${algorithm}`,
      values,
      ratio: values[0] / (rows[0]?.values[0] ?? values[0]),
      goal,
    });
  }
  const title = `Certificates, in process, ${CLIENTS} requests at a time`;
  return [{ title, columns: ['certificates/s', 'p50 ms', 'p99 ms', 'CPU µs'], rows, notes: [] }];
}

/** @returns certificates a second, the median and the 99th percentile of milliseconds to an answer, microseconds of processor time for one */
async function measure(algorithm: KeyAlgorithm, count: number): Promise<readonly [number, number, number, number]> {
  const folder = mkdtempSync(join(tmpdir(), 'bulla-bench-'));
  const database = await SqliteDatabase.open(join(folder, 'stack.db'));
  try {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = { ...publicKey.export({ format: 'jwk' }), kty: 'EC', kid: 'k', alg: 'ES256' };
    const keys = { keys: [key] };
    const { service, chain } = await openAuthority(database, algorithm, () => keys);
    const warmUp = requests(privateKey, Math.min(500, count), 'warm');
    await run(service, warmUp);
    const calls = requests(privateKey, count, 'run');
    const before = process.cpuUsage();
    const began = performance.now();
    const { latencies, last } = await run(service, calls);
    const seconds = (performance.now() - began) / 1000;
    const { user, system } = process.cpuUsage(before);
    requireVerified(last, chain);
    latencies.sort((a, b) => a - b);
    const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
    return [count / seconds, at(0.5), at(0.99), (user + system) / count];
  } finally {
    await database.close();
    rmSync(folder, { recursive: true });
  }
}

async function openAuthority(
  database: SqliteDatabase,
  algorithm: KeyAlgorithm,
  keys: () => { readonly keys: { readonly kty: string }[] },
): Promise<{ readonly service: Service; readonly chain: readonly [Certificate, ...Certificate[]] }> {
  const [root, intermediate, ctKey, logKey] = await Promise.all([
    generatePrivateKey(algorithm),
    generatePrivateKey(algorithm),
    generatePrivateKey('ecdsa-p256'),
    generatePrivateKey('ed25519'),
  ]);
  const now = Math.floor(Date.now() / 1000) * 1000;
  const life = { notBefore: new Date(now - HOUR), notAfter: new Date(now + 1000 * HOUR) };
  const serialNumber = randomSerialNumber();
  const certificate = await issueRoot(
    { name: { organization: 'bench', commonName: 'root' }, publicKey: root.publicKey, serialNumber, ...life },
    1,
    certificateSigner(root),
  );
  const issuer = await issueIntermediate(
    { name: { organization: 'bench', commonName: 'ca' }, publicKey: intermediate.publicKey, serialNumber, ...life },
    'code-signing',
    { certificate, signer: certificateSigner(root) },
  );
  const origin = 'ct.example';
  const signer = noteSigner(origin, keySigner(logKey));
  const log = await openAppendLog({
    database,
    name: 'ct',
    origin,
    signCheckpoint: (size, rootHash) =>
      signNote(encodeCheckpoint({ origin, size, root: rootHash, extensions: [] }), [signer]),
    now: () => new Date(),
  });
  const chain = [issuer, certificate] as const;
  const { service } = await openCertificateAuthority({
    database,
    authority: { signer: certificateSigner(intermediate), chain },
    certificateLog: { signer: keySigner(ctKey), log },
    issuers: [],
    builtIn: { url: ISSUER, keys },
    rules: await decodeRules(Buffer.from(firstRules(ISSUER)), 'the rules'),
    http: new HttpClient(),
    now: () => new Date(),
  });
  return { service, chain };
}

/** Requests as cosign 3 sends them, each with its own token, key and proof. */
function requests(issuerKey: KeyObject, count: number, name: string): readonly Call[] {
  return Array.from({ length: count }, (_, index) => {
    const email = `${name}-${index}@example.com`;
    const token = signToken(issuerKey, { sub: email, email, email_verified: true });
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const content = publicKey.export({ type: 'spki', format: 'pem' });
    const proofOfPossession = sign('sha256', Buffer.from(email), privateKey).toString('base64');
    const body = Buffer.from(
      JSON.stringify({ publicKeyRequest: { publicKey: { algorithm: 'ECDSA', content }, proofOfPossession } }),
    );
    return {
      method: 'POST',
      target: '/api/v2/signingCert',
      headers: { authorization: `Bearer ${token}`, 'content-length': `${body.length}` },
      body: (async function* () {
        yield body;
      })(),
    };
  });
}

function signToken(key: KeyObject, claims: Readonly<Record<string, unknown>>): string {
  const now = Math.floor(Date.now() / 1000);
  const all = { iss: ISSUER, aud: 'sigstore', iat: now, exp: now + 3600, ...claims };
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const text = `${encode({ alg: 'ES256', kid: 'k' })}.${encode(all)}`;
  const signature = sign('sha256', Buffer.from(text), { key, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

async function run(
  service: Service,
  calls: readonly Call[],
): Promise<{ readonly latencies: number[]; readonly last: string }> {
  const latencies: number[] = [];
  const waiting = [...calls].toReversed();
  let last = '';
  const client = async (): Promise<void> => {
    for (let call = waiting.pop(); call !== undefined; call = waiting.pop()) {
      const began = performance.now();
      const { status, body } = await service.answer(call);
      latencies.push(performance.now() - began);
      if (status !== 200 || typeof body !== 'string') throw new Error(`a request was answered with ${status}`);
      last = body;
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return { latencies, last };
}

function requireVerified(answer: string, chain: readonly [Certificate, ...Certificate[]]): void {
  const { signedCertificateEmbeddedSct: signed } = JSON.parse(answer) as {
    signedCertificateEmbeddedSct: { chain: { certificates: string[] } };
  };
  const [leaf] = decodeCertificates(Buffer.from(signed.chain.certificates[0] ?? ''), 'the last answer');
  const check = verifyChain(leaf, [{ chain }], [new Date()], 'code-signing');
  if (check.kind !== 'accepted') throw new Error(`the last answer does not verify: ${check.rejection.found}`);
}
