// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { warnOfPlainHttp } from './plain-http.ts';

function warningsOf(authority: string): readonly string[] {
  const warnings: string[] = [];
  warnOfPlainHttp({ warn: (text) => void warnings.push(text) }, authority);
  return warnings;
}

describe('a certificate authority that is asked without TLS', () => {
  for (const url of [
    'http://fulcio.example',
    'http://192.0.2.1:5555/prefix',
    'http://10.0.0.7',
    'http://[2001:db8::1]/',
  ])
    it(`is warned of by its address: ${url}`, () => {
      const [warning = '', ...more] = warningsOf(url);
      assert.deepEqual(more, []);
      assert.ok(warning.startsWith(new URL(url).href.replace(/\/$/, '')), warning);
      assert.match(warning, /over plain http: whoever is on the way can read the identity token/);
    });

  for (const url of ['https://fulcio.example', 'http://127.0.0.1:1', 'http://[::1]', 'http://localhost:5555', 'no URL'])
    it(`is not, where it is this machine or has TLS: ${url}`, () => assert.deepEqual(warningsOf(url), []));

  it('is named without a password that stands in its address', () => {
    const [warning = ''] = warningsOf('http://robot:hunter2@fulcio.example/');
    assert.match(warning, /fulcio\.example/);
    assert.doesNotMatch(warning, /hunter2/);
  });
});
