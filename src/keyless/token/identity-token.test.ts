// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { KeylessError } from '../error.ts';
import { decodeIdentityToken, looksLikeToken } from './identity-token.ts';
import { NOW, testIssuer, unsignedToken } from './test-issuer.fixture.ts';

const expectation = { clientId: 'sigstore', now: new Date(NOW) };
const seconds = NOW / 1000;
const good = { iss: 'https://issuer.example', sub: 'someone', aud: 'sigstore', exp: seconds + 600 };

function refused(text: string, code: string, words: RegExp): void {
  assert.throws(
    () => decodeIdentityToken(text, expectation),
    (error) => {
      assert.ok(error instanceof KeylessError, String(error));
      assert.equal(error.code, code);
      assert.match(error.message, words);
      assert.ok(!error.message.includes('\n'));
      assert.ok(!error.message.includes(text.slice(0, 24)) || text.length < 24, 'the token shows in the message');
      return true;
    },
  );
}

describe('what a token says', () => {
  test('is read from a token that an issuer signed', async () => {
    const issuer = await testIssuer('https://issuer.example');
    const text = await issuer.sign({ sub: 'CgVhbGljZQ', aud: 'sigstore', email: 'alice@example.com' });
    assert.deepEqual(decodeIdentityToken(text, expectation), {
      text,
      issuer: 'https://issuer.example',
      subject: 'CgVhbGljZQ',
      email: 'alice@example.com',
      audience: ['sigstore'],
      expiresAt: new Date(NOW + 600_000),
      challenge: 'alice@example.com',
    });
  });

  test('has the subject as challenge where there is no e-mail address', () => {
    for (const claims of [good, { ...good, email: '' }]) {
      const token = decodeIdentityToken(unsignedToken(claims), expectation);
      assert.equal(token.challenge, 'someone');
      assert.ok(!('email' in token));
    }
  });

  test('may be for several audiences, of which ours is one', () => {
    const token = decodeIdentityToken(unsignedToken({ ...good, aud: ['other', 'sigstore'] }), expectation);
    assert.deepEqual(token.audience, ['other', 'sigstore']);
  });

  test('may have times with fractions of a second', () => {
    const token = decodeIdentityToken(unsignedToken({ ...good, exp: seconds + 60.5 }), expectation);
    assert.equal(token.expiresAt.getTime(), NOW + 60_500);
  });
});

