// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, type Json } from '../../../wire/index.ts';
import { claimText } from '../identity/claim-texts.ts';
import { quoted } from '../quoted.ts';
import { CertificateRefusal } from '../refusal.ts';
import type { Claims } from '../token/token.ts';
import { describePatterns, type ClaimDemand, type Rule } from './rule.ts';

/** Who asks, by a token that was verified. */
export interface Asker {
  /** `iss` of the token */
  readonly issuer: string;
  /** how the file of issuers has it: the same, or the pattern that it fits */
  readonly configured: string;
  readonly claims: Claims;
}

/**
 * The rule that admits the token.
 *
 * @throws CertificateRefusal `rule-refused`, which names the rule that comes nearest, the claim, what was found and what was expected
 */
export function admit(rules: readonly Rule[], asker: Asker): Rule {
  const naming = rules.filter(({ issuer }) => issuer === asker.issuer || issuer === asker.configured);
  let nearest: { readonly rule: Rule; readonly misses: readonly ClaimDemand[] } | undefined;
  for (const rule of naming) {
    const misses = rule.demands.filter((demand) => !meets(demand, asker.claims));
    if (misses.length === 0) return rule;
    if (nearest === undefined || misses.length < nearest.misses.length) nearest = { rule, misses };
  }
  const [miss] = nearest?.misses ?? [];
  if (nearest === undefined || miss === undefined)
    throw new CertificateRefusal(
      'rule-refused',
      `no rule names the issuer ${quoted(asker.issuer)}: its tokens admit nobody`,
    );
  const found = textsAt(asker.claims, miss.claim);
  const others = naming.length === 1 ? '' : ` (${naming.length} rules name this issuer, this one comes nearest)`;
  throw new CertificateRefusal(
    'rule-refused',
    `rule ${quoted(nearest.rule.name)} does not admit this token: its ${quoted(miss.claim)} is ${
      found.length === 0
        ? 'missing'
        : found
            .slice(0, 4)
            .map((text) => quoted(text))
            .join(', ')
    }, expected ${describePatterns(miss)}${others}`,
  );
}

function meets({ claim, patterns }: ClaimDemand, claims: Claims): boolean {
  return textsAt(claims, claim).some((text) =>
    patterns.some((pattern) => (pattern.kind === 'exact' ? pattern.text === text : pattern.expression.matches(text))),
  );
}

/** A claim's text, or those of its items. */
function textsAt(claims: Claims, name: string): readonly string[] {
  const value = name.startsWith('/') ? pointed(claims, name) : own(claims, name);
  const items: readonly (Json | undefined)[] = Array.isArray(value) ? (value as readonly Json[]) : [value];
  return items.map((item) => claimText(item)).filter((text) => text !== undefined);
}

/** @see https://www.rfc-editor.org/rfc/rfc6901 */
function pointed(claims: Claims, pointer: string): Json | undefined {
  let value: Json | undefined = claims;
  for (const token of pointer.slice(1).split('/')) {
    value = isJsonObject(value) ? own(value, token.replaceAll('~1', '/').replaceAll('~0', '~')) : undefined;
  }
  return value;
}

function own(value: { readonly [key: string]: Json }, name: string): Json | undefined {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}
