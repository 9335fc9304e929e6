// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../wire/index.ts';
import { printable } from '../printable.ts';

/** Why a predicate is not in the form that its kind has. Stable: programs tell them apart by these. */
export type PredicateFaultCode =
  /** a member that the kind demands is not there */
  | 'predicate-member-missing'
  /** a member is of another JSON type than the kind has */
  | 'predicate-member-type'
  /** a member is of the right type, and says what the kind does not know */
  | 'predicate-member-value';

/** One thing that is wrong with a predicate. All texts are one line, safe to print. */
export interface PredicateFault {
  readonly code: PredicateFaultCode;
  /** where it is, for example `runDetails.builder.id`; `predicate` for the whole */
  readonly at: string;
  readonly found: string;
  readonly expected: string;
}

/** More is not listed: who has made that many has made another thing. */
const MAX_FAULTS = 20;

/** What was found wrong so far. */
export class FaultList {
  readonly faults: PredicateFault[] = [];

  get full(): boolean {
    return this.faults.length >= MAX_FAULTS;
  }

  add(code: PredicateFaultCode, at: string, found: string, expected: string): void {
    if (!this.full) this.faults.push({ code, at: printable(at, 200) || 'predicate', found, expected });
  }
}

/** A value in few words. */
export function describeJson(value: Json): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'string') return `'${printable(value)}'`;
  return typeof value === 'object' ? 'an object' : `${typeof value} ${String(value)}`;
}