describe('a token is refused', () => {
  const cases: Record<string, [text: string, code: string, words: RegExp]> = {
    'that is empty': ['', 'token-malformed', /three parts/],
    'with one part': ['eyJhbGciOiJSUzI1NiJ9', 'token-malformed', /three parts/],
    'with two dots and nothing': ['..', 'token-malformed', /three parts/],
    'with three dots': [`${unsignedToken(good)}.x`, 'token-malformed', /three parts/],
    'with an empty signature': [unsignedToken(good).replace(/[^.]*$/, ''), 'token-malformed', /three parts/],
    'with megabytes': [`${unsignedToken(good)}${'A'.repeat(4_000_000)}`, 'token-malformed', /at most 32768/],
    'with a million dots': ['.'.repeat(1_000_000), 'token-malformed', /at most 32768/],
    'with alg none': [unsignedToken(good, { alg: 'none' }), 'token-malformed', /'none'/],
    'with alg NONE': [unsignedToken(good, { alg: 'NONE' }), 'token-malformed', /'NONE'/],
    'with a shared secret': [unsignedToken(good, { alg: 'HS256' }), 'token-malformed', /'HS256'/],
    'without alg': [unsignedToken(good, {}), 'token-malformed', /no name/],
    'with a header that is no object': [unsignedToken(good, ['RS256']), 'token-malformed', /header/],
    'with a payload that is no object': [unsignedToken('x'), 'token-malformed', /payload/],
    'with padding': [unsignedToken(good).replace('.c2', '=.c2'), 'token-malformed', /payload/],
    'in the other alphabet': [unsignedToken(good).replace(/[^.]*$/, 'a+b/'), 'token-malformed', /signature/],
    'with a payload that nests deeply': [
      unsignedToken({ ...good, x: JSON.parse('['.repeat(40) + ']'.repeat(40)) }),
      'token-malformed',
      /payload/,
    ],
    'without iss': [unsignedToken({ ...good, iss: undefined }), 'token-malformed', /'iss'/],
    'with an iss that is a number': [unsignedToken({ ...good, iss: 1 }), 'token-malformed', /'iss'/],
    'without sub': [unsignedToken({ ...good, sub: '' }), 'token-malformed', /'sub'/],
    'with an endless sub': [unsignedToken({ ...good, sub: 'x'.repeat(3000) }), 'token-malformed', /'sub' of 3000/],
    'with a line break in sub': [unsignedToken({ ...good, sub: 'a\nb' }), 'token-malformed', /control/],
    'with an email that is a list': [unsignedToken({ ...good, email: ['a@b'] }), 'token-malformed', /'email'/],
    'without aud': [unsignedToken({ ...good, aud: undefined }), 'token-malformed', /'aud'/],
    'with no audience in a list': [unsignedToken({ ...good, aud: [] }), 'token-malformed', /'aud'/],
    'with an audience that is no text': [unsignedToken({ ...good, aud: ['sigstore', 1] }), 'token-malformed', /'aud'/],
    'for somebody else': [
      unsignedToken({ ...good, aud: 'sts.example' }),
      'token-audience',
      /for 'sts\.example' \(expected audience 'sigstore'\)/,
    ],
    'for an audience that begins as ours': [
      unsignedToken({ ...good, aud: 'sigstore2' }),
      'token-audience',
      /sigstore2/,
    ],
    'without exp': [unsignedToken({ ...good, exp: undefined }), 'token-malformed', /'exp'/],
    'with an exp that is a text': [unsignedToken({ ...good, exp: '9' }), 'token-malformed', /'exp'/],
    'with an exp beyond all dates': [unsignedToken({ ...good, exp: 1e300 }), 'token-malformed', /'exp'/],
    'that has expired': [
      unsignedToken({ ...good, exp: seconds - 1 }),
      'token-expired',
      /expired at 2026-10-20T11:59:59\.000Z \(the clock here says 2026-10-20T12:00:00\.000Z\)/,
    ],
    'that expires this moment': [unsignedToken({ ...good, exp: seconds }), 'token-expired', /expired/],
    'that is about to expire': [unsignedToken({ ...good, exp: seconds + 9 }), 'token-expired', /too soon to be used/],
    'that is not yet valid': [
      unsignedToken({ ...good, nbf: seconds + 301 }),
      'token-not-yet-valid',
      /not valid before/,
    ],
  };
  for (const [name, [text, code, words]] of Object.entries(cases)) test(name, () => refused(text, code, words));

  test('and not for a clock that is five minutes behind', () => {
    decodeIdentityToken(unsignedToken({ ...good, nbf: seconds + 300 }), expectation);
  });

  test('with a message that a terminal can show', () => {
    refused(unsignedToken({ ...good, iss: 'https://x\u202e\u{1b}[31m', aud: 'y\u{9b}' }), 'token-malformed', /control/);
    refused(unsignedToken({ ...good, aud: 'a\u202eb' }), 'token-audience', /a\\u\{202e\}b/);
  });
});

test('whatever comes, it is a token or a KeylessError', () => {
  const claims = fc.record(
    {
      iss: fc.anything(),
      sub: fc.anything(),
      aud: fc.oneof(fc.constant('sigstore'), fc.anything()),
      exp: fc.oneof(fc.constant(seconds + 60), fc.anything()),
      nbf: fc.anything(),
      email: fc.anything(),
    },
    { requiredKeys: [] },
  );
  const json = (value: unknown): string => {
    try {
      return unsignedToken(value);
    } catch {
      return '..'; // a value that JSON has no form for
    }
  };
  const text = fc.oneof(
    fc.string(),
    claims.map(json),
    fc.anything().map(json),
    fc.string().map((part) => `eyJ.${part}.x`),
  );
  fc.assert(
    fc.property(text, (input) => {
      try {
        const token = decodeIdentityToken(input, expectation);
        assert.ok(token.issuer !== '' && token.challenge !== '');
      } catch (error) {
        assert.ok(error instanceof KeylessError, String(error));
      }
    }),
  );
});

test('a path does not look like a token', () => {
  assert.ok(looksLikeToken(unsignedToken(good)));
  for (const path of ['token.jwt', './a.b.c', 'a.b.c', '/var/run/token', 'eyJ', `${unsignedToken(good)}.x`]) {
    assert.ok(!looksLikeToken(path), path);
  }
});
