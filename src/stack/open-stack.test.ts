// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  decodeSigningConfig,
  decodeTrustedRoot,
  encodePublicKey,
  verifySignature,
  type PublicKey,
  type SigningConfig,
} from '../trust/index.ts';
import { serve } from '../wire/index.ts';
import { ask, hashedRekordV1, hashedRekordV2, newSigner, type Answered } from './rekor/rekor.fixture.ts';
import type { OpenedStack } from './open-stack.ts';
import { serviceAt, TestStackFolder } from './stack.fixture.ts';

const YEAR_END = new Date('2026-12-31T23:00:00Z');
const NEW_YEAR = new Date('2027-01-01T00:10:00Z');

async function enter(stack: OpenedStack, message: string, host = '127.0.0.1'): Promise<Answered> {
  const path = '/api/v2/log/entries';
  return await ask(serviceAt(stack, path), 'POST', path, await hashedRekordV2(await newSigner(), message), { host });
}

async function checkpoint(stack: OpenedStack, host = '127.0.0.1'): Promise<readonly string[]> {
  return (await ask(serviceAt(stack, '/checkpoint'), 'GET', '/checkpoint', undefined, { host })).text.split('\n');
}

function signingConfig(stack: OpenedStack): SigningConfig {
  return decodeSigningConfig(stack.publicFiles().get('signing_config.json') ?? new Uint8Array(), 'signing config');
}

async function ring(data: string): Promise<readonly { id: string; role: string; state: string }[]> {
  const { keys } = JSON.parse(await readFile(join(data, 'keys', 'ring.json'), 'utf8')) as {
    keys: readonly { id: string; role: string; state: string }[];
  };
  return keys;
}

/** Whether a head of a certificate log (RFC 6962, section 4.3) is signed by this key. */
async function headHolds(head: object, key: PublicKey): Promise<boolean> {
  const { timestamp, tree_size, sha256_root_hash, tree_head_signature } = head as {
    timestamp: number;
    tree_size: number;
    sha256_root_hash: string;
    tree_head_signature: string;
  };
  const data = Buffer.alloc(18);
  data.writeUInt8(1, 1);
  data.writeBigUInt64BE(BigInt(timestamp), 2);
  data.writeBigUInt64BE(BigInt(tree_size), 10);
  const signed = Buffer.concat([data, Buffer.from(sha256_root_hash, 'base64')]);
  return (await verifySignature(key, signed, Buffer.from(tree_head_signature, 'base64').subarray(4))) !== undefined;
}

/** Files for clients, by name. */
function texts(stack: OpenedStack): ReadonlyMap<string, string> {
  return new Map([...stack.publicFiles()].map(([name, bytes]) => [name, Buffer.from(bytes).toString()]));
}

describe('a stack', () => {
  test('has what clients need once it is open, and the same at every later opening', async () => {
    await using folder = await TestStackFolder.make();
    const first = texts(await folder.open());
    assert.deepEqual(
      [...first.keys()],
      ['root.json', 'trusted_root.json', 'signing_config.json', 'fulcio.pem', 'ctfe.pub', 'rekor.pub', 'tsa.pem'],
    );
    assert.deepEqual(texts(await folder.open()), first);
    assert.deepEqual(folder.warnings, []);
  });

  test('answers every path of the real services, and rules are told one a line', async () => {
    await using folder = await TestStackFolder.make();
    const stack = await folder.open();
    for (const path of [
      '/api/v2/trustBundle',
      '/api/v1/rootCert',
      '/api/v1/log',
      '/api/v1/log/publicKey',
      '/checkpoint',
      '/api/v2/checkpoint',
      '/api/v1/timestamp/certchain',
      '/.well-known/openid-configuration',
      '/oidc/keys',
      '/ct/v1/get-sth',
    ])
      assert.equal((await ask(serviceAt(stack, path), 'GET', path)).status, 200, path);
    assert.equal(stack.describeRules().length, 1);
    assert.deepEqual(stack.troubles(), []);
  });

  test('is not begun anew where a log that it had is gone', async () => {
    await using folder = await TestStackFolder.make();
    await enter(await folder.open(), 'one');
    await folder.close();
    const logs = join(folder.data, 'logs');
    for (const name of await readdir(logs)) if (name.startsWith('log-v2')) await rm(join(logs, name));
    await assert.rejects(folder.open(), { code: 'log-missing' });
  });

  test('is refused under another curve, password or URL than its keys have', async () => {
    await using folder = await TestStackFolder.make();
    await folder.open();
    await assert.rejects(folder.open({ password: Buffer.from('x') }), { code: 'password-unused' });
    await assert.rejects(folder.open({ url: 'http://127.0.0.7:5080' }), { code: 'address-mismatch' });
  });

  test('checks its logs, and copies them as they are at one moment', async () => {
    await using folder = await TestStackFolder.make();
    await using copy = await TestStackFolder.make();
    const stack = await folder.open();
    for (const message of ['a', 'b', 'c']) assert.equal((await enter(stack, message)).status, 201);
    const progress: string[] = [];
    const checks = await stack.check((shard) => progress.push(shard));
    assert.deepEqual(
      checks.map(({ found, size }) => [found, size]),
      [
        [0, 0],
        [0, 0],
        [0, 3],
      ],
    );
    await stack.copyDatabases(copy.data);
    assert.deepEqual(
      (await readdir(join(copy.data, 'logs'))).toSorted(),
      (await readdir(join(folder.data, 'logs'))).filter((name) => name.endsWith('.db')).toSorted(),
    );
  });
});

