// SPDX-License-Identifier: Apache-2.0
import type { ExpectedIdentity, TextPattern } from '../../trust/index.ts';
import { isJsonObject, type Json } from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { readFile } from '../file/read-file.ts';
import { printable } from '../output/printable.ts';
import { compileExpectedIdentity, demandedClaims, type ClaimDemand } from './expected-identity.ts';

const MAX_BYTES = 256 * 1024;
const MAX_IDENTITIES = 256;
const MEMBERS = ['subject', 'subjectRegexp', 'issuer', 'issuerRegexp', 'claims', 'claimsRegexp'] as const;

/**
 * The identities that a file lists, any of which may have sealed: YAML, so JSON as well. What is misspelled is refused, since it would
 * otherwise not be asked for.
 *
 *     - subjectRegexp: ^https://github\.com/example/app/\.github/workflows/release\.yml@refs/tags/v
 *       issuer: https://token.actions.githubusercontent.com
 *       claims: { runnerEnvironment: github-hosted }
 *       claimsRegexp: { sourceRepositoryRef: ^refs/tags/v }
 *
 * @throws CliError as `readFile`; `identities-malformed`; `usage` for an identity that says too little; WireError `expression-malformed`
 */
export async function readIdentities(
  context: Pick<CommandContext, 'cwd'>,
  file: string,
  allowAny: boolean,
): Promise<readonly ExpectedIdentity[]> {
  const bytes = await readFile(file, { cwd: context.cwd, what: 'identities', maxBytes: MAX_BYTES });
  const list = await parse(bytes, file);
  if (!Array.isArray(list)) throw malformed(file, 'is no list', 'a list of identities');
  if (list.length === 0) throw malformed(file, 'lists nobody', 'at least one identity');
  if (list.length > MAX_IDENTITIES)
    throw malformed(file, `lists ${list.length} identities`, `at most ${MAX_IDENTITIES}`);
  const identities: ExpectedIdentity[] = [];
  for (const [at, entry] of list.entries()) {
    const where = `${file}, identity ${at + 1}`;
    identities.push(await readIdentity(entry as Json, where, allowAny));
  }
  return identities;
}

async function readIdentity(entry: Json, where: string, allowAny: boolean): Promise<ExpectedIdentity> {
  if (!isJsonObject(entry)) throw malformed(where, 'is no mapping', `members among ${MEMBERS.join(', ')}`);
  const unknown = Object.keys(entry).find((name) => !(MEMBERS as readonly string[]).includes(name));
  if (unknown !== undefined)
    throw malformed(
      where,
      `has the member '${printable(unknown.slice(0, 80))}'`,
      `members among ${MEMBERS.join(', ')}`,
    );
  const subject = patternOf(entry, 'subject', where);
  const issuer = patternOf(entry, 'issuer', where);
  const claims = demandedClaims([
    ...claimsOf(entry, 'claims', 'exact', where),
    ...claimsOf(entry, 'claimsRegexp', 'expression', where),
  ]);
  try {
    return await compileExpectedIdentity({ subject, issuer, claims, allowAny });
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    throw new CliError(error.code, `${where}: ${error.message}`, { cause: error, ...hint });
  }
}

function patternOf(entry: Readonly<Record<string, Json>>, name: 'subject' | 'issuer', where: string): TextPattern {
  const exact = textOf(entry, name, where);
  const expression = textOf(entry, `${name}Regexp`, where);
  if (exact === undefined && expression === undefined)
    throw malformed(
      where,
      `has neither ${name} nor ${name}Regexp`,
      'one of them: a subject says little without its issuer',
    );
  return { ...(exact === undefined ? {} : { exact }), ...(expression === undefined ? {} : { expression }) };
}

function claimsOf(
  entry: Readonly<Record<string, Json>>,
  member: 'claims' | 'claimsRegexp',
  pattern: ClaimDemand['pattern'],
  where: string,
): readonly ClaimDemand[] {
  const claims = entry[member];
  if (claims === undefined) return [];
  if (!isJsonObject(claims)) throw malformed(where, `has ${member} that are no mapping`, 'names and their values');
  const by = `${where}, ${member}`;
  return Object.keys(claims).map((name) => ({ name, pattern, value: textOf(claims, name, by) ?? '', by }));
}

function textOf(of: Readonly<Record<string, Json>>, name: string, where: string): string | undefined {
  const value = Object.hasOwn(of, name) ? of[name] : undefined;
  if (value === undefined || (typeof value === 'string' && value !== '')) return value;
  const found = value === '' ? 'an empty text' : value === null ? 'nothing' : `no text (${typeof value})`;
  throw malformed(
    where,
    `has ${found} as ${printable(name.slice(0, 80))}`,
    'a text, in quotes where YAML reads it as something else',
  );
}

async function parse(bytes: Uint8Array, file: string): Promise<unknown> {
  const { parseDocument } = await import('yaml');
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const document = parseDocument(text, { prettyErrors: false, logLevel: 'silent', schema: 'core' });
    const [fault] = document.errors;
    if (fault !== undefined) throw fault;
    return document.toJS({ maxAliasCount: 0 });
  } catch (cause) {
    const why = cause instanceof Error ? printable(cause.message.slice(0, 200)) : 'it cannot be read';
    throw new CliError('identities-malformed', `${file} is neither YAML nor JSON: ${why}`, { cause });
  }
}

function malformed(where: string, found: string, expected: string): CliError {
  return new CliError('identities-malformed', `${where} ${found}, expected ${expected}`);
}
