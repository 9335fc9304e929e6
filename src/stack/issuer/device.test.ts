// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeJwt } from 'jose';
import { DeviceFlows, shownCode } from './device-flows.ts';
import { SIGSTORE_CLIENT } from './issuer-document.ts';
import { BEGIN, newChallenge, PASSWORD, TestIssuer, URL_OF_ISSUER, type Answered } from './issuer.fixture.ts';

const ALICE = { username: 'alice', password: PASSWORD };
const GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

interface Device {
  readonly issuer: TestIssuer;
  readonly code: string;
  readonly begun: Answered;
  poll(more?: Readonly<Record<string, string>>): Promise<Answered>;
}

/** A device that has begun, as cosign does it. */
async function begin(issuer: TestIssuer, more: Readonly<Record<string, string>> = {}): Promise<Device> {
  const { verifier, challenge } = newChallenge();
  const form = {
    client_id: 'sigstore',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    scope: 'openid email',
    ...more,
  };
  const begun = await issuer.ask('POST', '/oidc/device/code', { form });
  assert.equal(begun.status, 200, begun.text);
  const poll = (changed: Readonly<Record<string, string>> = {}) =>
    issuer.token({
      grant_type: GRANT,
      client_id: 'sigstore',
      device_code: String(begun.json['device_code']),
      code_verifier: verifier,
      scope: 'openid email',
      ...changed,
    });
  return { issuer, code: String(begun.json['user_code']), begun, poll };
}

const open = async () => begin(await TestIssuer.open());

/** Logs in on the first page. @returns the question */
async function logIn({ issuer, code }: Device, fields: Readonly<Record<string, string>> = {}): Promise<Answered> {
  const page = await issuer.browse('GET', `/oidc/device?user_code=${code}`);
  return issuer.fill(page, { user_code: code, ...ALICE, ...fields });
}

