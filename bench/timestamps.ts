// SPDX-License-Identifier: Apache-2.0
import { fork } from 'node:child_process';
import { hash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  certificateSigner,
  createTimestampIssuer,
  encodeTimestampRequest,
  generatePrivateKey,
  issueRoot,
  issueTimestampCertificate,
  randomSerialNumber,
  timestampAuthority,
  verifyTimestamp,
  type KeyAlgorithm,
  type PrivateKey,
  type TimestampIssuer,
} from '../src/trust/index.ts';
import { createClockGuard, createTimestampService } from '../src/stack/index.ts';
import { serve } from '../src/wire/index.ts';
import type { Row, Table } from './report.ts';
import type { TimestampCount, TimestampTask } from './timestamp-load.ts';

const DAY = 86_400_000;
const SECONDS = 5;
const CONNECTIONS = 32;

/**
 * How many timestamps a second the authority gives over loopback HTTP, asked for by a process of its own on the same processors. Of every
 * answer the status is checked, the last one is verified.
 */
export async function timestampsBench(): Promise<readonly Table[]> {
  const rows: Row[] = [];
  for (const algorithm of ['ecdsa-p256', 'ecdsa-p384'] as const) {
    const values = await measure(algorithm);
    const goal = algorithm === 'ecdsa-p256' ? 'at least 10,000/s' : undefined;
    rows.push({ name: `key of ${algorithm}`, values, ratio: values[0] / (rows[0]?.values[0] ?? values[0]), goal });
  }
  const title = `Timestamps over HTTP, ${CONNECTIONS} connections from the same machine`;
  return [{ title, columns: ['timestamps/s', 'p50 ms', 'p99 ms', 'CPU µs'], rows, notes: [] }];
}

/** @returns timestamps a second, the median and the 99th percentile of milliseconds to an answer, microseconds of the server's processor time for one */
async function measure(algorithm: KeyAlgorithm): Promise<readonly [number, number, number, number]> {
  const issuer = await newIssuer(algorithm);
  const clock = createClockGuard({ now: () => new Date(), monotonic: () => performance.now() });
  const { service } = createTimestampService({ issuer, clock });
  const server = await serve({ service, host: '127.0.0.1', port: 0 });
  const signature = randomBytes(71);
  const digest = { algorithm: 'sha256', bytes: hash('sha256', signature, 'buffer') } as const;
  const query = Buffer.from(encodeTimestampRequest({ digest, certificates: false })).toString('base64');
  const task = { port: server.address.port, seconds: SECONDS, connections: CONNECTIONS, query };
  try {
    const before = process.cpuUsage();
    const { answers, warmUps, latencies, sample } = await countBy(task);
    const { user, system } = process.cpuUsage(before);
    const check = verifyTimestamp(Buffer.from(sample, 'base64'), signature, [timestampAuthority(issuer.chain)]);
    if (check.kind !== 'accepted') throw new Error(`an answer does not verify: ${JSON.stringify(check.rejection)}`);
    const sorted = latencies.toSorted((a, b) => a - b);
    const at = (share: number): number => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
    return [answers / SECONDS, at(0.5), at(0.99), (user + system) / (warmUps + answers)];
  } finally {
    await server.close();
  }
}

async function countBy(task: TimestampTask): Promise<TimestampCount> {
  const client = fork(join(import.meta.dirname, 'timestamp-load.ts'));
  client.send(task);
  const { promise, resolve, reject } = Promise.withResolvers<TimestampCount>();
  client.once('message', (count) => resolve(count as TimestampCount));
  client.once('exit', (code) => reject(new Error(`a client ended with ${code}`)));
  return await promise;
}

async function newIssuer(algorithm: KeyAlgorithm): Promise<TimestampIssuer> {
  const [above, key] = await Promise.all([generatePrivateKey('ecdsa-p256'), generatePrivateKey(algorithm)]);
  const today = Math.floor(Date.now() / DAY) * DAY;
  const life = { notBefore: new Date(today - DAY), notAfter: new Date(today + 2 * DAY) };
  const asked = (commonName: string, { publicKey }: PrivateKey) => ({
    name: { organization: 'bench', commonName },
    publicKey,
    serialNumber: randomSerialNumber(),
    ...life,
  });
  const signer = certificateSigner(above);
  const root = await issueRoot(asked('root', above), 0, signer);
  const leaf = await issueTimestampCertificate(asked('leaf', key), { certificate: root, signer });
  return createTimestampIssuer(certificateSigner(key), [leaf, root]);
}
