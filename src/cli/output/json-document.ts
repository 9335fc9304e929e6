// SPDX-License-Identifier: Apache-2.0
import type { CommandContext } from '../context.ts';

/** Writes the one JSON document of a command that was given `--json`: indented, with a newline at its end. */
export function writeJson(context: Pick<CommandContext, 'stdout'>, document: object): void {
  context.stdout(`${JSON.stringify(document, null, 2)}\n`);
}
