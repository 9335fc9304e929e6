// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeJwt } from 'jose';
import { decodeIssuerDocument } from './issuer-document.ts';
import {
  actionOf,
  authorizationTarget,
  BEGIN,
  CALLBACK,
  DOCUMENT,
  newChallenge,
  PASSWORD,
  TestIssuer,
  URL_OF_ISSUER,
  type Answered,
} from './issuer.fixture.ts';

const ALICE = { username: 'alice', password: PASSWORD, decision: 'allow' };

/** Logs Alice in. @returns where she is sent back to */
async function logIn(issuer: TestIssuer, challenge: string): Promise<URL> {
  const page = await issuer.browse('GET', authorizationTarget(challenge));
  const sent = await issuer.fill(page, ALICE);
  assert.equal(sent.status, 303, sent.text);
  return new URL(sent.headers['location'] ?? '');
}

function codeForm(back: URL, verifier: string, more: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    grant_type: 'authorization_code',
    code: back.searchParams.get('code') ?? '',
    redirect_uri: CALLBACK,
    client_id: 'sigstore',
    code_verifier: verifier,
    ...more,
  };
}

describe('a person who logs in', () => {
  test('is sent back with a code, state and issuer, for which the program gets a token', async () => {
    const issuer = await TestIssuer.open();
    const { verifier, challenge } = newChallenge();
    const back = await logIn(issuer, challenge);
    assert.equal(back.origin + back.pathname, CALLBACK);
    assert.deepEqual([back.searchParams.get('state'), back.searchParams.get('iss')], ['a state', URL_OF_ISSUER]);
    issuer.pass(10);
    const { status, json, headers } = await issuer.token(codeForm(back, verifier));
    assert.equal(status, 200);
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(json['token_type'], 'Bearer');
    const begins = BEGIN.getTime() / 1000;
    assert.deepEqual(decodeJwt(String(json['id_token'])), {
      iss: URL_OF_ISSUER,
      sub: 'alice@example.com',
      aud: 'sigstore',
      email: 'alice@example.com',
      email_verified: true,
      groups: ['release'],
      nonce: 'a nonce',
      auth_time: begins,
      iat: begins + 10,
      nbf: begins + 10,
      exp: begins + 610,
    });
    assert.notEqual(json['access_token'], json['id_token']);
  });

  test('sees which program asks and where the answer goes, and loads nothing else', async () => {
    const issuer = await TestIssuer.open();
    const page = await issuer.browse('GET', authorizationTarget(newChallenge().challenge, { login_hint: 'ali<ce>"' }));
    assert.equal(page.status, 200);
    assert.match(page.text, /<strong>sigstore<\/strong> wants to know who you are.*localhost:41234/);
    assert.match(page.text, /value="ali&lt;ce&gt;&quot;"/);
    const policy = page.headers['content-security-policy'] ?? '';
    assert.match(policy, /default-src 'none'.*form-action 'self' http:\/\/localhost:41234; frame-ancestors 'none'/);
    assert.equal(page.headers['x-frame-options'], 'DENY');
    assert.equal(page.headers['cache-control'], 'no-store');
    assert.match(
      page.headers['set-cookie'] ?? '',
      /^bulla-form=[\w-]{43}; Path=\/oidc; HttpOnly; SameSite=Lax; Max-Age=3600$/,
    );
    assert.match(page.text, /<html lang="en">/);
    const inputs = [...page.text.matchAll(/<input id="(\w+)"/g)].map(([, id]) => id);
    for (const id of inputs) assert.ok(page.text.includes(`<label for="${id}">`), `no label for ${id}`);
    assert.ok(!page.text.includes('<script'));
    const style = /<style>([^]*)<\/style>/.exec(page.raw)?.[1] ?? '';
    assert.ok(
      policy.includes(`style-src 'sha256-${hash('sha256', style, 'base64')}'`),
      'the policy names another style',
    );
  });

  test('has a cookie that only TLS carries where the issuer has TLS, under its path', async () => {
    const issuer = await TestIssuer.open({ url: 'https://example.com/sign' });
    const page = await issuer.browse('GET', authorizationTarget(newChallenge().challenge));
    assert.match(page.headers['set-cookie'] ?? '', /Path=\/sign\/oidc; .*; Secure$/);
    assert.match(actionOf(page), /^\/sign\/oidc\/auth\?/);
  });

  test('may have the page open twice', async () => {
    const issuer = await TestIssuer.open();
    const first = await issuer.browse('GET', authorizationTarget(newChallenge().challenge));
    await issuer.browse('GET', authorizationTarget(newChallenge().challenge));
    assert.equal((await issuer.fill(first, ALICE)).status, 303);
  });

  test('may cancel, which the program is told', async () => {
    const issuer = await TestIssuer.open();
    const page = await issuer.browse('GET', authorizationTarget(newChallenge().challenge));
    const back = new URL((await issuer.fill(page, { decision: 'deny' })).headers['location'] ?? '');
    assert.deepEqual([back.searchParams.get('error'), back.searchParams.get('state')], ['access_denied', 'a state']);
  });
});

