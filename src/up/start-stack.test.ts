// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { firstRules } from '../stack/index.ts';
import { instruct } from './instructions.ts';
import { mintStackToken } from './mint-stack-token.ts';
import type { StartStackOptions } from './start-options.ts';
import { startStack } from './start-stack.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bulla-up-'));
});
after(() => rm(folder, { recursive: true, force: true }));

function options(name: string, more: Partial<StartStackOptions> = {}): StartStackOptions {
  return { data: join(folder, name), listen: { host: '127.0.0.1', port: 0 }, onWarning: () => {}, ...more };
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

  test('writes files for clients, and nothing half', async () => {
    const stack = await startStack(options('public'));
    assert.equal(stack.firstStart, true);
    assert.match(stack.rootChecksum, /^[0-9a-f]{64}$/);
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

  test('gives a token no more certificates than it is set to', async () => {
    const { newClientKey } = await import('../stack/certificate-authority/certificate-authority.fixture.ts');
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
    const ask = async ({ pem, proof }: Awaited<ReturnType<typeof newClientKey>>): Promise<number> => {
      const publicKey = { algorithm: 'ECDSA', content: pem };
      const body = { publicKeyRequest: { publicKey, proofOfPossession: proof.toString('base64') } };
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
      const url = `${stack.endpoints.fulcio}/api/v2/signingCert`;
      return (await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })).status;
    };
    const key = await newClientKey(subject);
    assert.equal(await ask(key), 200);
    assert.equal(await ask(key), 200, 'the same request again is the same certificate');
    assert.ok((await ask(await newClientKey(subject))) >= 400);
    await stack.close();
  });
});
