// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WireError } from '../wire-error.ts';
import { isIdempotent, isPassingFailure, isPassingStatus, parseRetryAfter, retryDelay } from './retry.ts';

const policy = { attempts: 5, baseMs: 100, capMs: 1000 };

test('waits at random below a bound that doubles up to the cap', () => {
  const bounds = [1, 2, 3, 4, 5, 6].map((attempt) => retryDelay(policy, attempt, undefined, () => 0.999999));
  assert.deepEqual(bounds, [99, 199, 399, 799, 999, 999]);
  assert.equal(
    retryDelay(policy, 3, undefined, () => 0),
    0,
  );
});

test('waits as long as the server asks, and a little more', () => {
  assert.equal(
    retryDelay(policy, 1, 7000, () => 0),
    7000,
  );
  assert.equal(
    retryDelay(policy, 1, 7000, () => 0.5),
    7050,
  );
});

test('reads Retry-After as seconds and as all three forms of a date', () => {
  const now = Date.UTC(2026, 10, 22, 10, 0, 0);
  assert.equal(parseRetryAfter('120', now), 120_000);
  assert.equal(parseRetryAfter('0', now), 0);
  for (const date of ['Sun, 22 Nov 2026 10:00:05 GMT', 'Sunday, 22-Nov-26 10:00:05 GMT', 'Sun Nov 22 10:00:05 2026']) {
    assert.equal(parseRetryAfter(date, now), 5000, date);
  }
  assert.equal(parseRetryAfter('Sun, 22 Nov 2026 09:00:00 GMT', now), 0);
  for (const nonsense of [undefined, '', '-1', '1.5', 'soon', '99999999999', 'Someday', '2026-11-22']) {
    assert.equal(parseRetryAfter(nonsense, now), undefined, String(nonsense));
  }
});

test('only what may pass is tried again', () => {
  assert.deepEqual([408, 429, 500, 502, 503, 504].map(isPassingStatus), Array(6).fill(true));
  assert.deepEqual([200, 301, 400, 401, 403, 404, 409, 412, 501].map(isPassingStatus), Array(9).fill(false));
  assert.equal(isPassingFailure(new WireError('connection-reset', '')), true);
  assert.equal(isPassingFailure(new WireError('timeout', '')), true);
  assert.equal(isPassingFailure(new WireError('unreachable', '', { cause: { code: 'EAI_AGAIN' } })), true);
  assert.equal(isPassingFailure(new WireError('unreachable', '', { cause: { code: 'ECONNREFUSED' } })), false);
  assert.equal(isPassingFailure(new WireError('tls-failed', '')), false);
  assert.equal(isPassingFailure(new Error('anything')), false);
  assert.deepEqual(
    ['GET', 'HEAD', 'PUT', 'DELETE', 'POST', 'PATCH'].map((method) => isIdempotent(method)),
    [true, true, true, true, false, false],
  );
});
