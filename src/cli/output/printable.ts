// SPDX-License-Identifier: Apache-2.0

// C0 and C1 control characters, and the characters that reorder what is shown
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/**
 * Text from elsewhere as one harmless line: a registry's message may neither move the cursor nor begin a line of its own.
 *
 * @example printable('a\nb') // 'a\\nb'
 */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (character) => {
    if (character === '\n') return '\\n';
    if (character === '\t') return ' ';
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
