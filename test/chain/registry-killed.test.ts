// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  bytesBlob,
  digestOf,
  MediaType,
  openRemoteRepository,
  RegistryError,
  type Digest,
  type Repository,
} from '../../src/oci/index.ts';
import { Machine, until, type Running } from './bulla.ts';
import { assertRefused } from './refusal.ts';
import { describe as described, json } from './scene.ts';

// A registry that is killed while images are pushed: what it acknowledged is whole after the next start, what it did not is whole or absent.

let machine: Machine;
before(() => {
  machine = new Machine();
});
after(() => machine[Symbol.dispose]());

interface Served {
  readonly running: Running;
  /** `HOST:PORT` */
  readonly host: string;
}

async function serve(...flags: readonly string[]): Promise<Served> {
  rmSync(join(machine.work, 'ready.json'), { force: true });
  const args = [
    'registry',
    'serve',
    '--address',
    '127.0.0.1:0',
    '--data',
    'data',
    '--ready-file',
    'ready.json',
    ...flags,
  ];
  const running = machine.start(args);
  await until(
    'the ready file',
    () => readdirSync(machine.work).includes('ready.json') || running.child.exitCode !== null,
  );
  const { registry } = JSON.parse(readFileSync(join(machine.work, 'ready.json'), 'utf8')) as { registry: string };
  return { running, host: new URL(registry).host };
}

async function stop({ running }: Served): Promise<void> {
  running.child.kill('SIGTERM');
  assert.equal((await running.ended).code, 0);
}

function repositoryOf({ host }: Served, name = 'team/app'): Repository {
  return openRemoteRepository(
    { registry: host, repository: name },
    { credentials: 'anonymous', retry: { attempts: 1 } },
  );
}

/** An image of one layer of its own, and where it was seen to be by whom. */
interface Pushed {
  readonly tag: string;
  readonly manifest: Digest;
  readonly layer: Digest;
}

/** Pushes images until the registry is gone. @returns those that were acknowledged, and the layers of all that were begun */
async function pushUntilGone(
  repository: Repository,
  writer: number,
  onAcknowledged: () => void,
): Promise<{ acknowledged: Pushed[]; begun: Digest[] }> {
  const acknowledged: Pushed[] = [];
  const begun: Digest[] = [];
  for (let n = 0; n < 10_000; n++) {
    const layer = randomBytes(40_000 + writer * 10_000);
    const config = json({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
    });
    const manifest = json({
      schemaVersion: 2,
      mediaType: MediaType.imageManifest,
      config: { mediaType: MediaType.imageConfig, ...described(config) },
      layers: [{ mediaType: MediaType.imageLayer, ...described(layer) }],
    });
    begun.push(digestOf(layer), digestOf(config), digestOf(manifest));
    const tag = `w${writer}-${n}`;
    try {
      await repository.putBlob(bytesBlob(layer));
      await repository.putBlob(bytesBlob(config));
      await repository.putManifest(manifest, MediaType.imageManifest, { tag });
    } catch (error) {
      assert.ok(error instanceof RegistryError && error.code === 'unreachable', String(error));
      return { acknowledged, begun };
    }
    acknowledged.push({ tag, manifest: digestOf(manifest), layer: digestOf(layer) });
    onAcknowledged();
  }
  throw new Error('the registry was not killed');
}

describe('a registry that is killed in the middle of pushes', () => {
  for (const round of [1, 2, 3]) {
    test(`keeps every acknowledged image whole, and shows nothing half (${round})`, async () => {
      const first = await serve();
      let count = 0;
      const kill = (): void => {
        if (++count === 10 * round) first.running.child.kill('SIGKILL');
      };
      const writers = [0, 1, 2, 3];
      const pushes = await Promise.all(
        writers.map((writer) => pushUntilGone(repositoryOf(first, `team/round-${round}`), writer, kill)),
      );
      assert.equal((await first.running.ended).code, 137);
      const second = await serve();
      const repository = repositoryOf(second, `team/round-${round}`);
      const acknowledged = pushes.flatMap((push) => push.acknowledged);
      assert.ok(acknowledged.length >= 10 * round);
      for (const { tag, manifest, layer } of acknowledged) {
        // each of these checks what it reads against its digest
        assert.equal((await repository.manifest(tag))?.descriptor.digest, manifest);
        assert.ok((await repository.manifest(manifest)) !== undefined);
        assert.ok((await repository.blob(layer, 1_000_000)) !== undefined);
      }
      for (const digest of pushes.flatMap((push) => push.begun)) {
        const blob = await repository.blob(digest, 1_000_000);
        assert.ok(blob === undefined || digestOf(blob) === digest);
      }
      const tags: string[] = [];
      for await (const tag of repository.tags()) tags.push(tag);
      for (const tag of tags) assert.ok((await repository.manifest(tag)) !== undefined, `${tag} leads to a manifest`);
      assert.deepEqual(
        acknowledged.map(({ tag }) => tag).filter((tag) => !tags.includes(tag)),
        [],
      );
      await stop(second);
    });
  }
});

describe('a data directory', () => {
  test('that is in use is refused with one line that names it, and the one who serves is not disturbed', async () => {
    const served = await serve();
    const refused = await machine.bulla(['registry', 'serve', '--address', '127.0.0.1:0', '--data', 'data']);
    assertRefused(refused, { code: 1, says: /^Error: the data directory .*\/work\/data is in use by another process/ });
    assert.equal((await fetch(`http://${served.host}/v2/`)).status, 200);
    await stop(served);
    await stop(await serve());
  });

  test('that cannot be one is refused by name', async () => {
    writeFileSync(join(machine.work, 'file'), '');
    const serveIn = ['registry', 'serve', '--address', '127.0.0.1:0', '--data'];
    const file = await machine.bulla([...serveIn, 'file']);
    assertRefused(file, { code: 1, says: /\/work\/file/ });
    const below = await machine.bulla([...serveIn, 'file/below']);
    assertRefused(below, { code: 1, says: /\/work\/file\/below/ });
    assertRefused(await machine.bulla([...serveIn, 'data', '--ready-file', 'nowhere/ready.json']), {
      code: 1,
      says: /nowhere\/ready\.json/,
    });
  });
});

describe('a port', () => {
  test('that is taken is refused with one line, and the data directory is free again', async () => {
    const served = await serve();
    const taken = await machine.bulla(['registry', 'serve', '--address', served.host, '--data', 'other']);
    assertRefused(taken, { code: 1, says: new RegExp(`^Error: cannot listen on ${served.host}: `) });
    await stop(served);
  });
});

describe('a ready file', () => {
  test('appears under its name whole, once the registry answers, and is gone with it', async () => {
    const events: string[] = [];
    const watcher = watch(machine.work, (event, name) => {
      if (name === 'ready.json') events.push(event);
    });
    const served = await serve();
    const content = readFileSync(join(machine.work, 'ready.json'), 'utf8');
    assert.equal(content, `{"registry":"http://${served.host}"}\n`);
    assert.equal((await fetch(`http://${served.host}/v2/`)).status, 200);
    await until('the event', () => events.length > 0);
    // what is written in place is seen to change; what is moved there is not
    assert.deepEqual(events, ['rename']);
    watcher.close();
    await stop(served);
    assert.ok(!readdirSync(machine.work).some((name) => name.startsWith('ready.json')));
  });
});
