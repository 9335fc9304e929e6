// SPDX-License-Identifier: Apache-2.0

// Control and format characters (line breaks, escape sequences, text direction) and unpaired surrogates: what a terminal would obey.
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Text from outside in single quotes, fit for one line of an error: control characters escaped, cut after `limit` characters. */
export function quoted(text: string, limit = 140): string {
  const shown = text.length > limit ? `${text.slice(0, limit)}…` : text;
  return `'${shown.replace(UNPRINTABLE, escaped)}'`;
}

function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)?.toString(16)}}`;
}
