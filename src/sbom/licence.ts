// SPDX-License-Identifier: Apache-2.0
import parseExpression from 'spdx-expression-parse';

const known = new Map<string, boolean>();
const MAX_KNOWN = 10_000;
const MAX_EXPRESSION = 512;
const MAX_PARENTHESES = 16;

/** True for an SPDX licence expression. @see https://spdx.github.io/spdx-spec/v2.3/SPDX-license-expressions/ */
export function isLicenceExpression(text: string): boolean {
  const before = known.get(text);
  if (before !== undefined) return before;
  const valid = parses(text);
  if (known.size < MAX_KNOWN) known.set(text, valid);
  return valid;
}

/** Several licences that all apply, as one expression; `undefined` where one of them is none, or there is none. */
export function joinLicences(texts: readonly string[]): string | undefined {
  if (texts.length === 0 || !texts.every((text) => isLicenceExpression(text))) return undefined;
  if (texts.length === 1) return texts[0];
  return texts.map((text) => (/\s(?:OR|AND)\s/.test(text) ? `(${text})` : text)).join(' AND ');
}

function parses(text: string): boolean {
  // the parser recurses, and text comes from images
  if (text.length > MAX_EXPRESSION || text.split('(').length > MAX_PARENTHESES) return false;
  try {
    parseExpression(text);
    return true;
  } catch {
    return false;
  }
}
