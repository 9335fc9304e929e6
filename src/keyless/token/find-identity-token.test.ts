// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { WireError, type Environment, type HttpClient } from '../../wire/index.ts';
import { KeylessError } from '../error.ts';
import {
  findIdentityToken,
  TokenNotFoundError,
  type FindIdentityTokenOptions,
  type FoundToken,
} from './find-identity-token.ts';
import { failureWithout, testIssuer, unsignedToken } from './test-issuer.fixture.ts';
import { silentServer, tokenServer } from './token-transport.fixture.ts';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bulla-token-'));
});
after(() => rm(folder, { recursive: true, force: true }));

type More = Partial<FindIdentityTokenOptions>;

function search(client: HttpClient, environment: Environment, more: More = {}): Promise<FoundToken> {
  const nowhere = join(folder, 'nowhere');
  const paths = { token: nowhere, machine: nowhere, spiffeSocket: nowhere, ...more.paths };
  return findIdentityToken({ client, environment, ...more, paths });
}

const REQUEST_TOKEN = 'S3CRET-request-token';
const GITHUB = {
  ACTIONS_ID_TOKEN_REQUEST_URL: 'https://run-actions-1.example/idtoken?api-version=2.0',
  ACTIONS_ID_TOKEN_REQUEST_TOKEN: REQUEST_TOKEN,
};

describe('a given token', () => {
  test('is taken before all others, as a token or as the path of a file, and it is said which', async () => {
    const issuer = await testIssuer('https://issuer.example');
    const text = await issuer.sign({ sub: 'someone', aud: 'sigstore' });
    const environment = { SIGSTORE_ID_TOKEN: 'not looked at', ...GITHUB };
    const direct = await search(silentServer().client, environment, { given: ` ${text}\n` });
    assert.deepEqual([direct.source, direct.from], ['given-token', 'the given identity token']);
    assert.equal(direct.token.text, text);
    const path = join(folder, 'token.jwt');
    await writeFile(path, `${text}\n`);
    const file = await search(silentServer().client, environment, { given: path });
    assert.deepEqual([file.source, file.from, file.token.text], ['given-file', `the file ${path}`, text]);
    await issuer.verify(file.token.text, 'sigstore');
  });

  test('that is neither is told from a file that is not there', async () => {
    await assert.rejects(search(silentServer().client, {}, { given: 'garbage' }), {
      code: 'token-unreadable',
      message:
        "the identity token that was given is not a JSON Web Token, and there is no file 'garbage' that could hold one",
    });
    await assert.rejects(search(silentServer().client, {}, { given: ' ' }), {
      code: 'token-unreadable',
      message: /empty/,
    });
  });

  test('that is broken is not taken for a path, and does not show', async () => {
    const half = unsignedToken({ iss: 'x' }).slice(0, 60);
    for (const given of [half, 'x'.repeat(5000), 'opaque'.repeat(10), `${half}.a.b.c`]) {
      const error = await failureWithout([given], () => search(silentServer().client, {}, { given }));
      assert.ok(error instanceof KeylessError);
    }
  });

  test('in a file that has no token in it is refused by the name of the file', async () => {
    const path = join(folder, 'notes.txt');
    await writeFile(path, 'correct horse battery staple');
    const error = await failureWithout(['horse'], () => search(silentServer().client, {}, { given: path }));
    assert.match(error.message, /three parts.*it comes from the file .*notes\.txt$/);
  });
});

describe('the order', () => {
  test('is file, variable, GitHub: the first that has a token ends the search', async () => {
    const issuer = await testIssuer('https://issuer.example');
    const sign = (sub: string): Promise<string> => issuer.sign({ sub, aud: 'sigstore' });
    const token = join(folder, 'mounted');
    await writeFile(token, await sign('file'));
    const server = tokenServer(async () => ({ body: { value: await sign('github') } }));
    const environment = { SIGSTORE_ID_TOKEN: await sign('variable'), ...GITHUB };
    const subjects = [
      await search(server.client, environment, { paths: { token } }),
      await search(server.client, environment),
      await search(server.client, GITHUB),
    ].map((found) => found.token.subject);
    assert.deepEqual(subjects, ['file', 'variable', 'github']);
    assert.equal(server.asked.length, 1);
  });

  test('is left where a provider is chosen by name', async () => {
    const issuer = await testIssuer('https://issuer.example');
    const server = tokenServer(async () => ({
      body: { value: await issuer.sign({ sub: 'github', aud: 'sigstore' }) },
    }));
    const environment = { SIGSTORE_ID_TOKEN: 'x', ...GITHUB };
    const found = await search(server.client, environment, { provider: 'github-actions' });
    assert.equal(found.token.subject, 'github');
  });

  test('ends at a provider that is set up and fails: the next would be somebody else', async () => {
    const issuer = await testIssuer('https://gitlab.example');
    const other = { GITLAB_OIDC_TOKEN: await issuer.sign({ sub: 'other', aud: 'sigstore' }) };
    await assert.rejects(search(tokenServer(() => ({ status: 401, body: '' })).client, { ...GITHUB, ...other }), {
      code: 'token-refused',
    });
    await assert.rejects(search(silentServer().client, { SIGSTORE_ID_TOKEN: 'x', ...other }), {
      code: 'token-malformed',
      message: /it comes from SIGSTORE_ID_TOKEN/,
    });
  });

  test('asks nobody where providers are switched off', async () => {
    const environment = { SIGSTORE_ID_TOKEN: 'x', ...GITHUB };
    await assert.rejects(search(silentServer().client, environment, { ambient: false }), {
      code: 'token-not-found',
      message: /switched off/,
    });
    const both = { ambient: false, provider: 'envvar' };
    await assert.rejects(search(silentServer().client, environment, both), { code: 'setting-malformed' });
  });
});

