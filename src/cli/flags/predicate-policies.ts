// SPDX-License-Identifier: Apache-2.0
import type { PredicatePolicies, PredicateRefusal } from '../../policy/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { printable } from '../output/printable.ts';
import type { STRICT_PREDICATE_FLAG } from './attestation.ts';
import { surroundingsOf } from './default-trust.ts';
import { readPolicyFiles } from './policy-files.ts';

/** What must be true of what is attested. */
export const PREDICATE_POLICY_FLAG = {
  policy: {
    kind: 'strings',
    split: true,
    placeholder: 'FILE',
    help: 'a policy about the statement, in CUE (.cue) or Rego (.rego); several of one language are read as one, and both languages must approve',
  },
} as const;

type Flags = FlagValues<typeof PREDICATE_POLICY_FLAG> & FlagValues<typeof STRICT_PREDICATE_FLAG>;

const MAX_BYTES = 256 * 1024;
const MAX_FILES = 100;

/** Policies over what is attested; without the flag they approve of everything. */
export interface AskedPolicies {
  /** as they were typed */
  readonly names: readonly string[];
  /**
   * Why they refuse a statement; `undefined` if they do not.
   *
   * @throws PolicyError `program-unfinished`; CliError where the command is ended meanwhile
   */
  refuses(payload: Uint8Array): Promise<PredicateRefusal | undefined>;
  /** Warns of what a policy in CUE let pass so far though it is not there, of each thing once. */
  warn(): void;
  /** Ends what was started. */
  end(): Promise<void>;
}

/**
 * Reads the policies that flags name.
 *
 * @throws CliError `flag-invalid`, `file-missing`, `file-unreadable`, `input-too-large`; PolicyError `policy-malformed`, `engine-missing`
 */
export async function askedPolicies(context: CommandContext, flags: Flags): Promise<AskedPolicies> {
  const { policy: names, 'strict-predicate': strict } = flags;
  if (names.length === 0) return NONE;
  if (names.length > MAX_FILES)
    throw new CliError('flag-invalid', `--policy: ${names.length} files, at most ${MAX_FILES} are read`);
  const { findEngines, isPredicatePolicy, readPredicatePolicies } = await import('../../policy/index.ts');
  const unknown = names.find((name) => !isPredicatePolicy(name));
  if (unknown !== undefined)
    throw new CliError('flag-invalid', `--policy ${printable(unknown)}: invalid policy format, expected .cue or .rego`);
  const files = await readPolicyFiles(context, names, MAX_BYTES);
  const engines = findEngines(surroundingsOf(context));
  const policies = await readPredicatePolicies(files, { engines, now: context.now(), strict });
  return new RunPolicies(context, names, policies);
}

const NONE: AskedPolicies = {
  names: [],
  refuses: async () => undefined,
  warn: () => undefined,
  end: async () => undefined,
};

class RunPolicies implements AskedPolicies {
  readonly names: readonly string[];
  readonly #context: CommandContext;
  readonly #policies: PredicatePolicies;
  readonly #warned: Set<string> = new Set();

  constructor(context: CommandContext, names: readonly string[], policies: PredicatePolicies) {
    this.names = names;
    this.#context = context;
    this.#policies = policies;
  }

  async refuses(payload: Uint8Array): Promise<PredicateRefusal | undefined> {
    const { signal } = this.#context;
    signal.throwIfAborted();
    const ended = Promise.withResolvers<never>();
    const stop = (): void => ended.reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await Promise.race([this.#policies.refuses(payload), ended.promise]);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  warn(): void {
    for (const warning of this.#policies.warnings) {
      if (this.#warned.has(warning)) continue;
      this.#warned.add(warning);
      this.#context.warn(`${warning} (--strict-predicate refuses that)`);
    }
  }

  end(): Promise<void> {
    return this.#policies.end();
  }
}
