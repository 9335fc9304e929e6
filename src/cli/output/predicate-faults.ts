// SPDX-License-Identifier: Apache-2.0
import { describeFault, type PredicateFault } from '../../trust/index.ts';
import type { CommandContext } from '../context.ts';

/** Warns of what is wrong with a predicate by the schema of its kind. @param of which one */
export function warnOfFaults(
  context: Pick<CommandContext, 'warn'>,
  faults: readonly PredicateFault[],
  of = 'the predicate',
): void {
  for (const fault of faults) context.warn(`${of}: ${describeFault(fault)}`);
}
