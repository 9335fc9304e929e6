// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { fitsRedirectUri, parseRedirectUri, type RedirectUri } from './redirect-uri.ts';

function registered(...texts: readonly string[]): readonly RedirectUri[] {
  return texts.flatMap((text) => parseRedirectUri(text) ?? []);
}

const OURS = registered('http://localhost/auth/callback', 'http://[::1]', 'https://console.example/callback?tenant=1');

describe('a redirect URI', () => {
  for (const text of [
    'http://localhost/auth/callback',
    'http://localhost:1/auth/callback',
    'http://localhost:65535/auth/callback',
    'http://[::1]:8080',
    'http://[::1]/',
    'https://console.example/callback?tenant=1',
  ])
    test(`fits: ${text}`, () => assert.ok(fitsRedirectUri(text, OURS)));

  for (const text of [
    '',
    'http://localhost/',
    'http://localhost/auth/callback/',
    'http://localhost/auth/callback?x=1',
    'http://localhost/auth/callback#x',
    'http://localhost/auth/../auth/callback',
    'http://localhost/auth%2fcallback',
    'http://LOCALHOST/auth/callback',
    'http://localhost.evil.example/auth/callback',
    'http://localhost:80@evil.example/auth/callback',
    'http://localhost:1:2/auth/callback',
    'http://localhost:999999/auth/callback',
    'http://localhost:99999/auth/callback',
    'http://user@localhost/auth/callback',
    'http://evil.example/auth/callback',
    'http://127.0.0.1/auth/callback',
    'https://localhost/auth/callback',
    '//localhost/auth/callback',
    'http:localhost/auth/callback',
    'http:\\\\localhost/auth/callback',
    'http://localhost\\@evil.example/auth/callback',
    'http://localhost\t/auth/callback',
    'http://localhost/auth/callback\n',
    'https://console.example/callback',
    'https://console.example:444/callback?tenant=1',
    'https://console.example/callback?tenant=1&tenant=2',
    'https://console.example./callback?tenant=1',
    'http://console.example/callback?tenant=1',
    'javascript:alert(1)',
  ])
    test(`does not fit: ${JSON.stringify(text)}`, () => assert.ok(!fitsRedirectUri(text, OURS)));

  for (const text of [
    'http://example.com/callback',
    'ftp://localhost/',
    'https://user:pw@example.com/',
    'https://example.com/#x',
    'callback',
    'javascript:alert(1)',
    'https://exa mple.com/',
    'http://127.0.0.2/callback',
  ])
    test(`is not registered: ${text}`, () => assert.equal(parseRedirectUri(text), undefined));

  test('of another host never fits, whatever its text', () => {
    const near = fc
      .array(
        fc.constantFrom(
          'http://',
          'localhost',
          ':80',
          '@',
          '/',
          '\\',
          '?',
          '#',
          'evil.example',
          'auth',
          'callback',
          '.',
        ),
      )
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.oneof(near, fc.webUrl(), fc.string()), (text) => {
        if (!fitsRedirectUri(text, OURS)) return;
        assert.ok(['localhost', '[::1]', 'console.example'].includes(new URL(text).hostname));
      }),
    );
  });
});