describe('where nobody has a token', () => {
  test('the message names all who were asked, why each has none, and what to do', async () => {
    const error = await failureWithout([], () => search(silentServer().client, {}));
    assert.ok(error instanceof TokenNotFoundError);
    assert.equal(error.code, 'token-not-found');
    assert.deepEqual(
      error.asked.map(({ name }) => name),
      [
        'filesystem',
        'envvar',
        'github-actions',
        'spiffe',
        'google-workload-identity',
        'google-impersonate',
        'buildkite-agent',
        'gitlab',
        'circleci',
      ],
    );
    for (const { name, why } of error.asked) assert.ok(error.message.includes(`${name} (${why})`));
    assert.match(error.message, /What helps: give a token \(--identity-token, SIGSTORE_ID_TOKEN\)$/);
  });

  test('a job of GitHub without the permission is told which it needs', async () => {
    for (const environment of [
      { GITHUB_ACTIONS: 'true' },
      { ACTIONS_ID_TOKEN_REQUEST_URL: GITHUB.ACTIONS_ID_TOKEN_REQUEST_URL },
      { ACTIONS_ID_TOKEN_REQUEST_TOKEN: REQUEST_TOKEN },
    ]) {
      const error = await failureWithout([REQUEST_TOKEN], () => search(silentServer().client, environment));
      assert.match(
        error.message,
        /github-actions \(ACTIONS_ID_TOKEN_REQUEST_\w+ is not set\).*permissions: \{ id-token: write \}/,
      );
    }
  });

  test('a provider that was chosen is the only one in the message', async () => {
    await assert.rejects(search(silentServer().client, {}, { provider: 'buildkite-agent' }), {
      code: 'token-not-found',
      message: /asked were buildkite-agent \(BUILDKITE_AGENT_ACCESS_TOKEN is not set\)\./,
    });
  });

  test('a provider that does not exist is refused with the names of those that do', async () => {
    for (const provider of ['githb', 'envvar:X', '', 'google:X']) {
      await assert.rejects(search(silentServer().client, {}, { provider }), {
        code: 'provider-unknown',
        message: /filesystem, envvar, github-actions, spiffe/,
      });
    }
    await assert.rejects(search(silentServer().client, {}, { provider: 'gitlab:a b' }), { code: 'setting-malformed' });
  });

  test('nobody is asked for a code in the log of a pipeline, unless by name', async () => {
    const told: string[] = [];
    const interaction = { tell: (text: string) => void told.push(text) };
    const login = { issuer: 'https://issuer.example', interaction };
    const ci = { CI: 'true' };
    await assert.rejects(search(silentServer().client, ci, { login }), { code: 'token-not-found', message: /log in/ });
    await assert.rejects(search(silentServer().client, {}, { login: { issuer: 'https://issuer.example' } }), {
      code: 'token-not-found',
    });
    const server = tokenServer(() => ({ status: 503, body: '' }));
    await assert.rejects(search(server.client, ci, { login: { ...login, flow: 'device' } }), {
      code: 'token-unavailable',
    });
    assert.equal(server.lines()[0], 'GET https://issuer.example/.well-known/openid-configuration');
    assert.deepEqual(told, []);
  });
});

