// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../wire/index.ts';
import {
  madeOf,
  textsOf,
  type CosignProgram,
  type Engine,
  type EngineSession,
  type PreparedProgram,
  type ProgramAnswer,
  type ProgramCheck,
  type ProgramInput,
  type ProgramQuery,
} from './engine.ts';
import { COSIGN_RULES, describeRegoFault, lineOfRegoFault, readRegoAnswer, REGO_RULES } from './rego-answer.ts';

/** OPA, however it is run. */
export interface Opa {
  /**
   * Reads a policy as Rego of one version.
   *
   * @throws PolicyError `program-unfinished`
   */
  check(texts: readonly string[], version: ProgramQuery['version']): Promise<OpaCheck>;
  /**
   * The value of a rule, or what failed.
   *
   * @throws PolicyError `program-unfinished`
   */
  evaluate(texts: readonly string[], query: ProgramQuery, input: ProgramInput): Promise<OpaValue>;
  end(): Promise<void>;
}

/** What each text of a policy declares; or what is wrong with it. */
export type OpaCheck =
  | { readonly kind: 'read'; readonly modules: readonly OpaModule[] }
  | { readonly kind: 'fault'; readonly text: string };

/** A package, as `data.sigstore`, and the names of its rules. */
export interface OpaModule {
  readonly package: string;
  readonly rules: readonly string[];
}

export type OpaValue =
  | { readonly kind: 'value'; readonly value: Json | undefined }
  | { readonly kind: 'failed'; readonly text: string };

/** bytes; a session takes some twelve times as much memory */
const MAX_INPUT = 32 * 1024 * 1024;

/** Rego by OPA: package `sigstore` with the rule `isCompliant`, or `signature` with `allow`, in Rego v1 or v0. */
export class RegoEngine implements Engine {
  readonly language = 'rego';
  readonly maxInput: number = MAX_INPUT;
  readonly #open: () => Opa;

  constructor(open: () => Opa) {
    this.#open = open;
  }

  open(): EngineSession {
    return new RegoSession(this, this.#open());
  }
}

/** Whether a policy that is wrong in both versions was meant as the older: it has a rule without `if`, or is read further as that. */
function meansV0(v1: string, v0: string): boolean {
  return /keyword is required/.test(v1) || lineOfRegoFault(v0) > lineOfRegoFault(v1);
}

class RegoSession implements EngineSession {
  readonly #engine: Engine;
  readonly #opa: Opa;

  constructor(engine: Engine, opa: Opa) {
    this.#engine = engine;
    this.#opa = opa;
  }

  async check(policy: string | CosignProgram): Promise<ProgramCheck> {
    const { texts, names } = textsOf(policy);
    // What is right in both versions means the same in both.
    const faults: string[] = [];
    for (const version of ['v1', 'v0'] as const) {
      const found = await this.#opa.check(texts, version);
      if (found.kind === 'read') return this.#program(policy, version, found.modules);
      faults.push(found.text);
    }
    const [v1 = '', v0 = ''] = faults;
    return { kind: 'fault', message: describeRegoFault(meansV0(v1, v0) ? v0 : v1, names) };
  }

  #program(
    policy: string | CosignProgram,
    version: ProgramQuery['version'],
    modules: readonly OpaModule[],
  ): ProgramCheck {
    const asked = typeof policy === 'string' ? REGO_RULES : COSIGN_RULES;
    const expected = asked.map((one) => `${one.package.slice(5)} with the rule ${one.name}`).join(', or ');
    const convention = asked.find((one) => modules.some((module) => module.package === one.package));
    if (convention === undefined) {
      const packages = [...new Set(modules.map((module) => module.package.replace(/^data\./, '')))];
      const which = packages.length === 1 ? 'its package is' : 'its packages are';
      return { kind: 'fault', message: `${which} ${packages.join(', ')}, expected ${expected}` };
    }
    const rules = modules.flatMap((module) => (module.package === convention.package ? module.rules : []));
    if (!rules.includes(convention.name))
      return { kind: 'fault', message: `its package has no rule ${convention.name}` };
    const query = { rule: `${convention.package}.${convention.name}`, version } as const;
    const made = madeOf(policy);
    // Two functions look at validity by the clock. A name can be written with escapes; that is rare, and then nothing is kept.
    const readsClock = /now_ns|decode_verify|parse_and_verify|\\u/i.test(made.text);
    return { kind: 'program', program: { language: 'rego', ...made, engine: this.#engine, readsClock, query } };
  }

  async run({ text, cosign, query }: PreparedProgram, input: ProgramInput): Promise<ProgramAnswer> {
    if (query === undefined) throw new TypeError('a policy in Rego that was not checked');
    const { texts, names } = textsOf(cosign ?? text);
    const found = await this.#opa.evaluate(texts, query, input);
    if (found.kind === 'failed') return { kind: 'refused', found: `it fails: ${describeRegoFault(found.text, names)}` };
    return readRegoAnswer(query.rule, found.value);
  }

  end(): Promise<void> {
    return this.#opa.end();
  }
}
