// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { WireError } from '../../wire/index.ts';
import { TrustError } from '../error.ts';
import { decodePem, encodePem } from './pem.ts';

const BYTES = Buffer.from('a seal is a promise that one can check, however far the tally has travelled');

test('reads what it writes, in lines of 64 characters', () => {
  const pem = encodePem('PUBLIC KEY', BYTES);
  assert.deepEqual(
    pem.split('\n').map((line) => line.length),
    [26, 64, 36, 24, 0],
  );
  const [block, ...others] = decodePem(pem, 'it');
  assert.deepEqual([block?.label, Buffer.from(block?.bytes ?? []), others], ['PUBLIC KEY', BYTES, []]);
});

test('reads every block, whatever text is around it', () => {
  const text = `# my keys\n${encodePem('A', BYTES)}between\n${encodePem('B', BYTES)}the end`;
  assert.deepEqual(
    decodePem(text, 'it').map(({ label }) => label),
    ['A', 'B'],
  );
  assert.deepEqual(decodePem('no PEM at all', 'it'), []);
});

test('reads lines that end in CR LF or have blanks at their end', () => {
  const pem = encodePem('A', BYTES).replaceAll('\n', ' \r\n');
  assert.deepEqual(Buffer.from(decodePem(pem, 'it')[0]?.bytes ?? []), BYTES);
});

test('keeps headers apart from the body', () => {
  const [begin, ...rest] = encodePem('A', BYTES).split('\n');
  const [block] = decodePem([begin, 'Proc-Type: 4,ENCRYPTED', 'DEK-Info: X', '', ...rest].join('\n'), 'it');
  assert.deepEqual(block?.headers, ['Proc-Type: 4,ENCRYPTED', 'DEK-Info: X']);
  assert.deepEqual(Buffer.from(block?.bytes ?? []), BYTES);
});

describe('refuses', () => {
  const malformed = {
    'a block that does not end': ['-----BEGIN A-----\nAAAA\n', /block 'A' does not end/],
    'a block that another label ends': ['-----BEGIN A-----\nAAAA\n-----END B-----\n', /block 'A' does not end/],
    'headers that do not end': ['-----BEGIN A-----\nx: y\nAAAA\n-----END A-----\n', /headers of its block 'A'/],
    'more blocks than anybody needs': [encodePem('A', BYTES).repeat(17), /more than 16 blocks/],
  } as const;
  for (const [name, [text, pattern]] of Object.entries(malformed)) {
    test(name, () => {
      const expected = (error: unknown): boolean =>
        error instanceof TrustError && error.code === 'pem-malformed' && pattern.test(error.message);
      assert.throws(() => decodePem(text, 'it'), expected);
    });
  }

  test('a body that is not base64', () => {
    const expected = (error: unknown): boolean =>
      error instanceof WireError && error.code === 'base64-malformed' && error.message.startsWith("it, block 'A',");
    assert.throws(() => decodePem('-----BEGIN A-----\nA*AA\n-----END A-----\n', 'it'), expected);
  });
});
