// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HttpResponse } from '../../wire/index.ts';
import { nextPage } from './link-header.ts';

function next(
  link: string | undefined,
  asked: string = 'https://registry.test/v2/a/tags/list?n=2',
): string | undefined {
  const url = new URL(asked);
  const headers = link === undefined ? {} : { link };
  return nextPage({ headers, asked: url, url, status: 200 } as unknown as HttpResponse, 'list')?.href;
}

test('finds the next page, relative or absolute, among other links', () => {
  const page = 'https://registry.test/v2/a/tags/list?n=2&last=b';
  for (const link of [
    '</v2/a/tags/list?n=2&last=b>; rel="next"',
    '</v2/a/tags/list?n=2&last=b>;rel=next',
    '</x>; rel="prev", </v2/a/tags/list?n=2&last=b>; title="a, b"; REL="last next"',
    `<${page}>; rel="next"`,
    '<http://registry.test/v2/a/tags/list?n=2&last=b>; rel="next"',
  ]) {
    assert.equal(next(link), page, link);
  }
});

test('knows the end', () => {
  for (const link of [
    undefined,
    '',
    '</x>; rel="prev"',
    '</x>',
    'nonsense',
    '</x>; rel=nextish',
    '</x>; title="rel=next"',
  ]) {
    assert.equal(next(link), undefined, String(link));
  }
});

test('follows no link to another origin', () => {
  for (const link of [
    'https://evil.test/',
    '//evil.test/x',
    'https://registry.test:444/',
    'http://registry.test:444/',
    'https://registry.test@evil.test/',
    'file:///etc/passwd',
  ]) {
    assert.throws(() => next(`<${link}>; rel="next"`), { code: 'protocol-violation', message: /elsewhere/ }, link);
  }
  assert.throws(() => next('<https://registry.test/v2>; rel="next"', 'http://registry.test/'), {
    code: 'protocol-violation',
  });
  assert.throws(() => next('<http://[bad>; rel="next"'), { code: 'protocol-violation', message: /no URL/ });
  assert.throws(() => next(`<${'/'.repeat(20_000)}>; rel="next"`), { code: 'protocol-violation', message: /too long/ });
});
