// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, type Json } from '../../wire/index.ts';
import { TrustError } from '../error.ts';

/**
 * Writes JSON whose members are in the order of Go's maps: by the bytes of their UTF-8 names. JavaScript's own objects cannot hold
 * that order (they put `9` before `10`), so the text is built here.
 *
 * @param scalar writes texts, numbers, booleans and null
 * @throws TrustError `payload-malformed` if a text is no Unicode (a lone surrogate): Go would sign something else than was asked for
 */
export function encodeGoMap(value: Json, scalar: (value: Json) => string): string {
  if (Array.isArray(value)) return `[${value.map((item: Json) => encodeGoMap(item, scalar)).join(',')}]`;
  if (isJsonObject(value)) {
    const members = Object.entries(value)
      .map(([name, member]) => ({ bytes: Buffer.from(wellFormed(name)), name, member }))
      .toSorted((a, b) => Buffer.compare(a.bytes, b.bytes))
      .map(({ name, member }) => `${scalar(name)}:${encodeGoMap(member, scalar)}`);
    return `{${members.join(',')}}`;
  }
  return scalar(typeof value === 'string' ? wellFormed(value) : value);
}

function wellFormed(text: string): string {
  if (text.isWellFormed()) return text;
  throw new TrustError('payload-malformed', 'a text to be signed is no Unicode: it has half a surrogate pair');
}
