// SPDX-License-Identifier: Apache-2.0

/** Values of variables, by name. */
export type Variables = ReadonlyMap<string, string>;

/** A text with its variables replaced, or why it cannot be. */
export type Expansion =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'unset'; readonly name: string }
  | { readonly kind: 'malformed'; readonly found: string };

const MAX_DEPTH = 8;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;

/**
 * Replaces `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:+other}`, `${NAME+other}` and, where there is a value,
 * `${NAME:?message}`, as shells, compose files and Dockerfiles have them. A variable without a value is not taken for an empty text: nobody
 * knows here what it will be.
 *
 * @param escape what makes a dollar of `$`: compose doubles it, a Dockerfile has its escape character before it
 * @see https://docs.docker.com/reference/compose-file/interpolation/ and https://docs.docker.com/reference/dockerfile/#environment-replacement
 */
export function expandVariables(text: string, variables: Variables, escape: string, depth = 0): Expansion {
  let expanded = '';
  let at = 0;
  while (at < text.length) {
    if (text.startsWith(`${escape}$`, at)) {
      expanded += '$';
      at += escape.length + 1;
    } else if (text[at] === '$') {
      const found = variableAt(text, at);
      if (found === undefined) return { kind: 'malformed', found: text.slice(at) };
      const value = valueOf(found, variables, escape, depth);
      if (value.kind !== 'text') return value;
      expanded += value.text;
      at = found.end;
    } else expanded += text[at++];
  }
  return { kind: 'text', text: expanded };
}

/** The one variable that a text consists of, without a default of its own; `undefined` for every other text. */
export function onlyVariable(text: string): string | undefined {
  const found = text.startsWith('$') ? variableAt(text, 0) : undefined;
  return found?.end === text.length && found.operator === '' ? found.name : undefined;
}

interface Variable {
  readonly name: string;
  readonly operator: string;
  readonly word: string;
  readonly end: number;
}

function variableAt(text: string, at: number): Variable | undefined {
  const braced = text[at + 1] === '{';
  const name = NAME.exec(text.slice(at + (braced ? 2 : 1)))?.[0];
  if (name === undefined) return undefined;
  const after = at + (braced ? 2 : 1) + name.length;
  if (!braced) return { name, operator: '', word: '', end: after };
  const close = closingBrace(text, after);
  if (close === -1) return undefined;
  const inside = text.slice(after, close);
  const operator = /^(?::?[-+?])?/.exec(inside)?.[0] ?? '';
  if (operator === '' && inside !== '') return undefined;
  return { name, operator, word: inside.slice(operator.length), end: close + 1 };
}

function closingBrace(text: string, from: number): number {
  let open = 1;
  for (let at = from; at < text.length; at++) {
    if (text.startsWith('${', at)) open++;
    else if (text[at] === '}' && --open === 0) return at;
  }
  return -1;
}

function valueOf({ name, operator, word }: Variable, variables: Variables, escape: string, depth: number): Expansion {
  if (depth > MAX_DEPTH) return { kind: 'malformed', found: word };
  const value = variables.get(name);
  const isSet = value !== undefined && (value !== '' || !operator.startsWith(':'));
  if (operator.endsWith('+'))
    // an unset variable may have a value elsewhere, and then the other text would count
    return isSet ? expandVariables(word, variables, escape, depth + 1) : { kind: 'unset', name };
  if (isSet) return { kind: 'text', text: value };
  return operator.endsWith('-') ? expandVariables(word, variables, escape, depth + 1) : { kind: 'unset', name };
}
