// SPDX-License-Identifier: Apache-2.0
import type { Expression } from '../../../wire/index.ts';
import { quoted } from '../quoted.ts';

/** What a claim must be: this very text, or one in which the expression matches. */
export type ClaimPattern =
  | { readonly kind: 'exact'; readonly text: string }
  | { readonly kind: 'expression'; readonly expression: Expression };

/** What a claim must be: one of these. */
export interface ClaimDemand {
  /** its name; or a JSON pointer to a claim within one, for example `/kubernetes.io/namespace` */
  readonly claim: string;
  readonly patterns: readonly ClaimPattern[];
}

/** Who gets certificates: the tokens of an issuer whose claims are all as demanded. */
export interface Rule {
  readonly name: string;
  /** `iss` of the tokens, or the pattern of many issuers as the file of issuers has it */
  readonly issuer: string;
  /** empty only where the rule says in so many words that it admits everyone */
  readonly demands: readonly ClaimDemand[];
}

/** A rule in one line, for people. */
export function describeRule({ name, issuer, demands }: Rule): string {
  const who =
    demands.length === 0 ? 'everyone' : `whoever has ${demands.map((demand) => describeDemand(demand)).join(' and ')}`;
  return `${name}: ${who}, by a token of ${issuer}`;
}

/** For messages: `ref 'refs/heads/main'`. */
function describeDemand(demand: ClaimDemand): string {
  return `${demand.claim} ${describePatterns(demand)}`;
}

/** For messages: `'refs/heads/main' or ~'^refs/tags/'`. */
export function describePatterns({ patterns }: ClaimDemand): string {
  return patterns
    .map((pattern) => (pattern.kind === 'exact' ? quoted(pattern.text) : `~${quoted(pattern.expression.source)}`))
    .join(' or ');
}