describe('a server of tokens', () => {
  test('is asked again after failures that pass, with waits that grow, and then gives its token', async () => {
    const issuer = await testIssuer('https://issuer.example');
    const value = await issuer.sign({ sub: 'x', aud: 'sigstore' });
    let count = 0;
    const server = tokenServer(() => {
      count++;
      if (count === 1) return { status: 503, body: '' };
      if (count === 2) throw new WireError('connection-reset', 'the connection was reset');
      if (count === 3) return { status: 429, headers: { 'retry-after': '7' }, body: '' };
      return { body: { value } };
    });
    assert.equal((await search(server.client, GITHUB)).token.text, value);
    assert.equal(server.asked.length, 4);
    assert.deepEqual(server.waits, [125, 250, 7125]);
  });

  test('that stays broken is unavailable, not without a token', async () => {
    for (const status of [500, 502, 503, 429]) {
      const server = tokenServer(() => ({ status, body: { message: 'try later' } }));
      await assert.rejects(search(server.client, GITHUB), {
        code: 'token-unavailable',
        message: `GitHub Actions gives no identity token: status ${status}, tried 5 times, try later`,
      });
      assert.equal(server.asked.length, 5);
    }
  });

  test('that refuses is not asked again, and the message says what helps', async () => {
    const server = tokenServer(() => ({ status: 403, body: { message: 'not allowed' } }));
    await assert.rejects(search(server.client, GITHUB), {
      code: 'token-refused',
      message: /status 403, not allowed \(give the job 'permissions: \{ id-token: write \}'/,
    });
    assert.equal(server.asked.length, 1);
  });

  test('is not followed elsewhere: the request token goes to no other address', async () => {
    for (const location of ['https://evil.example/', 'http://169.254.169.254/', '/other']) {
      const server = tokenServer(() => ({ status: 302, headers: { location }, body: '' }));
      const error = await failureWithout([REQUEST_TOKEN], () => search(server.client, GITHUB));
      assert.ok(error instanceof KeylessError);
      assert.equal(error.code, 'token-unavailable');
      assert.equal(server.asked.length, 1);
    }
  });

  test('is asked over https, or on this machine only', async () => {
    for (const [url, words] of [
      ['http://run-actions-1.example/idtoken', /expected https:/],
      ['http://169.254.169.254/idtoken', /expected https:/],
      ['http://localhost.evil.example/idtoken', /expected https:/],
      ['ftp://127.0.0.1/idtoken', /expected https:/],
      ['https://user:S3CRET-password@run-actions-1.example/', /user or password/],
      ['idtoken', /not a URL/],
      [`https://run-actions-1.example/${'x'.repeat(5000)}`, /not a URL/],
    ] as const) {
      const environment = { ...GITHUB, ACTIONS_ID_TOKEN_REQUEST_URL: url };
      const error = await failureWithout([REQUEST_TOKEN, 'S3CRET-password'], () =>
        search(silentServer().client, environment),
      );
      assert.ok(error instanceof KeylessError);
      assert.equal(error.code, 'setting-malformed', url);
      assert.match(error.message, words);
    }
    const server = tokenServer(() => ({ status: 401, body: '' }));
    for (const origin of ['http://127.0.0.1:8080', 'http://[::1]:8080', 'http://localhost:8080']) {
      await assert.rejects(search(server.client, { ...GITHUB, ACTIONS_ID_TOKEN_REQUEST_URL: `${origin}/mint?gh=1` }), {
        code: 'token-refused',
      });
    }
    assert.deepEqual(server.lines()[0], 'GET http://127.0.0.1:8080/mint?gh=1&audience=sigstore');
  });

  test('gets no request token that would end the header', async () => {
    const environment = { ...GITHUB, ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'S3CRET\r\nx-admin: 1' };
    const error = await failureWithout(['S3CRET'], () => search(silentServer().client, environment));
    assert.match(error.message, /ACTIONS_ID_TOKEN_REQUEST_TOKEN holds what no header can carry/);
  });

  test('that answers nonsense is unavailable, and what it answers does not show', async () => {
    const secret = 'S3CRET-token-half';
    for (const body of [
      secret,
      `{"value":"${secret}`,
      { token: secret },
      { value: 7 },
      { value: '' },
      [secret],
      `"${secret}"`,
      '',
      `{"value":"${'x'.repeat(100_000)}"}`,
    ]) {
      const server = tokenServer(() => ({ body }));
      const error = await failureWithout([secret], () => search(server.client, GITHUB));
      assert.ok(error instanceof KeylessError);
      assert.equal(error.code, 'token-unavailable');
    }
    const opaque = tokenServer(() => ({ body: { value: secret } }));
    await failureWithout([secret], () => search(opaque.client, GITHUB));
  });

  test('that says secrets back in its refusal is not quoted', async () => {
    for (const message of [`bad token ${REQUEST_TOKEN}`, 'bad token eyJhbGciOi', REQUEST_TOKEN]) {
      const server = tokenServer(() => ({ status: 401, body: { message, error: { message } } }));
      const error = await failureWithout([REQUEST_TOKEN, 'eyJ'], () => search(server.client, GITHUB));
      assert.match(error.message, /status 401 \(/);
    }
  });

  test('that gives a token for somebody else gives none for us, and the token does not show', async () => {
    const issuer = await testIssuer('https://issuer.example');
    const value = await issuer.sign({ sub: 'x', aud: 'sts.example' });
    const error = await failureWithout([value, REQUEST_TOKEN], () =>
      search(tokenServer(() => ({ body: { value } })).client, GITHUB),
    );
    assert.ok(error instanceof KeylessError);
    assert.equal(error.code, 'token-audience');
    assert.match(error.message, /it comes from GitHub Actions/);
  });
});

test('a search that was given up is left with the reason', async () => {
  const reason = new Error('interrupted');
  const signal = AbortSignal.abort(reason);
  await assert.rejects(search(tokenServer(() => ({ body: '' })).client, GITHUB, { signal }), reason);
});
