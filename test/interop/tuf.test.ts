// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  createTufRepository,
  openKeyRing,
  rotateKeys,
  stackTargets,
  type KeyRing,
  type StackAddresses,
  type TufRepository,
} from '../../src/stack/index.ts';
import { serve } from '../../src/wire/index.ts';
import { interop, runClient, type ClientRun } from './clients.ts';

const DAY = 86_400_000;

/** A served repository, and the folder of its clients. */
interface Mirror {
  readonly ring: KeyRing;
  readonly repository: TufRepository;
  readonly url: string;
  readonly folder: string;
  /** sets its clock, in days from now */
  at(days: number): void;
  close(): Promise<void>;
}

async function open(context: TestContext, days: number, former?: Mirror): Promise<Mirror> {
  const data = former?.folder ?? mkdtempSync(join(tmpdir(), 'bulla-tuf-'));
  if (former === undefined) context.after(() => rmSync(data, { recursive: true, force: true }));
  let offset = days;
  const now = (): Date => new Date(Date.now() + offset * DAY);
  const first = { organization: 'lab.example', logOrigin: '127.0.0.1' };
  const ring = await openKeyRing({ directory: join(data, 'keys'), now, first });
  const base = 'http://127.0.0.1:5570';
  const addresses: StackAddresses = {
    certificateAuthority: base,
    certificateLog: base,
    identityProvider: base,
    logV1: base,
    logV2: (origin) => `http://${origin}:5570`,
    timestampAuthority: `${base}/api/v1/timestamp`,
    operator: 'lab.example',
  };
  const directory = join(data, 'tuf');
  const repository = await createTufRepository({ ring, directory, targets: () => stackTargets(ring, addresses), now });
  await repository.tick();
  const server = await serve({
    service: repository.service,
    host: '127.0.0.1',
    port: Number(former === undefined ? 0 : new URL(former.url).port),
  });
  let closed = false;
  const close = async (): Promise<void> => {
    if (!closed) await server.close();
    closed = true;
  };
  context.after(close);
  const url = `http://127.0.0.1:${server.address.port}`;
  return { ring, repository, url, folder: data, at: (later) => void (offset = later), close };
}

/** A client's own folder, with the root that it was given. */
function home(mirror: Mirror): string {
  const folder = mkdtempSync(join(mirror.folder, 'client-'));
  writeFileSync(join(folder, 'root.json'), mirror.repository.root());
  return folder;
}

async function initialize(cosign: string, mirror: Mirror, folder: string): Promise<ClientRun> {
  return runClient(cosign, ['initialize', `--mirror=${mirror.url}`, '--root=root.json'], { home: folder });
}

function succeeded({ code, stdout, stderr }: ClientRun): void {
  assert.equal(code, 0, stderr);
  assert.doesNotMatch(stderr, /warning|could not|error/i);
  assert.doesNotMatch(stdout, /"error": "[^"]/);
}

for (const version of ['cosign-2', 'cosign-3'] as const) {
  interop(`${version} initializes from the TUF repository`, [version], async ([cosign], context) => {
    const mirror = await open(context, 0);
    const folder = home(mirror);
    const run = await initialize(cosign, mirror, folder);
    succeeded(run);
    if (version === 'cosign-2')
      for (const name of ['rekor.pub', 'ctfe.pub', 'fulcio_v1.crt.pem', 'tsa_leaf.crt.pem'])
        assert.match(run.stdout, new RegExp(`"${name.replaceAll('.', '\\.')}"`), name);
    // And from the root that the repository serves, under its checksum: what `up` prints for people.
    const checksum = hash('sha256', mirror.repository.root(), 'hex');
    const served = [`--mirror=${mirror.url}`, `--root=${mirror.url}/root.json`, `--root-checksum=${checksum}`];
    succeeded(await runClient(cosign, ['initialize', ...served], { home: home(mirror) }));
  });

  interop(`${version} follows a TUF root through its rotations`, [version], async ([cosign], context) => {
    const mirror = await open(context, 0);
    const folder = home(mirror);
    succeeded(await initialize(cosign, mirror, folder));
    for (const rotation of ['root', 'ca', 'root', 'log', 'tsa', 'ctlog'] as const)
      await rotateKeys(mirror.ring, mirror.repository, rotation, { now: new Date() });
    // The one that was initialized before, one that begins with the first root, and one that begins with the last.
    succeeded(await initialize(cosign, mirror, folder));
    const first = mkdtempSync(join(mirror.folder, 'client-'));
    writeFileSync(join(first, 'root.json'), readFileSync(join(folder, 'root.json')));
    succeeded(await initialize(cosign, mirror, first));
    succeeded(await initialize(cosign, mirror, home(mirror)));
  });

  interop(
    `${version} is kept going by a TUF repository that signs itself anew`,
    [version],
    async ([cosign], context) => {
      const mirror = await open(context, -300);
      const folder = home(mirror);
      assert.notEqual((await initialize(cosign, mirror, folder)).code, 0, 'it has expired');
      mirror.at(-3);
      await mirror.repository.tick();
      const fresh = mkdtempSync(join(mirror.folder, 'client-'));
      writeFileSync(join(fresh, 'root.json'), readFileSync(join(folder, 'root.json')));
      succeeded(await initialize(cosign, mirror, fresh));
      mirror.at(2);
      assert.deepEqual((await mirror.repository.tick()).published, ['timestamp.json']);
      succeeded(await initialize(cosign, mirror, fresh));
    },
  );

  interop(
    `${version} is refused by nothing after a new start of the repository`,
    [version],
    async ([cosign], context) => {
      const mirror = await open(context, 0);
      const folder = home(mirror);
      succeeded(await initialize(cosign, mirror, folder));
      await mirror.close();
      const again = await open(context, 4, mirror);
      succeeded(await initialize(cosign, again, folder));
      assert.equal(again.url, mirror.url);
    },
  );
}