describe('a login is refused', () => {
  test('with a wrong password and with a name that nobody has, in the same words', async () => {
    const issuer = await TestIssuer.open();
    const page = await issuer.browse('GET', authorizationTarget(newChallenge().challenge));
    const alerts = [];
    for (const fields of [
      { username: 'alice', password: 'wrong' },
      { username: 'mallory', password: PASSWORD },
      { username: 'alice', password: '' },
      { username: '', password: '' },
      { username: 'alice', password: 'x'.repeat(2000) },
    ]) {
      const answered = await issuer.fill(page, fields);
      assert.equal(answered.status, 403);
      assert.ok(!answered.text.includes('value="wrong'), 'the password came back');
      alerts.push(/<p role="alert">(.*?)<\/p>/.exec(answered.text)?.[1]);
    }
    assert.deepEqual([...new Set(alerts)], ['User name or password is wrong.']);
  });

  test('after ten wrong passwords, also with the right one, until a minute has passed', async () => {
    const issuer = await TestIssuer.open();
    const page = await issuer.browse('GET', authorizationTarget(newChallenge().challenge));
    for (let attempt = 0; attempt < 10; attempt++)
      assert.equal((await issuer.fill(page, { ...ALICE, password: `wrong ${attempt}` })).status, 403);
    const late = await issuer.fill(page, ALICE);
    assert.deepEqual([late.status, late.headers['retry-after']], [429, '60']);
    assert.match(late.text, /too many tries. Try again in 60 seconds/);
    assert.equal((await issuer.fill(page, { ...ALICE, username: 'bob' })).status, 303, 'another name suffers');
    issuer.pass(60);
    assert.equal((await issuer.fill(page, ALICE)).status, 303);
    assert.equal((await issuer.fill(page, ALICE)).status, 303, 'a right password counts as a try');
  });

  test('as late for a name that nobody has', async () => {
    const issuer = await TestIssuer.open();
    const page = await issuer.browse('GET', authorizationTarget(newChallenge().challenge));
    const statuses = [];
    for (let attempt = 0; attempt < 11; attempt++)
      statuses.push((await issuer.fill(page, { ...ALICE, username: 'mallory' })).status);
    assert.deepEqual(statuses, [...Array<number>(10).fill(403), 429]);
  });

  test('when too many log in at a time', async () => {
    const issuer = await TestIssuer.open();
    const page = await issuer.browse('GET', authorizationTarget(newChallenge().challenge));
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, at) => issuer.fill(page, { ...ALICE, username: `user${at}` })),
    );
    const statuses = answers.map(({ status }) => status);
    assert.equal(statuses.filter((status) => status === 429).length, 8);
  });

  test('by a form that was not shown in this browser', async () => {
    const issuer = await TestIssuer.open();
    const target = authorizationTarget(newChallenge().challenge);
    const page = await issuer.browse('GET', target);
    const cookie = page.headers['set-cookie']?.split(';', 1)[0] ?? '';
    const secret = cookie.split('=')[1] ?? '';
    const other = 'A'.repeat(43);
    const form = { ...ALICE, form: secret };
    const bad: readonly (readonly [Record<string, string>, Record<string, string>])[] = [
      [{ cookie }, { ...ALICE }],
      [{ cookie }, { ...ALICE, form: other }],
      [{}, form],
      [{ cookie: `bulla-form=${other}` }, form],
      [{ cookie: 'bulla-form=' }, { ...ALICE, form: '' }],
      [{ cookie, origin: 'https://evil.example' }, form],
      [{ cookie, origin: 'null' }, form],
      [{ cookie, 'sec-fetch-site': 'cross-site' }, form],
      [{ cookie, 'sec-fetch-site': 'same-site' }, form],
    ];
    for (const [headers, fields] of bad) {
      const answered = await issuer.ask('POST', target, { headers, form: fields });
      assert.equal(answered.status, 403, JSON.stringify(headers));
      assert.equal(answered.headers['location'], undefined);
    }
    assert.equal((await issuer.ask('POST', target, { headers: { cookie }, form })).status, 303);
  });

  test('when the user was taken out of the document', async () => {
    const issuer = await TestIssuer.open();
    const page = await issuer.browse('GET', authorizationTarget(newChallenge().challenge));
    const text = DOCUMENT.replace('alice:', 'carol:');
    issuer.issuer.replaceDocument(await decodeIssuerDocument(text, 'issuer.yaml'));
    assert.equal((await issuer.fill(page, ALICE)).status, 403);
  });
});

