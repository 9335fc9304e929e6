// SPDX-License-Identifier: Apache-2.0
import type { FulcioClaim, FulcioClaims } from '../../../trust/index.ts';
import { quoted } from '../quoted.ts';
import type { Claims } from '../token/token.ts';
import { claimText } from './claim-texts.ts';
import type { CertifiedIdentity } from './certified-identity.ts';
import { emailAddress, requireVerified } from './email.ts';
import { refused } from './refused.ts';

/** What a token may say of a build, by the names that GitHub gives it: rules and verifiers then speak of one thing. */
const BUILD_CLAIMS: ReadonlyMap<string, readonly FulcioClaim[]> = new Map<string, readonly FulcioClaim[]>([
  ['event_name', ['githubWorkflowTrigger', 'buildTrigger']],
  ['sha', ['githubWorkflowSha', 'sourceRepositoryDigest']],
  ['workflow', ['githubWorkflowName']],
  ['repository', ['githubWorkflowRepository']],
  ['ref', ['githubWorkflowRef', 'sourceRepositoryRef']],
  ['job_workflow_sha', ['buildSignerDigest']],
  ['runner_environment', ['runnerEnvironment']],
  ['repository_id', ['sourceRepositoryIdentifier']],
  ['repository_owner_id', ['sourceRepositoryOwnerIdentifier']],
  ['workflow_sha', ['buildConfigDigest']],
  ['repository_visibility', ['sourceRepositoryVisibilityAtSigning']],
  ['environment', ['deploymentEnvironment']],
]);
const URI = /^[a-z][a-z0-9+.-]*:[A-Za-z0-9._~:/?#[\]@!$&'()*+,;=%-]+$/;

/**
 * By a token of the stack's own issuer: a person's `email`, or else `sub`, the URI of whatever it is that signs.
 *
 * @throws CertificateRefusal `token-claims`
 */
export function workloadIdentity(claims: Claims, basics: FulcioClaims, subject: string): CertifiedIdentity {
  const extensions: Partial<Record<FulcioClaim, string>> = {};
  for (const [claim, names] of BUILD_CLAIMS) {
    const text = claimText(claims[claim]);
    if (text === undefined || text === '') continue;
    for (const name of names) extensions[name] = text;
  }
  const all = { ...extensions, ...basics };
  if (claims['email'] !== undefined && claims['email'] !== '') {
    requireVerified(claims);
    const email = emailAddress(claims);
    return { name: { kind: 'email', value: email }, challenge: email, claims: all };
  }
  if (!URI.test(subject)) throw refused(`is about ${quoted(subject)}, expected a URI, or an 'email' beside it`);
  return { name: { kind: 'uri', value: subject }, challenge: subject, claims: all };
}
