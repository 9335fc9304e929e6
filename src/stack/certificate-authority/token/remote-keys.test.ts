// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { JSONWebKeySet } from 'jose';
import { HttpClient, type Transport, type TransportRequest } from '../../../wire/index.ts';
import {
  ask,
  keyBody,
  newClientKey,
  openTestAuthority,
  rulesOf,
  TestIssuer,
  v2Call,
} from '../certificate-authority.fixture.ts';
import { decodeIssuers } from '../issuers/decode-issuers.ts';
import { CertificateRefusal } from '../refusal.ts';
import { RemoteKeys } from './remote-keys.ts';

const ISSUER = 'https://login.example.com/realm';

type Answer = {
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
};

/** Answers without a socket, and notes what it was asked for. */
class RecordingTransport implements Transport {
  readonly asked: string[] = [];
  readonly reaches: (string | undefined)[] = [];
  readonly #answer: (url: string) => Answer | Promise<Answer>;

  constructor(answer: (url: string) => Answer | Promise<Answer>) {
    this.#answer = answer;
  }

  async request({ url, reach }: TransportRequest): ReturnType<Transport['request']> {
    this.asked.push(url.href);
    this.reaches.push(reach);
    const { status = 200, body = {}, headers = {} } = await this.#answer(url.href);
    const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    return {
      status,
      headers,
      remoteAddress: '203.0.113.7',
      body: (async function* () {
        yield bytes;
      })(),
      discard: async () => {},
    };
  }

  close(): void {}
}

function open(
  transport: Transport,
  options: { readonly now?: () => Date; readonly issuer?: string; readonly publicOnly?: boolean } = {},
): RemoteKeys {
  const http = new HttpClient({
    transport,
    retry: { attempts: 1 },
    lookup: async () => [{ address: '203.0.113.7', family: 4 }],
  });
  return new RemoteKeys({ issuer: ISSUER, http, now: () => new Date(), publicOnly: false, ...options });
}

/** Discovery and keys at their usual places. */
function answers(keys: () => JSONWebKeySet, jwks = 'https://login.example.com/keys'): (url: string) => Answer {
  return (url) => {
    if (url === `${ISSUER}/.well-known/openid-configuration`) return { body: { issuer: ISSUER, jwks_uri: jwks } };
    if (url === jwks) return { body: keys() };
    return { status: 404 };
  };
}

const KEYS: JSONWebKeySet = { keys: [{ kty: 'EC', kid: 'a' }] };

describe('the keys of an issuer', () => {
  test('are found by discovery, and asked for once in five minutes', async () => {
    let now = Date.now();
    const transport = new RecordingTransport(answers(() => KEYS));
    const keys = open(transport, { now: () => new Date(now) });
    const sets = await Promise.all([keys.current(), keys.current(), keys.current()]);
    for (const set of sets) assert.deepEqual(set, KEYS);
    assert.deepEqual(transport.asked, [`${ISSUER}/.well-known/openid-configuration`, 'https://login.example.com/keys']);
    now += 4 * 60_000;
    await keys.current();
    assert.equal(transport.asked.length, 2);
    now += 2 * 60_000;
    await keys.current();
    assert.equal(transport.asked.length, 4);
  });

  test('are read anew for a token by none of them, and not at every token', async () => {
    let now = Date.now();
    const transport = new RecordingTransport(answers(() => KEYS));
    const keys = open(transport, { now: () => new Date(now) });
    await keys.current();
    assert.equal(await keys.refreshed(), undefined);
    now += 6000;
    const refreshed = await Promise.all(Array.from({ length: 20 }, () => keys.refreshed()));
    assert.ok(refreshed.every((set) => set !== undefined));
    assert.equal(transport.asked.length, 4);
    assert.equal(await keys.refreshed(), undefined);
  });

  test('that cannot be read again are believed for an hour, and no longer', async () => {
    let now = Date.now();
    let up = true;
    const good = answers(() => KEYS);
    const transport = new RecordingTransport((url) => (up ? good(url) : { status: 503 }));
    const keys = open(transport, { now: () => new Date(now) });
    await keys.current();
    up = false;
    now += 30 * 60_000;
    assert.deepEqual(await keys.current(), KEYS);
    now += 31 * 60_000;
    await assert.rejects(
      keys.current(),
      (error) => error instanceof CertificateRefusal && error.code === 'issuer-unreachable',
    );
  });

  for (const [what, answer] of [
    [
      'a discovery document of another issuer',
      () => ({ body: { issuer: 'https://evil.example', jwks_uri: 'https://login.example.com/keys' } }),
    ],
    ['a discovery document without keys', () => ({ body: { issuer: ISSUER } })],
    ['a discovery document that is no JSON', () => ({ body: '<html>' })],
    ['a discovery document of a megabyte', () => ({ body: { issuer: ISSUER, filler: 'x'.repeat(1_000_000) } })],
    ['an error', () => ({ status: 500 })],
    ['keys at no URL', () => ({ body: { issuer: ISSUER, jwks_uri: 'file:///etc/passwd' } })],
    [
      'keys that are no list',
      (url: string) =>
        url.endsWith('/keys')
          ? { body: { keys: 'x' } }
          : { body: { issuer: ISSUER, jwks_uri: 'https://login.example.com/keys' } },
    ],
    [
      'a thousand keys',
      (url: string) =>
        url.endsWith('/keys')
          ? { body: { keys: Array.from({ length: 1000 }, () => ({})) } }
          : { body: { issuer: ISSUER, jwks_uri: 'https://login.example.com/keys' } },
    ],
    ['a redirect', () => ({ status: 302, headers: { location: 'https://elsewhere.example/' } })],
  ] as const) {
    test(`that answers ${what} are unknown: that says nothing about the token`, async () => {
      const transport = new RecordingTransport(answer);
      await assert.rejects(open(transport).current(), (error) => {
        assert.ok(error instanceof CertificateRefusal && error.code === 'issuer-unreachable', String(error));
        assert.match(
          error.message,
          /^the keys of the issuer 'https:\/\/login\.example\.com\/realm' could not be read: /,
        );
        return true;
      });
      assert.ok(transport.asked.every((url) => !url.includes('elsewhere')));
    });
  }
});