describe('a device', () => {
  test('is told where the person goes, with a code to read', async () => {
    const { begun, code } = await open();
    assert.match(code, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
    const { device_code: secret, ...told } = begun.json;
    assert.match(String(secret), /^[\w-]{43}$/);
    assert.deepEqual(told, {
      user_code: code,
      verification_uri: `${URL_OF_ISSUER}/oidc/device`,
      verification_uri_complete: `${URL_OF_ISSUER}/oidc/device?user_code=${code}`,
      expires_in: 600,
      interval: 2,
    });
    assert.equal(begun.headers['cache-control'], 'no-store');
  });

  test('gets a token once the person approved, and only once', async () => {
    const device = await open();
    assert.equal((await device.poll()).json['error'], 'authorization_pending');
    const question = await logIn(device);
    assert.equal(question.status, 200);
    assert.match(
      question.text,
      /<strong>sigstore<\/strong> asked 0 seconds ago to sign as <strong>alice@example\.com</,
    );
    assert.ok(question.text.includes(device.code));
    device.issuer.pass(2);
    assert.equal((await device.poll()).json['error'], 'authorization_pending', 'the login alone is no approval');
    const done = await device.issuer.fill(question, { decision: 'approve' });
    assert.match(done.text, /goes on as <strong>alice@example\.com<\/strong>/);
    device.issuer.pass(2);
    const { status, json } = await device.poll();
    assert.equal(status, 200);
    const claims = decodeJwt(String(json['id_token']));
    assert.deepEqual([claims.sub, claims.aud, claims['nonce']], ['alice@example.com', 'sigstore', undefined]);
    assert.equal((await device.poll()).json['error'], 'expired_token');
  });

  test('gets nothing once the person denied', async () => {
    const device = await open();
    const question = await logIn(device);
    assert.match((await device.issuer.fill(question, { decision: 'deny' })).text, /gets nothing/);
    assert.equal((await device.poll()).json['error'], 'access_denied');
    assert.equal((await device.poll()).json['error'], 'expired_token');
  });

  test('that polls too often is slowed down, more each time', async () => {
    const device = await open();
    await device.poll();
    device.issuer.pass(1);
    assert.deepEqual((await device.poll()).json, { error: 'slow_down', error_description: 'poll every 7 seconds' });
    device.issuer.pass(6);
    assert.equal((await device.poll()).json['error'], 'slow_down');
    device.issuer.pass(12);
    assert.equal((await device.poll()).json['error'], 'authorization_pending');
  });

  test('waits ten minutes', async () => {
    const device = await open();
    device.issuer.pass(599);
    assert.equal((await device.poll()).json['error'], 'authorization_pending');
    const question = await logIn(device);
    device.issuer.pass(1);
    assert.equal((await device.poll()).json['error'], 'expired_token');
    assert.equal((await device.issuer.fill(question, { decision: 'approve' })).status, 400);
    assert.equal((await logIn(device)).status, 404);
  });

  test('shows its verifier, where it began with a challenge', async () => {
    const device = await open();
    for (const wrong of ['x'.repeat(43), 'short'])
      assert.equal((await device.poll({ code_verifier: wrong })).json['error'], 'invalid_grant');
    assert.equal((await device.poll({ code_verifier: '' })).json['error'], 'invalid_request');
    const plain = await device.issuer.ask('POST', '/oidc/device/code', {
      form: { client_id: 'sigstore', scope: 'openid', code_challenge: 'x', code_challenge_method: 'plain' },
    });
    assert.equal(plain.json['error'], 'invalid_request');
    const without = await begin(device.issuer, { code_challenge: '', code_challenge_method: '' });
    assert.equal((await without.poll({ code_verifier: '' })).json['error'], 'authorization_pending');
  });

  test('begins only for a client that is known, as itself, for openid', async () => {
    const issuer = await TestIssuer.open();
    const ask = async (form: Readonly<Record<string, string>>) =>
      (await issuer.ask('POST', '/oidc/device/code', { form })).json['error'];
    assert.equal(await ask({ client_id: 'mallory', scope: 'openid' }), 'invalid_client');
    assert.equal(await ask({ client_id: 'console', scope: 'openid' }), 'invalid_client');
    assert.equal(await ask({ scope: 'openid' }), 'invalid_client');
    assert.equal(await ask({ client_id: 'sigstore', scope: 'email' }), 'invalid_scope');
    const device = await begin(issuer);
    const other = await device.poll({ client_id: 'console', client_secret: 'the secret' });
    assert.equal(other.json['error'], 'invalid_grant');
  });

  test('waits with at most 2,000 others, of whom none is driven out', async () => {
    const clock = { now: BEGIN };
    const flows = new DeviceFlows(() => clock.now);
    const first = flows.begin(SIGSTORE_CLIENT, undefined, 2);
    assert.ok(first !== undefined);
    for (let more = 1; more < 2000; more++) assert.ok(flows.begin(SIGSTORE_CLIENT, undefined, 2));
    assert.equal(flows.begin(SIGSTORE_CLIENT, undefined, 2), undefined);
    assert.equal(flows.byDeviceCode(first.deviceCode), first.flow);
    clock.now = new Date(BEGIN.getTime() + 600_000);
    assert.ok(flows.begin(SIGSTORE_CLIENT, undefined, 2));
    assert.equal(flows.byUserCode(first.flow.userCode), undefined);
  });
});

describe('the pages for a device', () => {
  test('take a code in lower case and without its dash', async () => {
    const device = await open();
    const page = await device.issuer.browse('GET', '/oidc/device');
    const typed = ` ${device.code.toLowerCase().replace('-', ' ')} `;
    assert.equal((await device.issuer.fill(page, { user_code: typed, ...ALICE })).status, 200);
    assert.equal(shownCode('bcdfghjk'), 'BCDF-GHJK');
  });

  test('warn of codes that somebody else sent, label every field and show what stood in the address as text', async () => {
    const { issuer, code } = await open();
    const page = await issuer.browse('GET', `/oidc/device?user_code=${code}`);
    assert.match(page.text, /only if you started it yourself/);
    assert.ok(page.text.includes(`value="${code}"`));
    for (const [, id] of page.text.matchAll(/<input id="(\w+)"/g)) assert.ok(page.text.includes(`<label for="${id}">`));
    const nasty = await issuer.browse('GET', `/oidc/device?user_code=${encodeURIComponent('"><script>')}`);
    assert.ok(!nasty.text.includes('<script'));
    assert.equal((await issuer.browse('GET', '/oidc/device?user_code=a&user_code=b')).status, 400);
  });

  test('say only to who has logged in whether a code is one', async () => {
    const device = await open();
    const page = await device.issuer.browse('GET', '/oidc/device');
    const wrong = { username: 'alice', password: 'wrong' };
    const known = await device.issuer.fill(page, { ...wrong, user_code: device.code });
    const unknown = await device.issuer.fill(page, { ...wrong, user_code: 'BBBB-BBBB' });
    const alertOf = ({ text }: Answered) => /role="alert">(.*?)</.exec(text)?.[1];
    assert.deepEqual([known.status, alertOf(known)], [unknown.status, alertOf(unknown)]);
    const loggedIn = await device.issuer.fill(page, { ...ALICE, user_code: 'BBBB-BBBB' });
    assert.equal(loggedIn.status, 404);
    assert.match(alertOf(loggedIn) ?? '', /No program waits with this code/);
  });

  test('let one person try ten codes, then one a minute', async () => {
    const device = await open();
    const page = await device.issuer.browse('GET', '/oidc/device');
    for (let tried = 0; tried < 10; tried++)
      assert.equal((await device.issuer.fill(page, { ...ALICE, user_code: 'BBBB-BBBB' })).status, 404);
    assert.equal((await device.issuer.fill(page, { ...ALICE, user_code: device.code })).status, 429);
    device.issuer.pass(60);
    assert.equal((await device.issuer.fill(page, { ...ALICE, user_code: device.code })).status, 200);
  });

  test('take an approval once, from the browser that was asked, in five minutes', async () => {
    const device = await open();
    const question = await logIn(device);
    const secret = /name="form" value="([^"]*)"/.exec(question.text)?.[1] ?? '';
    const approval = /name="approval" value="([^"]*)"/.exec(question.text)?.[1] ?? '';
    const elsewhere = 'B'.repeat(43);
    const stolen = await device.issuer.ask('POST', '/oidc/device/decision', {
      headers: { cookie: `bulla-form=${elsewhere}` },
      form: { form: elsewhere, approval, decision: 'approve' },
    });
    assert.equal(stolen.status, 400);
    const forged = await device.issuer.ask('POST', '/oidc/device/decision', {
      headers: { cookie: `bulla-form=${secret}`, origin: 'https://evil.example' },
      form: { form: secret, approval, decision: 'approve' },
    });
    assert.equal(forged.status, 403);
    assert.equal((await device.poll()).json['error'], 'authorization_pending');
    const again = await logIn(device);
    assert.match((await device.issuer.fill(again, { decision: 'approve' })).text, /Approved/);
    assert.equal((await device.issuer.fill(again, { decision: 'approve' })).status, 400);
    const late = await begin(device.issuer);
    const asked = await logIn(late);
    late.issuer.pass(300);
    assert.equal((await late.issuer.fill(asked, { decision: 'approve' })).status, 400);
  });

  test('take the first answer of two', async () => {
    const device = await open();
    const [first, second] = [await logIn(device), await logIn(device, { username: 'bob' })];
    assert.match((await device.issuer.fill(first, { decision: 'deny' })).text, /Denied/);
    assert.equal((await device.issuer.fill(second, { decision: 'approve' })).status, 400);
    assert.equal((await device.poll()).json['error'], 'access_denied');
  });
});
