// SPDX-License-Identifier: Apache-2.0

// A gate, or a bare HTTPS server to compare with, as its parent tells it to. Its own process, so that its time and memory are its own.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { signImage } from '../src/image/index.ts';
import { createAdmissionGate, serveAdmission, sharedCredentials, type PullCredentials } from '../src/gate/index.ts';
import {
  digestOf,
  MediaType,
  MemoryRepository,
  parseDigest,
  RegistryError,
  type Digest,
  type Repository,
} from '../src/oci/index.ts';
import { loadPolicies } from '../src/policy/index.ts';
import { decodePrivateKey, keySigner, type Signer } from '../src/trust/index.ts';
import type { TlsMaterial } from '../src/wire/index.ts';

/** What a server is told. */
export type ServerTask =
  | { readonly kind: 'bare'; readonly tls: TlsMaterial }
  | {
      readonly kind: 'gate';
      readonly tls: TlsMaterial;
      readonly policies: string;
      /** where evidence is read: in registries; made when it is asked for, signed by this key; mountains of nothing */
      readonly evidence: 'registry' | { readonly key: string } | 'hostile';
    };

/** What a server says of itself. */
export interface ServerUsage {
  /** microseconds of processor time */
  readonly cpu: number;
  /** bytes */
  readonly memory: number;
  /** bytes, at most since it began */
  readonly peak: number;
  readonly verdicts: number;
}

let verdicts = (): number => 0;

async function start(task: ServerTask): Promise<number> {
  if (task.kind === 'bare') return startBare(task.tls);
  const set = await loadPolicies([{ name: 'policies', bytes: new TextEncoder().encode(task.policies) }]);
  const inForce = { set };
  const gate = createAdmissionGate({
    policies: { current: () => inForce },
    credentials: await credentialsOf(task.evidence),
    // the listing of the warm image is asked for again under load, as it is in a cluster
    limits: task.evidence === 'registry' ? {} : { listingMs: 600_000, waiting: 100_000, waitingEach: 100_000 },
  });
  verdicts = () => gate.state().verdicts;
  const source = { current: async () => task.tls, watch: () => () => undefined };
  return (await serveAdmission({ gate, host: '127.0.0.1', port: 0, tls: source })).address.port;
}

/** In bytes. What `resourceUsage` says begins with the peak of the process that started this one, which the kernel keeps through `exec`. */
function peakMemory(): number {
  const [, kib] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  return kib === undefined ? process.resourceUsage().maxRSS * 1024 : Number(kib) * 1024;
}

/** Reads a review and answers it, and that is all. */
async function startBare(tls: TlsMaterial): Promise<number> {
  const server = createServer({ ...tls }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { request: asked } = JSON.parse(Buffer.concat(chunks).toString()) as { request: { uid: string } };
      const answer = {
        apiVersion: 'admission.k8s.io/v1',
        kind: 'AdmissionReview',
        response: { uid: asked.uid, allowed: true },
      };
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function credentialsOf(evidence: Extract<ServerTask, { kind: 'gate' }>['evidence']): Promise<PullCredentials> {
  if (evidence === 'registry') return sharedCredentials({ credentials: 'anonymous', plainHttp: 'always' });
  if (evidence === 'hostile') return { scopeOf: () => ({ key: 'k', open: async (name) => hostile(name) }) };
  const signer = keySigner(await decodePrivateKey(Buffer.from(evidence.key), { what: 'key', passwords: [] }));
  return { scopeOf: () => ({ key: 'k', open: async (name) => sealedOnDemand(name, signer) }) };
}

const CONFIG = { mediaType: MediaType.imageConfig, size: 2, digest: digestOf(Buffer.from('{}')) };

/** An image whose manifest says its number, sealed when somebody looks. */
export function numberedManifest(at: number): Uint8Array {
  const annotations = { number: String(at) };
  return Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: MediaType.imageManifest, config: CONFIG, layers: [], annotations }),
  );
}

async function sealedOnDemand(name: string, signer: Signer): Promise<Repository> {
  const repository = new MemoryRepository(name);
  await repository.putBlob({
    digest: CONFIG.digest,
    size: 2,
    open: async function* () {
      yield Buffer.from('{}');
    },
  });
  const { descriptor } = await repository.putManifest(
    numberedManifest(Number(/\d+$/.exec(name)?.[0] ?? 0)),
    MediaType.imageManifest,
  );
  await signImage(repository, descriptor.digest, { signer, formats: ['bundle'], now: new Date() });
  return repository;
}

/** A registry that lists ten thousand seals of 4 MiB beside everything. */
function hostile(name: string): Repository {
  const size = 4 * 1024 * 1024;
  const digest = (at: number): Digest => parseDigest(`sha256:${at.toString(16).padStart(64, '0')}`);
  const type = 'application/vnd.dev.sigstore.bundle.v0.3+json';
  const listed = Array.from({ length: 10_000 }, (_, at) => ({
    mediaType: MediaType.imageManifest,
    artifactType: type,
    size: 700,
    digest: digest(at),
  }));
  const manifest = {
    schemaVersion: 2,
    mediaType: MediaType.imageManifest,
    artifactType: type,
    config: CONFIG,
    layers: [{ mediaType: type, size, digest: digest(99_999) }],
  };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const descriptor = { mediaType: MediaType.imageManifest, size: bytes.length, digest: digest(1) };
  return Object.assign(new MemoryRepository(name), {
    referrers: async () => ({ place: 'referrers-api', descriptors: listed, truncated: false, exists: true }) as const,
    manifest: async (target: string) => (target.startsWith('sha256:') ? { descriptor, bytes } : undefined),
    async blob(_digest: Digest, maxBytes: number) {
      if (maxBytes < size) throw new RegistryError('too-large', `${name}: ${size} bytes`);
      return Buffer.alloc(size, '{"a":');
    },
  });
}

if (import.meta.main)
  process.on('message', (message: ServerTask | 'usage') => {
    if (message === 'usage') {
      globalThis.gc?.();
      const { user, system } = process.cpuUsage();
      const usage: ServerUsage = {
        cpu: user + system,
        memory: process.memoryUsage.rss(),
        peak: peakMemory(),
        verdicts: verdicts(),
      };
      process.send?.(usage);
    } else void start(message).then((port) => process.send?.({ port }));
  });
process.once('disconnect', () => process.exit(0));
