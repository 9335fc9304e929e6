// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cp, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { decodeProtectedHeader } from 'jose';
import { newClientKey } from '../stack/certificate-authority/certificate-authority.fixture.ts';
import { firstRules } from '../stack/index.ts';
import { instruct } from './instructions.ts';
import { mintStackToken } from './mint-stack-token.ts';
import type { StartStackOptions } from './start-options.ts';
import { startStack, type RunningStack } from './start-stack.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bulla-up-'));
});
after(() => rm(folder, { recursive: true, force: true }));

function options(name: string, more: Partial<StartStackOptions> = {}): StartStackOptions {
  return { data: join(folder, name), listen: { host: '127.0.0.1', port: 0 }, onWarning: () => {}, ...more };
}

type ClientKey = Awaited<ReturnType<typeof newClientKey>>;

async function askForCertificate(
  { endpoints }: RunningStack,
  token: string,
  { pem, proof }: ClientKey,
): Promise<Response> {
  const publicKey = { algorithm: 'ECDSA', content: pem };
  const body = { publicKeyRequest: { publicKey, proofOfPossession: proof.toString('base64') } };
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return await fetch(`${endpoints.fulcio}/api/v2/signingCert`, { method: 'POST', headers, body: JSON.stringify(body) });
}

describe('a stack that starts', () => {
  test('has its port open and answers 503 until everything that it serves is published', async () => {
    let early: Promise<Response> | undefined;
    const asking = (issuer: string): string => {
      early = fetch(`${issuer}/tuf/root.json`);
      return firstRules(issuer);
    };
    const stack = await startStack(options('early', { firstRules: asking }));
    try {
      const answer = await early;
      assert.equal(answer?.status, 503);
      assert.equal(answer?.headers.get('retry-after'), '1');
      assert.deepEqual(await answer?.json(), { code: 'starting', message: 'the stack is starting' });
      assert.equal((await fetch(`${stack.endpoints.tuf}/root.json`)).status, 200);
    } finally {
      await stack.close();
    }
  });

  test('says that it is the owner before it changes anything, and to nobody whom it refuses', async () => {
    const owned: string[] = [];
    const stack = await startStack(options('owned', { onOwned: () => owned.push('first') }));
    await assert.rejects(startStack(options('owned', { onOwned: () => owned.push('second') })), { code: 'in-use' });
    assert.deepEqual(owned, ['first']);
    await stack.close();
    await stack.close();
    await (await startStack(options('owned'))).close();
  });

  test('and cannot leaves neither a lock nor a port behind', async () => {
    const stack = await startStack(options('broken'));
    const { registry } = stack.endpoints;
    await stack.close();
    const rules = join(folder, 'broken', 'rules.yaml');
    const good = await readFile(rules);
    await writeFile(rules, 'rules: {}');
    await assert.rejects(startStack(options('broken')), { message: /rules\.yaml/ });
    await writeFile(rules, good);
    const again = await startStack(options('broken'));
    assert.equal(again.endpoints.registry, registry);
    assert.equal(again.firstStart, false);
    await again.close();
  });

  for (const [what, lost, refusal] of [
    [
      'the database of what was begun',
      ['stack.db'],
      { code: 'log-missing', message: /stack\.db is gone or empty.*fork/ },
    ],
    ['all databases', ['stack.db', 'logs'], { code: 'log-missing' }],
    ['the keys', ['keys'], { code: 'ring-missing', message: /or they are lost/ }],
    ['the keys and all that they signed', ['keys', 'tuf', 'stack.db', 'logs'], { code: 'ring-missing' }],
    ['the settings', ['stack.json'], { code: 'settings-malformed', message: /stack\.json is gone/ }],
    ['the settings and what was published', ['stack.json', 'public'], { code: 'settings-malformed' }],
    ['the TUF repository', ['tuf'], { code: 'repository-malformed', message: /clients.*have seen it/ }],
    ['the TUF repository and what was published', ['tuf', 'public'], { code: 'repository-malformed' }],
    ['the keys and what was published', ['keys', 'tuf', 'public'], { code: 'ring-missing' }],
    ['the rules', ['rules.yaml'], { code: 'file-missing', message: /rules\.yaml, which says who gets a certificate/ }],
  ] as const)
    test(`that has lost ${what} makes nothing of it anew`, async () => {
      const name = `lost ${what}`;
      await (await startStack(options(name))).close();
      const data = join(folder, name);
      for (const entry of await readdir(data))
        if (lost.some((one) => entry.startsWith(one))) await rm(join(data, entry), { recursive: true });
      // twice: what the first attempt leaves must not make the second
      await assert.rejects(startStack(options(name)), refusal);
      await assert.rejects(startStack(options(name)), refusal);
      const left = await readdir(data);
      for (const one of ['keys', 'logs', 'stack.json', 'rules.yaml'])
        if (lost.some((entry) => entry === one)) assert.ok(!left.includes(one), `${one} was not made`);
    });

  test('that has lost the newest timestamp of its TUF repository begins no versions anew', async () => {
    await (await startStack(options('timeless'))).close();
    await rm(join(folder, 'timeless', 'tuf', 'timestamp.json'));
    await assert.rejects(startStack(options('timeless')), { code: 'repository-malformed' });
    assert.ok(!(await readdir(join(folder, 'timeless', 'tuf'))).includes('timestamp.json'));
  });

  for (const forgotten of [true, false])
    test(`whose disk was set back to before ${forgotten ? 'entries' : 'all but as many'} that were copied never forks its log`, async () => {
      const [name, copies] = [`set back ${forgotten}`, join(folder, `copies ${forgotten}`)];
      const data = join(folder, name);
      const start = (): Promise<RunningStack> => startStack(options(name, { checkpointCopy: copies }));
      const certify = async (stack: RunningStack): Promise<number> => {
        const subject = 'dev@example.com';
        const about = { data, subject, audience: 'sigstore', claims: {}, lifetimeMs: 60_000, now: new Date() };
        return (await askForCertificate(stack, await mintStackToken(about), await newClientKey(subject))).status;
      };
      await (await start()).close();
      await cp(data, `${data}.old`, { recursive: true });
      const stack = await start();
      assert.equal(await certify(stack), 200);
      await stack.close();
      await rm(data, { recursive: true });
      await rename(`${data}.old`, data);
      if (!forgotten) {
        // as many entries again, but others: by a start that did not look
        const blind = await startStack(options(name));
        assert.equal(await certify(blind), 200);
        await blind.close();
      }
      await assert.rejects(start(), { code: forgotten ? 'tree-smaller' : 'tree-forked' });
    });

  test('writes files for clients, and nothing half', async () => {
    const stack = await startStack(options('public'));
    assert.equal(stack.firstStart, true);
    assert.match(stack.trustAnchor().rootChecksum, /^[0-9a-f]{64}$/);
    const files = await readdir(join(folder, 'public', 'public'));
    assert.deepEqual(files.toSorted(), [
      'ctfe.pub',
      'fulcio.pem',
      'rekor.pub',
      'root.json',
      'signing_config.json',
      'trusted_root.json',
      'tsa.pem',
    ]);
    for (const [, path] of stack.cosign2Environment()) assert.match(await readFile(path, 'utf8'), /^-----BEGIN/);
    await stack.close();
  });
});

