// SPDX-License-Identifier: Apache-2.0
import { compileExpression, matchesEverything, type Expression } from '../../wire/index.ts';
import { TrustError } from '../error.ts';
import { printable } from '../printable.ts';

/** What a text must be. Where both are given, both must hold. */
export interface TextPattern {
  readonly exact?: string;
  /**
   * in Go's syntax (RE2). As in cosign it may match anywhere in the text, so that `github.com/example` also matches
   * `https://evil.example/github.com/example`: write `^…$`.
   */
  readonly expression?: string;
}

/** A pattern whose expression is compiled. */
export interface CompiledPattern {
  readonly exact?: string;
  readonly expression?: Expression;
}

/**
 * @param allowAny lets an expression pass that matches everything
 * @throws TrustError `identity-unspecific`; WireError `expression-malformed`
 */
export async function compilePattern(pattern: TextPattern, what: string, allowAny: boolean): Promise<CompiledPattern> {
  const { exact, expression: source } = pattern;
  if (exact === undefined && source === undefined)
    throw new TrustError('identity-unspecific', `${what} is expected to be anything, expected a text or an expression`);
  // A claim that is not there is no empty one, and nobody has an empty name.
  if (exact === '') throw new TrustError('identity-unspecific', `${what} is expected to be empty, expected a text`);
  const expression = source === undefined ? undefined : await compileExpression(source, `the expression for ${what}`);
  if (expression !== undefined && exact === undefined && !allowAny && matchesEverything(expression))
    throw new TrustError(
      'identity-unspecific',
      `the expression '${printable(expression.source)}' for ${what} matches everything, so that anybody may have signed; this must be asked for by name`,
    );
  return { ...(exact === undefined ? {} : { exact }), ...(expression === undefined ? {} : { expression }) };
}

export function matchesPattern({ exact, expression }: CompiledPattern, text: string): boolean {
  return (exact === undefined || text === exact) && (expression === undefined || expression.matches(text));
}

/** For messages. */
export function describePattern({ exact, expression }: CompiledPattern): string {
  const parts = [
    ...(exact === undefined ? [] : [`'${printable(exact, 200)}'`]),
    ...(expression === undefined ? [] : [`one that matches '${printable(expression.source, 200)}'`]),
  ];
  return parts.length === 0 ? 'any' : parts.join(' and ');
}
