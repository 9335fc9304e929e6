// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import { celFault, startCelWorker, type CelAnswer, type CelRequest } from './cel-worker.ts';
import type {
  CosignProgram,
  Engine,
  EngineSession,
  PreparedProgram,
  ProgramAnswer,
  ProgramCheck,
  ProgramInput,
} from './engine.ts';
import { EngineThread } from './engine-thread.ts';

/** milliseconds */
const DEADLINE = 3000;

/** CEL. Over an attestation a policy sees `statement`, `predicate` and `now`; else what was found, by name, and `now`. */
export const CEL_ENGINE: Engine = {
  language: 'cel',
  maxInput: 64 * 1024 * 1024,
  open: (): EngineSession => new CelSession(),
};

class CelSession implements EngineSession {
  readonly #thread = new EngineThread<CelRequest, CelAnswer>('CEL', async () => startCelWorker(), DEADLINE);

  async check(text: string | CosignProgram): Promise<ProgramCheck> {
    if (typeof text !== 'string') return { kind: 'fault', message: 'cosign reads no policies in CEL' };
    const fault = await celFault(text);
    if (fault !== undefined) return { kind: 'fault', message: printable(fault.replaceAll(/\s+/g, ' '), 200) };
    const readsClock = /\bnow\b/.test(text);
    return { kind: 'program', program: { language: 'cel', text, engine: CEL_ENGINE, readsClock } };
  }

  async run({ text }: PreparedProgram, { over, bytes, now }: ProgramInput): Promise<ProgramAnswer> {
    const variables =
      over === 'matches' ? bytes : Buffer.concat([Buffer.from('{"statement":'), bytes, Buffer.from('}')]);
    const answer = await this.#thread.ask({ text, variables, now: now.getTime() });
    if (answer.kind === 'failed')
      return { kind: 'refused', found: `it fails: ${printable(answer.message.replaceAll(/\s+/g, ' '), 200)}` };
    return answer.holds ? { kind: 'approved' } : { kind: 'refused', found: 'it is not true' };
  }

  end(): Promise<void> {
    return this.#thread.end();
  }
}