describe('a stack that runs', () => {
  test('rotates one key after the other, however many are asked for at a time', async () => {
    const stack = await startStack(options('rotated'));
    const data = join(folder, 'rotated');
    const done = await Promise.all([1, 2, 3, 4].map(() => instruct(data, 'rotate', { role: 'tsa' })));
    const ids = done.flatMap(({ activated }) =>
      (activated as unknown as readonly { id: string }[]).map(({ id }) => id),
    );
    assert.equal(new Set(ids).size, 4);
    const trusted = JSON.parse(await readFile(stack.endpoints.trustedRoot, 'utf8')) as {
      timestampAuthorities: readonly unknown[];
    };
    assert.equal(trusted.timestampAuthorities.length, 5);
    await stack.close();
  });

  test('says with which root new clients begin, once it has changed, and a later start says the same', async () => {
    const told: string[] = [];
    const data = join(folder, 'anchored');
    const stack = await startStack(options('anchored', { onNewRoot: ({ rootChecksum }) => told.push(rootChecksum) }));
    const checksum = async (): Promise<string> =>
      createHash('sha256')
        .update(await readFile(stack.endpoints.tufRoot))
        .digest('hex');
    const first = stack.trustAnchor();
    assert.equal(first.rootChecksum, await checksum());
    await instruct(data, 'rotate', { role: 'ca' });
    assert.deepEqual(told, []);
    for (const role of ['root', 'tuf-targets', 'tuf-snapshot', 'tuf-timestamp']) {
      const { rootChanged, tuf } = await instruct(data, 'rotate', { role });
      assert.equal(rootChanged, true);
      const root: string = `${stack.endpoints.tuf}/${told.length + 1}.root.json`;
      assert.deepEqual(tuf, { mirror: first.mirror, root, rootChecksum: await checksum() });
      assert.equal(told.at(-1), await checksum());
    }
    assert.equal(new Set([first.rootChecksum, ...told]).size, 5);
    await stack.close();
    const again = await startStack(options('anchored'));
    assert.equal(again.trustAnchor().rootChecksum, told.at(-1));
    // what was printed before is good for ever
    const firstRoot = Buffer.from(await (await fetch(first.root)).arrayBuffer());
    assert.equal(createHash('sha256').update(firstRoot).digest('hex'), first.rootChecksum);
    await again.close();
  });

  test('takes the tokens of its issuer before and after a rotation of its key, and of a compromised one none', async () => {
    let now = new Date('2026-11-22T12:00:00Z');
    const data = join(folder, 'issuer');
    const start = () => startStack(options('issuer', { now: () => now }));
    let stack = await start();
    const subject = 'dev@example.com';
    const mint = (lifetimeMs: number): Promise<string> =>
      mintStackToken({ data, subject, audience: 'sigstore', claims: {}, lifetimeMs, now });
    const keyIds = async (): Promise<readonly string[]> => {
      const { keys } = (await (await fetch(`${stack.endpoints.issuer}/oidc/keys`)).json()) as {
        keys: { kid: string }[];
      };
      return keys.map(({ kid }) => kid);
    };
    const ask = async (token: string): Promise<number> =>
      (await askForCertificate(stack, token, await newClientKey(subject))).status;
    const old = await mint(86_400_000);
    assert.equal(await ask(old), 200);
    await instruct(data, 'rotate', { role: 'issuer' });
    const fresh = await mint(86_400_000);
    const [oldKey, newKey] = [old, fresh].map((token) => decodeProtectedHeader(token).kid);
    assert.notEqual(newKey, oldKey, 'bulla token signs with the new key');
    assert.deepEqual(await keyIds(), [newKey, oldKey]);
    // both, until the last second of the longest token, and across a restart
    now = new Date(now.getTime() + 86_399_000);
    await stack.close();
    stack = await start();
    assert.deepEqual(await keyIds(), [newKey, oldKey]);
    for (const token of [old, fresh]) assert.equal(await ask(token), 200);
    now = new Date(now.getTime() + 3_602_000);
    await stack.close();
    stack = await start();
    assert.deepEqual(await keyIds(), [newKey], 'a day and an hour later it is published no more');
    const known = await mint(600_000);
    assert.equal(await ask(known), 200);
    await instruct(data, 'rotate', { role: 'issuer', compromised: true });
    assert.equal(await ask(known), 401, 'a token by a key that others know');
    assert.equal(await ask(await mint(600_000)), 200);
    await stack.close();
  });

  test('gives a token no more certificates than it is set to', async () => {
    const stack = await startStack(options('limited', { certificatesPerToken: 1 }));
    const subject = 'dev@example.com';
    const data = join(folder, 'limited');
    const token = await mintStackToken({
      data,
      subject,
      audience: 'sigstore',
      claims: {},
      lifetimeMs: 60_000,
      now: new Date(),
    });
    const ask = async (key: ClientKey): Promise<number> => (await askForCertificate(stack, token, key)).status;
    const key = await newClientKey(subject);
    assert.equal(await ask(key), 200);
    assert.equal(await ask(key), 200, 'the same request again is the same certificate');
    assert.ok((await ask(await newClientKey(subject))) >= 400);
    await stack.close();
  });
});
