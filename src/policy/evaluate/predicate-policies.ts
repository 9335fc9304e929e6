// SPDX-License-Identifier: Apache-2.0
import type { Rejection } from '../../image/index.ts';
import { printable } from '../../trust/index.ts';
import type { PolicyFile } from '../document/yaml-stream.ts';
import type { CosignProgram, Engines, EngineSession, PreparedProgram, ProgramCheck } from '../engine/engine.ts';
import { PolicyError } from '../error.ts';
import { ProgramRunner } from './program-runner.ts';

/** In the order in which they are asked. */
const LANGUAGES = [
  { language: 'cue', shown: 'CUE', ending: '.cue' },
  { language: 'rego', shown: 'Rego', ending: '.rego' },
] as const;

/** With what policies in files are read. */
export interface PredicatePolicyOptions {
  readonly engines: Engines;
  /** the time of the decision: no policy reads another clock */
  readonly now: Date;
  /** whether a policy in CUE refuses where a field is not there of which it says what it must be; otherwise that is warned of, as cosign lets it pass */
  readonly strict?: boolean;
}

/** Whether cosign takes a file of this name for a policy: one in CUE (`.cue`) or in Rego (`.rego`). */
export function isPredicatePolicy(name: string): boolean {
  return LANGUAGES.some(({ ending }) => name.endsWith(ending));
}

/**
 * Reads the policies of cosign's `--policy`: files in CUE or Rego, by their ending, about the whole in-toto statement. Those in one language
 * are one policy, as files of one package are; in CUE the statement must unify with it, in Rego `allow` of the package `signature` must be
 * true. Where there are both, both must approve.
 *
 * @param files such that {@link isPredicatePolicy} holds
 * @throws PolicyError `policy-malformed`, `engine-missing` (the message says what to install), `program-unfinished`
 * @see https://docs.sigstore.dev/cosign/verifying/attestation/
 * @example
 * const policies = await readPredicatePolicies([{ name: 'scan.rego', bytes }], { engines: findEngines(), now: new Date() });
 * const why = await policies.refuses(attestation.envelope.payload);
 * await policies.end();
 */
export async function readPredicatePolicies(
  files: readonly PolicyFile[],
  { engines, now, strict = false }: PredicatePolicyOptions,
): Promise<PredicatePolicies> {
  const policies: NamedProgram[] = [];
  for (const { language, shown, ending } of LANGUAGES) {
    const own = files.filter(({ name }) => name.endsWith(ending));
    if (own.length === 0) continue;
    const names = own.map(({ name }) => printable(name, 100)).join(', ');
    const engine = await engines.find(language);
    if (typeof engine === 'string') throw new PolicyError('engine-missing', `${names}: ${engine}`);
    const read = {
      files: own.map(({ name, bytes }) => ({ name: printable(name, 100), text: textOf(name, bytes) })),
      strict,
    };
    const check = await checkOnce(engine.open(), read);
    if (check.kind === 'fault')
      throw new PolicyError('policy-malformed', `${names}: not ${shown} that can be used: ${check.message}`);
    policies.push({ names, program: check.program });
  }
  return new PredicatePolicies(policies, now);
}

interface NamedProgram {
  /** of its files, for people */
  readonly names: string;
  readonly program: PreparedProgram;
}

async function checkOnce(session: EngineSession, policy: CosignProgram): Promise<ProgramCheck> {
  try {
    return await session.check(policy);
  } finally {
    await session.end();
  }
}

function textOf(name: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new PolicyError('policy-malformed', `${printable(name, 100)}: not text in UTF-8`);
  }
}

/** Policies in files that were read, and what runs them: end it. */
export class PredicatePolicies {
  readonly #policies: readonly NamedProgram[];
  readonly #runner: ProgramRunner;

  constructor(policies: readonly NamedProgram[], now: Date) {
    this.#policies = policies;
    this.#runner = new ProgramRunner(now);
  }

  /** What policies remarked that approved, one line each. */
  get warnings(): readonly string[] {
    return this.#runner.warnings;
  }

  /**
   * Why the policies refuse an attestation; `undefined` if all approve.
   *
   * @param payload the statement: JSON, verified
   * @throws PolicyError `program-unfinished` where it could not be found out
   */
  async refuses(payload: Uint8Array): Promise<PredicateRefusal | undefined> {
    for (const { names, program } of this.#policies) {
      const why = await this.#runner.refuses(program, payload);
      if (why !== undefined)
        return { code: 'predicate-refused', found: why.found, expected: `an attestation of which ${names} approves` };
    }
    return undefined;
  }

  /** Ends what was started. */
  async end(): Promise<void> {
    await this.#runner.end();
  }
}

/** Why an attestation does not count: what of it a policy does not approve of. */
export interface PredicateRefusal extends Omit<Rejection, 'place' | 'format' | 'code'> {
  readonly code: 'predicate-refused';
}
