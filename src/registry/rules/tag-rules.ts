// SPDX-License-Identifier: Apache-2.0
import { RegistryServeError } from '../serve-error.ts';
import { Glob } from './glob.ts';

/** What may happen to a tag that exists. `rule` says by which rule, for a person. */
export type TagProtection =
  | { readonly kind: 'none' }
  | { readonly kind: 'write-once'; readonly rule: string }
  | { readonly kind: 'append-only'; readonly rule: string };

interface Rule {
  readonly text: string;
  readonly repository: Glob;
  readonly tag: Glob;
}

/**
 * Where seals lie: the referrers tag of the distribution specification and cosign's `.sig`, `.att` and `.sbom`.
 * @see https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema
 */
const SEALS = /^sha(?:256|512)-[0-9a-f]{64}(?:\.(?:sig|att|sbom))?$/;
const REPOSITORY_GLOB = /^[a-z0-9._/*-]{1,255}$/;
const TAG_GLOB = /^[A-Za-z0-9._*-]{1,128}$/;

/**
 * Which tags keep what they name.
 *
 * A tag that a `mutable` rule matches is free. Else a tag where seals lie is append-only, with or without rules: a seal can be added
 * and none removed. Else a tag that a `writeOnce` rule matches is written once. Rules are `REPOSITORY-GLOB:TAG-GLOB` ({@link Glob}).
 *
 * @example new TagRules(['**:v*'], ['dev/**:*']).protection('team/app', 'v1')   // { kind: 'write-once', rule: "--write-once '**:v*'" }
 */
export class TagRules {
  readonly #writeOnce: readonly Rule[];
  readonly #mutable: readonly Rule[];

  /** @throws RegistryServeError `rule-malformed` */
  constructor(writeOnce: readonly string[] = [], mutable: readonly string[] = []) {
    this.#writeOnce = writeOnce.map((text) => parseRule('--write-once', text));
    this.#mutable = mutable.map((text) => parseRule('--mutable', text));
  }

  protection(repository: string, tag: string): TagProtection {
    if (find(this.#mutable, repository, tag) !== undefined) return { kind: 'none' };
    if (SEALS.test(tag)) return { kind: 'append-only', rule: 'tags where seals lie only grow' };
    const rule = find(this.#writeOnce, repository, tag);
    return rule === undefined ? { kind: 'none' } : { kind: 'write-once', rule: rule.text };
  }
}

function find(rules: readonly Rule[], repository: string, tag: string): Rule | undefined {
  return rules.find((rule) => rule.repository.matches(repository) && rule.tag.matches(tag));
}

function parseRule(flag: string, text: string): Rule {
  const colon = text.indexOf(':');
  const [repository, tag] = [text.slice(0, colon), text.slice(colon + 1)];
  if (colon === -1 || !REPOSITORY_GLOB.test(repository) || !TAG_GLOB.test(tag) || text.includes('***')) {
    const shown = text.length > 100 ? `${text.slice(0, 100)}…` : text;
    throw new RegistryServeError(
      'rule-malformed',
      `${flag} ${JSON.stringify(shown)} is not a rule (expected REPOSITORY-GLOB:TAG-GLOB, for example 'team/**:v*')`,
    );
  }
  return { text: `${flag} '${text}'`, repository: new Glob(repository), tag: new Glob(tag) };
}
