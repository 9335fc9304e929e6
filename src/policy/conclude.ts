// SPDX-License-Identifier: Apache-2.0
import type { Digest } from '../oci/index.ts';
import { printable } from '../trust/index.ts';
import type { AcceptedSummary, AppliedException, Decision, Finding, PolicyResult } from './decision.ts';
import { countedSeals } from './counted-seals.ts';
import type { PreparedPolicy } from './evaluate/prepared-policy.ts';

type Conclusion = Finding & Pick<Decision, 'evidence' | 'warnings'>;

/** A policy that an exception lifts: it is not looked whether it is met. */
export function excepted({ name, hash, mode }: PreparedPolicy, exception: AppliedException): PolicyResult {
  return {
    policy: name,
    hash,
    mode,
    outcome: 'trusted',
    code: 'excepted',
    message: describeException(exception),
    authorities: [],
  };
}

/** One line that is not overlooked: who approved, why, and until when. */
function describeException({ approver, reason, expires, source }: AppliedException): string {
  const who = `approved by ${printable(approver, 200)}`;
  return `lifted by an exception, ${who}, until ${expires.toISOString()}: ${printable(reason, 300)} (${printable(source, 200)})`;
}

/** An image that a summary admits. */
export function concludeBySummary({ verifier, timeVerified, validUntil, digest }: AcceptedSummary): Conclusion {
  const message = `${verifier} has verified it at ${timeVerified.toISOString()}; that counts until ${validUntil.toISOString()}`;
  return { outcome: 'trusted', code: 'summary-accepted', message, evidence: [digest], warnings: [] };
}

/** What policies come to together: all that enforce must be met. */
export function conclude(policies: readonly PolicyResult[], exceptions: readonly AppliedException[]): Conclusion {
  const evidence = evidenceOf(policies);
  // A fault of ours is no failure of a policy: it denies, whatever the mode.
  const counts = ({ mode, cause }: PolicyResult): boolean => mode === 'enforce' || cause?.code === 'unexpected';
  // What is only audited is in the policies' own results.
  const lenient = policies.filter(
    (policy) => !counts(policy) && policy.mode === 'warn' && policy.outcome !== 'trusted',
  );
  const warnings = [
    ...lenient.map(({ policy, message }) => `${policy}: ${message}`),
    ...exceptions.map((exception) => `${exception.policies.join(', ')}: ${describeException(exception)}`),
  ];
  const failing = policies.filter(counts);
  const failed =
    failing.find(({ outcome }) => outcome === 'refused') ?? failing.find(({ outcome }) => outcome === 'undecided');
  if (failed === undefined) {
    const lifted = policies.find(({ code }) => code === 'excepted');
    return lifted === undefined
      ? { outcome: 'trusted', code: 'met', message: met(policies), evidence, warnings }
      : { outcome: 'trusted', code: 'excepted', message: `${lifted.policy}: ${lifted.message}`, evidence, warnings };
  }
  const { outcome, code, nearest, cause } = failed;
  const message = `${failed.policy}: ${failed.message}`;
  return {
    outcome,
    code: outcome === 'undecided' || code === 'image-missing' ? code : 'policy-failed',
    message,
    evidence,
    warnings,
    ...(nearest === undefined ? {} : { nearest }),
    ...(cause === undefined ? {} : { cause }),
  };
}

function met(policies: readonly PolicyResult[]): string {
  const names = policies.filter(({ outcome }) => outcome === 'trusted').map(({ policy }) => policy);
  return names.length === 0 ? 'policies that do not enforce are not met' : `meets ${names.join(', ')}`;
}

function evidenceOf(policies: readonly PolicyResult[]): readonly Digest[] {
  return [...new Set(countedSeals(policies).map(({ place }) => place.layer ?? place.manifest))].toSorted();
}