describe('an issuer sends us nowhere inside', () => {
  for (const inner of [
    'http://169.254.169.254/latest',
    'https://169.254.169.254/keys',
    'https://127.0.0.1/keys',
    'https://localhost/keys',
    'https://10.0.0.7/keys',
    'https://[::1]/keys',
    'https://[::ffff:10.0.0.1]/keys',
  ]) {
    test(`by its jwks_uri ${inner}`, async () => {
      const transport = new RecordingTransport(answers(() => KEYS, inner));
      await assert.rejects(
        open(transport).current(),
        (error) => error instanceof CertificateRefusal && error.code === 'issuer-unreachable',
      );
      assert.deepEqual(transport.asked, [`${ISSUER}/.well-known/openid-configuration`]);
    });

    test(`by a redirect to ${inner}`, async () => {
      const transport = new RecordingTransport(() => ({ status: 307, headers: { location: inner } }));
      await assert.rejects(
        open(transport).current(),
        (error) => error instanceof CertificateRefusal && error.code === 'issuer-unreachable',
      );
      assert.deepEqual(transport.asked, [`${ISSUER}/.well-known/openid-configuration`]);
    });
  }

  test('but one that is on this machine itself may have its keys there', async () => {
    const issuer = 'http://127.0.0.1:5000/oidc';
    const transport = new RecordingTransport((url) =>
      url.endsWith('openid-configuration')
        ? { body: { issuer, jwks_uri: 'http://127.0.0.1:5000/oidc/keys' } }
        : { body: KEYS },
    );
    assert.deepEqual(await open(transport, { issuer }).current(), KEYS);
  });

  test('and one whose host the token has chosen is at a public address, by whatever name', async () => {
    const issuer = 'https://inner.clusters.example.com';
    const transport = new RecordingTransport(() => ({ body: { issuer, jwks_uri: `${issuer}/keys` } }));
    await assert.rejects(open(transport, { issuer, publicOnly: true }).current());
    // the transport resolves names within this reach
    assert.deepEqual(new Set(transport.reaches), new Set(['public']));
  });
});

describe('a token of an issuer elsewhere', () => {
  const config = { 'oidc-issuers': { [ISSUER]: { 'client-id': 'sigstore', type: 'email' } } };
  const person = { sub: '1', email: 'dev@example.com', email_verified: true };

  test('is taken with a key that the issuer has now, also just after it has changed its key under the same id', async () => {
    let now = Date.now();
    let issuer = await TestIssuer.open(ISSUER, 'RS256', 'k');
    const transport = new RecordingTransport(answers(() => issuer.keys));
    await using ca = await openTestAuthority({
      issuers: await decodeIssuers(Buffer.from(JSON.stringify(config)), 'x'),
      rules: await rulesOf(`rules: [{ name: all, issuer: ${ISSUER}, everyone: true }]`),
      http: new HttpClient({ transport }),
      now: () => new Date(now),
    });
    const body = keyBody(await newClientKey(person.email));
    const status = async (by: TestIssuer): Promise<number> => {
      const reply = await ask(ca.service, v2Call(await by.token(person, new Date(now)), body));
      return reply.status;
    };
    assert.equal(await status(issuer), 200);
    const old = issuer;
    issuer = await TestIssuer.open(ISSUER, 'RS256', 'k');
    now += 10_000;
    assert.equal(await status(issuer), 200);
    assert.equal(await status(old), 401);
    const newest = await TestIssuer.open(ISSUER, 'RS256', 'another');
    issuer = newest;
    now += 10_000;
    assert.equal(await status(newest), 200);
    assert.equal(transport.asked.length, 6);
  });

  test('is neither taken nor called bad when the issuer does not answer', async () => {
    const issuer = await TestIssuer.open(ISSUER, 'RS256');
    await using ca = await openTestAuthority({
      issuers: await decodeIssuers(Buffer.from(JSON.stringify(config)), 'x'),
      rules: await rulesOf(`rules: [{ name: all, issuer: ${ISSUER}, everyone: true }]`),
      http: new HttpClient({ transport: new RecordingTransport(() => ({ status: 404 })) }),
    });
    const reply = await ask(ca.service, v2Call(await issuer.token(person), keyBody(await newClientKey(person.email))));
    assert.equal(reply.status, 503);
    assert.match(reply.text, /could not be read: its discovery document was answered with the status 404/);
    assert.equal((JSON.parse(reply.text) as { code: number }).code, 14);
  });
});
