// SPDX-License-Identifier: Apache-2.0
import { PinError } from './pin-error.ts';

/** A change of a text: what stands from `start` to `end` becomes `text`. */
export interface Edit {
  /** UTF-16 offset of the first character that goes */
  readonly start: number;
  /** UTF-16 offset behind the last one; the same as `start` where something is put in */
  readonly end: number;
  readonly text: string;
}

/**
 * Changes a text in some places and nowhere else. The same edit twice is one edit, as an anchor in YAML is reached by all its aliases.
 *
 * @throws PinError `edit-invalid` for edits that overlap or lie outside the text
 * @example
 * rewriteSpans('image: app:1 # ours\n', [{ start: 7, end: 12, text: 'app:2' }]) // 'image: app:2 # ours\n'
 */
export function rewriteSpans(text: string, edits: readonly Edit[]): string {
  let rewritten = '';
  let at = 0;
  for (const { start, end, text: replacement } of sortEdits(text, edits)) {
    rewritten += text.slice(at, start) + replacement;
    at = end;
  }
  return rewritten + text.slice(at);
}

/** The edits in the order of the text, each once. @throws PinError as `rewriteSpans` */
function sortEdits(text: string, edits: readonly Edit[]): readonly Edit[] {
  const sorted: Edit[] = [];
  for (const edit of edits.toSorted((a, b) => a.start - b.start || a.end - b.end)) {
    const last = sorted.at(-1);
    if (last !== undefined && last.start === edit.start && last.end === edit.end && last.text === edit.text) continue;
    const inside = Number.isSafeInteger(edit.start) && edit.start >= 0 && edit.end >= edit.start;
    if (!inside || edit.end > text.length || splitsPair(text, edit.start) || splitsPair(text, edit.end))
      throw new PinError('edit-invalid', `no text stands from ${edit.start} to ${edit.end} of ${text.length}`);
    // two that are put in at one place have no order
    if (last !== undefined && (edit.start < last.end || edit.start === last.start))
      throw new PinError('edit-invalid', `two changes at ${edit.start} that are not the same`);
    sorted.push(edit);
  }
  return sorted;
}

/** True between the two halves of a character. */
function splitsPair(text: string, at: number): boolean {
  return /^[\uD800-\uDBFF][\uDC00-\uDFFF]$/.test(text.slice(Math.max(at - 1, 0), at + 1));
}
