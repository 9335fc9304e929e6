// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash, sign } from 'node:crypto';
import { before, describe, test } from 'node:test';
import { generatePrivateKey, KEY_ALGORITHMS, type SignatureScheme } from '../../trust/index.ts';
import type { SignatureCheck } from './signature-check.ts';
import { SignatureQueue, signatureQueue, type AskThread } from './signature-queue.ts';
import { checkOnThread } from './signature-thread.ts';

interface Case extends SignatureCheck {
  readonly scheme: SignatureScheme | undefined;
}

const MESSAGE = Buffer.from('what was signed');
const DIGESTS = { 'ecdsa-p256': 'sha256', 'ecdsa-p384': 'sha384', 'ecdsa-p521': 'sha512' } as const;

/** By every kind of key, over octets and over their digest where that is enough; each right and each wrong. */
let cases: readonly Case[];
before(async () => {
  const made = KEY_ALGORITHMS.map(async (algorithm): Promise<readonly Case[]> => {
    const { publicKey, object } = await generatePrivateKey(algorithm);
    const key = { algorithm: publicKey.algorithm, spki: publicKey.spki };
    const digest = algorithm in DIGESTS ? DIGESTS[algorithm as keyof typeof DIGESTS] : 'sha256';
    const signature = sign(algorithm === 'ed25519' ? null : digest, MESSAGE, object);
    const scheme = algorithm.startsWith('rsa')
      ? 'rsa-pkcs1-sha256'
      : algorithm === 'ed25519'
        ? algorithm
        : `${algorithm}-${digest}`;
    const over = [{ message: MESSAGE }, { digest: { algorithm: digest, bytes: hash(digest, MESSAGE, 'buffer') } }];
    return over.flatMap((one, index): readonly Case[] => [
      {
        key,
        over: one,
        signature,
        scheme: index === 1 && algorithm === 'ed25519' ? undefined : (scheme as SignatureScheme),
      },
      { key, over: one, signature: new Uint8Array(), scheme: undefined },
      { key, over: { message: Buffer.from('another') }, signature, scheme: undefined },
      {
        key,
        over: { digest: { algorithm: digest, bytes: hash(digest, 'another', 'buffer') } },
        signature,
        scheme: undefined,
      },
    ]);
  });
  cases = (await Promise.all(made)).flat();
});

const schemes = (): readonly (SignatureScheme | undefined)[] => cases.map(({ scheme }) => scheme);
const checkAll = (queue: SignatureQueue): Promise<readonly (SignatureScheme | undefined)[]> =>
  Promise.all(cases.map((one) => queue.check(one)));

/** A thread that counts what it is asked. */
function counting(ask: AskThread): { readonly ask: AskThread; readonly batches: number[] } {
  const batches: number[] = [];
  return { batches, ask: (checks) => (batches.push(checks.length), ask(checks)) };
}

describe('signatures are checked', () => {
  test('in the thread, each with its own answer, however many come at once', async () => {
    assert.deepEqual(await checkAll(signatureQueue), schemes());
    assert.deepEqual(
      (await checkOnThread(cases)).map((answer) => answer ?? undefined),
      schemes(),
    );
  });

  test('here as long as few come at a time, and the same is said', async () => {
    const { ask, batches } = counting(checkOnThread);
    const queue = new SignatureQueue(ask);
    for (const [index, one] of cases.entries()) assert.equal(await queue.check(one), one.scheme, `${index}`);
    assert.deepEqual(batches, []);
  });

  test('in the thread from the first rush on, sixteen at most in a message', async () => {
    const { ask, batches } = counting(checkOnThread);
    const queue = new SignatureQueue(ask);
    await checkAll(queue);
    const [one] = cases;
    assert.ok(one !== undefined);
    assert.equal(await queue.check(one), one.scheme);
    assert.equal(
      batches.reduce((sum, size) => sum + size),
      cases.length + 1,
    );
    assert.equal(Math.max(...batches), 16);
  });

  test('here where the thread has ended, or cannot tell', async () => {
    const ended = new SignatureQueue(() => Promise.reject(new Error('the thread has ended')));
    assert.deepEqual(await checkAll(ended), schemes());
    const silent = new SignatureQueue((checks) => Promise.resolve(checks.map(() => undefined)));
    assert.deepEqual(await checkAll(silent), schemes());
  });

  test('and the octets of the caller stay as they were', async () => {
    const [one] = cases;
    assert.ok(one !== undefined);
    const copy = Buffer.from(one.signature);
    await checkOnThread([one, one]);
    assert.deepEqual(Buffer.from(one.signature), copy);
    assert.equal(MESSAGE.toString(), 'what was signed');
  });
});
