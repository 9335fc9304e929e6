// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeSigningConfig, decodeTrustedRoot } from '../../src/trust/index.ts';
import { instruct } from '../../src/up/index.ts';
import { Machine } from './bulla.ts';
import { assertRefused } from './refusal.ts';
import {
  ask,
  initializeClient,
  judge,
  logSize,
  onMachine,
  post,
  Proposer,
  sealBlob,
  startUp,
  stopWell,
  tokenOf,
  verifyLater,
  type ChainStack,
  type SealedBlob,
} from './stack.ts';

// Keys that change under a stack that serves: what was sealed before stays trusted, what is sealed after is.

let machine: Machine;
before(() => {
  machine = new Machine();
});
after(() => machine[Symbol.dispose]());

interface Rotated {
  readonly activated: readonly { readonly id: string; readonly role: string }[];
  readonly retired: readonly { readonly id: string; readonly role: string; readonly trustedUntil: string }[];
}

async function rotate(data: string, role: string, ...flags: readonly string[]): Promise<Rotated> {
  const { code, stdout, stderr } = await onMachine(machine, [
    'keys',
    'rotate',
    '--json',
    '--data',
    data,
    ...flags,
    role,
  ]);
  assert.equal(code, 0, stderr + stdout);
  return JSON.parse(stdout) as Rotated;
}

function checksumOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

async function sealBoth(stack: ChainStack): Promise<readonly SealedBlob[]> {
  const token = await tokenOf(machine, stack.data, 'dev@example.com');
  return [await sealBlob(stack, token, { version: 1 }), await sealBlob(stack, token, { version: 2 })];
}