describe('nobody is sent on', () => {
  for (const [name, more] of [
    ['by a program that is not known', { client_id: 'mallory' }],
    ['by no program', { client_id: undefined }],
    ['to an address that is not registered', { redirect_uri: 'https://evil.example/' }],
    ['to no address', { redirect_uri: undefined }],
    ['to a script', { redirect_uri: 'javascript:alert(1)' }],
    ['to an address of another client', { redirect_uri: 'https://console.example/callback' }],
    ['to a host that only begins so', { redirect_uri: 'http://localhost.evil.example/auth/callback' }],
  ] as const)
    test(name, async () => {
      const issuer = await TestIssuer.open();
      for (const method of ['GET', 'POST']) {
        const target = authorizationTarget(newChallenge().challenge, more);
        const answered = await issuer.browse(method, target, method === 'POST' ? ALICE : undefined);
        assert.equal(answered.status, 400);
        assert.equal(answered.headers['location'], undefined);
        assert.ok(!answered.text.includes('evil.example'), 'what a stranger wrote stands on the page');
      }
    });

  test('by a request with a parameter twice', async () => {
    const issuer = await TestIssuer.open();
    const target = `${authorizationTarget(newChallenge().challenge)}&client_id=sigstore`;
    const answered = await issuer.browse('GET', target);
    assert.equal(answered.status, 400);
    assert.match(answered.text, /client_id stands there twice/);
  });
});

