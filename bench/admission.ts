// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync } from 'node:crypto';
import { digestOf } from '../src/oci/index.ts';
import { decodePrivateKey, keySigner } from '../src/trust/index.ts';
import { farRegistry, NAME, policyOf, review, ROUND_TRIP_MS, type Far } from './admission-ground.ts';
import { prepareServer, Server, type Untold } from './admission-process.ts';
import { numberedManifest } from './admission-server.ts';
import type { Row, Table } from './report.ts';

const SECONDS = 4;
const CONNECTIONS = 16;
const MIB = 1024 * 1024;
const STORM = 1000;

/**
 * What a Kubernetes cluster waits for: reviews from memory beside a bare HTTPS server, reviews that have to ask a registry that is 30 ms away,
 * and the memory that it takes.
 *
 * @param digests how many are kept at a time
 */
export async function admissionBench(rounds: number, digests: number): Promise<readonly Table[]> {
  await using stack = new AsyncDisposableStack();
  await prepareServer(stack);
  const far = await farRegistry(stack);
  return [await throughput(far), await latencies(far), await cold(far, Math.min(rounds, 15)), await memory(digests)];
}

function share(all: readonly number[], of: number): number {
  const sorted = all.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * of))] ?? Number.NaN;
}

async function throughput(far: Far): Promise<Table> {
  const digest = await far.lay(0);
  const pinned = `${far.registry}/${NAME}:v0@${digest}`;
  const gate: Untold = { kind: 'gate', policies: far.policies, evidence: 'registry' };
  const cases: readonly (readonly [string, Untold, readonly string[], string | undefined])[] = [
    ['bare node:https, answers yes to everything', { kind: 'bare' }, [review([pinned])], undefined],
    ['gate, Pod with one container', gate, [review([pinned])], 'at least 6,000/s'],
    ['gate, Pod with 8 containers', gate, [review(Array.from({ length: 8 }, () => pinned))], undefined],
  ];
  const rows: Row[] = [];
  for (const [name, task, bodies, goal] of cases) {
    await using server = await Server.start(task);
    const warm = await server.ask({ bodies, connections: CONNECTIONS, seconds: 1.5 });
    if (warm.allowed !== warm.answers) throw new Error(`not admitted: ${warm.sample}`);
    const before = await server.usage();
    const {
      answers,
      seconds,
      latencies: all,
    } = await server.ask({ bodies, connections: CONNECTIONS, seconds: SECONDS });
    const cpu = ((await server.usage()).cpu - before.cpu) / answers;
    const values = [answers / seconds, share(all, 0.5), share(all, 0.99), cpu];
    rows.push({ name, values, ratio: (values[0] ?? 0) / (rows[0]?.values[0] ?? values[0] ?? 1), goal });
  }
  return {
    title: `Reviews from memory over TLS, ${CONNECTIONS} connections from the same machine`,
    columns: ['reviews/s', 'p50 ms', 'p99 ms', 'CPU µs'],
    rows,
    notes: ['One process each; the load comes from another on the same processors.'],
  };
}

async function latencies(far: Far): Promise<Table> {
  const digest = await far.lay(0);
  const tagged = `${far.registry}/${NAME}:v0`;
  const pinned = `${tagged}@${digest}`;
  const pod = JSON.parse(review([pinned])) as { request: { object: object } };
  const gate: Untold = { kind: 'gate', policies: far.policies, evidence: 'registry' };
  const cases: readonly (readonly [string, string, string])[] = [
    ['validate, Pod by digest', '/validate?timeout=10s', review([pinned])],
    ['validate, Pod with 8 containers', '/validate?timeout=10s', review(Array.from({ length: 8 }, () => pinned))],
    ['mutate, Pod by tag', '/mutate?timeout=10s', review([tagged])],
    [
      'validate, nothing changes',
      '/validate?timeout=10s',
      review([pinned], { operation: 'UPDATE', oldObject: pod.request.object }),
    ],
    ['validate, denied', '/validate?timeout=10s', review([`${far.registry}/${NAME}@sha256:${'0'.repeat(64)}`])],
  ];
  const rows: Row[] = [];
  for (const [name, path, body] of cases) {
    await using server = await Server.start(gate);
    const load = { path, bodies: [body], connections: 64, rate: 500 };
    await server.ask({ ...load, seconds: 1.5 });
    const { latencies: all } = await server.ask({ ...load, seconds: SECONDS });
    const values = [share(all, 0.5), share(all, 0.99)];
    rows.push({
      name,
      values,
      ratio: (values[1] ?? 0) / (rows[0]?.values[1] ?? values[1] ?? 1),
      goal: rows.length === 0 ? 'p99 under 10 ms' : undefined,
    });
  }
  return {
    title: 'Latency at 500 reviews/s, from when a review is due',
    columns: ['p50 ms', 'p99 ms'],
    rows,
    notes: [
      'The listing beside the image is asked for again while this goes on, every ten seconds, and the tag every five.',
    ],
  };
}

