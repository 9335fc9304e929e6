// SPDX-License-Identifier: Apache-2.0
import type { AttestedContent } from '../../image/index.ts';
import {
  checkPredicate,
  decodeStatement,
  describeFault,
  parsePredicateType,
  readPredicate,
  TrustError,
  type PredicateFault,
} from '../../trust/index.ts';
import type { Json } from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { warnOfFaults } from '../output/predicate-faults.ts';
import { printable } from '../output/printable.ts';
import { readAttachment } from './attachment-size.ts';
import type { ATTESTED_CONTENT_FLAGS, PREDICATE_TYPE_FLAG, STRICT_PREDICATE_FLAG } from './attestation.ts';

type Flags = FlagValues<typeof ATTESTED_CONTENT_FLAGS> &
  FlagValues<typeof PREDICATE_TYPE_FLAG> &
  FlagValues<typeof STRICT_PREDICATE_FLAG>;

/**
 * What flags ask to attest. What is wrong with a predicate by the schema of its kind is warned of, with a code; `--strict-predicate` refuses.
 *
 * @throws CliError `usage`, `input-too-large`, and as `readFile`; TrustError `predicate-type-unknown`, `predicate-malformed`,
 * `statement-malformed`
 */
export async function loadAttestedContent(
  context: CommandContext,
  flags: Flags,
  given: ReadonlySet<string>,
  now: Date,
): Promise<AttestedContent> {
  const { predicate: file, statement } = flags;
  if (statement !== undefined && statement !== '') {
    for (const other of ['predicate', 'type', 'statement-version'])
      if (given.has(other)) throw new CliError('usage', `--statement says all: leave --${other} out`);
    context.stderr(`Using statement from: ${sourceName(statement)}\n`);
    const payload = await readAttachment(context, statement, 'statement');
    const decoded = decodeStatement(payload);
    judgePredicate(context, checkPredicate(decoded.predicateType, decoded.predicate), flags);
    return { kind: 'statement', payload };
  }
  if (file === undefined || file === '')
    throw new CliError('usage', 'at least one of the flags in the group [predicate statement] is required');
  const type = parsePredicateType(flags.type);
  context.stderr(`Using payload from: ${sourceName(file)}\n`);
  const bytes = await readAttachment(context, file, 'predicate');
  const predicate = readPredicate(type, { bytes, what: sourceName(file), now });
  return predicateContent(context, type.uri, predicate, flags);
}

/**
 * A predicate as what is attested. What is wrong with it by the schema of its kind is warned of; `--strict-predicate` refuses.
 *
 * @throws TrustError `predicate-malformed`
 */
export function predicateContent(
  context: Pick<CommandContext, 'warn'>,
  predicateType: string,
  predicate: Json,
  flags: FlagValues<typeof STRICT_PREDICATE_FLAG> & { readonly 'statement-version': string },
): AttestedContent & { readonly kind: 'predicate' } {
  judgePredicate(context, checkPredicate(predicateType, predicate), flags);
  const statementVersion = flags['statement-version'] === '1' ? '1' : '0.1';
  return { kind: 'predicate', predicateType, predicate, statementVersion };
}

/** The predicate types that a verifying command accepts. @throws TrustError `predicate-type-unknown` */
export function demandedPredicateType({ type }: FlagValues<typeof PREDICATE_TYPE_FLAG>): string {
  return parsePredicateType(type).uri;
}

/** Warns of faults, or refuses them. @throws TrustError `predicate-malformed` */
function judgePredicate(
  context: Pick<CommandContext, 'warn'>,
  faults: readonly PredicateFault[],
  flags: FlagValues<typeof STRICT_PREDICATE_FLAG>,
): void {
  const [first] = faults;
  if (first !== undefined && flags['strict-predicate'])
    throw new TrustError('predicate-malformed', `--strict-predicate: the predicate: ${describeFault(first)}`);
  warnOfFaults(context, faults);
}

function sourceName(file: string): string {
  return file === '-' ? 'standard input' : printable(file);
}
