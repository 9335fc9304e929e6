// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { printable } from './printable.ts';
import { progressBar } from './progress.ts';

describe('printable', () => {
  it('leaves no control character and no second line in any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        // eslint says control characters are strange in expressions: here they are what is looked for
        assert.doesNotMatch(printable(text), /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/);
      }),
    );
  });

  it('keeps what can be read', () => {
    assert.equal(printable('„Größe“ 📦 a b'), '„Größe“ 📦 a b');
  });
});

describe('a progress bar', () => {
  const record = (over: {
    isTerminal?: boolean;
    json?: boolean;
  }): { text: () => string; bar: ReturnType<typeof progressBar>; tick: (ms: number) => void } => {
    let text = '';
    let now = 0;
    const context = {
      stderr: (part: string) => {
        text += part;
      },
      isTerminal: true,
      json: false,
      now: () => new Date(now),
      ...over,
    };
    return { text: () => text, bar: progressBar(context, 'layer'), tick: (ms) => (now += ms) };
  };

  it('draws over itself and wipes its line', () => {
    const { text, bar } = record({});
    bar.update(512, 1024);
    assert.equal(text(), `\r\u001b[Klayer ${'█'.repeat(12)}${'░'.repeat(12)} 50% 512 B of 1.0 KiB`);
    bar.end();
    assert.ok(text().endsWith('\r\u001b[K'));
  });

  it('draws at most every 80 ms, and always the end', () => {
    const { text, bar, tick } = record({});
    bar.update(1, 10);
    tick(79);
    bar.update(2, 10);
    assert.equal(text().split('\r').length - 1, 1);
    tick(1);
    bar.update(3, 10);
    bar.update(10, 10);
    assert.equal(text().split('\r').length - 1, 3);
  });

  for (const over of [{ isTerminal: false }, { json: true }]) {
    it(`draws nothing with ${JSON.stringify(over)}`, () => {
      const { text, bar } = record(over);
      bar.update(1, 2);
      bar.end();
      assert.equal(text(), '');
    });
  }

  for (const [bytes, text] of [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1536, '1.5 KiB'],
    [200_000_000, '191 MiB'],
  ] as const) {
    it(`writes ${bytes} bytes as ${text}`, () => {
      const { text: drawn, bar } = record({});
      bar.update(bytes, bytes);
      assert.ok(drawn().endsWith(` 100% ${text} of ${text}`), drawn());
    });
  }
});
