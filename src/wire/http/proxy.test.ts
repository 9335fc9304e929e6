// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { proxyAuthorization, proxyRules, type Environment } from './proxy.ts';

function proxied(environment: Environment, url: string): string | undefined {
  return proxyRules(environment).proxyFor(new URL(url))?.host;
}

test('HTTP_PROXY is for http, HTTPS_PROXY for https, in either case, with or without a scheme', () => {
  assert.equal(proxied({ HTTP_PROXY: 'http://proxy.test:3128' }, 'http://a.test/'), 'proxy.test:3128');
  assert.equal(proxied({ http_proxy: 'proxy.test:3128' }, 'http://a.test/'), 'proxy.test:3128');
  assert.equal(proxied({ HTTP_PROXY: 'http://proxy.test:3128' }, 'https://a.test/'), undefined);
  assert.equal(proxied({ https_proxy: 'https://proxy.test' }, 'https://a.test/'), 'proxy.test');
  assert.equal(proxied({ HTTPS_PROXY: '10.0.0.1:3128' }, 'https://a.test/'), '10.0.0.1:3128');
  assert.equal(proxied({}, 'https://a.test/'), undefined);
});

test('loopback is never proxied, whatever the environment says', () => {
  const environment = { HTTP_PROXY: 'proxy.test:1', HTTPS_PROXY: 'proxy.test:1', NO_PROXY: '' };
  for (const host of ['localhost', '127.0.0.1:5000', '127.9.9.9', '[::1]']) {
    assert.equal(proxied(environment, `http://${host}/`), undefined);
    assert.equal(proxied(environment, `https://${host}/`), undefined);
  }
});

test('link-local addresses are never proxied: the metadata service of a cloud is the one of this machine', () => {
  const environment = { HTTP_PROXY: 'proxy.test:1', HTTPS_PROXY: 'proxy.test:1' };
  for (const host of ['169.254.169.254', '100.100.100.200', '[fe80::1]', '[fd00:ec2::254]']) {
    assert.equal(proxied(environment, `http://${host}/`), undefined);
    assert.equal(proxied(environment, `https://${host}/`), undefined);
  }
  assert.equal(proxied(environment, 'http://10.0.0.1/'), 'proxy.test:1');
});

test('a CGI program does not take the proxy from a request header', () => {
  assert.equal(proxied({ HTTP_PROXY: 'evil.test', REQUEST_METHOD: 'GET' }, 'http://a.test/'), undefined);
});

function exempt(entry: string, url: string): boolean {
  const environment = { HTTP_PROXY: 'proxy.test', HTTPS_PROXY: 'proxy.test', no_proxy: ` other.test, ${entry} ` };
  return proxied(environment, url) === undefined;
}

test('NO_PROXY exempts names, sub-domains, addresses, networks and ports as in Go', () => {
  const yes: [string, string][] = [
    ['*', 'https://a.test/'],
    ['a.test', 'https://a.test/'],
    ['a.test', 'https://b.a.test/'],
    ['A.TEST', 'https://b.a.test/'],
    ['.a.test', 'https://b.a.test/'],
    ['*.a.test', 'https://b.a.test/'],
    ['a.test:443', 'https://a.test/'],
    ['a.test:8080', 'http://a.test:8080/'],
    ['10.0.0.0/8', 'http://10.2.3.4/'],
    ['fd00::/8', 'http://[fd12::1]/'],
    ['10.2.3.4', 'http://10.2.3.4:99/'],
    ['10.2.3.4:99', 'http://10.2.3.4:99/'],
    ['[fd12::1]:80', 'http://[fd12::1]/'],
    ['fd12::1', 'http://[fd12::1]/'],
  ];
  for (const [entry, url] of yes) assert.equal(exempt(entry, url), true, `${entry} ${url}`);
  const no: [string, string][] = [
    ['.a.test', 'https://a.test/'],
    ['*.a.test', 'https://a.test/'],
    ['a.test', 'https://xa.test/'],
    ['a.test:80', 'https://a.test/'],
    ['10.0.0.0/8', 'http://11.0.0.1/'],
    ['10.0.0.0/99', 'http://10.0.0.1/'],
    ['10.0.0.0/8', 'http://ten.test/'],
    ['10.2.3.4:98', 'http://10.2.3.4:99/'],
    ['*.', 'https://a.test/'],
  ];
  for (const [entry, url] of no) assert.equal(exempt(entry, url), false, `${entry} ${url}`);
});

test('a proxy that cannot be used is an error that does not show its password', () => {
  for (const text of ['socks5://me:secret@proxy.test', 'http://me:secret@', 'http://me:secret@[bad']) {
    assert.throws(
      () => proxied({ HTTPS_PROXY: text }, 'https://a.test/'),
      (error: Error & { code?: unknown }) => {
        assert.equal(error.code, 'unreachable');
        assert.match(error.message, /^HTTPS_PROXY /);
        assert.ok(!error.message.includes('secret'));
        return true;
      },
    );
  }
});

test('user and password of a proxy are sent decoded', () => {
  assert.equal(proxyAuthorization(new URL('http://me:p%3Ass@proxy.test')), `Basic ${btoa('me:p:ss')}`);
  assert.equal(proxyAuthorization(new URL('http://proxy.test')), undefined);
});
