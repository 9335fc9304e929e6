// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError } from './coded-error.ts';
import { WireError } from './wire-error.ts';

test('a coded error carries its class as name, its code, message and cause', () => {
  const cause = new Error('socket closed');
  const error = new WireError('connection-reset', 'the registry hung up', { cause });
  assert.ok(error instanceof CodedError && error instanceof Error);
  assert.deepEqual(
    [error.name, error.code, error.message, error.cause],
    ['WireError', 'connection-reset', 'the registry hung up', cause],
  );
});

test('a coded error without a cause has no such property', () => {
  assert.equal('cause' in new WireError('timeout', 'too late'), false);
});
