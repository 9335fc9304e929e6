// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../../wire/index.ts';
import type { Claims } from '../token/token.ts';

/**
 * A claim as text: a whole number as it is written, a truth value as `true` or `false`. `undefined` for what has no one text: lists,
 * objects, and numbers that JSON could not carry exactly.
 */
export function claimText(value: Json | undefined): string | undefined {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return `${value}`;
  return Number.isSafeInteger(value) ? `${value as number}` : undefined;
}

/** All claims that have a text. */
export function claimTexts(claims: Claims): Map<string, string> {
  const texts = new Map<string, string>();
  for (const [name, value] of Object.entries(claims)) {
    const text = claimText(value);
    if (text !== undefined) texts.set(name, text);
  }
  return texts;
}
