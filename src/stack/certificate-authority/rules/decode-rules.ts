// SPDX-License-Identifier: Apache-2.0
import { compileExpression, isJsonObject, matchesEverything, WireError, type Json } from '../../../wire/index.ts';
import { claimText } from '../identity/claim-texts.ts';
import { readSettings, Settings } from '../settings.ts';
import type { ClaimDemand, ClaimPattern, Rule } from './rule.ts';

const MAX_RULES = 1000;
const MAX_DEMANDS = 32;
const MAX_PATTERNS = 64;
const NAME = /^[A-Za-z0-9][A-Za-z0-9 ._/-]{0,99}$/;

/**
 * Reads the rules on who gets certificates, as YAML or JSON:
 *
 *     rules:
 *       - name: production
 *         issuer: https://token.actions.githubusercontent.com
 *         claims:
 *           repository: example/app
 *           ref: [refs/heads/main, { expression: '^refs/tags/v[0-9]' }]
 *           environment: production
 *       - name: developers
 *         issuer: https://login.example.com
 *         everyone: true
 *
 * A token is admitted by the first rule whose every claim it has; a text is compared as it is, an expression (RE2) is looked for.
 *
 * @param what names the file in errors
 * @throws AuthorityError `rules-malformed`; also for a rule that demands nothing without saying so, and for an expression that matches
 *   everything
 */
export async function decodeRules(bytes: Uint8Array, what: string): Promise<readonly Rule[]> {
  const file = await readSettings(bytes, what, 'rules-malformed');
  const items = file.list('rules');
  file.end();
  if (items.length > MAX_RULES) throw file.fault(`has ${items.length} rules, at most ${MAX_RULES} are read`);
  const rules: Rule[] = [];
  for (const [index, item] of items.entries()) {
    const rule = await decodeRule(new Settings(item, `rule ${index + 1} of ${what}`, 'rules-malformed'));
    if (rules.some(({ name }) => name === rule.name)) throw file.fault(`has two rules with the name '${rule.name}'`);
    rules.push(rule);
  }
  return rules;
}

/** The rules of a first start, as the file that keeps them: whoever has a token of the stack's own issuer. */
export function firstRules(issuer: string): string {
  return `# Who gets a certificate. An issuer that no rule names admits nobody.
#
#   - name: production
#     issuer: https://token.actions.githubusercontent.com
#     claims:
#       repository: example/app
#       ref: [refs/heads/main, { expression: '^refs/tags/v[0-9]' }]
#       environment: production
rules:
  - name: built-in issuer
    issuer: ${JSON.stringify(issuer)}
    everyone: true
`;
}

async function decodeRule(settings: Settings): Promise<Rule> {
  const name = settings.text('name') ?? '';
  if (!NAME.test(name)) throw settings.fault("has no 'name' of letters, digits, spaces and ._/-");
  const issuer = settings.text('issuer');
  if (issuer === undefined) throw settings.fault("has no 'issuer'");
  const everyone = settings.flag('everyone');
  const claims = settings.get('claims');
  settings.end();
  if (claims !== undefined && !isJsonObject(claims)) throw settings.fault("has 'claims' that are no mapping");
  const demands: ClaimDemand[] = [];
  for (const [claim, value] of Object.entries(claims ?? {})) {
    demands.push({ claim, patterns: await decodePatterns(claim, value, settings) });
  }
  if (demands.length > MAX_DEMANDS)
    throw settings.fault(`demands ${demands.length} claims, at most ${MAX_DEMANDS} are read`);
  if (everyone && demands.length > 0)
    throw settings.fault("demands claims and admits 'everyone', expected one of both");
  if (!everyone && demands.length === 0) throw settings.fault("demands no claims, expected some (or 'everyone: true')");
  return { name, issuer, demands };
}

async function decodePatterns(claim: string, value: Json, settings: Settings): Promise<readonly ClaimPattern[]> {
  const where = `'claims.${claim.slice(0, 80)}' of ${settings.where}`;
  const items: readonly Json[] = Array.isArray(value) ? (value as readonly Json[]) : [value];
  if (items.length === 0 || items.length > MAX_PATTERNS)
    throw settings.fault(
      `has ${items.length} texts for the claim '${claim.slice(0, 80)}', expected 1 to ${MAX_PATTERNS}`,
    );
  return Promise.all(items.map((item) => decodePattern(item, where)));
}

async function decodePattern(value: Json, where: string): Promise<ClaimPattern> {
  if (!isJsonObject(value)) {
    const text = claimText(value);
    if (text === undefined || text === '')
      throw new Settings({}, where, 'rules-malformed').fault('is no text and no { expression: … }');
    return { kind: 'exact', text };
  }
  const settings = new Settings(value, where, 'rules-malformed');
  const source = settings.text('expression');
  settings.end();
  if (source === undefined) throw settings.fault("has no 'expression'");
  try {
    const expression = await compileExpression(source, where);
    if (!matchesEverything(expression)) return { kind: 'expression', expression };
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw settings.fault(`has an expression that is none: ${error.message}`);
  }
  throw settings.fault(
    `has the expression '${source.slice(0, 80)}', which matches everything: leave the claim out instead`,
  );
}