describe('timestamps', () => {
  test('stop where the clock stands before the newest entry, and the trouble is told; so it is where it jumps', async () => {
    await using folder = await TestStackFolder.make(new Date('2026-06-01T12:00:00Z'));
    await folder.open();
    folder.now = new Date('2026-06-02T12:00:00Z');
    await enter(await folder.open(), 'at noon');
    folder.now = new Date('2026-06-02T11:00:00Z');
    const back = await folder.open();
    assert.match(back.troubles()[0] ?? '', /^timestamps: /);
    const asked = { artifactHash: Buffer.alloc(32, 1).toString('base64'), hashAlgorithm: 'sha256' };
    const stamp = async (one: OpenedStack): Promise<number> => {
      const headers = { 'content-type': 'application/json' };
      return (await ask(serviceAt(one, '/api/v1/timestamp'), 'POST', '/api/v1/timestamp', asked, headers)).status;
    };
    assert.ok((await stamp(back)) >= 500);
    // the log goes on, with the time of the entry before
    const entered = await enter(back, 'before noon');
    assert.equal(entered.status, 201, entered.text);
    folder.now = new Date('2026-06-02T12:00:01Z');
    const right = await folder.open();
    assert.deepEqual(right.troubles(), []);
    assert.equal(await stamp(right), 201);
  });

  test('go on when an operator says that the clock is right', async () => {
    await using folder = await TestStackFolder.make();
    let monotonic = 0;
    const stack = await folder.open({ monotonic: () => monotonic });
    monotonic += 60_000;
    folder.now = new Date(folder.now.getTime() + 3600_000);
    const asked = { artifactHash: Buffer.alloc(32, 1).toString('base64'), hashAlgorithm: 'sha256' };
    const headers = { 'content-type': 'application/json' };
    const stamp = (): Promise<Answered> =>
      ask(serviceAt(stack, '/api/v1/timestamp'), 'POST', '/api/v1/timestamp', asked, headers);
    assert.ok((await stamp()).status >= 500);
    assert.equal(stack.troubles().length, 1);
    assert.equal(folder.warnings.length, 1);
    stack.resumeClock();
    assert.deepEqual(stack.troubles(), []);
    assert.equal((await stamp()).status, 201);
  });
});

