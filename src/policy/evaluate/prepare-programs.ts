// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../../wire/index.ts';
import type { FaultList } from '../document/fault.ts';
import type { PolicyProgram } from '../document/policy.ts';
import type { Engine, Engines, EngineSession, PreparedProgram, ProgramCheck } from '../engine/engine.ts';
import type { Material } from './resolve-material.ts';

const SHOWN = { cel: 'CEL', cue: 'CUE', rego: 'Rego' } as const;

/** Has the engines read policies over JSON, so that one that is wrong, or whose engine is not here, is known before a decision. */
export class ProgramPreparer {
  readonly #engines: Engines;
  readonly #material: Material;
  readonly #faults: FaultList;
  readonly #sessions: Map<Engine, EngineSession> = new Map();

  constructor(engines: Engines, material: Material, faults: FaultList) {
    this.#engines = engines;
    this.#material = material;
    this.#faults = faults;
  }

  /** A program that can be run; `undefined` where it cannot, which is told. */
  async prepare(document: PolicyProgram): Promise<PreparedProgram | undefined> {
    const { language, place } = document;
    const text = await this.#material.text(document);
    const engine = await this.#engines.find(language);
    if (typeof engine === 'string') {
      this.#faults.add('gap', 'engine-missing', place, engine);
      return undefined;
    }
    if (text === undefined) return undefined;
    const check = await this.#check(engine, text);
    if (check.kind === 'program') return check.program;
    this.#faults.add('error', 'field-value', place, `not ${SHOWN[language]} that can be used: ${check.message}`);
    return undefined;
  }

  /** Ends what was started. */
  async end(): Promise<void> {
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    await Promise.all(sessions.map((session) => session.end()));
  }

  async #check(engine: Engine, text: string): Promise<ProgramCheck> {
    const checks = CHECKS.get(engine) ?? new Map<string, ProgramCheck>();
    CHECKS.set(engine, checks);
    const known = checks.get(text);
    if (known !== undefined) return known;
    const session = this.#sessions.get(engine) ?? engine.open();
    this.#sessions.set(engine, session);
    try {
      const check = await session.check(text);
      if (checks.size >= MAX_KEPT) checks.clear();
      checks.set(text, check);
      return check;
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      return { kind: 'fault', message: error.message };
    }
  }
}

const MAX_KEPT = 1000;

// Policies are loaded again and again, and many have the same text.
const CHECKS: WeakMap<Engine, Map<string, ProgramCheck>> = new WeakMap();
