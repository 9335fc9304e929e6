// SPDX-License-Identifier: Apache-2.0
import { WireError } from './wire-error.ts';

/** A regular expression that takes a time linear in the text, whoever wrote the expression and the text. */
export interface Expression {
  /** as it was written */
  readonly source: string;
  /** Whether it matches somewhere in the text: write `^…$` for the whole of it. */
  matches(text: string): boolean;
}

/** characters; those that people write have fewer than a hundred */
const MAX_SOURCE = 4096;

/**
 * Compiles an expression in Go's syntax (RE2: no look-around, no back-references), which is cosign's. The engine is loaded at the first call.
 *
 * @param what names the expression in errors
 * @throws WireError `expression-malformed`
 * @see https://github.com/google/re2/wiki/Syntax
 * @example
 * const expression = await compileExpression('^https://github\\.com/example/', '--certificate-identity-regexp');
 * expression.matches('https://github.com/example/app');
 */
export async function compileExpression(source: string, what: string): Promise<Expression> {
  if (source.length > MAX_SOURCE)
    throw new WireError(
      'expression-malformed',
      `${what} has ${source.length} characters, at most ${MAX_SOURCE} are read`,
    );
  const { RE2JS, RE2JSException } = await import('re2js');
  try {
    const compiled = RE2JS.compile(source);
    return { source, matches: (text) => compiled.test(text) };
  } catch (cause) {
    if (!(cause instanceof RE2JSException)) throw cause;
    const why = cause.message.replace(/^error parsing regexp: /, '').replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '\uFFFD');
    throw new WireError('expression-malformed', `${what} is no regular expression (RE2): ${why.slice(0, 200)}`, {
      cause,
    });
  }
}

// Texts that have nothing in common but, in each row, their length. No space and nothing beyond ASCII: nobody's name is only that, so that
// what excludes no more (`\S+`, `[ -~]+`) excludes nobody.
const PROBES: readonly (readonly string[])[] = [1, 2, 8, 40, 100].map((length) =>
  ['@', '/', ':', '.', '-', '0', 'q', 'Z'].map((character) => character.repeat(length)),
);

/**
 * Whether an expression says nothing: it matches texts that have nothing in common, as `.*`, `.+`, `\S+`, `^.{8,}$` and the empty one do. An
 * expression that is merely wide, such as `@`, is not found by this.
 */
export function matchesEverything(expression: Expression): boolean {
  return PROBES.some((row) => row.every((text) => expression.matches(text)));
}
