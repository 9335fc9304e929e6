// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeJwt } from 'jose';
import { WireError } from '../../wire/index.ts';
import { decodeIssuerDocument } from './issuer-document.ts';
import { DOCUMENT, TestIssuer, TOKEN, URL_OF_ISSUER } from './issuer.fixture.ts';

const CREDENTIALS = { grant_type: 'client_credentials', scope: 'openid email' };
const NIGHTLY = { ...CREDENTIALS, client_id: 'nightly', client_secret: TOKEN };

function basic(user: string, secret: string): { readonly authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}` };
}

describe('a workload', () => {
  test('gets a token with its subject and claims, for Sigstore and for itself', async () => {
    const issuer = await TestIssuer.open();
    const { status, json } = await issuer.token(NIGHTLY);
    assert.equal(status, 200);
    assert.equal(json['access_token'], json['id_token']);
    assert.equal(json['expires_in'], 600);
    const claims = decodeJwt(String(json['id_token']));
    assert.deepEqual(
      [claims.sub, claims.aud, claims['azp'], claims['repository'], claims['attempt'], claims['email']],
      ['https://ci.example/nightly', ['sigstore', 'nightly'], 'nightly', 'acme/app', 2, undefined],
    );
  });

  test('says who it is by Basic authentication as well', async () => {
    const issuer = await TestIssuer.open();
    assert.equal((await issuer.token(CREDENTIALS, basic('nightly', TOKEN))).status, 200);
    assert.equal((await issuer.token({ ...CREDENTIALS, client_id: 'nightly' }, basic('nightly', TOKEN))).status, 200);
  });

  test('is given a token as a runner of GitHub Actions is', async () => {
    const issuer = await TestIssuer.open();
    const headers = { authorization: `bearer ${TOKEN}` };
    for (const target of ['/oidc/workload?&audience=sigstore', '/oidc/workload']) {
      const { status, json } = await issuer.ask('GET', target, { headers });
      assert.equal(status, 200);
      assert.deepEqual(Object.keys(json), ['value']);
      assert.equal(decodeJwt(String(json['value'])).aud, 'sigstore');
    }
    const other = await issuer.ask('GET', '/oidc/workload?audience=elsewhere', { headers });
    assert.deepEqual([other.status, other.json['error']], [400, 'invalid_target']);
    for (const authorization of ['', 'Bearer', 'Bearer wrong', `Basic ${TOKEN}`, `Bearer ${TOKEN} `.trim() + 'x']) {
      const refused = await issuer.ask('GET', '/oidc/workload', { headers: { authorization } });
      assert.deepEqual([refused.status, refused.json['error']], [401, 'invalid_token']);
      assert.match(refused.headers['www-authenticate'] ?? '', /^Bearer /);
    }
  });

  test('has a token that lives as long as the issuer says', async () => {
    const issuer = await TestIssuer.open({ lifetime: 60 });
    const { json } = await issuer.token(NIGHTLY);
    const { iat = 0, exp } = decodeJwt(String(json['id_token']));
    assert.deepEqual([exp, json['expires_in']], [iat + 60, 60]);
  });

  test('counts no longer once the document changed, and a new one counts at once', async () => {
    const issuer = await TestIssuer.open();
    issuer.issuer.replaceDocument(await decodeIssuerDocument(DOCUMENT.replace('nightly:', 'weekly:'), 'x'));
    assert.equal((await issuer.token(NIGHTLY)).status, 401);
    assert.equal((await issuer.token({ ...NIGHTLY, client_id: 'weekly' })).status, 200);
  });
});

describe('the token endpoint refuses', () => {
  const cases: readonly (readonly [string, Record<string, string>, Record<string, string>, number, string])[] = [
    ['a wrong secret', { ...NIGHTLY, client_secret: 'wrong' }, {}, 401, 'invalid_client'],
    ['no secret', { ...NIGHTLY, client_secret: '' }, {}, 401, 'invalid_client'],
    ['a workload that is not known', { ...NIGHTLY, client_id: 'mallory' }, {}, 401, 'invalid_client'],
    ['nobody', CREDENTIALS, {}, 401, 'invalid_client'],
    ['a wrong secret by Basic', CREDENTIALS, basic('nightly', 'wrong'), 401, 'invalid_client'],
    ['Basic that is none', CREDENTIALS, { authorization: 'Basic !' }, 401, 'invalid_client'],
    ['Basic that is not escaped', CREDENTIALS, basic('nightly', '%'), 401, 'invalid_client'],
    ['a bearer', CREDENTIALS, { authorization: `Bearer ${TOKEN}` }, 401, 'invalid_client'],
    ['two ways to say who one is', NIGHTLY, basic('nightly', TOKEN), 400, 'invalid_request'],
    ['two names', { ...CREDENTIALS, client_id: 'sigstore' }, basic('nightly', TOKEN), 400, 'invalid_request'],
    ['a client without a person', { ...CREDENTIALS, client_id: 'sigstore' }, {}, 400, 'unauthorized_client'],
    ['a workload with a code', { ...NIGHTLY, grant_type: 'authorization_code' }, {}, 400, 'unauthorized_client'],
    ['a grant that is not known', { ...NIGHTLY, grant_type: 'password' }, {}, 400, 'unsupported_grant_type'],
    ['no grant', { client_id: 'sigstore' }, {}, 400, 'invalid_request'],
  ];
  for (const [name, form, headers, status, error] of cases)
    test(name, async () => {
      const issuer = await TestIssuer.open();
      const answered = await issuer.token(form, headers);
      assert.deepEqual([answered.status, answered.json['error']], [status, error]);
      assert.equal(answered.headers['cache-control'], 'no-store');
      assert.ok(!answered.text.includes(TOKEN));
      if (status === 401) assert.match(answered.headers['www-authenticate'] ?? '', /^Basic /);
    });

  test('what is no form, too much, or a parameter twice', async () => {
    const issuer = await TestIssuer.open();
    const json = await issuer.ask('POST', '/oidc/token', {
      form: '{}',
      headers: { 'content-type': 'application/json' },
    });
    assert.equal(json.status, 415);
    assert.equal((await issuer.ask('POST', '/oidc/token', { form: `a=${'x'.repeat(20_000)}` })).status, 413);
    const many = Array.from({ length: 40 }, (_, at) => `p${at}=1`).join('&');
    assert.match((await issuer.ask('POST', '/oidc/token', { form: many })).text, /more than the 32 parameters/);
    const twice = await issuer.ask('POST', '/oidc/token', { form: 'grant_type=a&grant_type=' });
    assert.match(String(twice.json['error_description']), /grant_type stands there twice/);
  });

  test('a body without an end, having read little of it', async () => {
    const { issuer } = await TestIssuer.open();
    let chunks = 0;
    const body = (async function* (): AsyncIterable<Uint8Array> {
      for (; chunks < 1000; chunks++) yield Buffer.alloc(4096, 'a');
    })();
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const call = { method: 'POST', target: '/oidc/token', headers, body };
    await assert.rejects(issuer.service.answer(call), { code: 'invalid_request', status: 413 });
    assert.ok(chunks < 10);
  });

  test('a body that breaks off, and says nothing of what nobody foresaw', async () => {
    const { issuer } = await TestIssuer.open();
    const reply = async (error: Error) => {
      const body = (async function* (): AsyncIterable<Uint8Array> {
        yield Buffer.from('grant');
        throw error;
      })();
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      const call = { method: 'POST', target: '/oidc/token', headers, body };
      return issuer.service.answer(call).catch((fault: unknown) => issuer.service.fault(fault));
    };
    assert.equal((await reply(new WireError('body-ended', 'the body ended'))).status, 400);
    assert.equal((await reply(new WireError('body-slow', 'the body is slow'))).status, 408);
    const failed = await reply(new Error('/secret/path'));
    assert.equal(failed.status, 500);
    assert.ok(typeof failed.body === 'string' && !failed.body.includes('secret'));
  });
});

describe('an issuer', () => {
  test('says what there is', async () => {
    const issuer = await TestIssuer.open();
    const { json, headers } = await issuer.ask('GET', '/.well-known/openid-configuration');
    assert.equal(headers['cache-control'], 'public, max-age=300');
    assert.equal(json['issuer'], URL_OF_ISSUER);
    assert.deepEqual(json['id_token_signing_alg_values_supported'], ['RS256']);
    assert.deepEqual(json['code_challenge_methods_supported'], ['S256']);
    const endpoints = Object.entries(json).filter(([name]) => /_(endpoint|uri)$/.test(name));
    assert.equal(endpoints.length, 4);
    for (const [, endpoint] of endpoints) {
      const target = String(endpoint).slice(URL_OF_ISSUER.length);
      const statuses = await Promise.all(
        ['GET', 'POST'].map(async (method) => (await issuer.ask(method, target)).status),
      );
      assert.ok(!statuses.includes(404), target);
    }
  });

  test('names what it does not have, and how it is asked', async () => {
    const issuer = await TestIssuer.open();
    assert.equal((await issuer.ask('GET', '/oidc/userinfo')).status, 404);
    assert.equal((await issuer.ask('GET', '/__proto__')).status, 404);
    const put = await issuer.ask('PUT', '/oidc/device');
    assert.deepEqual([put.status, put.headers['allow']], [405, 'GET, POST']);
    assert.equal((await issuer.ask('GET', '/oidc/token')).status, 405);
    assert.equal((await issuer.ask('HEAD', '/oidc/keys')).status, 200);
  });

  test('is not put off by anything that is sent to it', async () => {
    const issuer = await TestIssuer.open();
    const names = fc.constantFrom(
      'grant_type',
      'client_id',
      'client_secret',
      'code',
      'device_code',
      'user_code',
      'scope',
      'username',
      'password',
      'form',
      'approval',
      '__proto__',
    );
    const values = fc.oneof(
      fc.string(),
      fc.constantFrom(
        'authorization_code',
        'client_credentials',
        'urn:ietf:params:oauth:grant-type:device_code',
        'sigstore',
        'nightly',
        TOKEN,
        'openid',
      ),
    );
    const forms = fc.oneof(
      fc.dictionary(names, values).map((form) => new URLSearchParams(form).toString()),
      fc.string(),
    );
    const targets = fc.constantFrom(
      '/oidc/token',
      '/oidc/device/code',
      '/oidc/device',
      '/oidc/device/decision',
      '/oidc/auth',
    );
    const authorizations = fc.oneof(
      fc.constant(''),
      fc.string(),
      fc.string().map((text) => basic(text, text).authorization),
    );
    await fc.assert(
      fc.asyncProperty(targets, forms, authorizations, async (target, form, authorization) => {
        const answered = await issuer.ask('POST', target, { form, headers: { authorization } });
        assert.ok(answered.status < 500, `${answered.status} ${answered.text}`);
      }),
    );
  });
});
