// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';

/** Text from outside in single quotes, fit for one line of a message, cut after `limit` characters. */
export function quoted(text: string, limit = 140): string {
  return `'${printable(text, limit)}'`;
}