describe('a program is told, by way of its own address', () => {
  for (const [name, more, error] of [
    ['that only codes are given', { response_type: 'token' }, 'unsupported_response_type'],
    ['that PKCE is missing', { code_challenge: undefined }, 'invalid_request'],
    ['that plain PKCE is none', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['that its challenge is no SHA-256', { code_challenge: 'short' }, 'invalid_request'],
    ['that its scope lacks openid', { scope: 'email' }, 'invalid_scope'],
    ['that request objects are not read', { request: 'x.y.z' }, 'request_not_supported'],
    ['that request objects are not fetched', { request_uri: 'http://127.0.0.1/' }, 'request_uri_not_supported'],
    ['that fragments are not answered', { response_mode: 'form_post' }, 'invalid_request'],
    ['that nobody is logged in already', { prompt: 'none' }, 'login_required'],
    ['that its nonce is too long', { nonce: 'x'.repeat(600) }, 'invalid_request'],
    ['that its state is too long', { state: 'x'.repeat(3000) }, 'invalid_request'],
  ] as const)
    test(name, async () => {
      const issuer = await TestIssuer.open();
      const answered = await issuer.browse('GET', authorizationTarget(newChallenge().challenge, more));
      assert.equal(answered.status, 303);
      const back = new URL(answered.headers['location'] ?? '');
      assert.equal(back.origin + back.pathname, CALLBACK);
      assert.equal(back.searchParams.get('error'), error);
      assert.equal(back.searchParams.get('code'), null);
      assert.equal(back.searchParams.get('iss'), URL_OF_ISSUER);
    });
});

describe('a code', () => {
  async function refuse(
    change: (form: Record<string, string>) => Record<string, string>,
    error: string,
  ): Promise<TestIssuer> {
    const issuer = await TestIssuer.open();
    const { verifier, challenge } = newChallenge();
    const back = await logIn(issuer, challenge);
    const good = codeForm(back, verifier);
    const { status, json } = await issuer.token(change(good));
    assert.deepEqual([status, json['error']], [error === 'invalid_client' ? 401 : 400, error]);
    return issuer;
  }

  test('is redeemed once', async () => {
    const issuer = await TestIssuer.open();
    const { verifier, challenge } = newChallenge();
    const back = await logIn(issuer, challenge);
    const both = await Promise.all([issuer.token(codeForm(back, verifier)), issuer.token(codeForm(back, verifier))]);
    assert.deepEqual(
      both.map(({ status }) => status).toSorted((a, b) => a - b),
      [200, 400],
    );
    assert.equal((await issuer.token(codeForm(back, verifier))).json['error'], 'invalid_grant');
  });

  test('is used up by a wrong verifier, so that nobody gets to guess', async () => {
    const issuer = await TestIssuer.open();
    const { verifier, challenge } = newChallenge();
    const back = await logIn(issuer, challenge);
    for (const tried of ['x'.repeat(43), verifier])
      assert.equal((await issuer.token(codeForm(back, tried))).json['error'], 'invalid_grant');
  });

  test('is not used up by a program that cannot say who it is, as Go tries one way and then the other', async () => {
    const issuer = await TestIssuer.open();
    const { verifier, challenge } = newChallenge();
    const back = await logIn(issuer, challenge);
    const wrong = await issuer.token(codeForm(back, verifier, { client_secret: 'none needed' }));
    assert.deepEqual([wrong.status, wrong.json['error']], [401, 'invalid_client']);
    const { client_id: id, ...form } = codeForm(back, verifier);
    const authorization = `Basic ${Buffer.from(`${id}:`).toString('base64')}`;
    assert.equal((await issuer.token(form, { authorization })).status, 200);
  });

  test('is refused to another client', async () => {
    await refuse((form) => ({ ...form, client_id: 'console', client_secret: 'the secret' }), 'invalid_grant');
  });
  test('is refused without its redirect_uri', async () => {
    await refuse((form) => ({ ...form, redirect_uri: 'http://localhost:1/auth/callback' }), 'invalid_grant');
  });
  test('is refused without its verifier', async () => {
    await refuse((form) => ({ ...form, code_verifier: '' }), 'invalid_request');
  });
  test('is refused where it is none', async () => {
    await refuse((form) => ({ ...form, code: 'x'.repeat(43) }), 'invalid_grant');
  });
  test('is refused to a workload', async () => {
    await refuse((form) => ({ ...form, client_id: 'nightly', client_secret: 'wrong' }), 'invalid_client');
  });

  test('is refused a minute after the login', async () => {
    const issuer = await TestIssuer.open();
    const { verifier, challenge } = newChallenge();
    const back = await logIn(issuer, challenge);
    issuer.pass(60);
    assert.equal((await issuer.token(codeForm(back, verifier))).json['error'], 'invalid_grant');
  });
});

test('whatever is in the address, the page holds no markup of it and leads nowhere else', async () => {
  const issuer = await TestIssuer.open();
  const { challenge } = newChallenge();
  const nasty = fc.oneof(
    fc.string(),
    fc.constantFrom('"><script>alert(1)</script>', "'-->", '\u2028', '%0d%0aset-cookie:x'),
  );
  const more = fc.record({
    state: nasty,
    nonce: nasty,
    login_hint: nasty,
    client_id: fc.oneof(fc.constant('sigstore'), nasty),
    redirect_uri: fc.oneof(fc.constant(CALLBACK), nasty),
    scope: fc.oneof(fc.constant('openid'), nasty),
  });
  await fc.assert(
    fc.asyncProperty(more, async (fields) => {
      const answered: Answered = await issuer.ask('GET', authorizationTarget(challenge, fields));
      assert.ok([200, 303, 400].includes(answered.status), String(answered.status));
      assert.ok(!/<script|-->/.test(answered.text));
      for (const value of Object.values(answered.headers)) assert.ok(!/[\r\n]/.test(value));
      const { location } = answered.headers;
      if (location !== undefined) assert.equal(new URL(location).host, 'localhost:41234');
      if (answered.status === 200) assert.ok(actionOf(answered).startsWith('/oidc/auth?'));
    }),
  );
});
