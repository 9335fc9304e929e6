// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { printable } from './printable.ts';
import { style } from './style.ts';

/** An error as people and machines see it. */
export interface ErrorReport {
  /** stable; `internal` where nobody foresaw it */
  readonly code: string;
  /** one line */
  readonly message: string;
  /** one line: what to do about it */
  readonly hint?: string;
}

/** What to say about an error. */
export function reportError(error: unknown): ErrorReport {
  if (error instanceof CodedError) {
    const hint = error instanceof CliError ? error.hint : undefined;
    return {
      code: error.code,
      message: printable(error.message),
      ...(hint === undefined ? {} : { hint: printable(hint) }),
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'internal', message: printable(`internal error: ${message}`), hint: 'BULLA_DEBUG=1 shows where' };
}

/**
 * Prints the one line that a failed command ends with: `Error: …` on stderr, and a second one with the hint. With BULLA_DEBUG=1 the stack and
 * the causes follow.
 */
export function printError(context: Pick<CommandContext, 'stderr' | 'color' | 'env'>, error: unknown): void {
  const { code, message, hint } = reportError(error);
  const paint = style(context.color);
  const shown = code === 'internal' ? `${message} [${code}]` : message;
  context.stderr(`${paint.red('Error:')} ${shown}\n`);
  if (hint !== undefined) context.stderr(`${paint.dim('hint:')} ${hint}\n`);
  if (context.env['BULLA_DEBUG'] === '1') context.stderr(`${stackOf(error)}\n`);
}

/** The JSON document of a failed command, and its only one. */
export function errorDocument(error: unknown): string {
  return `${JSON.stringify({ error: reportError(error) })}\n`;
}

function stackOf(error: unknown): string {
  const stacks: string[] = [];
  for (let at = error; at instanceof Error && stacks.length < 8; at = at.cause) stacks.push(at.stack ?? at.message);
  return stacks.join('\ncaused by: ');
}
