// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import http from 'node:http';
import { describe, test } from 'node:test';
import { HttpClient, systemClock, type Clock } from '../../../wire/index.ts';
import { KeylessError } from '../../error.ts';
import { findIdentityToken } from '../find-identity-token.ts';
import { failureWithout, testIssuer } from '../test-issuer.fixture.ts';
import { silentServer, tokenServer } from '../token-transport.fixture.ts';
import { logIn, type Login } from './log-in.ts';
import type { LoginInteraction, LoginSettings } from './login-settings.ts';
import {
  CLIENT_SECRET,
  openIdProvider,
  visit,
  type OpenIdProvider,
  type ProviderFaults,
} from './openid-provider.fixture.ts';

/** Waits are short, so that nobody waits for a test; the time is the real one. */
const impatient: Clock = {
  now: () => Date.now(),
  sleep: (milliseconds, signal) => systemClock.sleep(Math.min(milliseconds, 1), signal),
};

function client(clock?: Clock): HttpClient {
  return new HttpClient(clock === undefined ? {} : { clock });
}

interface Person extends LoginInteraction {
  /** what the terminal shows */
  readonly told: string[];
  /** the page that the browser ended on, once it is there */
  page(): Promise<Awaited<ReturnType<typeof visit>>>;
}

/** A person whose browser does as `open` does. */
function person(open?: (url: URL) => Promise<unknown>): Person {
  const told: string[] = [];
  let visited: ReturnType<Person['page']> | undefined;
  const openBrowser = async (url: URL): Promise<void> => {
    if (open !== undefined) await open(url);
    visited = visit(url);
    await visited;
  };
  const page = (): ReturnType<Person['page']> => visited ?? assert.fail('no page was opened');
  return { told, page, tell: (text) => void told.push(text), openBrowser };
}

function terminal(): Person {
  const { told, page, tell } = person();
  return { told, page, tell };
}

function browser(
  provider: OpenIdProvider,
  interaction: LoginInteraction,
  more: Partial<LoginSettings> = {},
): Promise<Login> {
  return logIn({ issuer: provider.issuer.url, interaction, ...more }, { client: client() });
}

function device(provider: OpenIdProvider, interaction: LoginInteraction = terminal()): Promise<Login> {
  return logIn({ issuer: provider.issuer.url, interaction }, { client: client(impatient) });
}

