// SPDX-License-Identifier: Apache-2.0
import type { CertificateIdentity } from '../certificate/certificate-identity.ts';
import { FULCIO_CLAIMS, type FulcioClaim } from '../certificate/fulcio-claims.ts';
import { TrustError } from '../error.ts';
import { printable } from '../printable.ts';
import {
  compilePattern,
  describePattern,
  matchesPattern,
  type CompiledPattern,
  type TextPattern,
} from './text-pattern.ts';

/** Who is expected to have signed. All that is given must hold. */
export interface IdentityPattern {
  /** for example `dev@example.com`, or the URI of a workflow */
  readonly subject?: TextPattern;
  /** the URL of who vouched for the subject: without it a subject says little, since any issuer can vouch for any */
  readonly issuer?: TextPattern;
  /** what else must be certified, by name */
  readonly claims?: Readonly<Partial<Record<FulcioClaim, TextPattern>>>;
  /**
   * Lets the subject or issuer be left out, or be an expression that matches everything. Then the claims alone say who may have signed, and
   * with none anybody that the authority has certified.
   */
  readonly allowAny?: boolean;
}

/** An expected identity, checked and compiled. */
export interface ExpectedIdentity {
  /** `issuer`, `subject`, then the claims, in the order in which they are compared */
  readonly patterns: readonly (readonly [name: 'subject' | FulcioClaim, pattern: CompiledPattern])[];
}

/** Why a certified identity is none of those expected. Stable. */
export type IdentityRejectionCode =
  /** another issuer has vouched for it */
  | 'identity-issuer-mismatch'
  /** another name */
  | 'identity-subject-mismatch'
  /** a claim is missing or other */
  | 'identity-claim-mismatch';

export interface IdentityRejection {
  readonly code: IdentityRejectionCode;
  readonly found: string;
  readonly expected: string;
}

/** What came of comparing. */
export type IdentityMatch =
  | { readonly kind: 'matched'; readonly expected: ExpectedIdentity }
  | { readonly kind: 'rejected'; readonly rejection: IdentityRejection };

/**
 * Checks and compiles an expected identity; do it once for all signatures.
 *
 * @throws TrustError `identity-unspecific` if it has no subject or issuer, or an expression matches everything, unless `allowAny`; or if it
 * names a claim that there is not; WireError `expression-malformed`
 * @example
 * const release = await compileIdentity({
 *   issuer: { exact: 'https://token.actions.githubusercontent.com' },
 *   subject: { expression: '^https://github\\.com/example/app/\\.github/workflows/release\\.yml@refs/tags/v' },
 *   claims: { sourceRepositoryRef: { expression: '^refs/tags/v' }, runnerEnvironment: { exact: 'github-hosted' } },
 * });
 */
export async function compileIdentity(pattern: IdentityPattern): Promise<ExpectedIdentity> {
  const { subject, issuer, claims = {}, allowAny = false } = pattern;
  if (!allowAny && (subject === undefined || issuer === undefined))
    throw new TrustError(
      'identity-unspecific',
      `an expected identity without ${subject === undefined ? 'a subject' : 'an issuer'}, expected both`,
    );
  const named: (readonly ['subject' | FulcioClaim, TextPattern | undefined])[] = [
    ['issuer', issuer],
    ['subject', subject],
    ...Object.entries(claims).map(([name, text]) => [claimOf(name), text] as const),
  ];
  const patterns: (readonly ['subject' | FulcioClaim, CompiledPattern])[] = [];
  for (const [name, text] of named)
    if (text !== undefined) patterns.push([name, await compilePattern(text, `the ${name}`, allowAny)]);
  return { patterns };
}

function claimOf(name: string): FulcioClaim {
  for (const claim of FULCIO_CLAIMS.keys()) if (claim === name) return claim;
  throw new TrustError(
    'identity-unspecific',
    `an expected identity with the claim '${printable(name)}', expected one of ${[...FULCIO_CLAIMS.keys()].join(', ')}`,
  );
}

/** Whether a certified identity is any of those expected; if not, how it differs from the one that it comes nearest to. */
export function matchIdentity(identity: CertificateIdentity, expected: readonly ExpectedIdentity[]): IdentityMatch {
  let nearest: readonly [at: number, rejection: IdentityRejection] | undefined;
  for (const candidate of expected) {
    const at = candidate.patterns.findIndex(([name, pattern]) => !holds(identity, name, pattern));
    const differing = candidate.patterns[at];
    if (differing === undefined) return { kind: 'matched', expected: candidate };
    if (nearest === undefined || at > nearest[0]) nearest = [at, describeMismatch(identity, ...differing)];
  }
  const none = {
    code: 'identity-subject-mismatch',
    found: shown(identity.subject),
    expected: 'an identity, and none is given',
  } as const;
  return { kind: 'rejected', rejection: nearest?.[1] ?? none };
}

function valueOf({ subject, claims }: CertificateIdentity, name: 'subject' | FulcioClaim): string | undefined {
  return name === 'subject' ? subject : claims[name];
}

function holds(identity: CertificateIdentity, name: 'subject' | FulcioClaim, pattern: CompiledPattern): boolean {
  const value = valueOf(identity, name);
  return value !== undefined && matchesPattern(pattern, value);
}

function describeMismatch(
  identity: CertificateIdentity,
  name: 'subject' | FulcioClaim,
  pattern: CompiledPattern,
): IdentityRejection {
  const value = valueOf(identity, name);
  const code =
    name === 'subject' || name === 'issuer' ? (`identity-${name}-mismatch` as const) : 'identity-claim-mismatch';
  return {
    code,
    found: value === undefined ? `no ${name}` : `the ${name} ${shown(value)}`,
    expected: `the ${name} ${describePattern(pattern)}`,
  };
}

function shown(text: string): string {
  return `'${printable(text, 200)}'`;
}
