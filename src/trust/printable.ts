// SPDX-License-Identifier: Apache-2.0

/**
 * Text from outside, made fit for one line of a message: at most `max` characters, and nothing that a terminal would obey or that
 * turns the reading direction.
 */
export function printable(text: string, max = 80): string {
  const cut = text.length > max ? `${text.slice(0, max)}…` : text;
  return cut.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}
