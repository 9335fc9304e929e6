// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RegistryError } from './error.ts';

test('a registry error says where it happened, as far as that is known', () => {
  const cause = new Error('ECONNRESET');
  const error = new RegistryError('unreachable', 'no answer', { url: 'https://r.example/v2/', status: 502, cause });
  assert.deepEqual(
    [error.code, error.url, error.status, error.cause],
    ['unreachable', 'https://r.example/v2/', 502, cause],
  );
  const bare = new RegistryError('timeout', 'too late');
  assert.deepEqual(['url' in bare && bare.url !== undefined, bare.status, 'cause' in bare], [false, undefined, false]);
});
