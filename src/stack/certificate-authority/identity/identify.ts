// SPDX-License-Identifier: Apache-2.0
import type { FulcioClaims } from '../../../trust/index.ts';
import type { TokenIssuer } from '../issuers/token-issuer.ts';
import { quoted } from '../quoted.ts';
import type { Claims } from '../token/token.ts';
import { identifyBuild } from './build.ts';
import type { CertifiedIdentity } from './certified-identity.ts';
import { emailIdentity } from './email.ts';
import { refused } from './refused.ts';
import { plainUrl, serviceAccountUri, spiffeId, subjectUrl, username } from './subject.ts';
import { workloadIdentity } from './workload.ts';

type Name = CertifiedIdentity['name'];

/** characters of a name or claim: 24 of them have to fit into an entry of the log */
const MAX_CHARACTERS = 2048;

/**
 * Whom a verified token is about, by the rules of its issuer's type.
 *
 * @throws CertificateRefusal `token-claims`
 * @see https://github.com/sigstore/fulcio/blob/main/docs/oidc.md
 */
export function identify(issuer: TokenIssuer, claims: Claims): CertifiedIdentity {
  const identity = identifyByType(issuer, claims);
  for (const [what, text] of [['its name', identity.name.value], ...Object.entries(identity.claims)] as [
    string,
    string,
  ][]) {
    if (text.length > MAX_CHARACTERS)
      throw refused(
        `makes a certificate with ${text.length} characters in ${what}, at most ${MAX_CHARACTERS} are certified`,
      );
    // What begins a new line or a new field for one program does not for another.
    if (/[\p{Cc}\p{Cs}]/u.test(text)) throw refused(`has control characters in ${quoted(text)}`);
  }
  return identity;
}

function identifyByType(issuer: TokenIssuer, claims: Claims): CertifiedIdentity {
  const subject = textOf(claims, 'sub');
  const basics: FulcioClaims = { issuer: textOf(claims, 'iss'), tokenSubject: subject };
  const named = (name: Name): CertifiedIdentity => ({ name, challenge: subject, claims: basics });
  switch (issuer.type) {
    case 'email':
      return emailIdentity(issuer, claims, basics);
    case 'uri':
      return named({ kind: 'uri', value: subjectUrl(subject, issuer.subjectDomain) });
    case 'username':
      return named({ kind: 'username', value: username(subject, issuer.subjectDomain) });
    case 'spiffe':
      return named({ kind: 'uri', value: spiffeId(subject, issuer.trustDomain) });
    case 'kubernetes':
      return named({ kind: 'uri', value: serviceAccountUri(claims['kubernetes.io']) });
    case 'chainguard-identity': {
      const challenge = typeof claims['email'] === 'string' && claims['email'] !== '' ? claims['email'] : subject;
      const value = `${basics.issuer}/${subject}`;
      plainUrl(value);
      return { name: { kind: 'uri', value }, challenge, claims: basics };
    }
    case 'ci-provider':
      return identifyBuild(issuer.provider, claims, basics, subject);
    case 'workload':
      return workloadIdentity(claims, basics, subject);
  }
}

function textOf(claims: Claims, name: string): string {
  const value = claims[name];
  if (typeof value === 'string' && value !== '') return value;
  throw refused(`has no '${name}'`);
}
