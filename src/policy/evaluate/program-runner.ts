// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import type { Rejection } from '../../image/index.ts';
import type { Json } from '../../wire/index.ts';
import type { Engine, EngineSession, PreparedProgram, ProgramAnswer, ProgramInput } from '../engine/engine.ts';
import { PolicyError } from '../error.ts';

const MAX_KEPT = 10_000;

/** Answers that were found before, by what they were made of: for all decisions by the same policies. */
export type KnownAnswers = Map<string, ProgramAnswer>;

/** Runs policies over JSON apart from all else, those in one language one after the other, and not twice over the same. */
export class ProgramRunner {
  readonly #now: Date;
  readonly #known: KnownAnswers;
  readonly #sessions: Map<Engine, EngineSession> = new Map();
  readonly #warnings: Set<string> = new Set();

  constructor(now: Date, known: KnownAnswers = new Map()) {
    this.#now = now;
    this.#known = known;
  }

  /** What policies remarked that approved, one line each. */
  get warnings(): readonly string[] {
    return [...this.#warnings];
  }

  /**
   * Why a policy refuses an attestation; `undefined` if it does not.
   *
   * @param payload the statement: JSON, verified
   * @throws PolicyError `program-unfinished` where it could not be found out
   */
  async refuses(
    program: PreparedProgram,
    payload: Uint8Array,
  ): Promise<Omit<Rejection, 'place' | 'format'> | undefined> {
    const answer = await this.#answer(program, { over: 'statement', bytes: payload, now: this.#now });
    if (answer.kind === 'approved') return undefined;
    return { code: 'predicate-refused', found: answer.found, expected: 'a predicate of which the policy approves' };
  }

  /** The same over what the authorities of a policy have found. */
  async refusesMatches(program: PreparedProgram, input: Json): Promise<{ readonly found: string } | undefined> {
    const bytes = Buffer.from(JSON.stringify(input));
    const answer = await this.#answer(program, { over: 'matches', bytes, now: this.#now });
    return answer.kind === 'approved' ? undefined : { found: answer.found };
  }

  /** Ends what was started. */
  async end(): Promise<void> {
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    await Promise.all(sessions.map((session) => session.end()));
  }

  async #answer(program: PreparedProgram, input: ProgramInput): Promise<ProgramAnswer> {
    const { engine, language, text, readsClock } = program;
    const { over, bytes } = input;
    const what = over === 'statement' ? 'the attestation' : 'what the authorities found';
    if (bytes.byteLength > engine.maxInput)
      throw new PolicyError(
        'program-unfinished',
        `${what} has ${bytes.byteLength} bytes, at most ${engine.maxInput} are handed to a policy in ${SHOWN[language]}`,
      );
    const key = `${language} ${over} ${hash('sha256', text)} ${hash('sha256', bytes)}`;
    const known = readsClock ? undefined : this.#known.get(key);
    const answer = known ?? (await this.#session(engine).run(program, input));
    if (this.#known.size >= MAX_KEPT) this.#known.clear();
    if (!readsClock) this.#known.set(key, answer);
    if (answer.kind === 'approved' && answer.warning !== undefined) this.#warnings.add(answer.warning);
    return answer;
  }

  #session(engine: Engine): EngineSession {
    const known = this.#sessions.get(engine);
    if (known !== undefined) return known;
    const session = engine.open();
    this.#sessions.set(engine, session);
    return session;
  }
}

const SHOWN = { cel: 'CEL', cue: 'CUE', rego: 'Rego' } as const;