describe('a login with a browser', () => {
  test('gets the token of the person, with PKCE, state and nonce', async () => {
    await using provider = await openIdProvider();
    const alice = person();
    const { token, flow } = await browser(provider, alice);
    assert.equal(flow, 'normal');
    assert.equal(token.challenge, 'alice@example.com');
    const { payload } = await provider.issuer.verify(token.text, 'sigstore');
    assert.equal(typeof payload['nonce'], 'string');
    const [form] = provider.forms;
    assert.match(form?.['code_verifier'] ?? '', /^[A-Za-z0-9_-]{43,}$/);
    assert.match(form?.['redirect_uri'] ?? '', /^http:\/\/localhost:\d+\/auth\/callback$/);
    assert.equal(form?.['client_secret'], undefined);
    assert.ok(provider.requests.includes('GET /oidc/keys'), 'the signature was checked');
    const page = await alice.page();
    assert.equal(page.status, 200);
    assert.match(page.text, /go back to the terminal/);
    assert.equal(page.headers['cache-control'], 'no-store');
    assert.equal(page.headers['referrer-policy'], 'no-referrer');
    assert.match(alice.told.join(''), /http:\/\/127\.0\.0\.1:\d+\/oidc\/auth\?/);
    assert.ok(!alice.told.join('').includes(form?.['code_verifier'] ?? 'x'));
  });

  test('uses the redirect URL and the secret of a client that has them', async () => {
    await using provider = await openIdProvider();
    const redirectUrl = 'http://127.0.0.1:0/signed-in';
    await browser(provider, person(), { redirectUrl, clientSecret: 'S3CRET-client' });
    assert.match(provider.forms[0]?.['redirect_uri'] ?? '', /^http:\/\/127\.0\.0\.1:\d+\/signed-in$/);
    assert.equal(provider.forms[0]?.['client_secret'], 'S3CRET-client');
  });

  test('is not ended by a stranger who visits the address with another state, path or method', async () => {
    await using provider = await openIdProvider();
    const seen: number[] = [];
    const alice = person(async (url) => {
      const back = new URL(url.searchParams.get('redirect_uri') ?? '');
      for (const query of ['?state=guess&code=stolen', '?code=stolen', '', '?state=a&state=b&error=access_denied']) {
        seen.push((await visit(new URL(query, back))).status);
      }
      seen.push((await visit(new URL('/favicon.ico', back))).status);
      const state = url.searchParams.get('state') ?? '';
      seen.push(await post(new URL(`?state=${state}&code=stolen`, back)));
    });
    const { token } = await browser(provider, alice);
    assert.equal(token.email, 'alice@example.com');
    assert.deepEqual(seen, [400, 400, 400, 400, 404, 405]);
  });

  test('that the person refuses is refused', async () => {
    await using provider = await openIdProvider({ refuses: true });
    const alice = person();
    await assert.rejects(browser(provider, alice), { code: 'login-refused', message: /access_denied/ });
    assert.match((await alice.page()).text, /refused/);
  });

  test('that nobody finishes ends in time, and so does one that is given up', async () => {
    await using provider = await openIdProvider();
    const absent = { tell: () => undefined, openBrowser: () => Promise.resolve() };
    const late = logIn(
      { issuer: provider.issuer.url, interaction: absent },
      { client: client(), deadline: Date.now() + 200 },
    );
    await assert.rejects(late, { code: 'login-timeout' });
    const controller = new AbortController();
    const reason = new Error('interrupted');
    const leaving = { tell: () => undefined, openBrowser: () => Promise.resolve(controller.abort(reason)) };
    const left = logIn(
      { issuer: provider.issuer.url, interaction: leaving },
      { client: client(), signal: controller.signal },
    );
    await assert.rejects(left, reason);
  });

  test('goes on where no browser can be started: the address is shown', async () => {
    await using provider = await openIdProvider();
    const told: string[] = [];
    const tell = (text: string): void => {
      told.push(text);
      const address = /http:\/\/127\S+/.exec(text)?.[0];
      if (address !== undefined) visit(new URL(address)).catch(() => undefined);
    };
    const failing = { tell, openBrowser: () => Promise.reject(new Error('no xdg-open')) };
    assert.equal((await browser(provider, failing)).token.email, 'alice@example.com');
    const none = { tell };
    assert.equal((await browser(provider, none, { flow: 'normal' })).token.email, 'alice@example.com');
  });

  test('has its answer brought to this machine only', async () => {
    for (const redirectUrl of [
      'https://localhost/x',
      'http://evil.example/x',
      'http://10.0.0.1/',
      'x',
      'http://localhost:0/?a=b',
    ]) {
      await assert.rejects(
        logIn(
          { issuer: 'https://issuer.example', redirectUrl, interaction: person() },
          { client: silentServer().client },
        ),
        { code: 'setting-malformed', message: /redirect URL/ },
      );
    }
  });

  test('says when its port is taken', async () => {
    await using provider = await openIdProvider();
    const redirectUrl = `http://127.0.0.1:${new URL(provider.issuer.url).port}/auth/callback`;
    await assert.rejects(browser(provider, person(), { redirectUrl }), {
      code: 'setting-malformed',
      message: /cannot be served/,
    });
  });
});

