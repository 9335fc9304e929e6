// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import fc from 'fast-check';
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import { generatePrivateKey, type PrivateKey } from '../../trust/index.ts';
import { BEGIN, testKey, URL_OF_ISSUER } from './issuer.fixture.ts';
import { IssuerError } from './issuer-error.ts';
import { createIssuer, parseIssuerUrl } from './issuer.ts';
import { mintToken, type TokenRequest } from './mint-token.ts';
import { parseClaims, parseSubject } from './subject.ts';

let key: PrivateKey;
before(async () => {
  key = await testKey();
});

const mint = (request: TokenRequest) => mintToken(request, { key, issuer: URL_OF_ISSUER, now: BEGIN });
const seconds = BEGIN.getTime() / 1000;

describe('a token that is made without a server', () => {
  test('for an e-mail address says it, verified, for ten minutes', async () => {
    const token = await mint({ subject: 'dev@example.com' });
    assert.deepEqual(decodeJwt(token), {
      iss: URL_OF_ISSUER,
      sub: 'dev@example.com',
      aud: 'sigstore',
      iat: seconds,
      nbf: seconds,
      exp: seconds + 600,
      email: 'dev@example.com',
      email_verified: true,
    });
    const header = decodeProtectedHeader(token);
    assert.deepEqual([header.alg, header.typ], ['RS256', 'JWT']);
  });

  test('for a URI has it as its subject, no e-mail, and the claims that were asked for', async () => {
    const claims = { ...parseClaims(['repository=acme/app', 'expression=a=b', 'empty=']), attempt: 2 };
    const token = await mint({ subject: 'https://ci.example/nightly', claims, audience: ['a', 'b'], lifetime: 60 });
    const payload = decodeJwt(token);
    assert.deepEqual(
      [
        payload.sub,
        payload['email'],
        payload['repository'],
        payload['expression'],
        payload['empty'],
        payload['attempt'],
      ],
      ['https://ci.example/nightly', undefined, 'acme/app', 'a=b', '', 2],
    );
    assert.deepEqual([payload.aud, payload.exp], [['a', 'b'], seconds + 60]);
  });

  test('verifies by the keys of the issuer with that key, and is the same each time', async () => {
    const issuer = await createIssuer({ url: URL_OF_ISSUER, keys: [key], now: () => BEGIN });
    const token = await mint({ subject: 'dev@example.com' });
    await jwtVerify(token, createLocalJWKSet(issuer.jwks()), { issuer: URL_OF_ISSUER, currentDate: BEGIN });
    assert.equal(await issuer.mint({ subject: 'dev@example.com' }), token);
    assert.equal(decodeProtectedHeader(token).kid, issuer.jwks().keys[0]?.kid);
  });

  test('is signed with ECDSA where the key is one', async () => {
    for (const [algorithm, name] of [
      ['ecdsa-p256', 'ES256'],
      ['ecdsa-p384', 'ES384'],
    ] as const) {
      const issuer = await createIssuer({
        url: URL_OF_ISSUER,
        keys: [await generatePrivateKey(algorithm)],
        now: () => BEGIN,
      });
      const token = await issuer.mint({ subject: 'dev@example.com' });
      const { protectedHeader } = await jwtVerify(token, createLocalJWKSet(issuer.jwks()), { currentDate: BEGIN });
      assert.equal(protectedHeader.alg, name);
    }
  });

  test('publishes nothing of the private key', async () => {
    for (const algorithm of ['rsa-2048', 'ecdsa-p256'] as const) {
      const issuer = await createIssuer({
        url: URL_OF_ISSUER,
        keys: [await generatePrivateKey(algorithm)],
        now: () => BEGIN,
      });
      for (const published of issuer.jwks().keys)
        assert.deepEqual(
          Object.keys(published).filter((name) => ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'].includes(name)),
          [],
        );
    }
  });

  for (const [name, request, code] of [
    ['a subject that is neither address nor URI', { subject: 'nobody' }, 'subject-malformed'],
    ['an empty subject', { subject: '' }, 'subject-malformed'],
    ['a subject with a line feed', { subject: 'https://x/\n' }, 'subject-malformed'],
    ['an address with a name before it', { subject: 'A <a@b.example>' }, 'subject-malformed'],
    ['an address that is too long', { subject: `${'a'.repeat(64)}@${'b'.repeat(200)}` }, 'subject-malformed'],
    ...['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'email', 'email_verified', 'nonce', 'azp'].map(
      (claim) => [`the claim ${claim}`, { subject: 'a@b.c', claims: { [claim]: 'x' } }, 'claim-malformed'] as const,
    ),
    ['a claim without a name', { subject: 'a@b.c', claims: { '': 'x' } }, 'claim-malformed'],
    ['more than fits', { subject: 'a@b.c', claims: { big: 'x'.repeat(9000) } }, 'claim-malformed'],
    ['no life', { subject: 'a@b.c', lifetime: 0 }, 'lifetime-malformed'],
    ['a life of two days', { subject: 'a@b.c', lifetime: 172_800 }, 'lifetime-malformed'],
    ['a life that is no number', { subject: 'a@b.c', lifetime: Number.NaN }, 'lifetime-malformed'],
  ] as const)
    test(`is refused: ${name}`, async () => {
      await assert.rejects(mint(request), (error) => error instanceof IssuerError && error.code === code);
    });

  test('is refused with a key that signs no tokens', async () => {
    const ed25519 = await generatePrivateKey('ed25519');
    await assert.rejects(mintToken({ subject: 'a@b.c' }, { key: ed25519, issuer: URL_OF_ISSUER, now: BEGIN }), {
      code: 'issuer-key-unsupported',
      message: /a key of ed25519, expected RSA or ECDSA/,
    });
  });
});

test('claims of a command line are name=value, once each', () => {
  for (const pairs of [['x'], ['=x'], ['a=1', 'a=2'], ['sub=x'], Array.from({ length: 65 }, (_, at) => `c${at}=x`)])
    assert.throws(() => parseClaims(pairs), { code: 'claim-malformed' });
  assert.deepEqual({ ...parseClaims(['__proto__=x']) }, Object.fromEntries([['__proto__', 'x']]));
});

test('a subject is an address or a URI or refused with its code, whatever it is', () => {
  assert.equal(parseSubject('repo:acme/app:ref:refs/heads/main').kind, 'uri');
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.emailAddress(), fc.webUrl()), (text) => {
      try {
        assert.equal(parseSubject(text).text, text);
      } catch (error) {
        assert.ok(error instanceof IssuerError && error.code === 'subject-malformed', String(error));
      }
    }),
  );
});

describe('the URL of an issuer', () => {
  for (const url of ['http://127.0.0.1:8080', 'https://sign.example', 'https://example.com/sign'])
    test(`may be ${url}`, () => assert.equal(parseIssuerUrl(url).href.replace(/\/$/, ''), url));
  for (const url of [
    '',
    'sign.example',
    'ftp://sign.example',
    'https://sign.example/',
    'https://sign.example?x',
    'https://u:p@sign.example',
    'HTTPS://sign.example',
    'https://sign.example:443',
  ])
    test(`is refused: ${JSON.stringify(url)}`, () =>
      assert.throws(() => parseIssuerUrl(url), { code: 'issuer-url-malformed' }));
});
