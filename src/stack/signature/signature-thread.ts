// SPDX-License-Identifier: Apache-2.0
import { parentPort, Worker, workerData } from 'node:worker_threads';
import type { LogDigest, SignatureScheme } from '../../trust/index.ts';
import { join, ThreadCalls } from '../../wire/index.ts';
import { checkSignature, type SignatureCheck } from './signature-check.ts';

/** What a thread says about one signature: how it was made, or `null` where the key did not make it; `undefined` where it could not tell. */
export type ThreadAnswer = SignatureScheme | null | undefined;

/** Checks on their way to the thread. The octets of all are one buffer, which is handed over and not copied. */
interface Batch {
  readonly octets: Uint8Array;
  readonly checks: readonly PackedCheck[];
}

interface PackedCheck {
  readonly algorithm: SignatureCheck['key']['algorithm'];
  /** of the digest that was signed; absent where it is a message */
  readonly digest: LogDigest['algorithm'] | undefined;
  /** of the key, of what was signed, of the signature */
  readonly lengths: readonly number[];
}

const ROLE = 'bulla: signature checks';

const thread = new ThreadCalls<Batch, readonly ThreadAnswer[]>(
  ROLE,
  () => new Worker(new URL(import.meta.url), { workerData: ROLE, env: {}, execArgv: [] }),
);

/**
 * Checks signatures in a thread of its own. To hand them to the pool of node:crypto one by one costs the event loop as much as to
 * verify them there; a thread that takes batches costs it a tenth, and has its garbage for itself.
 *
 * @returns in the order of the checks
 * @throws Error where the thread ends; the next call starts another
 */
export async function checkOnThread(checks: readonly SignatureCheck[]): Promise<readonly ThreadAnswer[]> {
  const parts: Uint8Array[] = [];
  const packed: PackedCheck[] = [];
  let size = 0;
  for (const { key, over, signature } of checks) {
    const three = [key.spki, contentOf(over), signature];
    const lengths = three.map(({ byteLength }) => byteLength);
    parts.push(...three);
    packed.push({ algorithm: key.algorithm, digest: 'digest' in over ? over.digest.algorithm : undefined, lengths });
    for (const length of lengths) size += length;
  }
  const octets = join(parts, size);
  return await thread.ask({ octets, checks: packed }, [octets.buffer]);
}

function contentOf(over: SignatureCheck['over']): Uint8Array {
  return 'digest' in over ? over.digest.bytes : over.message;
}

thread.answer(workerData === ROLE ? parentPort : null, async ({ octets, checks }) => {
  const answers: ThreadAnswer[] = [];
  let at = 0;
  for (const { algorithm, digest, lengths } of checks) {
    const [spki, content, signature] = lengths.map((length) => octets.subarray(at, (at += length)));
    if (spki === undefined || content === undefined || signature === undefined) break;
    const over = digest === undefined ? { message: content } : { digest: { algorithm: digest, bytes: content } };
    answers.push(await answerOf({ key: { algorithm, spki }, over, signature }));
  }
  return answers;
});

async function answerOf(check: SignatureCheck): Promise<ThreadAnswer> {
  try {
    return (await checkSignature(check)) ?? null;
  } catch {
    return undefined;
  }
}