describe('bulla keys rotate', () => {
  let stack: ChainStack;
  const sealed: SealedBlob[] = [];
  before(async () => {
    stack = await startUp(machine);
    sealed.push(...(await sealBoth(stack)));
    await initializeClient(machine, stack, 'early');
  });
  after(async () => {
    await stopWell(stack);
  });

  const roles: Readonly<Record<string, readonly string[]>> = {
    ca: ['ca'],
    ctlog: ['ct-log'],
    log: ['log-v1', 'log-v2'],
    tsa: ['tsa'],
    root: ['tuf-root'],
    'tuf-targets': ['tuf-targets'],
    'tuf-snapshot': ['tuf-snapshot'],
    'tuf-timestamp': ['tuf-timestamp'],
    issuer: ['issuer'],
  };
  let roots = 1;
  for (const [role, replaced] of Object.entries(roles)) {
    test(`${role}: what was sealed before verifies, what is sealed from now on too, and clients are told in one step`, async () => {
      const root = readFileSync(stack.endpoints.trustedRoot, 'utf8');
      const began = Date.now();
      const { activated, retired } = await rotate('stack', role);
      assert.deepEqual(activated.map((key) => key.role).toSorted(), replaced);
      assert.deepEqual(retired.map((key) => key.role).toSorted(), replaced);
      // a day in which clients that have not looked go on to trust what is signed
      for (const { trustedUntil } of retired) assert.ok(Date.parse(trustedUntil) - began > 23 * 3600_000);
      sealed.push(...(await sealBoth(stack)));
      for (const one of sealed) assert.equal(await judge(stack.endpoints, one), 'trusted');
      const ofRepository = role === 'root' || role.startsWith('tuf-');
      if (ofRepository) roots += 1;
      assert.equal(readFileSync(stack.endpoints.trustedRoot, 'utf8') === root, ofRepository || role === 'issuer');
      const tuf = JSON.parse((await ask(`${stack.endpoints.tuf}/root.json`)).text) as { signed: { version: number } };
      assert.equal(tuf.signed.version, roots);
      assert.equal((await ask(`${stack.endpoints.tuf}/root.json`)).text, readFileSync(stack.endpoints.tufRoot, 'utf8'));
    });
  }

  test('says how new clients begin where that has changed, and so does the next start', async () => {
    const line = () =>
      `cosign initialize --mirror ${stack.endpoints.tuf} --root ${stack.endpoints.tuf}/${roots}.root.json --root-checksum ${checksumOf(stack.endpoints.tufRoot)}`;
    const first = line();
    const quiet = await onMachine(machine, ['keys', 'rotate', '--data', 'stack', 'issuer']);
    assert.doesNotMatch(quiet.stderr, /initialize/);
    const { stderr } = await onMachine(machine, ['keys', 'rotate', '--data', 'stack', 'root']);
    roots += 1;
    assert.notEqual(line(), first);
    // what was printed before leads to the same trust
    for (const printed of [first, line()]) {
      const words = printed.split(' ').slice(1);
      assert.equal((await onMachine(machine, words)).code, 0, printed);
    }
    assert.ok(stderr.includes(line()), stderr);
    assert.ok(stack.running.stderr().includes(line()), 'the stack itself says it, too');
    await stopWell(stack);
    stack = await startUp(machine);
    assert.ok(stack.running.stderr().includes(line()) && !stack.running.stderr().includes(first));
  });

  test('is followed by a client that was initialized before all of it, and by a new one', async () => {
    await initializeClient(machine, stack, 'late');
    for (const one of [sealed.at(0), sealed.at(-1)]) {
      assert.ok(one !== undefined);
      for (const client of ['late', 'early']) assert.equal(await verifyLater(machine, client, one), 0, client);
    }
  });

  test('of a log leaves the old shard readable under its own path, closed, and searched by v1', async () => {
    const { logs } = decodeTrustedRoot(readFileSync(stack.endpoints.trustedRoot), 'trusted root');
    assert.equal(logs.length, 4);
    const names = readdirSync(join(machine.work, 'stack', 'logs')).filter((name) => /^log-v2-.*\.db$/.test(name));
    assert.equal(names.length, 2);
    const ring = JSON.parse(readFileSync(join(machine.work, 'stack', 'keys', 'ring.json'), 'utf8')) as {
      keys: readonly { id: string; state: string }[];
    };
    const old = ring.keys.find(({ id, state }) => id.startsWith('log-v2-') && state === 'retired')?.id ?? '';
    assert.ok(names.includes(`${old}.db`));
    assert.equal(Number((await ask(`${stack.endpoints.rekor2}/shards/${old}/checkpoint`)).text.split('\n')[1]), 3);
    assert.equal(await logSize(stack.endpoints), sealed.length / 2 - 3);
    const proposal = new Proposer().v2('too late');
    const refused = await post(`${stack.endpoints.rekor2}/shards/${old}/api/v2/log/entries`, proposal);
    assert.equal(refused.status, 405, refused.text);
    assert.equal((await ask(`${stack.endpoints.rekor2}/shards/log-v2-0000000000000000/checkpoint`)).status, 404);
    // of Rekor v1, every shard is asked: by identity, by the whole id, and by the leaf hash alone
    const found = await post(`${stack.endpoints.rekor}/api/v1/index/retrieve`, { email: 'dev@example.com' });
    const ids = JSON.parse(found.text) as readonly string[];
    assert.equal(new Set(ids.map((id) => id.slice(0, 16))).size, 2, 'entries of both trees are found');
    for (const id of [ids[0] ?? '', ids.at(-1) ?? '', (ids[0] ?? '').slice(16), (ids.at(-1) ?? '').slice(16)]) {
      const answer = await ask(`${stack.endpoints.rekor}/api/v1/log/entries/${id}`);
      assert.equal(answer.status, 200, id);
      assert.ok(Object.keys(JSON.parse(answer.text) as object)[0]?.endsWith(id));
    }
    assert.equal((await ask(`${stack.endpoints.rekor}/api/v1/log/entries/${'0'.repeat(64)}`)).status, 404);
  });

  test('goes on after a restart', async () => {
    await stopWell(stack);
    stack = await startUp(machine);
    sealed.push(...(await sealBoth(stack)));
    for (const one of sealed) assert.equal(await judge(stack.endpoints, one), 'trusted');
  });

  test('of several roles at a time is one after the other, under load too', async () => {
    const proposer = new Proposer();
    const loading = new AbortController();
    const load = (async () => {
      for (let n = 0; !loading.signal.aborted; n++) {
        const { status, text } = await post(`${stack.endpoints.rekor2}/api/v2/log/entries`, proposer.v2(`load ${n}`));
        assert.equal(status, 201, text);
      }
    })();
    const done = await Promise.all(['log', 'ca', 'ctlog', 'tsa'].map((role) => rotate('stack', role)));
    loading.abort();
    await load;
    assert.equal(new Set(done.flatMap(({ activated }) => activated.map(({ id }) => id))).size, 5);
    sealed.push(...(await sealBoth(stack)));
    for (const one of sealed) assert.equal(await judge(stack.endpoints, one), 'trusted');
  });

  test('--compromised ends the trust in the old key now, not in a day', async () => {
    const { retired } = await rotate('stack', 'ca', '--compromised');
    for (const { trustedUntil } of retired) assert.ok(Date.parse(trustedUntil) <= Date.now());
    const [later] = await sealBoth(stack);
    assert.ok(later !== undefined);
    assert.equal(await judge(stack.endpoints, later), 'trusted');
    const { certificateAuthorities } = decodeTrustedRoot(readFileSync(stack.endpoints.trustedRoot), 'trusted root');
    const ends = certificateAuthorities.map(({ validFor }) => validFor?.end?.getTime() ?? Infinity);
    assert.ok(ends.some((end) => end <= Date.now()) && ends.some((end) => end === Infinity), String(ends));
  });

  test('refuses what is no role', async () => {
    const { code, stderr } = await onMachine(machine, ['keys', 'rotate', '--data', 'stack', 'tuf']);
    assert.equal(code, 1);
    assert.match(stderr, /'tuf' is no role; expected one of ca, ctlog, log, tsa, root, tuf-targets, .*, issuer/);
  });
});