describe('a year', () => {
  const logHost = '{year}.log.example';

  test('has a shard of its own, with a key and a host: the old one takes entries for as long as clients were told', async () => {
    await using folder = await TestStackFolder.make(YEAR_END);
    const stack = await folder.open({ logHost });
    assert.equal((await enter(stack, 'old', '2026.log.example')).status, 201);
    folder.now = NEW_YEAR;
    assert.deepEqual(await stack.tick(), []);
    assert.equal((await enter(stack, 'new', '2027.log.example:5080')).status, 201);
    assert.deepEqual((await checkpoint(stack, '2026.log.example')).slice(0, 2), ['2026.log.example', '1']);
    assert.deepEqual((await checkpoint(stack, '2027.LOG.example')).slice(0, 2), ['2027.log.example', '1']);
    assert.equal((await enter(stack, 'late', '2026.log.example')).status, 201);
    const keys = (await ring(folder.data)).filter(({ role }) => role === 'log-v2');
    assert.deepEqual(
      keys.map(({ state }) => state),
      ['retired', 'active'],
    );
    assert.equal(
      (await ring(folder.data)).filter(({ role }) => role === 'log-v1').length,
      1,
      'v1 is not split by years',
    );
    const urls = signingConfig(stack).logs.map(({ url, validFor }) => [url, validFor?.end === undefined]);
    assert.deepEqual(
      urls.filter(([url]) => String(url).includes('log.example')),
      [
        ['http://2026.log.example:5080', false],
        ['http://2027.log.example:5080', true],
      ],
    );
    // a second look begins nothing
    await stack.tick();
    assert.equal((await ring(folder.data)).filter(({ role }) => role === 'log-v2').length, 2);
    folder.now = new Date(NEW_YEAR.getTime() + 25 * 3600_000);
    const frozen = await enter(stack, 'too late', '2026.log.example');
    assert.equal(frozen.status, 405, frozen.text);
    assert.deepEqual((await checkpoint(stack, '2026.log.example')).slice(0, 2), ['2026.log.example', '2']);
  });

  test('that begins while the stack is down begins with the next start', async () => {
    await using folder = await TestStackFolder.make(YEAR_END);
    await enter(await folder.open({ logHost }), 'old', '2026.log.example');
    folder.now = NEW_YEAR;
    const stack = await folder.open({ logHost });
    assert.deepEqual((await checkpoint(stack, '2027.log.example')).slice(0, 2), ['2027.log.example', '0']);
    assert.deepEqual((await checkpoint(stack, '2026.log.example')).slice(0, 2), ['2026.log.example', '1']);
  });

  test('is not begun by a clock that jumped, before an operator has looked', async () => {
    await using folder = await TestStackFolder.make(YEAR_END);
    const stack = await folder.open({ logHost, monotonic: () => 0 });
    folder.now = new Date('2036-06-01T00:00:00Z');
    await stack.tick();
    assert.match(stack.troubles()[0] ?? '', /jumped ahead/);
    assert.equal((await ring(folder.data)).filter(({ role }) => role === 'log-v2').length, 1);
    folder.now = NEW_YEAR;
    stack.resumeClock();
    await stack.tick();
    assert.deepEqual((await checkpoint(stack, '2027.log.example')).slice(0, 2), ['2027.log.example', '0']);
  });

  test('that is over is not begun again by a clock that stands before it', async () => {
    await using folder = await TestStackFolder.make(NEW_YEAR);
    await enter(await folder.open({ logHost }), 'new', '2027.log.example');
    const before = await ring(folder.data);
    folder.now = YEAR_END;
    const early = await folder.open({ logHost });
    assert.match(early.troubles().join('\n'), /^ca: its certificate is valid from 2027-/m);
    assert.match(
      folder.warnings.join('\n'),
      /goes on as 2027\.log\.example: the clock shows 2026-12-31T23:00:00\.000Z/,
    );
    assert.deepEqual(await ring(folder.data), before);
    folder.now = new Date(NEW_YEAR.getTime() + 1000);
    const stack = await folder.open({ logHost });
    assert.deepEqual((await checkpoint(stack, '2027.log.example')).slice(0, 2), ['2027.log.example', '1']);
  });

  test('whose keys must be signed for by keys that are kept offline is told of, and the old shard goes on', async () => {
    await using folder = await TestStackFolder.make(YEAR_END);
    await folder.open({ logHost, offlineRoot: true });
    await rm(join(folder.data, 'keys', 'offline'), { recursive: true });
    folder.now = NEW_YEAR;
    const stack = await folder.open({ logHost, offlineRoot: true });
    assert.match(
      folder.warnings.at(-1) ?? '',
      /goes on as 2026\.log\.example: the shard 2027\.log\.example needs keys that are kept offline/,
    );
    assert.equal((await enter(stack, 'goes on', '2026.log.example')).status, 201);
  });

  test('without log hosts is one as any other', async () => {
    await using folder = await TestStackFolder.make(YEAR_END);
    const stack = await folder.open();
    folder.now = NEW_YEAR;
    await stack.tick();
    assert.equal((await ring(folder.data)).filter(({ role }) => role === 'log-v2').length, 1);
  });

  test('is served at two addresses at once, each by its host', async () => {
    await using folder = await TestStackFolder.make(YEAR_END);
    await enter(await folder.open({ logHost: '127.0.0.2' }), 'old', '127.0.0.2');
    folder.now = NEW_YEAR;
    const stack = await folder.open({ logHost: '127.0.0.3' });
    const service = serviceAt(stack, '/checkpoint');
    const servers = await Promise.all(['127.0.0.2', '127.0.0.3'].map((host) => serve({ service, host, port: 0 })));
    try {
      const shown = await Promise.all(
        servers.map(async ({ address: { host, port } }) =>
          (await (await fetch(`http://${host}:${port}/checkpoint`)).text()).split('\n').slice(0, 2),
        ),
      );
      assert.deepEqual(shown, [
        ['127.0.0.2', '1'],
        ['127.0.0.3', '0'],
      ]);
    } finally {
      for (const server of servers) await server.close();
    }
  });
});

