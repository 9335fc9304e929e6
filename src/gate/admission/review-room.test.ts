// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { NAME, newSigner, policyOf } from '../../policy/scene.fixture.ts';
import { encodePublicKey } from '../../trust/index.ts';
import type { Call } from '../../wire/index.ts';
import { GateScene, podOf, reviewOf } from './gate.fixture.ts';
import { ReviewDeadline } from './review-deadline.ts';
import { ReviewRoom } from './review-room.ts';

const LIMITS = { small: 10, large: 100, reviews: 3 };
const tick = (): Promise<void> => new Promise((done) => setImmediate(done));

/** A body of which each byte comes when it is let go. */
function slow(bytes: number, announced = true): { readonly call: Call; end(): void; readonly begun: () => boolean } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let begun = false;
  const body = (async function* (): AsyncIterable<Uint8Array> {
    begun = true;
    yield new Uint8Array(1);
    await promise;
    yield new Uint8Array(bytes - 1);
  })();
  const headers: Call['headers'] = announced ? { 'content-length': String(bytes) } : {};
  return { call: { method: 'POST', target: '/validate', headers, body }, end: resolve, begun: () => begun };
}

describe('room for reviews', () => {
  test('has a place at once for what is small, while large ones wait for one another', async () => {
    const room = new ReviewRoom({ ...LIMITS, reviews: 10 });
    const deadline = new ReviewDeadline('');
    const [first, second, third, little] = [slow(60), slow(60), slow(40), slow(10)];
    const reviews = [first, second, third, little].map(({ call }) => {
      const place = room.enter();
      return { place, read: place.read(call, 1000, deadline) };
    });
    await tick();
    // the third would have room, and does not pass the second by
    assert.deepEqual(
      [first, second, third, little].map(({ begun }) => begun()),
      [true, false, false, true],
    );
    first.end();
    assert.equal((await reviews[0]?.read)?.byteLength, 60);
    await tick();
    assert.equal(second.begun(), false, 'what was read is held');
    reviews[0]?.place.release();
    await tick();
    assert.deepEqual([second.begun(), third.begun()], [true, true]);
    for (const one of [second, third, little]) one.end();
    for (const { place, read } of reviews) {
      await read;
      place.leave();
    }
    deadline.end();
  });

  test('takes what does not say its length for as large as may be', async () => {
    const room = new ReviewRoom(LIMITS);
    const deadline = new ReviewDeadline('');
    const [first, second] = [slow(20, false), slow(20, false)];
    const [one, other] = [room.enter(), room.enter()];
    const reading = [one.read(first.call, 80, deadline), other.read(second.call, 80, deadline)];
    await tick();
    assert.deepEqual([first.begun(), second.begun()], [true, false]);
    first.end();
    await reading[0];
    one.leave();
    second.end();
    assert.equal((await reading[1])?.byteLength, 20);
    other.leave();
    deadline.end();
  });

  test('gives up what does not come, or has no room, when its time is up, and nobody waits for it', async () => {
    const room = new ReviewRoom(LIMITS);
    const hasty = new ReviewDeadline('?timeout=40ms');
    const patient = new ReviewDeadline('');
    const [first, second, third] = [slow(90), slow(90), slow(90)];
    const [one, two, three] = [room.enter(), room.enter(), room.enter()];
    const late = [one.read(first.call, 1000, hasty), two.read(second.call, 1000, hasty)];
    const last = three.read(third.call, 1000, patient);
    for (const { status, reason } of (await Promise.allSettled(late)) as PromiseRejectedResult[])
      assert.deepEqual([status, (reason as { code?: string }).code], ['rejected', 'deadline']);
    one.leave();
    two.leave();
    third.end();
    assert.equal((await last).byteLength, 90);
    three.leave();
    hasty.end();
    patient.end();
  });

  test('is for so many, and for one more when one is over', () => {
    const room = new ReviewRoom(LIMITS);
    const places = [room.enter(), room.enter(), room.enter()];
    assert.throws(() => room.enter(), { code: 'overloaded' });
    places[0]?.leave();
    room.enter();
  });

  test('reads no more than it may', async () => {
    const room = new ReviewRoom(LIMITS);
    const deadline = new ReviewDeadline('');
    const place = room.enter();
    const said = slow(500);
    await assert.rejects(place.read(said.call, 200, deadline), { code: 'too-large' });
    assert.equal(said.begun(), false);
    const unsaid = slow(500, false);
    unsaid.end();
    await assert.rejects(place.read(unsaid.call, 200, deadline), { code: 'too-large' });
    deadline.end();
  });
});

describe('a review that waits for a registry', () => {
  // Some runtimes have no collector that can be asked.
  const skip = process.versions['bun'] !== undefined;

  test('holds what it asks, and not the object around it', { skip }, async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const used = (): number => {
      collect();
      return process.memoryUsage().heapUsed;
    };
    const { publicKey } = await newSigner();
    const gate = await GateScene.create(policyOf([{ key: { data: encodePublicKey(publicKey) } }], {}, 'sealed'));
    const { promise: stuck } = Promise.withResolvers<never>();
    gate.restart({ credentials: { scopeOf: () => ({ key: 'k', open: () => stuck }) } });
    const env = Array.from({ length: 50_000 }, (_, at) => ({ name: `v${at}`, value: 'x' }));
    const body = Buffer.from(JSON.stringify(reviewOf({ object: podOf([`${NAME}:1`], {}, { env }) })));
    await gate.post('/validate?timeout=100ms', body);
    const before = used();
    const waiting = Array.from({ length: 30 }, () => gate.post('/validate?timeout=4s', body));
    for (let at = 0; at < 2000 && gate.gate.state().running === 0; at++) await tick();
    for (let at = 0; at < 100; at++) await tick();
    const held = used() - before;
    assert.ok(held < 30 * 1024 * 1024, `${held} bytes of heap for 30 reviews, each with 50,000 objects`);
    for (const { status } of await Promise.all(waiting)) assert.equal(status, 200);
  });
});
