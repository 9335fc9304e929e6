// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { findClient } from '../test/interop/clients.ts';
import { until, type Ground } from './ground.ts';
import { digestOf, LoadClient, MANIFEST_TYPE } from './registry-load.ts';
import type { Row, Table } from './report.ts';

const CLIENTS = 16;
const SECONDS = 4;
/** docker-registry answers 404 to who does not say that it takes OCI manifests */
const WRK = ['-t1', `-c${CLIENTS}`, `-d${SECONDS}s`, '-H', `Accept: ${MANIFEST_TYPE}`];
const BLOB_BYTES = 128 * 1024 * 1024;

/** A registry that is running, and what we want of ours beside it. */
interface Server {
  readonly name: string;
  readonly host: string;
  /** keeps what it is given, so that it can be pushed to and pulled from */
  readonly stores: boolean;
}

/** Our registry beside docker-registry and a bare server on the same runtime, all on loopback, one after the other. */
export async function registryBench(ground: Ground): Promise<readonly Table[]> {
  const servers = [
    { name: 'bulla registry serve', host: await ground.registry('registry'), stores: true },
    ...(await dockerRegistry(ground)),
    await bareServer(ground),
  ];
  const left = servers.length === 3 ? [] : ['docker-registry was not found and is left out: apt-get installs it.'];
  return [
    ...(await manifestGets(servers, left)),
    await smallPushes(servers, left),
    ...(await blobTransfers(servers, left)),
  ];
}

async function manifestGets(servers: readonly Server[], notes: readonly string[]): Promise<readonly Table[]> {
  const title = 'GETs of one manifest by digest';
  const wrk = findClient('wrk');
  if (wrk === undefined)
    return [{ title, columns: [], rows: [], notes: ['Left out: the program wrk is missing; apt-get installs it.'] }];
  const rates: number[] = [];
  for (const { host, stores } of servers) {
    const client = new LoadClient(host, 1);
    const digest = stores ? await client.pushSmallImage('bench/manifest', 'latest') : digestOf(Buffer.alloc(0));
    client.close();
    const url = `http://${host}/v2/bench/manifest/manifests/${digest}`;
    const { stdout, stderr } = spawnSync(wrk, [...WRK, url], { encoding: 'utf8' });
    const rate = /Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1];
    if (rate === undefined || /Non-2xx/.test(stdout)) throw new Error(`wrk ${url}: ${stdout}${stderr}`);
    rates.push(Number(rate));
  }
  const described = `wrk, one thread, ${CLIENTS} connections, ${SECONDS} s.`;
  return [
    { title, columns: ['requests/s'], rows: rowsOf(servers, rates, 'at least 20,000/s'), notes: [described, ...notes] },
  ];
}

async function smallPushes(servers: readonly Server[], notes: readonly string[]): Promise<Table> {
  const stores = servers.filter((server) => server.stores);
  const rates: number[] = [];
  for (const { host } of stores) {
    const client = new LoadClient(host, CLIENTS);
    const end = performance.now() + SECONDS * 1000;
    let pushed = 0;
    const worker = async (id: number): Promise<void> => {
      for (; performance.now() < end; pushed++) await client.pushSmallImage(`bench/push-${id}`, `t${pushed}`);
    };
    const began = performance.now();
    await Promise.all(Array.from({ length: CLIENTS }, (_, id) => worker(id)));
    rates.push((pushed * 1000) / (performance.now() - began));
    client.close();
  }
  const described = `${CLIENTS} clients for ${SECONDS} s, each push five requests. Ours has flushed to disk before each answer.`;
  const rows = rowsOf(stores, rates, 'at least 500/s');
  return { title: 'Pushes of a small image', columns: ['images/s'], rows, notes: [described, ...notes] };
}

async function blobTransfers(servers: readonly Server[], notes: readonly string[]): Promise<readonly Table[]> {
  const pushes: number[] = [];
  const pulls: number[] = [];
  const bytes = randomBytes(BLOB_BYTES);
  const mebibytes = BLOB_BYTES / 1024 / 1024;
  for (const { host } of servers) {
    const client = new LoadClient(host, 1);
    const best = { push: 0, pull: 0 };
    for (let round = 0; round < 3; round++) {
      bytes.writeUInt32BE(round + 1, 0); // another blob each time
      const digest = digestOf(bytes);
      best.push = Math.max(
        best.push,
        mebibytes / (await seconds(async () => await client.pushBlob('bench/blob', bytes, digest))),
      );
      best.pull = Math.max(best.pull, mebibytes / (await seconds(async () => await pullWhole(client, digest))));
    }
    pushes.push(best.push);
    pulls.push(best.pull);
    client.close();
  }
  const described = `One connection, ${mebibytes} MiB of noise, best of three. The client hashes nothing.`;
  const table = (title: string, rates: readonly number[]): Table => {
    return {
      title,
      columns: ['MiB/s'],
      rows: rowsOf(servers, rates, 'at least 300 MiB/s'),
      notes: [described, ...notes],
    };
  };
  return [table('Push of a large blob', pushes), table('Pull of a large blob', pulls)];
}

async function pullWhole(client: LoadClient, digest: string): Promise<void> {
  const size = await client.pullBlob('bench/blob', digest);
  if (size !== BLOB_BYTES) throw new Error(`a blob of ${BLOB_BYTES} bytes came back with ${size}`);
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const began = performance.now();
  await work();
  return (performance.now() - began) / 1000;
}

function rowsOf(servers: readonly Server[], rates: readonly number[], goal: string): readonly Row[] {
  return servers.map(({ name }, index) => {
    const rate = rates[index] ?? Number.NaN;
    return { name, values: [rate], ratio: rate / (rates[0] ?? Number.NaN), goal: index === 0 ? goal : undefined };
  });
}

async function dockerRegistry(ground: Ground): Promise<readonly Server[]> {
  const program = findClient('docker-registry');
  if (program === undefined) return [];
  const host = `127.0.0.1:${await freePort()}`;
  const config = join(ground.folder, 'docker-registry.yml');
  const storage = `storage:\n  filesystem:\n    rootdirectory: ${join(ground.folder, 'docker-registry')}\n`;
  writeFileSync(
    config,
    `version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\n${storage}http:\n  addr: ${host}\n`,
  );
  ground.start(program, ['serve', config]);
  await until(async () => await answers(host), 'docker-registry');
  return [{ name: 'docker-registry', host, stores: true }];
}

async function bareServer(ground: Ground): Promise<Server> {
  const folder = join(ground.folder, 'bare');
  mkdirSync(folder);
  const port = await freePort();
  ground.start(ground.node, [join(import.meta.dirname, 'bare-server.ts'), folder, String(port)]);
  await until(async () => await answers(`127.0.0.1:${port}`), 'the bare server');
  return { name: 'bare node:http, stores nothing', host: `127.0.0.1:${port}`, stores: false };
}

async function answers(host: string): Promise<boolean> {
  try {
    await (await fetch(`http://${host}/v2/`)).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', resolve);
  await promise;
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
