// SPDX-License-Identifier: Apache-2.0
import type { FulcioClaim, FulcioClaims } from '../../../trust/index.ts';
import type { CiProvider } from '../issuers/ci-provider.ts';
import { renderTemplate, type Template } from '../issuers/template.ts';
import { quoted } from '../quoted.ts';
import type { Claims } from '../token/token.ts';
import { claimTexts } from './claim-texts.ts';
import type { CertifiedIdentity } from './certified-identity.ts';
import { refused } from './refused.ts';
import { plainUrl } from './subject.ts';

/**
 * By the claims of a build. Whatever the name is made of must be there; an extension that would be made of an empty claim is left out,
 * so that it never says half of something.
 *
 * @throws CertificateRefusal `token-claims`
 */
export function identifyBuild(
  provider: CiProvider,
  claims: Claims,
  basics: FulcioClaims,
  subject: string,
): CertifiedIdentity {
  const texts = valuesFor(provider, claims);
  const value = render(provider.subject, texts);
  if (value === undefined) throw refused(`has an empty claim that its name is made of (${provider.subject.source})`);
  plainUrl(value);
  const extensions: Partial<Record<FulcioClaim, string>> = {};
  for (const [name, template] of provider.extensions) {
    const text = render(template, texts);
    if (text !== undefined) extensions[name] = text;
  }
  return { name: { kind: 'uri', value }, challenge: subject, claims: { ...extensions, ...basics } };
}

function valuesFor({ defaults }: CiProvider, claims: Claims): ReadonlyMap<string, string> {
  const texts = claimTexts(claims);
  for (const [name, value] of defaults) {
    if (value !== '' || !texts.has(name)) texts.set(name, value);
  }
  return texts;
}

/** Undefined where a claim that it is made of is empty. */
function render(template: Template, texts: ReadonlyMap<string, string>): string | undefined {
  const rendered = renderTemplate(template, texts);
  if (rendered.kind === 'missing')
    throw refused(`has no ${quoted(rendered.claim)}, which a certificate for this issuer is made of`);
  return rendered.empty.length > 0 || rendered.text === '' ? undefined : rendered.text;
}
