// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ClockError } from './clock-error.ts';
import { createClockGuard, type ClockGuard, type ClockGuardOptions } from './clock-guard.ts';

const BEGIN = Date.parse('2026-06-01T00:00:00Z');

/** A clock that tests set, beside one that only `pass` moves on. */
class TestClock {
  wall: number = BEGIN;
  steady: number = 5000;
  readonly stops: ClockError[] = [];

  guard(options: Partial<ClockGuardOptions> = {}): ClockGuard {
    return createClockGuard({
      now: () => new Date(this.wall),
      monotonic: () => this.steady,
      onStop: (error) => this.stops.push(error),
      ...options,
    });
  }

  pass(milliseconds: number): void {
    this.wall += milliseconds;
    this.steady += milliseconds;
  }
}

describe('a guarded clock', () => {
  test('tells the time for as long as both clocks go on alike', () => {
    const clock = new TestClock();
    const guard = clock.guard();
    for (const milliseconds of [0, 1, 999, 86_400_000, 31_536_000_000]) {
      clock.pass(milliseconds);
      assert.equal(guard.now().getTime(), clock.wall);
    }
    assert.equal(guard.fault(), undefined);
  });

  for (const [name, jump, message] of [
    ['ahead', 1001, /jumped ahead by 1\.001 s, at most 1 s are believed/],
    ['back', -3_600_000, /jumped back by 3600\.000 s/],
    ['to no time at all', Number.NaN, /shows no time/],
  ] as const)
    test(`stops when it jumps ${name}`, () => {
      const clock = new TestClock();
      const guard = clock.guard();
      clock.pass(60_000);
      clock.wall += jump;
      assert.throws(() => guard.now(), { code: 'clock-jumped', message });
      assert.match(guard.fault()?.message ?? '', /clock-is-right\) or restart/);
    });

  test('sees a jump while nobody asked, and one that is made of many small steps', () => {
    const idle = new TestClock();
    const unasked = idle.guard();
    idle.wall += 5000;
    idle.pass(3_600_000);
    assert.equal(unasked.fault()?.code, 'clock-jumped');
    const creeping = new TestClock();
    const guard = creeping.guard();
    const told: number[] = [];
    assert.throws(() => {
      for (let step = 0; step < 100; step++) {
        creeping.pass(1000);
        creeping.wall += 100;
        told.push(guard.now().getTime());
      }
    });
    assert.equal(told.length, 10);
  });

  test('never tells a time before one that it has told, and bears small steps back', () => {
    const clock = new TestClock();
    const guard = clock.guard();
    clock.pass(1000);
    const before = guard.now().getTime();
    clock.wall -= 900;
    assert.equal(guard.now().getTime(), before);
    clock.pass(901);
    assert.equal(guard.now().getTime(), before + 1);
  });

  test('stays stopped when the clock comes back, until an operator resumes it', () => {
    const clock = new TestClock();
    const guard = clock.guard();
    guard.now();
    clock.wall += 10_000;
    assert.throws(() => guard.now());
    clock.wall -= 10_000;
    assert.throws(() => guard.now(), { code: 'clock-jumped' });
    guard.resume();
    assert.equal(guard.now().getTime(), BEGIN);
  });

  test('believes the operator where the right time is before the wrong one', () => {
    const clock = new TestClock();
    clock.wall += 3_600_000;
    const guard = clock.guard();
    guard.now();
    clock.wall = BEGIN;
    assert.throws(() => guard.now());
    guard.resume();
    assert.equal(guard.now().getTime(), BEGIN);
  });

  test('says once for each stop that it stops', () => {
    const clock = new TestClock();
    const guard = clock.guard();
    clock.wall += 10_000;
    for (let ask = 0; ask < 3; ask++) assert.ok(guard.fault());
    assert.equal(clock.stops.length, 1);
    guard.resume();
    clock.wall += 10_000;
    assert.throws(() => guard.now());
    assert.equal(clock.stops.length, 2);
  });

  test('stops at once where an earlier run told a later time', () => {
    const clock = new TestClock();
    const guard = clock.guard({ earliest: new Date(BEGIN + 5000) });
    assert.throws(() => guard.now(), {
      code: 'clock-behind',
      message: /shows 2026-06-01T00:00:00\.000Z, which is before 2026-06-01T00:00:05\.000Z/,
    });
    assert.equal(
      clock
        .guard({ earliest: new Date(BEGIN - 5000) })
        .now()
        .getTime(),
      BEGIN,
    );
  });

  test('takes another tolerance', () => {
    const clock = new TestClock();
    const guard = clock.guard({ tolerance: 60_000 });
    clock.wall += 60_000;
    guard.now();
    clock.wall += 1;
    assert.throws(() => guard.now(), { message: /at most 60 s/ });
  });

  test('whatever the clock does, tells times that never go back and are never further off than the tolerance', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(5000), fc.integer({ min: -1500, max: 1500 }))), (steps) => {
        const clock = new TestClock();
        const guard = clock.guard();
        let last = 0;
        for (const [passed, set] of steps) {
          clock.pass(passed);
          clock.wall += set;
          if (guard.fault() !== undefined) return;
          const told = guard.now().getTime();
          assert.ok(told >= last);
          assert.ok(Math.abs(told - (BEGIN + clock.steady - 5000)) <= 1000);
          last = told;
        }
      }),
    );
  });
});
