// SPDX-License-Identifier: Apache-2.0
import {
  decodeCheckpoint,
  decodeNote,
  encodeNoteSignature,
  verifyCosignatures,
  type NoteSignature,
  type SignedNote,
} from '../../trust/index.ts';
import { encodeBase64, readBody, type HttpClient } from '../../wire/index.ts';
import type { Cosign, Witnesses } from '../log/log-options.ts';
import { RekorError } from './rekor-error.ts';
import type { PolicyWitness, WitnessPolicy } from './witness-policy.ts';

/** How witnesses are asked. */
export interface WitnessClientOptions {
  readonly policy: WitnessPolicy;
  readonly http: HttpClient;
  /** whether nothing is shown that the policy is not met for */
  readonly required: boolean;
  /** milliseconds for a witness to answer in; 5,000 unless told */
  readonly timeoutMs?: number;
  /** Called where a witness gives no cosignature. */
  readonly warn?: (message: string) => void;
}

const TIMEOUT_MS = 5000;
/** Thirty-two cosignatures by ML-DSA-44 have half of that. */
const MAX_BYTES = 256 * 1024;
/** A witness that another instance of the log speaks to as well may have moved on once more. */
const ATTEMPTS = 3;

/**
 * Asks the witnesses of a policy to cosign checkpoints, all at once, and takes what holds.
 *
 * A witness says which tree it has seen last, and is given the proof from there; that is remembered for the next time. Once the policy is
 * met nobody waits for the others, which catch up with a later checkpoint.
 *
 * @returns what a log is opened with
 * @throws RekorError `settings-malformed` if the policy cannot be met by the witnesses that have an address
 * @see https://c2sp.org/tlog-witness
 * @example
 * const log = await openAppendLog({ …, witnesses: witnessClient({ policy, http: new HttpClient(), required: true }) });
 */
export function witnessClient(options: WitnessClientOptions): Witnesses {
  const { policy, required } = options;
  const asked = policy.witnesses.filter(({ url }) => url !== undefined);
  if (!policy.isMet(new Set(asked.map(({ name }) => name))))
    throw new RekorError(
      'settings-malformed',
      'the policy of witnesses cannot be met: too few of them have an address that they can be asked at',
    );
  const conversations = asked.map((witness) => new Conversation(witness, options));
  const cosign: Cosign = async (checkpoint, oldSize, _proof, proofFrom) => {
    const { names, lines, faults } = await askAll(policy, conversations, { checkpoint, oldSize, proofFrom });
    for (const fault of faults) options.warn?.(fault);
    if (!policy.isMet(names) && required)
      throw new RekorError('witness-failed', `the policy of witnesses is not met: ${faults.join('; ')}`);
    return lines;
  };
  return { cosign, quorum: policy.least, required };
}

/** What is to be cosigned. */
interface Submission {
  readonly checkpoint: string;
  readonly oldSize: number;
  readonly proofFrom: (oldSize: number) => Promise<readonly Uint8Array[]>;
}

interface Answers {
  readonly names: ReadonlySet<string>;
  readonly lines: readonly string[];
  readonly faults: readonly string[];
}