describe('a rotation', () => {
  test('that cannot be published lets the services go on with the old key, and the next tick switches them', async () => {
    await using folder = await TestStackFolder.make();
    const stack = await folder.open();
    await enter(stack, 'one');
    const [tuf, away] = [join(folder.data, 'tuf'), join(folder.data, 'away')];
    await rename(tuf, away);
    await writeFile(tuf, 'in the way');
    await assert.rejects(stack.rotate('log'), { code: 'publication-pending' });
    assert.equal((await enter(stack, 'two')).status, 201);
    assert.equal((await checkpoint(stack))[1], '2');
    await rm(tuf);
    await rename(away, tuf);
    await stack.tick();
    assert.equal((await checkpoint(stack))[1], '0', 'the new shard is served');
    assert.equal((await enter(stack, 'three')).status, 201);
    const { logs } = decodeTrustedRoot(stack.publicFiles().get('trusted_root.json') ?? new Uint8Array(), 'root');
    assert.equal(logs.length, 4);
  });

  test('waits for another, and for whatever must not see keys change', async () => {
    await using folder = await TestStackFolder.make();
    const stack = await folder.open();
    const order: string[] = [];
    const { promise, resolve } = Promise.withResolvers<void>();
    const copying = stack.unchanged(async () => {
      order.push('copying');
      await promise;
      order.push('copied');
    });
    const rotating = stack.rotate('tsa').then(() => order.push('rotated'));
    const ticking = stack.tick().then(() => order.push('ticked'));
    resolve();
    await Promise.all([copying, rotating, ticking]);
    assert.deepEqual(order, ['copying', 'copied', 'rotated', 'ticked']);
    await assert.rejects(
      stack.unchanged(() => Promise.reject(new Error('no room'))),
      { message: 'no room' },
    );
    await stack.rotate('tsa');
  });

  test('of a log keeps every entry findable by its id, and gives the same entry its place', async () => {
    await using folder = await TestStackFolder.make();
    const stack = await folder.open();
    const path = '/api/v1/log/entries';
    const proposal = await hashedRekordV1(await newSigner(), 'one');
    const kept = await ask(serviceAt(stack, path), 'POST', path, proposal);
    const [id = ''] = Object.keys(kept.json() as object);
    await stack.rotate('log');
    for (const name of [id, id.slice(16)]) {
      const found = await ask(serviceAt(stack, `${path}/`), 'GET', `${path}/${name}`);
      assert.deepEqual(Object.keys(found.json() as object), [id]);
    }
    assert.equal((await ask(serviceAt(stack, `${path}/`), 'GET', `${path}/${'f'.repeat(64)}`)).status, 404);
    const tree = BigInt(`0x${id.slice(0, 16)}`).toString();
    const proof = '/api/v1/log/proof';
    const old = await ask(serviceAt(stack, proof), 'GET', `${proof}?lastSize=1&treeID=${tree}`);
    assert.equal(old.status, 200, old.text);
    assert.equal((await ask(serviceAt(stack, proof), 'GET', `${proof}?lastSize=1&treeID=7`)).status, 400);
  });

  test('of a log keeps every entry findable by a search, page by page, oldest first', async () => {
    await using folder = await TestStackFolder.make();
    const stack = await folder.open();
    const signer = await newSigner();
    for (const shard of [0, 1, 2]) {
      if (shard > 0) await stack.rotate('log');
      for (const entry of shard === 1 ? [] : [0, 1]) {
        const path = '/api/v2/log/entries';
        const request = await hashedRekordV2(signer, `${shard} ${entry}`);
        assert.equal((await ask(serviceAt(stack, path), 'POST', path, request)).status, 201);
      }
    }
    const path = '/api/v2/index/retrieve';
    const content = Buffer.from(encodePublicKey(signer.key.publicKey)).toString('base64');
    const found: string[] = [];
    let after: string | null | undefined;
    let pages = 0;
    do {
      const query = { publicKey: { format: 'x509', content }, limit: 1, ...(after === undefined ? {} : { after }) };
      const answered = await ask(serviceAt(stack, path), 'POST', path, query);
      assert.equal(answered.status, 200, answered.text);
      const page = answered.json() as { entries: { logIndex: string; shard: string }[]; next: string | null };
      found.push(...page.entries.map(({ logIndex, shard }) => `${shard} ${logIndex}`));
      after = page.next;
      pages += 1;
    } while (after !== null && pages < 10);
    const [oldest, , newest] = (await ring(folder.data)).filter(({ role }) => role === 'log-v2').map(({ id }) => id);
    assert.deepEqual(found, [`${oldest} 0`, `${oldest} 1`, `${newest} 0`, `${newest} 1`]);
    assert.equal((await ask(serviceAt(stack, path), 'POST', path, { nonsense: 1 })).status, 400);
  });

  test('of a log leaves places in it to the newest shard', async () => {
    await using folder = await TestStackFolder.make();
    const stack = await folder.open();
    const path = '/api/v1/log/entries';
    const signer = await newSigner();
    await ask(serviceAt(stack, path), 'POST', path, await hashedRekordV1(signer, 'old'));
    await stack.rotate('log');
    const kept = await ask(serviceAt(stack, path), 'POST', path, await hashedRekordV1(signer, 'new'));
    const retrieve = `${path}/retrieve`;
    const found = await ask(serviceAt(stack, retrieve), 'POST', retrieve, { logIndexes: [0] });
    assert.deepEqual(
      (found.json() as readonly object[]).map((entry) => Object.keys(entry)),
      [Object.keys(kept.json() as object)],
    );
    // as rekor-cli asks, with the lists that it does not need
    for (const none of [[], null]) {
      const query = { entryUUIDs: none, entries: none, logIndexes: [0] };
      const again = await ask(serviceAt(stack, retrieve), 'POST', retrieve, query);
      assert.deepEqual(
        (again.json() as readonly object[]).map((entry) => Object.keys(entry)),
        [Object.keys(kept.json() as object)],
      );
    }
    assert.equal((await ask(serviceAt(stack, retrieve), 'POST', retrieve, { logIndexes: [] })).status, 422);
  });

  test('of the authority tells of the one before for as long as it is trusted, and of a compromised one no more', async () => {
    await using folder = await TestStackFolder.make();
    let stack = await folder.open();
    const path = '/api/v2/trustBundle';
    const chains = async (): Promise<readonly string[]> => {
      const { chains: told } = (await ask(serviceAt(stack, path), 'GET', path)).json() as {
        chains: { certificates: string[] }[];
      };
      return told.map(({ certificates }) => certificates[0] ?? '');
    };
    const [first] = await chains();
    await stack.rotate('ca');
    const [second, ...before] = await chains();
    assert.deepEqual(before, [first]);
    stack = await folder.open();
    assert.deepEqual(await chains(), [second, first]);
    await stack.rotate('ca', { overlapMs: 0 });
    const [third] = await chains();
    assert.deepEqual(await chains(), [third, first]);
    folder.now = new Date(folder.now.getTime() + 24 * 3600_000);
    await stack.tick();
    assert.deepEqual(await chains(), [third]);
    stack = await folder.open();
    assert.deepEqual(await chains(), [third]);
  });

  test('is possible where the authorities have ended: the stack starts, and says so until then', async () => {
    await using folder = await TestStackFolder.make(new Date('2026-01-01T00:00:00Z'));
    await folder.open();
    folder.now = new Date('2031-06-01T00:00:00Z');
    const stack = await folder.open();
    const ended = stack.troubles();
    assert.deepEqual(
      ended.map((trouble) => trouble.replace(/from .*Z/, 'from …')),
      ['ca: its certificate is valid from …: rotate ca', 'tsa: its certificate is valid from …: rotate tsa'],
    );
    assert.equal((await enter(stack, 'meanwhile')).status, 201);
    await stack.rotate('ca');
    await stack.rotate('tsa');
    assert.deepEqual(stack.troubles(), []);
    assert.deepEqual((await folder.open()).troubles(), []);
  });

  test('of the certificate log keeps the one before readable, where the trusted root says', async () => {
    await using folder = await TestStackFolder.make();
    const stack = await folder.open();
    const read = async (path: string): Promise<{ status: number; size?: number }> => {
      const answered = await ask(serviceAt(stack, path), 'GET', path);
      return { status: answered.status, size: (answered.json() as { tree_size?: number }).tree_size ?? -1 };
    };
    const newest = '/ct/v1/get-sth';
    const before = (await ask(serviceAt(stack, newest), 'GET', newest)).json() as { sha256_root_hash: string };
    await stack.rotate('ctlog');
    await stack.rotate('ctlog');
    const root = decodeTrustedRoot(stack.publicFiles().get('trusted_root.json') ?? new Uint8Array(), 'root');
    const bases = root.certificateLogs.map(({ baseUrl = '' }) => new URL(baseUrl).pathname);
    const ids = (await ring(folder.data)).filter(({ role }) => role === 'ct-log').map(({ id }) => id);
    assert.deepEqual(bases, [`/ct/shards/${ids[0]}`, `/ct/shards/${ids[1]}`, '/ct']);
    // as clients put it together: the log's address, and RFC 6962's path
    const heads: { sha256_root_hash: string }[] = [];
    for (const base of bases) {
      const path = `${base}/ct/v1/get-sth`;
      const answered = await ask(serviceAt(stack, path), 'GET', path);
      assert.equal(answered.status, 200, answered.text);
      heads.push(answered.json() as { sha256_root_hash: string });
    }
    assert.equal(heads[0]?.sha256_root_hash, before.sha256_root_hash);
    for (const [at, head] of heads.entries()) {
      const log = root.certificateLogs[at];
      assert.ok(log !== undefined && (await headHolds(head, log.publicKey)), `the head of ${bases[at]} is by its key`);
    }
    assert.deepEqual(await read(newest), { status: 200, size: 0 });
    for (const path of [`/ct/shards/${ids[2]}/ct/v1/get-sth`, '/ct/shards/x/ct/v1/get-sth', '/ct/shards/', '/ct/v1/x'])
      assert.equal((await read(path)).status, 404, path);
  });

  test('of a log tells of the trees that ended, so that whoever has seen one finds it', async () => {
    await using folder = await TestStackFolder.make();
    const stack = await folder.open();
    const [path, entries] = ['/api/v1/log', '/api/v1/log/entries'];
    const info = async (): Promise<Record<string, unknown>> => {
      const answered = await ask(serviceAt(stack, path), 'GET', path);
      assert.equal(answered.status, 200, answered.text);
      return answered.json() as Record<string, unknown>;
    };
    const seen: Record<string, unknown>[] = [];
    for (const [place, size] of [1, 0, 2].entries()) {
      if (place > 0) await stack.rotate('log');
      for (let at = 0; at < size; at++) {
        const proposal = await hashedRekordV1(await newSigner(), `${place} ${at}`);
        assert.equal((await ask(serviceAt(stack, entries), 'POST', entries, proposal)).status, 201);
      }
      const { inactiveShards, ...tree } = await info();
      assert.deepEqual(inactiveShards, seen);
      assert.equal(tree['treeSize'], size);
      seen.push(tree);
    }
    assert.equal((await ask(serviceAt(stack, path), 'DELETE', path)).status, 405);
  });

  test('of a log lets a search go on that was begun before it, and refuses a place that is none', async () => {
    await using folder = await TestStackFolder.make();
    const stack = await folder.open();
    const signer = await newSigner();
    const [path, entries] = ['/api/v2/index/retrieve', '/api/v2/log/entries'];
    for (const text of ['a', 'b', 'c'])
      await ask(serviceAt(stack, entries), 'POST', entries, await hashedRekordV2(signer, text));
    const content = Buffer.from(encodePublicKey(signer.key.publicKey)).toString('base64');
    const search = (after?: unknown): Promise<Answered> =>
      ask(serviceAt(stack, path), 'POST', path, { publicKey: { format: 'x509', content }, limit: 1, after });
    const { next } = (await search()).json() as { next: string };
    await stack.rotate('log');
    for (const after of [next, Number(next)]) {
      const page = (await search(after)).json() as { entries: { logIndex: string }[] };
      assert.deepEqual(
        page.entries.map(({ logIndex }) => logIndex),
        ['1'],
      );
    }
    for (const after of ['x', '0.', '.1', '1.2.3', -1, true, {}, []])
      assert.equal((await search(after)).status, 400, JSON.stringify(after));
  });
});
