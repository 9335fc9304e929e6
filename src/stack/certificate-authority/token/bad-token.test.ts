// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeCertificates } from '../../../trust/index.ts';
import {
  ask,
  certificatesOf,
  ISSUER,
  keyBody,
  newClientKey,
  openTestAuthority,
  TestIssuer,
  v2Call,
  type TestAuthority,
} from '../certificate-authority.fixture.ts';
import { CertificateRefusal } from '../refusal.ts';
import { readToken } from './token.ts';

const PERSON = { sub: 'dev@example.com', email: 'dev@example.com', email_verified: true };

/** Asks with a good key, expects a refusal of the token: 401, a reason, no certificate, nothing in the log. */
async function refused(ca: TestAuthority, token: string, reason: RegExp, status = 401): Promise<void> {
  const reply = await ask(ca.service, v2Call(token, keyBody(await newClientKey(PERSON.email))));
  assert.equal(reply.status, status, reply.text);
  const { code, message, details } = JSON.parse(reply.text) as { code: number; message: string; details: unknown };
  assert.equal(code, status === 401 ? 16 : 7);
  assert.deepEqual(details, []);
  assert.match(message, reason);
  // a piece of the token that is long enough to be nothing else
  for (const part of token.split('.')) if (part.length > 30) assert.ok(!reply.text.includes(part.slice(-30)));
  if (status === 401) assert.equal(reply.headers['www-authenticate'], 'Bearer error="invalid_token"');
  assert.equal(ca.log.tree().size, 0);
}