/** Resolves when the policy is met, or everybody has answered. */
async function askAll(
  policy: WitnessPolicy,
  conversations: readonly Conversation[],
  submission: Submission,
): Promise<Answers> {
  const names = new Set<string>();
  const lines: string[] = [];
  const faults: string[] = [];
  const { promise: met, resolve } = Promise.withResolvers<void>();
  const everybody = conversations.map(async (conversation) => {
    try {
      lines.push(...(await conversation.cosign(submission)));
      names.add(conversation.name);
    } catch (error) {
      faults.push(`witness ${conversation.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (policy.least > 0 && policy.isMet(names)) resolve();
  });
  await Promise.race([met, Promise.all(everybody)]);
  // Copies: what comes in later is not part of this answer.
  return { names: new Set(names), lines: [...lines], faults: [...faults] };
}

/** One witness, and what it is known to have seen. */
class Conversation {
  readonly #witness: PolicyWitness;
  readonly #options: WitnessClientOptions;
  /** by the origin of a log, the tree of it that was cosigned last; unknown at first. Shards have the same witnesses */
  readonly #seen = new Map<string, number>();
  /** One at a time: a witness that is asked twice at once refuses one of the two. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(witness: PolicyWitness, options: WitnessClientOptions) {
    this.#witness = witness;
    this.#options = options;
  }

  get name(): string {
    return this.#witness.name;
  }

  cosign(submission: Submission): Promise<readonly string[]> {
    const answered = this.#last.then(() => this.#cosign(submission));
    this.#last = answered.catch(() => {});
    return answered;
  }

  async #cosign({ checkpoint, oldSize, proofFrom }: Submission): Promise<readonly string[]> {
    const note = decodeNote(checkpoint, 'the checkpoint');
    const { origin, size } = decodeCheckpoint(note.text, 'the checkpoint');
    const { timeoutMs = TIMEOUT_MS, http } = this.#options;
    const deadline = http.clock.now() + timeoutMs;
    const seen = this.#seen.get(origin) ?? oldSize;
    // One that has seen more says so itself: no proof leads back.
    let from = seen > size ? oldSize : seen;
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const proof = from === 0 || from === size ? [] : await proofFrom(from);
      const answer = await this.#submit(`${requestOf(from, proof)}${checkpoint}`, deadline);
      if (answer.kind === 'signed') {
        const lines = this.#take(note, answer.body);
        this.#seen.set(origin, size);
        return lines;
      }
      if (answer.size > size)
        throw this.#failed(`it has seen a tree of ${answer.size} entries, more than the log's ${size}`);
      if (answer.size === from) throw this.#failed(`it has seen another tree of ${from} entries`);
      from = answer.size;
      this.#seen.set(origin, from);
    }
    throw this.#failed(`it has moved on ${ATTEMPTS} times while it was asked`);
  }

  async #submit(
    body: string,
    deadline: number,
  ): Promise<{ readonly kind: 'signed'; readonly body: string } | { readonly kind: 'seen'; readonly size: number }> {
    const url = new URL(`${this.#witness.url ?? ''}/add-checkpoint`);
    // The same checkpoint again is cosigned again: it does no harm to repeat.
    const request = { method: 'POST', url, body: Buffer.from(body), deadline, repeatable: true, redirects: 0 };
    return await this.#options.http.exchange(
      { ...request, headers: { 'content-type': 'text/plain; charset=utf-8' } },
      async (response) => {
        const text = Buffer.from(await readBody(response, MAX_BYTES, `the answer of ${url.host}`)).toString('utf8');
        if (response.status === 200) return { kind: 'signed', body: text };
        const size = /^(0|[1-9][0-9]{0,15})\n$/.exec(text)?.[1];
        if (response.status === 409 && size !== undefined) return { kind: 'seen', size: Number(size) };
        throw this.#failed(`${url.host} answers ${response.status} ${STATUS.get(response.status) ?? ''}`.trim());
      },
    );
  }

  /** The lines that are this witness's own word on this checkpoint. Lines by keys that are not known are skipped, as the protocol says. */
  #take(note: SignedNote, body: string): readonly string[] {
    const { key } = this.#witness;
    const { signatures } = decodeNote(`${note.text}\n${body}`, `the answer of witness ${this.name}`);
    const own = signatures.filter(
      (line) => isBy(line, key) && verifyCosignatures({ ...note, signatures: [line] }, [key]).length === 1,
    );
    const last = own.at(-1);
    if (last === undefined) throw this.#failed('its answer has no cosignature by its key');
    return [encodeNoteSignature(last)];
  }

  #failed(message: string): RekorError {
    return new RekorError('witness-failed', message);
  }
}

/** What the protocol means by its numbers. */
const STATUS: ReadonlyMap<number, string> = new Map([
  [403, '(it does not trust the key of the log)'],
  [404, '(it does not know the log)'],
  [422, '(it has seen a tree that this one does not follow)'],
]);

function isBy(line: NoteSignature, key: PolicyWitness['key']): boolean {
  return line.name === key.name && Buffer.compare(line.keyId, key.keyId) === 0;
}

function requestOf(oldSize: number, proof: readonly Uint8Array[]): string {
  return `old ${oldSize}\n${proof.map((one) => `${encodeBase64(one)}\n`).join('')}\n`;
}
