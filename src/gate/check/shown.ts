// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';

/**
 * Text from outside as part of a line in the log of a pipeline: one line, nothing that a terminal would obey, and none of the marks by which
 * runners find commands, at the beginning of a line (white space is left out there) or in its middle.
 *
 * @see https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
 */
export function shown(text: string, max = 500): string {
  return printable(text, max)
    .replaceAll(/##(?=\[|vso)/g, '##\\')
    .replace(/^\s*::/, String.raw`\::`);
}
