// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CliError } from '../cli-error.ts';
import { HiddenLine } from './ask.ts';

function typed(...chunks: string[]): { answer: () => string; rest: string | undefined } {
  const line = new HiddenLine();
  let rest: string | undefined;
  for (const chunk of chunks) rest ??= line.type(chunk);
  return { answer: () => line.answer(), rest };
}

describe('a hidden line', () => {
  const lines: readonly [string, readonly string[], string][] = [
    ['what was typed', ['pw\r'], 'pw'],
    ['what came in pieces', ['p', 'w', '\n'], 'pw'],
    ['nothing', ['\r'], ''],
    ['what backspace left', ['pä\u007fw\r'], 'pw'],
    ['a whole character less after backspace', ['p🔑\u007fw\r'], 'pw'],
    ['what the older backspace left', ['px\bw\r'], 'pw'],
    ['nothing before backspace', ['\u007fpw\r'], 'pw'],
    ['what came after Ctrl-U', ['wrong\u0015pw\r'], 'pw'],
    ['no arrow keys', ['p\u001b[D\u001bOCw\u001b[1;5H\r'], 'pw'],
    ['no other control characters', ['p\u0001\tw\r'], 'pw'],
    ['spaces', [' p w \r'], ' p w '],
    ['text in any script', ['пароль密码🔑\r'], 'пароль密码🔑'],
  ];
  for (const [what, chunks, expected] of lines) {
    it(`answers ${what}`, () => {
      assert.equal(typed(...chunks).answer(), expected);
    });
  }

  it('leaves what was typed ahead to the next question', () => {
    assert.equal(typed('pw\rpw\r').rest, 'pw\r');
  });

  for (const [keys, code] of [
    ['p\u0003', 'interrupted'],
    ['\u0004', 'declined'],
    ['', 'declined'],
  ] as const) {
    it(`is ${code} with ${JSON.stringify(keys)}`, () => {
      assert.throws(typed(keys).answer, (error) => error instanceof CliError && error.code === code);
    });
  }

  it('holds no control character, whatever is typed', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (chunks) => {
        try {
          assert.doesNotMatch(typed(...chunks, '\r').answer(), /[\u0000-\u001f]/);
        } catch (error) {
          assert.ok(error instanceof CliError);
        }
      }),
    );
  });
});
