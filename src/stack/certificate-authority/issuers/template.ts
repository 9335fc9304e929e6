// SPDX-License-Identifier: Apache-2.0
import { AuthorityError } from '../error.ts';
import { quoted } from '../quoted.ts';

/**
 * How a text is made of claims: a part of Go's `text/template`, as much of it as Fulcio's configuration uses.
 *
 *     {{ .repository }}                                   a claim
 *     {{ index . "oidc.circleci.com/project-id" }}        a claim whose name is no identifier; one that is missing is empty
 *     {{ if eq .ref_type "branch" }}heads/{{ else }}tags/{{ end }}
 *
 * A text without `{{` is the name of a claim.
 */
export interface Template {
  readonly source: string;
  readonly parts: readonly Part[];
}

/** A claim by name; `optional` where Go takes a missing one for an empty one. */
interface Operand {
  readonly claim: string;
  readonly optional: boolean;
}

type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'claim'; readonly operand: Operand }
  | {
      readonly kind: 'choice';
      readonly operand: Operand;
      readonly equals: string;
      readonly yes: readonly Part[];
      readonly no: readonly Part[];
    };

/** What a template gave: text and the claims in it that are empty, or the claim that is missing. */
export type Rendered =
  | { readonly kind: 'text'; readonly text: string; readonly empty: readonly string[] }
  | { readonly kind: 'missing'; readonly claim: string };

const MAX_SOURCE = 2048;
const ACTION = /\{\{(.*?)\}\}/gs;
const FIELD = String.raw`\.([A-Za-z_]\w*)`;
const INDEX = String.raw`index\s+\.\s+"([^"\\]+)"`;
const CLAIM = new RegExp(String.raw`^(?:${FIELD}|\(\s*${FIELD}\s*\)|${INDEX}|\(\s*${INDEX}\s*\))$`);
const CONDITION = new RegExp(String.raw`^if\s+eq\s+(${FIELD}|\(\s*${INDEX}\s*\))\s+"([^"\\]*)"$`);

/**
 * Reads a template.
 *
 * @param what names it in errors
 * @throws AuthorityError `template-malformed` for everything else that Go's templates can do
 * @example parseTemplate('{{ .url }}/{{ .repository }}', 'source-repository-uri')
 */
export function parseTemplate(source: string, what: string): Template {
  if (source.length > MAX_SOURCE)
    throw refused(what, `of ${source.length} characters`, `at most ${MAX_SOURCE} of them`);
  if (source === '') throw refused(what, 'that is empty', 'a claim or a template');
  if (!source.includes('{{'))
    return { source, parts: [{ kind: 'claim', operand: { claim: source, optional: false } }] };
  const parts: Part[] = [];
  let open: Choice | undefined;
  let at = 0;
  for (const match of source.matchAll(ACTION)) {
    const into = open?.branch ?? parts;
    addText(into, source.slice(at, match.index), what);
    at = match.index + match[0].length;
    const action = (match[1] ?? '').trim();
    if (action === 'else' && open !== undefined && open.branch === open.yes) open.branch = open.no;
    else if (action === 'end' && open !== undefined) {
      const { operand, equals, yes, no } = open;
      parts.push({ kind: 'choice', operand, equals, yes, no });
      open = undefined;
    } else if (open === undefined && action.startsWith('if')) open = parseCondition(action, what);
    else into.push({ kind: 'claim', operand: parseClaim(action, what) });
  }
  addText(parts, source.slice(at), what);
  if (open !== undefined) throw refused(what, "with an 'if' that does not end", "'{{end}}'");
  return { source, parts };
}

/** The text that a template gives with these claims. */
export function renderTemplate(template: Template, claims: ReadonlyMap<string, string>): Rendered {
  const empty: string[] = [];
  let text = '';
  const queue = [...template.parts];
  for (let part = queue.shift(); part !== undefined; part = queue.shift()) {
    if (part.kind === 'text') {
      text += part.text;
      continue;
    }
    const { claim, optional } = part.operand;
    const value = claims.get(claim) ?? (optional ? '' : undefined);
    if (value === undefined) return { kind: 'missing', claim };
    if (part.kind === 'choice') queue.unshift(...(value === part.equals ? part.yes : part.no));
    else {
      if (value === '') empty.push(claim);
      text += value;
    }
  }
  return { kind: 'text', text, empty };
}

interface Choice {
  readonly operand: Operand;
  readonly equals: string;
  readonly yes: Part[];
  readonly no: Part[];
  branch: Part[];
}

function addText(parts: Part[], text: string, what: string): void {
  if (text.includes('{{') || text.includes('}}')) throw refused(what, 'with braces that do not close', '{{ … }}');
  if (text !== '') parts.push({ kind: 'text', text });
}

function parseClaim(action: string, what: string): Operand {
  const match = CLAIM.exec(action);
  if (match === null)
    throw refused(
      what,
      `with {{${action.slice(0, 100)}}}`,
      '{{ .claim }}, {{ index . "claim" }} or {{ if eq .claim "text" }}',
    );
  const field = match[1] ?? match[2];
  return field === undefined
    ? { claim: match[3] ?? match[4] ?? '', optional: true }
    : { claim: field, optional: false };
}

function parseCondition(action: string, what: string): Choice {
  const match = CONDITION.exec(action);
  if (match === null) throw refused(what, `with {{${action.slice(0, 100)}}}`, '{{ if eq .claim "text" }}');
  const operand =
    match[2] === undefined ? { claim: match[3] ?? '', optional: true } : { claim: match[2], optional: false };
  const yes: Part[] = [];
  return { operand, equals: match[4] ?? '', yes, no: [], branch: yes };
}

function refused(what: string, found: string, expected: string): AuthorityError {
  return new AuthorityError(
    'template-malformed',
    `${what} is a template ${quoted(found, 200).slice(1, -1)}, expected ${expected}`,
  );
}
