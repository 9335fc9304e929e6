// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { capMemory } from './capped-module.ts';
import { wasm, type WasmMemory } from './web-assembly.ts';

const HEAD = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
/** a memory of one page, with that limit, exported as `m` */
const program = (limits: readonly number[]): Uint8Array =>
  Uint8Array.from([...HEAD, 5, limits.length + 1, 1, ...limits, 7, 5, 1, 1, 0x6d, 2, 0]);

describe('a cap on the memory of a program', () => {
  it('holds, whether the program has one of its own or not', async () => {
    for (const limits of [
      [0, 1],
      [1, 1, 100],
      // as Go writes numbers: longer than they need be
      [0, 0x81, 0x80, 0x00],
    ]) {
      const capped = capMemory(program(limits), 3 * 64 * 1024 + 1);
      assert.ok(capped !== undefined);
      const { exports } = await wasm.instantiate(await wasm.compile(capped), {});
      const memory = exports['m'] as WasmMemory & { grow(pages: number): number };
      memory.grow(2);
      assert.equal(memory.buffer.byteLength, 3 * 64 * 1024);
      assert.throws(() => memory.grow(1), RangeError);
    }
  });

  it('is not put into what is no program with one memory of its own', () => {
    const none = [Uint8Array.from(HEAD), Uint8Array.from([...HEAD, 5, 200]), program([3, 1, 1]), new Uint8Array()];
    for (const bytes of none) assert.equal(capMemory(bytes, 65_536), undefined);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        capMemory(Uint8Array.from([...HEAD, ...bytes]), 65_536);
        assert.equal(capMemory(bytes, 65_536), undefined);
      }),
    );
  });
});
