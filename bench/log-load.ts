// SPDX-License-Identifier: Apache-2.0

// `node bench/log-load.ts --address HOST:PORT --version 1|2 --kind KIND --count N --clients N`: signs so many entries, and only then sends
// them. Prints one line of JSON. Its own process, so that it is the server that is measured.
import { createHash, hash, sign } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { parseArgs } from 'node:util';
import {
  certificateSigner,
  draftLeaf,
  encodePem,
  encodePublicKey,
  finishLeaf,
  generatePrivateKey,
  issueRoot,
  preAuthEncoding,
  randomSerialNumber,
  type PrivateKey,
} from '../src/trust/index.ts';

/** What one run has shown. */
export interface LoadResult {
  readonly perSecond: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** processor time of all clients for an entry */
  readonly clientMicros: number;
}

/** What is entered: blobs by ever new certificates, blobs by one key, envelopes by ever new certificates. */
export const KINDS = ['certificate', 'key', 'envelope'] as const;
export type EntryKind = (typeof KINDS)[number];

const BEGIN = new Date('2026-01-01T00:00:00Z');
const END = new Date('2036-01-01T00:00:00Z');
const WORKFLOW = 'https://ci.example/team/app/.github/workflows/release.yml@refs/heads/main';

interface Signer {
  readonly key: PrivateKey;
  readonly certificate?: Uint8Array;
}

/** Makes signers, each with a certificate of its own as a pipeline's would be. */
async function pipelines(): Promise<() => Promise<Signer>> {
  const authority = await generatePrivateKey('ecdsa-p256');
  const signer = certificateSigner(authority);
  const validity = { notBefore: BEGIN, notAfter: END };
  const name = { organization: 'bench' };
  const request = { name, publicKey: authority.publicKey, serialNumber: randomSerialNumber(), ...validity };
  const root = await issueRoot(request, 0, signer);
  return async () => {
    const key = await generatePrivateKey('ecdsa-p256');
    const subject = { kind: 'uri', value: WORKFLOW } as const;
    const claims = {
      issuer: 'https://token.ci.example',
      sourceRepositoryUri: 'https://ci.example/team/app',
      sourceRepositoryRef: 'refs/heads/main',
      buildConfigUri: WORKFLOW,
    };
    const leaf = { publicKey: key.publicKey, name: subject, claims, serialNumber: randomSerialNumber(), ...validity };
    return { key, certificate: await finishLeaf(draftLeaf(leaf, root, signer.algorithm), [], signer) };
  };
}

function base64(octets: Uint8Array | string): string {
  return Buffer.from(octets).toString('base64');
}

function pem({ key, certificate }: Signer): string {
  return base64(certificate === undefined ? encodePublicKey(key.publicKey) : encodePem('CERTIFICATE', certificate));
}

function verifier({ key, certificate }: Signer): object {
  const keyDetails = 'PKIX_ECDSA_P256_SHA_256';
  return certificate === undefined
    ? { publicKey: { rawBytes: base64(key.publicKey.spki) }, keyDetails }
    : { x509Certificate: { rawBytes: base64(certificate) }, keyDetails };
}

function blob(version: number, signer: Signer, message: string): object {
  const content = base64(sign('sha256', Buffer.from(message), signer.key.object));
  if (version === 2)
    return {
      hashedRekordRequestV002: {
        digest: hash('sha256', message, 'base64'),
        signature: { content, verifier: verifier(signer) },
      },
    };
  const data = { hash: { algorithm: 'sha256', value: hash('sha256', message) } };
  const spec = { data, signature: { content, publicKey: { content: pem(signer) } } };
  return { apiVersion: '0.0.1', kind: 'hashedrekord', spec };
}

function attestation(version: number, signer: Signer, message: string): object {
  const payload = JSON.stringify({
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ digest: { sha256: hash('sha256', message) } }],
    predicateType: 'https://sigstore.dev/cosign/sign/v1',
    predicate: {},
  });
  const payloadType = 'application/vnd.in-toto+json';
  const sig = base64(sign('sha256', preAuthEncoding(payloadType, Buffer.from(payload)), signer.key.object));
  const envelope = { payload: base64(payload), payloadType, signatures: [{ sig }] };
  if (version === 2) return { dsseRequestV002: { envelope, verifiers: [verifier(signer)] } };
  const proposedContent = { envelope: JSON.stringify(envelope), verifiers: [pem(signer)] };
  return { apiVersion: '0.0.1', kind: 'dsse', spec: { proposedContent } };
}

/** Whole requests, ready to be written. */
async function requests(version: number, kind: EntryKind, count: number): Promise<readonly Buffer[]> {
  const next = await pipelines();
  const one: Signer = { key: await generatePrivateKey('ecdsa-p256') };
  const made: Buffer[] = [];
  for (let at = 0; at < count; at++) {
    const signer = kind === 'key' ? one : await next();
    const message = `message ${at} ${createHash('sha256').update(signer.key.publicKey.spki).digest('hex')}`;
    const body = JSON.stringify(
      kind === 'envelope' ? attestation(version, signer, message) : blob(version, signer, message),
    );
    const head = [
      `POST /api/v${version}/log/entries HTTP/1.1`,
      'host: 127.0.0.1',
      'content-type: application/json',
      `content-length: ${Buffer.byteLength(body)}`,
    ];
    made.push(Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`));
  }
  return made;
}

/** One connection, on which one request waits for the answer to the other. */
class Connection {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #waiting: PromiseWithResolvers<void> | undefined;

  constructor(host: string, port: number) {
    this.#socket = connect({ host, port, noDelay: true });
    this.#socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on('error', (error) => this.#waiting?.reject(error));
  }

  async send(request: Buffer): Promise<void> {
    this.#waiting = Promise.withResolvers();
    this.#socket.write(request);
    await this.#waiting.promise;
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const end = this.#received.indexOf('\r\n\r\n');
    if (end === -1) return;
    const head = this.#received.toString('latin1', 0, end);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
    if (this.#received.length < end + 4 + length) return;
    const answer = this.#received;
    this.#received = Buffer.alloc(0);
    if (head.startsWith('HTTP/1.1 201')) this.#waiting?.resolve();
    else this.#waiting?.reject(new Error(answer.toString('utf8')));
  }
}

async function load(address: string, clients: number, all: readonly Buffer[]): Promise<LoadResult> {
  const [host = '', port = ''] = address.split(':');
  const times = new Float64Array(all.length);
  let next = 0;
  const [begin, before] = [performance.now(), process.cpuUsage()];
  await Promise.all(
    Array.from({ length: clients }, async () => {
      const connection = new Connection(host, Number(port));
      for (let at = next++; at < all.length; at = next++) {
        const sent = performance.now();
        await connection.send(all[at] ?? Buffer.alloc(0));
        times[at] = performance.now() - sent;
      }
      connection.close();
    }),
  );
  const seconds = (performance.now() - begin) / 1000;
  const { user, system } = process.cpuUsage(before);
  times.sort();
  const at = (share: number): number => times[Math.min(all.length - 1, Math.floor(all.length * share))] ?? 0;
  const clientMicros = (user + system) / all.length;
  return { perSecond: all.length / seconds, medianMs: at(0.5), p99Ms: at(0.99), maxMs: at(1), clientMicros };
}

if (import.meta.main) {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({ options: { address: text, version: text, kind: text, count: text, clients: text } });
  const kind = KINDS.find((known) => known === values.kind) ?? 'certificate';
  const all = await requests(Number(values.version), kind, Number(values.count));
  const result = await load(values.address ?? '', Number(values.clients), all);
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