describe('a login with another device', () => {
  test('shows the code, waits for the person, and slows down when told', async () => {
    const says = ['authorization_pending', 'slow_down', 'authorization_pending', 'yes'];
    await using provider = await openIdProvider({ person: (poll) => says[poll - 1] ?? 'yes' });
    const waits: number[] = [];
    const clock: Clock = {
      now: impatient.now,
      sleep: (milliseconds, signal) => {
        waits.push(milliseconds);
        return impatient.sleep(milliseconds, signal);
      },
    };
    const alice = terminal();
    const { token, flow } = await logIn({ issuer: provider.issuer.url, interaction: alice }, { client: client(clock) });
    assert.equal(flow, 'device');
    assert.equal(token.challenge, 'alice@example.com');
    await provider.issuer.verify(token.text, 'sigstore');
    assert.deepEqual(waits, [1000, 1000, 6000, 6000]);
    assert.match(alice.told.join(''), /\/oidc\/device\?user_code=ABCD-EFGH\nand confirm the code ABCD-EFGH/);
    // as the real client's, byte for byte but for the challenge
    const { code_challenge: _challenge, ...asked } = provider.forms[0] ?? {};
    assert.deepEqual(asked, { client_id: 'sigstore', code_challenge_method: 'S256', scope: 'openid email' });
    assert.equal(provider.forms[1]?.['grant_type'], 'urn:ietf:params:oauth:grant-type:device_code');
  });

  test('goes on when a poll fails on the way', async () => {
    let dropped = 0;
    await using provider = await openIdProvider({
      intercept: (request, response) => {
        if (request.method !== 'POST' || request.url !== '/oidc/token' || dropped++ > 0) return false;
        response.destroy();
        return true;
      },
    });
    assert.equal((await device(provider)).token.email, 'alice@example.com');
  });

  test('slows down when told so with another status', async () => {
    let told = 0;
    await using provider = await openIdProvider({
      intercept: (request, response) => {
        if (request.url !== '/oidc/token' || told++ >= 3) return false;
        response.writeHead(429, { 'content-type': 'application/json' }).end('{"error":"slow_down"}');
        return true;
      },
    });
    assert.equal((await device(provider)).token.email, 'alice@example.com');
  });

  for (const [said, code] of [
    ['access_denied', 'login-refused'],
    ['server_error', 'token-unavailable'],
    ['expired_token', 'login-timeout'],
    ['invalid_grant', 'issuer-unusable'],
    ['server\u202e_error', 'issuer-unusable'],
  ] as const) {
    test(`that ends with ${JSON.stringify(said)} is ${code}`, async () => {
      await using provider = await openIdProvider({ person: () => said });
      await assert.rejects(device(provider), { code });
    });
  }

  test('that is given up, while waiting or asking, ends with the reason', async () => {
    const reason = new Error('interrupted');
    const waiting = new AbortController();
    await using pending = await openIdProvider({
      person: () => {
        waiting.abort(reason);
        return 'authorization_pending';
      },
    });
    const asking = new AbortController();
    await using silent = await openIdProvider({
      intercept: () => {
        asking.abort(reason);
        return true;
      },
    });
    for (const [provider, { signal }] of [[pending, waiting] as const, [silent, asking] as const]) {
      const login = { issuer: provider.issuer.url, interaction: terminal() };
      await assert.rejects(logIn(login, { client: client(impatient), signal }), reason);
    }
  });

  test('ends when the code is no longer valid', async () => {
    await using provider = await openIdProvider({ person: () => 'authorization_pending' });
    const login = logIn(
      { issuer: provider.issuer.url, interaction: terminal() },
      { client: client(impatient), deadline: Date.now() + 500 },
    );
    await assert.rejects(login, { code: 'login-timeout' });
  });

  test('is not to be had from an issuer that has none, or that sends people elsewhere than to a page', async () => {
    await using without = await openIdProvider({
      metadata: ({ device_authorization_endpoint: _none, ...rest }) => rest,
    });
    await assert.rejects(device(without), { code: 'issuer-unusable', message: /no device flow/ });
    for (const uri of ['file:///etc/passwd', 'javascript:alert(1)', 'http://evil.example/', 'x', 'calc:']) {
      await using provider = await openIdProvider({
        intercept: (request, response) => {
          if (request.url !== '/oidc/device/code') return false;
          const body = { device_code: 'd', user_code: 'u', verification_uri: uri, expires_in: 300 };
          response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
          return true;
        },
      });
      await assert.rejects(device(provider), { code: 'issuer-unusable', message: /expected an https URL/ });
    }
  });
});

