// SPDX-License-Identifier: Apache-2.0

const LENIENT = new TextDecoder('utf-8');

/** Characters that no name, version or licence has, and that a document or terminal must not be given. */
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;

/** characters of one value that are kept; names and versions are far shorter */
const MAX_VALUE = 1024;

/** Text of a file; bytes that are no UTF-8 become U+FFFD, so that one bad description does not hide the rest. */
export function decodeText(bytes: Uint8Array): string {
  return LENIENT.decode(bytes);
}

/** A value as one line without control characters, `undefined` where nothing is left or it is longer than any real one. */
export function cleanValue(text: unknown): string | undefined {
  if (typeof text !== 'string' || text.length > MAX_VALUE) return undefined;
  const clean = text.replace(CONTROL, ' ').trim().toWellFormed();
  return clean === '' ? undefined : clean;
}

/**
 * Stanzas of `Name: value` lines with continuation lines, apart by empty lines: Debian's control files, and Python's metadata. Names are
 * lower case; of a field given twice all values count.
 *
 * @see https://www.debian.org/doc/debian-policy/ch-controlfields.html#syntax-of-control-files
 */
export function* stanzas(text: string): Generator<ReadonlyMap<string, readonly string[]>> {
  let fields = new Map<string, string[]>();
  let last: string[] | undefined;
  for (const line of lines(text)) {
    if (line.trim() === '') {
      if (fields.size > 0) yield fields;
      fields = new Map();
      last = undefined;
    } else if (line.startsWith(' ') || line.startsWith('\t')) {
      if (last !== undefined) last[last.length - 1] += `\n${line.trim()}`;
    } else {
      const colon = line.indexOf(':');
      if (colon <= 0) continue;
      const name = line.slice(0, colon).toLowerCase();
      last = fields.get(name) ?? [];
      last.push(line.slice(colon + 1).trim());
      fields.set(name, last);
    }
  }
  if (fields.size > 0) yield fields;
}

/** Lines without their ends, one at a time, so that a large file is not held twice. */
export function* lines(text: string): Generator<string> {
  for (let at = 0; at < text.length;) {
    const found = text.indexOf('\n', at);
    const end = found === -1 ? text.length : found;
    yield text.slice(at, text.charCodeAt(end - 1) === 13 && end > at ? end - 1 : end);
    at = end + 1;
  }
}
