// SPDX-License-Identifier: Apache-2.0
import type { Verdict } from '../../image/index.ts';
import { CodedError } from '../../wire/index.ts';

/** One line of the play: what was tried, what happened, and why. */
export interface Act {
  readonly tried: string;
  /** `done` for a step, else what the gate or the registry said */
  readonly happened: 'done' | 'trusted' | 'refused' | 'undecided' | 'accepted' | 'failed';
  readonly why: string;
  /** true where it went as it should */
  readonly asExpected: boolean;
}

/** A verdict as a line, held against the one that is right. */
export function actOfVerdict(tried: string, verdict: Verdict, expected: string): Act {
  if (verdict.kind === 'trusted') {
    const seal = verdict.seals[0];
    return {
      tried,
      happened: 'trusted',
      why: `sealed by ${seal.signer.kind === 'key' ? `key ${seal.signer.key.hint.slice(0, 12)}…` : seal.signer.identity.subject} (${seal.scheme}, ${seal.format})`,
      asExpected: expected === 'trusted',
    };
  }
  if (verdict.kind === 'undecided') {
    return { tried, happened: 'undecided', why: `${verdict.cause.message} [${verdict.cause.code}]`, asExpected: false };
  }
  const { nearest, reason } = verdict;
  const code = nearest?.code ?? reason;
  const why =
    nearest === undefined ? 'nobody sealed this digest' : `found ${nearest.found}, expected ${nearest.expected}`;
  return { tried, happened: 'refused', why: `${why} [${code}]`, asExpected: expected === code };
}

/** Something that the registry or the stack must refuse, as a line. */
export async function actOfRefusal(tried: string, attempt: Promise<unknown>, expected: string): Promise<Act> {
  try {
    await attempt;
    return { tried, happened: 'accepted', why: `it should have been refused as ${expected}`, asExpected: false };
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return { tried, happened: 'refused', why: `${saidBy(error)} [${error.code}]`, asExpected: error.code === expected };
  }
}

// What the registry or a service said itself: who asked and how it was answered is known on this stage.
function saidBy(error: CodedError): string {
  if (error.code === 'service-refused') return / answers \d+: (.+)$/.exec(error.message)?.[1] ?? error.message;
  return /'([^']+)'$/.exec(error.message)?.[1] ?? error.message;
}