function unsigned(header: unknown, claims: unknown, signature: string): string {
  const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${encode(header)}.${encode(claims)}.${signature}`;
}

describe('a token is refused, with a reason that helps', () => {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: ISSUER, aud: 'sigstore', exp: now + 300, ...PERSON };

  test('that is missing', async () => {
    await using ca = await openTestAuthority();
    const reply = await ask(ca.service, v2Call(undefined, keyBody(await newClientKey(PERSON.email))));
    assert.equal(reply.status, 401);
    assert.match(reply.text, /has no identity token/);
    const basic = await ask(
      ca.service,
      v2Call(undefined, keyBody(await newClientKey(PERSON.email)), { authorization: 'Basic abc' }),
    );
    assert.equal(basic.status, 401);
  });

  test('of three dots, of one, of none, and of a million', async () => {
    await using ca = await openTestAuthority();
    const token = await ca.issuer.token(PERSON);
    for (const text of [`${token}.`, `${token}.x`, token.replace('.', ''), 'garbage', '.'.repeat(30_000)])
      await refused(ca, text, /not three parts with two dots/);
    await refused(ca, '..', /header that is not base64url/);
    assert.throws(() => readToken('.'.repeat(1_000_000)), /1000000 characters, at most 32768 are read/);
  });

  test('of megabytes, before it is parsed', async () => {
    await using ca = await openTestAuthority();
    await refused(
      ca,
      await ca.issuer.token({ ...PERSON, filler: 'x'.repeat(50_000) }),
      /characters, at most 32768 are read/,
    );
    const large = await ask(
      ca.service,
      v2Call('x', { ...(keyBody(await newClientKey('a')) as object), filler: 'x'.repeat(1_000_000) }),
    );
    assert.equal(large.status, 413);
  });

  test('that is not signed, or by a secret that everybody has', async () => {
    await using ca = await openTestAuthority();
    for (const alg of ['none', 'None', 'nOnE']) {
      await refused(ca, unsigned({ alg }, claims, ''), new RegExp(`signed with '${alg}'`));
      await refused(ca, unsigned({ alg, kid: 'k1' }, claims, 'AAAA'), new RegExp(`signed with '${alg}'`));
    }
    await refused(ca, unsigned({}, claims, 'AAAA'), /signed with nothing/);
    // the public key as the secret of an HMAC
    const text = unsigned({ alg: 'HS256', kid: 'k1' }, claims, '').slice(0, -1);
    const mac = createHmac('sha256', JSON.stringify(ca.issuer.keys.keys[0])).update(text).digest('base64url');
    await refused(ca, `${text}.${mac}`, /signed with 'HS256'/);
  });

  test('by another key, with another key id, and with a key of its own in its header', async () => {
    await using ca = await openTestAuthority();
    const other = await TestIssuer.open(ISSUER, 'ES256', 'k1');
    await refused(ca, await other.token(PERSON), /signature that does not hold, .* by its key 'k1'/);
    const unknown = await TestIssuer.open(ISSUER, 'ES256', 'k2');
    await refused(ca, await unknown.token(PERSON), /by its key 'k2'/);
    const [header = '', ...rest] = (await other.token(PERSON)).split('.');
    const withKey = { ...(JSON.parse(Buffer.from(header, 'base64url').toString()) as object), jwk: other.keys.keys[0] };
    await refused(ca, [Buffer.from(JSON.stringify(withKey)).toString('base64url'), ...rest].join('.'), /does not hold/);
  });

  test('whose claims were changed', async () => {
    await using ca = await openTestAuthority();
    const [header, , signature] = (await ca.issuer.token(PERSON)).split('.');
    const changed = Buffer.from(JSON.stringify({ ...claims, email: 'boss@example.com' })).toString('base64url');
    await refused(ca, `${header}.${changed}.${signature}`, /does not hold/);
  });

  test('of an issuer that is not configured, or nearly', async () => {
    await using ca = await openTestAuthority();
    for (const iss of ['https://evil.example', `${ISSUER}/`, ISSUER.toUpperCase(), `${ISSUER}?x`])
      await refused(ca, await ca.issuer.token({ ...PERSON, iss }), /none of the issuers that are configured here/);
    await refused(ca, await ca.issuer.token({ ...PERSON, iss: undefined }), /no 'iss'/);
    await refused(ca, await ca.issuer.token({ ...PERSON, iss: ['x'] }), /no 'iss'/);
  });

  test('for another audience', async () => {
    await using ca = await openTestAuthority();
    for (const aud of ['other', ['a', 'b'], 'Sigstore', '', ['sigstore2'], undefined, { sigstore: true }])
      await refused(ca, await ca.issuer.token({ ...PERSON, aud }), /expected the audience 'sigstore'/);
  });

  test('that has expired, has no end, or is not valid yet', async () => {
    await using ca = await openTestAuthority();
    await refused(ca, await ca.issuer.token({ ...PERSON, exp: now - 1 }), /expired at 20/);
    await refused(ca, await ca.issuer.token({ ...PERSON, exp: undefined }), /no 'exp'/);
    await refused(ca, await ca.issuer.token({ ...PERSON, exp: `${now + 300}` }), /no 'exp'/);
    await refused(ca, await ca.issuer.token({ ...PERSON, nbf: now + 600 }), /not valid before 20/);
    await refused(ca, await ca.issuer.token({ ...PERSON, nbf: 'soon' }), /not valid before a time that is none/);
  });

  test('about nobody, or about an address that nobody verified', async () => {
    await using ca = await openTestAuthority();
    await refused(ca, await ca.issuer.token({ ...PERSON, sub: undefined }), /no 'sub'/);
    await refused(ca, await ca.issuer.token({ ...PERSON, sub: '' }), /no 'sub'/);
    await refused(ca, await ca.issuer.token({ ...PERSON, email_verified: false }), /has not verified/);
  });
});

test('a token is taken for one of several audiences, from a clock that is minutes ahead, by a key without id', async () => {
  await using ca = await openTestAuthority();
  const now = Math.floor(Date.now() / 1000);
  const body = keyBody(await newClientKey(PERSON.email));
  for (const claims of [{ aud: ['other', 'sigstore'] }, { nbf: now + 200 }]) {
    const reply = await ask(ca.service, v2Call(await ca.issuer.token({ ...PERSON, ...claims }), body));
    assert.equal(reply.status, 200, reply.text);
  }
});

test('a token without key id is tried with the keys that it may be by', async () => {
  const issuers = await Promise.all([1, 2, 3].map(() => TestIssuer.open(ISSUER)));
  for (const { keys } of issuers) for (const key of keys.keys) delete key.kid;
  const keys = { keys: issuers.flatMap((issuer) => issuer.keys.keys) };
  await using ca = await openTestAuthority({ builtIn: { url: ISSUER, keys: () => keys } });
  const body = keyBody(await newClientKey(PERSON.email));
  for (const issuer of issuers) {
    const reply = await ask(ca.service, v2Call(await issuer.token(PERSON), body));
    assert.equal(reply.status, 200, reply.text);
  }
  const stranger = await TestIssuer.open(ISSUER);
  assert.equal((await ask(ca.service, v2Call(await stranger.token(PERSON), body))).status, 401);
});

for (const alg of ['RS256', 'PS256', 'ES384', 'ES512', 'EdDSA']) {
  test(`a token that is signed with ${alg} is taken`, async () => {
    const issuer = await TestIssuer.open(ISSUER, alg);
    await using ca = await openTestAuthority({ builtIn: { url: ISSUER, keys: () => issuer.keys } });
    const reply = await ask(ca.service, v2Call(await issuer.token(PERSON), keyBody(await newClientKey(PERSON.email))));
    assert.equal(reply.status, 200, reply.text);
    assert.equal(decodeCertificates(Buffer.from(certificatesOf(reply.text)[0] ?? ''), 'leaf').length, 1);
  });
}

test('the keys of the own issuer are asked for at every token: one that was replaced counts no more', async () => {
  let issuer = await TestIssuer.open(ISSUER, 'ES256', 'a');
  await using ca = await openTestAuthority({ builtIn: { url: ISSUER, keys: () => issuer.keys } });
  const body = keyBody(await newClientKey(PERSON.email));
  const old = await issuer.token(PERSON);
  assert.equal((await ask(ca.service, v2Call(old, body))).status, 200);
  issuer = await TestIssuer.open(ISSUER, 'ES256', 'b');
  assert.equal((await ask(ca.service, v2Call(old, body))).status, 401);
  assert.equal((await ask(ca.service, v2Call(await issuer.token(PERSON), body))).status, 200);
});

test('random and mutated tokens are read or refused, and never anything else', async () => {
  const issuer = await TestIssuer.open();
  const good = await issuer.token(PERSON);
  const read = (text: string): void => {
    try {
      readToken(text);
    } catch (error) {
      assert.ok(error instanceof CertificateRefusal, String(error));
    }
  };
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), read));
  fc.assert(
    fc.property(fc.nat(good.length), fc.string({ maxLength: 4 }), (at, piece) =>
      read(good.slice(0, at) + piece + good.slice(at + 1)),
    ),
  );
  const part = fc.json({ maxDepth: 4 }).map((text) => Buffer.from(text).toString('base64url'));
  fc.assert(fc.property(part, part, (header, claims) => read(`${header}.${claims}.AAAA`)));
});