describe('a login of a program', () => {
  test('is made with its secret', async () => {
    await using provider = await openIdProvider();
    const settings = { issuer: provider.issuer.url, flow: 'client_credentials', clientSecret: CLIENT_SECRET } as const;
    const { token, flow } = await logIn(settings, { client: client(), clientId: 'service' });
    assert.equal(flow, 'client_credentials');
    assert.equal(token.challenge, 'service');
    await provider.issuer.verify(token.text, 'service');
    // as the real client's, byte for byte
    assert.equal(
      sortedForm(provider.forms[0] ?? {}),
      'client_id=service&client_secret=just+text&grant_type=client_credentials&scope=openid+email',
    );
  });

  test('with a wrong secret is refused, and with none not tried', async () => {
    await using provider = await openIdProvider();
    const settings = { issuer: provider.issuer.url, flow: 'client_credentials' } as const;
    const options = { client: client(), clientId: 'service' };
    const error = await failureWithout(['S3CRET-wrong'], () =>
      logIn({ ...settings, clientSecret: 'S3CRET-wrong' }, options),
    );
    assert.ok(error instanceof KeylessError);
    assert.equal(error.code, 'login-refused');
    await assert.rejects(logIn(settings, options), { code: 'setting-malformed', message: /needs the secret/ });
  });
});

describe('an issuer is not believed', () => {
  const faults: Record<string, [ProviderFaults | (() => Promise<ProviderFaults>), RegExp]> = {
    'that says it is another': [
      { metadata: (metadata) => ({ ...metadata, issuer: 'https://issuer.example' }) },
      /issuer/,
    ],
    'whose token is by another issuer': [
      { claims: (claims) => ({ ...claims, iss: 'https://issuer.example' }) },
      /claim/,
    ],
    'whose token is for another client': [{ claims: (claims) => ({ ...claims, aud: 'other' }) }, /claim/],
    'whose token has another nonce': [{ claims: (claims) => ({ ...claims, nonce: 'x' }) }, /claim/],
    'whose token has no nonce': [{ claims: ({ nonce: _nonce, ...claims }) => claims }, /./],
    'whose token has expired': [{ claims: (claims) => ({ ...claims, exp: 1_700_000_000 }) }, /timestamp/],
    'whose token is by a key that it does not publish': [
      async () => ({ signer: await testIssuer('http://other.example', () => Date.now()) }),
      /./,
    ],
    'that gives no identity token': [{ answer: ({ id_token: _token, ...answer }) => answer }, /./],
    'that gives one that is none': [{ answer: (answer) => ({ ...answer, id_token: 'S3CRET.x.y' }) }, /./],
    'that does not speak S256': [
      { metadata: (metadata) => ({ ...metadata, code_challenge_methods_supported: ['plain'] }) },
      /PKCE/,
    ],
    'that sends the browser elsewhere than to a page': [
      { metadata: (metadata) => ({ ...metadata, authorization_endpoint: 'file:///etc/passwd' }) },
      /expected an https URL/,
    ],
    'that names no endpoint for it': [
      { metadata: ({ authorization_endpoint: _none, ...metadata }) => metadata },
      /authorization endpoint/,
    ],
    'that says nothing of itself': [{ metadata: () => ({}) }, /./],
  };
  for (const [name, [fault, message]] of Object.entries(faults)) {
    test(name, async () => {
      await using provider = await openIdProvider(typeof fault === 'function' ? await fault() : fault);
      const error = await failureWithout(['S3CRET', 'eyJ'], () => browser(provider, person()));
      assert.ok(error instanceof KeylessError, String(error));
      assert.equal(error.code, 'issuer-unusable');
      assert.match(error.message, message);
      assert.ok(!error.message.includes('\n'));
    });
  }

  test('that cannot answer now has said nothing: be it asked what it is, for a token or for its keys', async () => {
    for (const path of ['/oidc/.well-known/openid-configuration', '/oidc/device/code', '/oidc/token', '/oidc/keys'])
      for (const status of [429, 500, 503]) {
        await using provider = await openIdProvider({
          intercept: (request, response) => {
            if (request.url !== path) return false;
            response.writeHead(status, { 'content-type': 'text/html' }).end('<h1>later</h1>');
            return true;
          },
        });
        const message = new RegExp(`^cannot log in at .*: it answers ${status}$`);
        await assert.rejects(device(provider), { code: 'token-unavailable', message });
      }
  });

  test('that redirects: nothing is asked elsewhere', async () => {
    await using elsewhere = await openIdProvider();
    for (const path of ['/oidc/.well-known/openid-configuration', '/oidc/token', '/oidc/keys']) {
      await using provider = await openIdProvider({
        intercept: (request, response) => {
          if (request.url !== path) return false;
          response.writeHead(307, { location: `${elsewhere.issuer.url}${path.slice('/oidc'.length)}` }).end();
          return true;
        },
      });
      await assert.rejects(browser(provider, person()), { code: 'token-unavailable', message: /redirects/ });
    }
    assert.deepEqual(elsewhere.requests, []);
  });

  test('that sends a public client to an inner address, or from https to http', async () => {
    for (const endpoint of [
      'https://169.254.169.254/device',
      'https://127.0.0.1:1/device',
      'https://10.0.0.1/device',
      'http://issuer.example/device',
    ]) {
      const server = tokenServer(() => ({
        body: { issuer: 'https://issuer.example', device_authorization_endpoint: endpoint, token_endpoint: endpoint },
      }));
      const login = logIn({ issuer: 'https://issuer.example', interaction: terminal() }, { client: server.client });
      await assert.rejects(login, KeylessError);
      assert.deepEqual(server.lines(), ['GET https://issuer.example/.well-known/openid-configuration']);
    }
  });

  test('over plain http beyond this machine', async () => {
    for (const issuer of ['http://issuer.example', 'http://10.0.0.1/oidc', 'issuer.example']) {
      const login = logIn({ issuer, interaction: terminal() }, { client: silentServer().client });
      await assert.rejects(login, { code: 'setting-malformed', message: /the OIDC issuer/ });
    }
  });

  test('that answers megabytes', async () => {
    await using provider = await openIdProvider({ metadata: (metadata) => ({ ...metadata, x: 'x'.repeat(400_000) }) });
    await assert.rejects(browser(provider, person()), { code: 'token-unavailable', message: /262144/ });
  });
});