describe('a stack that is killed while it rotates', () => {
  test('goes on with the old key or the new one, and clients of before follow', async () => {
    let stack = await startUp(machine, [], { data: 'killed' });
    const root = join(machine.home, 'killed-root.json');
    cpSync(stack.endpoints.tufRoot, root);
    const sealed = await sealBoth(stack);
    const roles = ['ca', 'root', 'log', 'tuf-timestamp', 'issuer', 'tsa', 'tuf-targets', 'ctlog', 'tuf-snapshot'];
    for (const [turn, role] of roles.entries()) {
      const rotating = instruct(join(machine.work, 'killed'), 'rotate', { role }).catch(() => undefined);
      await sleep(turn * 6);
      await stack.stop('SIGKILL');
      await rotating;
      stack = await startUp(machine, [], { data: 'killed' });
      for (const one of [...sealed, ...(await sealBoth(stack))])
        assert.equal(await judge(stack.endpoints, one), 'trusted', role);
      const initialize = ['initialize', '--mirror', stack.endpoints.tuf, '--root', root];
      const followed = await onMachine(machine, initialize);
      assert.equal(followed.code, 0, `${role}: ${followed.stderr}`);
    }
    await stopWell(stack);
  });
});

describe('a stack with --offline-root', () => {
  test('keeps root keys out of the process: they are carried away, and brought for a rotation', async () => {
    const stack = await startUp(machine, ['--offline-root'], { data: 'apart' });
    const folder = join(machine.work, 'apart', 'keys', 'offline');
    assert.match(
      stack.running.stderr(),
      /WARNING: \d keys that are to be kept offline lie in .*offline: carry them away/,
    );
    assert.ok(readdirSync(folder).length >= 3);
    const vault = join(machine.home, 'vault');
    mkdirSync(vault);
    cpSync(folder, vault, { recursive: true });
    rmSync(folder, { recursive: true });
    const early = await sealBoth(stack);
    for (const role of ['ca', 'log', 'tsa', 'root', 'tuf-targets', 'tuf-timestamp']) {
      const refused = await onMachine(machine, ['keys', 'rotate', '--data', 'apart', role]);
      assertRefused(refused, { code: 1, says: /kept offline.* names? a directory|kept offline.*: name a directory/ });
    }
    for (const one of [...early, ...(await sealBoth(stack))])
      assert.equal(await judge(stack.endpoints, one), 'trusted');
    for (const role of ['ca', 'log', 'root']) await rotate('apart', role, '--offline-keys', vault);
    for (const one of [...early, ...(await sealBoth(stack))])
      assert.equal(await judge(stack.endpoints, one), 'trusted');
    const tuf = JSON.parse((await ask(`${stack.endpoints.tuf}/root.json`)).text) as { signed: { version: number } };
    assert.equal(tuf.signed.version, 2);
    // the new root key was made here: it is to be carried away as well
    assert.ok(existsSync(folder) && readdirSync(folder).some((name) => name.startsWith('tuf-root-')));
    for (const name of readdirSync(folder)) renameSync(join(folder, name), join(vault, name));
    await stopWell(stack);
    const again = await startUp(machine, [], { data: 'apart' });
    assert.doesNotMatch(again.running.stderr(), /carry them away/);
    for (const one of [...early, ...(await sealBoth(again))])
      assert.equal(await judge(again.endpoints, one), 'trusted');
    const { timestampAuthorities } = decodeSigningConfig(readFileSync(again.endpoints.signingConfig), 'signing config');
    assert.equal(timestampAuthorities.length, 1);
    await stopWell(again);
  });
});
