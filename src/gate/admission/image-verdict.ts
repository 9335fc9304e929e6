// SPDX-License-Identifier: Apache-2.0
import type { AuthorityResult, Cause, Decision, PolicyResult, PolicySet } from '../../policy/index.ts';
import { CodedError } from '../../wire/index.ts';
import { AdmissionError } from './admission-error.ts';
import type { NamedImage } from './image-question.ts';
import type { ImageVerdict } from './ports.ts';

/** The part of a decision that is kept and told of: seals and bundles are let go. */
export function verdictOf(decision: Decision): ImageVerdict {
  const { outcome, code, message, digest, policies, policyHash, evidence, warnings, nearest, cause } = decision;
  const [exception] = decision.exceptions;
  return {
    outcome,
    code,
    message,
    ...(digest === undefined ? {} : { digest }),
    policies: policies.map(({ policy, mode, ...found }) => ({
      policy,
      mode,
      outcome: found.outcome,
      code: found.code,
      message: found.message,
    })),
    policyHash,
    evidence,
    warnings,
    signers: signersOf(policies),
    ...(nearest === undefined
      ? {}
      : { nearest: { code: nearest.code, found: nearest.found, expected: nearest.expected } }),
    ...(cause === undefined ? {} : { cause }),
    ...(exception === undefined
      ? {}
      : { exception: `${exception.source}: ${exception.reason} (approved by ${exception.approver})` }),
  };
}

/** Both must hold; the one that does not says why. */
export function both(first: ImageVerdict, second: ImageVerdict): ImageVerdict {
  const failed = [first, second].find(({ outcome }) => outcome === 'refused');
  const open = [first, second].find(({ outcome }) => outcome === 'undecided');
  // What is about both names of the image is in the second as well.
  const of = failed ?? open ?? second;
  return {
    ...of,
    evidence: [...new Set([...first.evidence, ...second.evidence])].toSorted(),
    warnings: [...new Set([...first.warnings, ...second.warnings])],
  };
}

/** What could not be found out, in the gate's words. */
export function undecided(error: unknown): ImageVerdict {
  const cause = causeOf(error);
  const known = error instanceof AdmissionError && (error.code === 'deadline' || error.code === 'overloaded');
  return {
    ...NOTHING,
    outcome: 'undecided',
    code: known ? error.code : 'unknown',
    message: `it could not be found out: ${cause.message}`,
    cause,
  };
}

/** A verdict without evidence. */
export const NOTHING: Pick<ImageVerdict, 'policies' | 'evidence' | 'warnings' | 'signers'> = {
  policies: [],
  evidence: [],
  warnings: [],
  signers: [],
};

function causeOf(error: unknown): Cause {
  if (error instanceof CodedError) return { code: error.code, message: error.message };
  // What nobody foresaw is logged, not told to whoever asked.
  return { code: 'unexpected', message: 'the gate itself failed; its log says why' };
}

const MAX_SIGNERS = 8;

function signersOf(policies: readonly PolicyResult[]): readonly string[] {
  const authorities = policies.flatMap((policy): readonly AuthorityResult[] => [
    ...policy.authorities,
    ...(policy.platforms ?? []).flatMap((platform) => platform.authorities),
  ]);
  const names = authorities
    .flatMap(({ seals, attestations }) => [...seals, ...attestations.flatMap((attestation) => attestation.seals)])
    .map(({ signer }) =>
      signer.kind === 'key'
        ? `key ${signer.key.hint}`
        : `${signer.identity.subject} (${signer.identity.claims.issuer ?? 'no issuer'})`,
    );
  return [...new Set(names)].slice(0, MAX_SIGNERS);
}

/** What becomes of an image that no policy is about. */
export function withoutPolicy({ noMatch }: Pick<PolicySet, 'noMatch'>): ImageVerdict {
  const message = 'no policy is about this image';
  const outcome = noMatch === 'deny' ? 'refused' : 'trusted';
  return {
    ...NOTHING,
    outcome,
    code: 'no-policy-matches',
    message,
    warnings: noMatch === 'warn' ? [message] : [],
  };
}

/** There is no such image. */
export function missing({ repository, tag }: Pick<NamedImage, 'repository' | 'tag'>): ImageVerdict {
  return { ...NOTHING, outcome: 'refused', code: 'image-missing', message: `${repository} has no tag '${tag}'` };
}