async function cold(far: Far, rounds: number): Promise<Table> {
  const gate: Untold = { kind: 'gate', policies: far.policies, evidence: 'registry' };
  const eight = (image: string): string => review(Array.from({ length: 8 }, () => image));
  const images: { readonly tagged: string; readonly pinned: string }[] = [];
  for (let at = 1; at <= rounds * 2 + 2; at++) {
    const digest = await far.lay(at);
    const tagged = `${far.registry}/${NAME}:v${at}`;
    images.push({ tagged, pinned: `${tagged}@${digest}` });
  }
  const first: number[] = [];
  const held = { pinned: [] as number[], tagged: [] as number[] };
  for (let round = 0; round < Math.max(3, Math.ceil(rounds / 3)); round++) {
    await using server = await Server.start(gate);
    // the process is warm, and has never spoken to this registry
    await server.ask({ bodies: [review([], {})], connections: 1, seconds: 1, count: 50 });
    first.push(...(await once(server, '/validate?timeout=10s', eight(images[0]?.pinned ?? ''))));
  }
  await using server = await Server.start(gate);
  await once(server, '/validate?timeout=10s', eight(images[0]?.pinned ?? ''));
  for (const { pinned } of images.slice(1, rounds + 1))
    held.pinned.push(...(await once(server, '/validate?timeout=10s', eight(pinned))));
  for (const { tagged } of images.slice(rounds + 1, rounds * 2 + 1))
    held.tagged.push(...(await once(server, '/mutate?timeout=10s', eight(tagged))));
  const row = (name: string, all: readonly number[], goal: string): Row => ({
    name,
    values: [share(all, 0.5), share(all, 0.99), all.length],
    ratio: share(all, 0.99) / share(held.pinned, 0.99),
    goal,
  });
  return {
    title: `Reviews that ask a registry ${ROUND_TRIP_MS} ms away: a Pod of 8 containers with one image, 5 authorities`,
    columns: ['p50 ms', 'p99 ms', 'rounds'],
    rows: [
      row('validate by digest, connection and token held', held.pinned, 'p99 under 200 ms'),
      row('mutate by tag, connection and token held', held.tagged, 'p99 under 200 ms'),
      row('validate by digest, first contact', first, 'p99 under 400 ms'),
    ],
    notes: [
      'With the TLS handshake of the client, which is on the same machine. The registry wants a token; the proxy adds a round trip to the opening of a connection too.',
    ],
  };
}

async function once(server: Server, path: string, body: string): Promise<readonly number[]> {
  const {
    latencies: all,
    allowed,
    sample,
  } = await server.ask({ path, bodies: [body], connections: 1, seconds: 30, count: 1 });
  if (allowed !== 1) throw new Error(`not admitted: ${sample}`);
  if (path.startsWith('/mutate') && !sample.includes('patch')) throw new Error(`not pinned: ${sample}`);
  return all;
}

async function memory(digests: number): Promise<Table> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ format: 'pem', type: 'pkcs8' });
  const policies = policyOf([keySigner(await decodePrivateKey(Buffer.from(pem), { what: 'key', passwords: [] }))]);
  const rows: Row[] = [];
  {
    await using server = await Server.start({ kind: 'gate', policies, evidence: { key: pem } });
    const before = await server.usage();
    const per = 200;
    for (let from = 0; from < digests; from += 5000) {
      const bodies: string[] = [];
      for (let at = from; at < Math.min(digests, from + 5000); at += per) {
        const images = Array.from(
          { length: Math.min(per, digests - at) },
          (_, step) => `r.example/app-${at + step}@${digestOf(numberedManifest(at + step))}`,
        );
        bodies.push(review(images));
      }
      const { allowed, sample } = await server.ask({ bodies, connections: 4, seconds: 600, count: bodies.length });
      if (allowed !== bodies.length) throw new Error(`not admitted: ${sample.slice(0, 500)}`);
    }
    const { memory: held, peak, verdicts } = await server.usage();
    rows.push({
      name: `${verdicts} sealed digests kept`,
      values: [before.memory / MIB, held / MIB, peak / MIB],
      ratio: held / before.memory,
      goal: 'under 256 MiB',
    });
  }
  {
    await using server = await Server.start({ kind: 'gate', policies, evidence: 'hostile' });
    const before = await server.usage();
    const bodies = Array.from({ length: STORM }, (_, at) =>
      review([`r${at}.example/bad@sha256:${at.toString(16).padStart(64, '0')}`], { namespace: `n${at % 50}` }),
    );
    const { allowed } = await server.ask({
      path: '/validate?timeout=10s',
      bodies,
      connections: 200,
      seconds: 600,
      count: STORM,
    });
    if (allowed > 0) throw new Error('a hostile image was admitted');
    const { memory: held, peak } = await server.usage();
    rows.push({
      name: `storm of ${STORM} hostile images`,
      values: [before.memory / MIB, held / MIB, peak / MIB],
      ratio: peak / before.memory,
      goal: 'under 256 MiB',
    });
  }
  return {
    title: 'Memory of the process',
    columns: ['at start MiB', 'then MiB', 'peak MiB'],
    rows,
    notes: ['A hostile image lists 10,000 seals of 4 MiB each beside itself. All of them are denied.'],
  };
}
