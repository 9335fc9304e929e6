// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BoundedMemory } from './bounded-memory.ts';

test('what is used stays, what is not goes first, and the bytes are kept to', () => {
  const memory = new BoundedMemory<string>(800, (value) => value.length);
  for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) memory.set(key, key.repeat(10));
  for (let at = 0; at < 20; at++) {
    memory.set(`x${at}`, 'x');
    assert.equal(memory.get('a'), 'aaaaaaaaaa');
    assert.ok(memory.bytes <= 800);
  }
  assert.equal(memory.get('b'), undefined);
});

test('what is too large for it is not kept, and takes the place of nothing', () => {
  const memory = new BoundedMemory<string>(2000, (value) => value.length);
  memory.set('a', 'a');
  memory.set('b', 'b'.repeat(1500));
  assert.deepEqual([memory.get('a'), memory.get('b'), memory.size], ['a', undefined, 1]);
});

test('counts what it holds, whatever is set and deleted', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.nat(300), fc.boolean())), (steps) => {
      const memory = new BoundedMemory<number>(2000, (value) => value);
      const held = new Map<string, number>();
      for (const [key, size, remove] of steps) {
        if (remove) memory.delete(key);
        else memory.set(key, size);
        held.clear();
        for (const one of ['a', 'b', 'c', 'd']) {
          const value = memory.get(one);
          if (value !== undefined) held.set(one, value + one.length + 80);
        }
        assert.equal(
          memory.bytes,
          [...held.values()].reduce((sum, bytes) => sum + bytes, 0),
        );
      }
      memory.clear();
      assert.deepEqual([memory.bytes, memory.size], [0, 0]);
    }),
  );
});
