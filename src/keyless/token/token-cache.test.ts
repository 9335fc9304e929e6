// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { findIdentityToken } from './find-identity-token.ts';
import { decodeIdentityToken, type IdentityToken } from './identity-token.ts';
import { failureWithout, NOW, testIssuer } from './test-issuer.fixture.ts';
import { silentServer, tokenServer } from './token-transport.fixture.ts';
import { keepLogin, readKeptLogin } from './token-cache.ts';

const login = { issuer: 'https://issuer.example', clientId: 'sigstore' };
const expectation = { ...login, now: new Date(NOW) };
let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bulla-login-'));
});
after(() => rm(folder, { recursive: true, force: true }));

async function newToken(): Promise<IdentityToken> {
  const issuer = await testIssuer(login.issuer);
  return decodeIdentityToken(await issuer.sign({ sub: 'alice', aud: 'sigstore' }), expectation);
}

describe('a login', () => {
  test('is kept until it expires, for its issuer and client', async () => {
    const path = join(folder, 'deep', 'login.json');
    const token = await newToken();
    await keepLogin(path, token, login);
    assert.deepEqual(await readKeptLogin(path, expectation), token);
    for (const other of [
      { now: new Date(NOW + 600_000) },
      { now: new Date(NOW + 595_000) },
      { issuer: 'https://other.example' },
      { clientId: 'other' },
      { lastsMs: 601_000 },
    ]) {
      assert.equal(await readKeptLogin(path, { ...expectation, ...other }), undefined);
    }
  });

  test('is kept for one user, in place of the one before, and nothing else is left', async () => {
    const path = join(folder, 'one', 'login.json');
    await keepLogin(path, await newToken(), login);
    const second = await newToken();
    await keepLogin(path, second, login);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.deepEqual(await readdir(join(folder, 'one')), ['login.json']);
    assert.equal((await readKeptLogin(path, expectation))?.text, second.text);
  });

  test('that cannot be kept leaves what was there, and says so without the token', async () => {
    const file = join(folder, 'file');
    await writeFile(file, 'x');
    const token = await newToken();
    const error = await failureWithout([token.text], () => keepLogin(join(file, 'login.json'), token, login));
    assert.match(error.message, /cannot be kept in .*login\.json \((?:EEXIST|ENOTDIR)\)/);
    const taken = join(folder, 'taken');
    await keepLogin(join(taken, 'inner', 'login.json'), token, login);
    await failureWithout([token.text], () => keepLogin(join(taken, 'inner'), token, login));
    assert.deepEqual(await readdir(taken), ['inner']);
  });

  test('that others may read or write is not used, and the message says why', async () => {
    const path = join(folder, 'open.json');
    await keepLogin(path, await newToken(), login);
    for (const mode of [0o640, 0o604, 0o620, 0o666]) {
      await chmod(path, mode);
      await assert.rejects(readKeptLogin(path, expectation), { code: 'login-unkept', message: /expected mode 0600/ });
    }
  });

  test('is not read through a link, from a folder, or from what is no login', async () => {
    const path = join(folder, 'real.json');
    await keepLogin(path, await newToken(), login);
    const link = join(folder, 'link.json');
    await symlink(path, link);
    assert.equal(await readKeptLogin(link, expectation), undefined);
    assert.equal(await readKeptLogin(folder, expectation), undefined);
    assert.equal(await readKeptLogin(join(folder, 'nowhere'), expectation), undefined);
    const kept = await readFile(path, 'utf8');
    for (const text of [
      '',
      '{',
      '[]',
      '{"version":1}',
      kept.slice(0, -40),
      kept.replace('"version":1', '"version":2'),
      'x'.repeat(70_000),
    ]) {
      await writeFile(path, text);
      assert.equal(await readKeptLogin(path, expectation), undefined, text.slice(0, 20));
    }
  });
});

test('a login that was kept is used where nobody else has a token, and nobody is asked', async () => {
  const path = join(folder, 'used.json');
  const token = await newToken();
  await keepLogin(path, token, login);
  const nowhere = join(folder, 'nowhere');
  const paths = { token: nowhere, machine: nowhere, spiffeSocket: nowhere };
  const options = { environment: { CI: 'true' }, paths, keptLogin: path };
  const { client } = silentServer();
  const found = await findIdentityToken({ ...options, client, login: { issuer: login.issuer } });
  assert.deepEqual([found.source, found.token.text], ['kept-login', token.text]);
  // it is for its own issuer, and only where a login would be made
  await assert.rejects(findIdentityToken({ ...options, client, login: { issuer: 'https://other.example' } }), {
    code: 'token-not-found',
  });
  await assert.rejects(findIdentityToken({ ...options, client }), { code: 'token-not-found' });
  // what the surroundings have comes first
  const ambient = await (await testIssuer('https://ci.example')).sign({ sub: 'pipeline', aud: 'sigstore' });
  const environment = { SIGSTORE_ID_TOKEN: ambient };
  const first = await findIdentityToken({ ...options, client, environment, login: { issuer: login.issuer } });
  assert.equal(first.source, 'envvar');
  // and a file that others could have read stops the search before anybody is asked
  await chmod(path, 0o644);
  const server = tokenServer(() => ({ body: {} }));
  await assert.rejects(findIdentityToken({ ...options, client: server.client, login: { issuer: login.issuer } }), {
    code: 'login-unkept',
  });
  assert.deepEqual(server.asked, []);
});
