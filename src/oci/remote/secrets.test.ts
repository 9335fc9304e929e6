// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Secrets } from './secrets.ts';

const PASSWORD = 'correct (horse) battery';
const BASIC = Buffer.from(`robot:${PASSWORD}`).toString('base64');

function shown(): Secrets {
  const secrets = new Secrets();
  secrets.add({ kind: 'basic', username: 'robot', password: PASSWORD, source: 'a test' });
  secrets.add('eyJhbGciOiJub25lIn0.token');
  return secrets;
}

test('hides a password, what is made of it, and a token, and nothing else', () => {
  const text = `robot sent Basic ${BASIC}, which is robot:${PASSWORD}, and Bearer eyJhbGciOiJub25lIn0.token`;
  assert.equal(shown().hide(text), 'robot sent Basic ***, which is robot:***, and Bearer ***');
  assert.equal(shown().hide('denied: robot may not push'), 'denied: robot may not push');
});

test('hides a secret that was cut off where it gives itself away', () => {
  assert.equal(shown().hide(`'Basic ${BASIC.slice(0, 15)}…'`), "'Basic ***'");
});

test('leaves a password alone that is short enough to stand in a word', () => {
  const secrets = new Secrets();
  secrets.add({ kind: 'basic', username: 'x', password: 'tag', source: 'a test' });
  assert.equal(secrets.hide('no such tag'), 'no such tag');
  secrets.add('');
  assert.equal(secrets.hide('no such tag'), 'no such tag');
});

test('hides every kind of credentials', () => {
  const secrets = new Secrets();
  secrets.add({ kind: 'identity-token', token: 'refresh-me', source: 'a test' });
  secrets.add({ kind: 'registry-token', token: 'take-me', source: 'a test' });
  assert.equal(secrets.hide('refresh-me take-me'), '*** ***');
});