test('a search for a token ends in a login, by the browser where there is one', async () => {
  await using provider = await openIdProvider();
  const paths = { token: '/nonexistent/token', machine: '/nonexistent/machine', spiffeSocket: '/nonexistent/socket' };
  const alice = person();
  const login = { issuer: provider.issuer.url, interaction: alice };
  const found = await findIdentityToken({ client: client(), environment: { CI: 'true' }, paths, login });
  assert.deepEqual([found.source, found.from], ['browser', `a login at ${provider.issuer.url}`]);
  const onTerminal = { issuer: provider.issuer.url, interaction: terminal() };
  const other = await findIdentityToken({ client: client(impatient), environment: {}, paths, login: onTerminal });
  assert.equal(other.source, 'device');
});

test('a flow that does not exist, or has nobody to ask, is refused', async () => {
  const options = { client: silentServer().client };
  const issuer = 'https://issuer.example';
  await assert.rejects(logIn({ issuer }, options), { code: 'setting-malformed', message: /nobody is there/ });
  await assert.rejects(logIn({ issuer, flow: 'token' }, options), { code: 'token-not-found' });
  await assert.rejects(logIn({ issuer, flow: 'implicit' as 'normal' }, options), {
    code: 'setting-malformed',
    message: /'implicit'/,
  });
});

async function post(url: URL): Promise<number> {
  return await new Promise((resolve, reject) => {
    const request = http.request(url, { method: 'POST', agent: false, family: 4 }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on('error', reject);
    request.end();
  });
}

/** As Go's clients write a form: by name. */
function sortedForm(form: Readonly<Record<string, string>>): string {
  const sorted = new URLSearchParams(form);
  sorted.sort();
  return sorted.toString();
}
