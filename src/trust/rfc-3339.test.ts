// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readRfc3339 } from './rfc-3339.ts';

describe('a time as RFC 3339 has it', () => {
  for (const [text, same] of [
    ['2026-01-31T23:59:59Z', '2026-01-31T23:59:59.000Z'],
    ['2028-02-29T00:00:00.123456789Z', '2028-02-29T00:00:00.123Z'],
    ['2026-03-01T00:30:00+01:00', '2026-02-28T23:30:00.000Z'],
    ['2026-02-28T23:30:00-01:00', '2026-03-01T00:30:00.000Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
  ] as const)
    test(`is ${text}`, () => assert.equal(readRfc3339(text)?.toISOString(), same));

  for (const text of [
    '',
    '2026-01-01',
    '2026-02-30T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:60:00Z',
    '2026-01-01T00:00:00',
    '2026-01-01 00:00:00Z',
    '2026-01-01T00:00:00Z\n',
    '2026-01-01T00:00:00.1234567891Z',
  ])
    test(`is not ${JSON.stringify(text)}`, () => assert.equal(readRfc3339(text), undefined));
});
