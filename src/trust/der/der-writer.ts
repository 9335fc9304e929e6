// SPDX-License-Identifier: Apache-2.0
import { TrustError } from '../error.ts';
import { printable } from '../printable.ts';
import { DerTag } from './der-reader.ts';

// Each function gives one whole value, tag and length included, so that `sequence(oid('1.2'), integer(5))` is what it looks like. Values
// go inward as they are: what was encoded or read once is copied, never encoded again. What a type cannot hold is refused with
// `der-unencodable` and never bent into something else that it can.

/** A value with this tag, of which the contents are given in pieces. */
export function value(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const piece of contents) length += piece.length;
  const octets = length < 0x80 ? 0 : length < 0x100 ? 1 : length < 0x1_0000 ? 2 : length < 0x100_0000 ? 3 : 4;
  const encoded = Buffer.allocUnsafe(2 + octets + length); // from a pool, and each octet is written below

  encoded[0] = tag;
  encoded[1] = octets === 0 ? length : 0x80 | octets;
  for (let i = 0; i < octets; i++) encoded[2 + i] = length >>> (8 * (octets - 1 - i));
  let at = 2 + octets;
  for (const piece of contents) {
    encoded.set(piece, at);
    at += piece.length;
  }
  return encoded;
}

export function sequence(...elements: readonly Uint8Array[]): Uint8Array {
  return value(DerTag.sequence, ...elements);
}

/** SET OF, in the order that DER wants. @see https://www.itu.int/rec/T-REC-X.690 section 11.6 */
export function setOf(...elements: readonly Uint8Array[]): Uint8Array {
  return value(DerTag.set, ...elements.toSorted((a, b) => Buffer.compare(a, b)));
}

/** `[number] EXPLICIT`: a value within a value. */
export function explicit(number: number, element: Uint8Array): Uint8Array {
  return value(0xa0 | number, element);
}

/** `[number] IMPLICIT` of a primitive type: its contents under another tag. */
export function implicit(number: number, contents: Uint8Array): Uint8Array {
  return value(0x80 | number, contents);
}

export function boolean(truth: boolean): Uint8Array {
  return Uint8Array.of(DerTag.boolean, 1, truth ? 0xff : 0);
}

export function nullValue(): Uint8Array {
  return Uint8Array.of(DerTag.null, 0);
}

/** An INTEGER from a whole number that is not negative, or from the octets of one, most significant first. @throws TrustError `der-unencodable` */
export function integer(number: number | bigint | Uint8Array): Uint8Array {
  const octets = number instanceof Uint8Array ? number : octetsOf(number);
  const start = octets.findIndex((octet) => octet !== 0);
  const significant = start === -1 ? Uint8Array.of(0) : octets.subarray(start);
  return (significant[0] ?? 0) < 0x80
    ? value(DerTag.integer, significant)
    : value(DerTag.integer, Uint8Array.of(0), significant);
}

const KNOWN = new Map<string, Uint8Array>();
const MAX_KNOWN = 256;

/**
 * An OBJECT IDENTIFIER from its dotted form, for example `1.2.840.10045.4.3.2`. Encoded once: do not change what you get.
 *
 * @throws TrustError `der-unencodable`
 */
export function oid(dotted: string): Uint8Array {
  const known = KNOWN.get(dotted);
  if (known !== undefined) return known;
  const encoded = value(DerTag.oid, Uint8Array.from(arcsOf(dotted).flatMap((arc) => groupsOf(arc))));
  if (KNOWN.size < MAX_KNOWN) KNOWN.set(dotted, encoded);
  return encoded;
}

// X.690 section 8.19.4: the first octets hold two arcs.
function arcsOf(dotted: string): readonly number[] {
  const [root = 3, second = -1, ...arcs] = dotted.split('.').map(Number);
  const valid = [root, second, ...arcs].every((arc) => Number.isSafeInteger(arc) && arc >= 0);
  if (!valid || root > 2 || (root < 2 && second > 39)) throw unencodable('an OBJECT IDENTIFIER', dotted);
  return [root * 40 + second, ...arcs];
}

function groupsOf(arc: number): readonly number[] {
  const groups = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) groups.unshift(0x80 | (rest % 128));
  return groups;
}

export function octetString(...contents: readonly Uint8Array[]): Uint8Array {
  return value(DerTag.octetString, ...contents);
}

/** A BIT STRING made of whole octets. */
export function bitString(octets: Uint8Array): Uint8Array {
  return value(DerTag.bitString, Uint8Array.of(0), octets);
}

/** A BIT STRING of named bits (the bit named `n` is `1 << n`), without zeros at its end. */
export function namedBits(bits: number): Uint8Array {
  const length = bits === 0 ? 0 : 32 - Math.clz32(bits);
  const octets = new Uint8Array(Math.ceil(length / 8));
  for (let n = 0; n < length; n++) octets[n >> 3] = (octets[n >> 3] ?? 0) | (((bits >> n) & 1) << (7 - (n & 7)));
  return value(DerTag.bitString, Uint8Array.of((8 - (length % 8)) % 8), octets);
}

/** @throws TrustError `der-unencodable` for half a character */
export function utf8String(text: string): Uint8Array {
  if (!text.isWellFormed()) throw unencodable('a UTF8String', text);
  return value(DerTag.utf8String, Buffer.from(text, 'utf8'));
}

/** The octets of an IA5String, for an IMPLICIT one. @throws TrustError `der-unencodable` */
export function ascii(text: string): Uint8Array {
  if (!/^[\x00-\x7f]*$/.test(text)) throw unencodable('an IA5String', text);
  return Buffer.from(text, 'latin1');
}

/** @throws TrustError `der-unencodable` */
export function ia5String(text: string): Uint8Array {
  return value(DerTag.ia5String, ascii(text));
}

/** @throws TrustError `der-unencodable` */
export function printableString(text: string): Uint8Array {
  if (!/^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text)) throw unencodable('a PrintableString', text);
  return value(DerTag.printableString, Buffer.from(text, 'latin1'));
}

/**
 * A time to the second: UTCTime through 2049, GeneralizedTime before 1950 and after.
 *
 * @throws TrustError `der-unencodable`
 * @see https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5
 */
export function time(date: Date): Uint8Array {
  const year = date.getUTCFullYear();
  if (year < 1950 || year > 2049) return generalizedTime(date);
  return value(DerTag.utcTime, Buffer.from(toSecond(date).slice(2), 'latin1'));
}

/** A GeneralizedTime to the second. @throws TrustError `der-unencodable` */
export function generalizedTime(date: Date): Uint8Array {
  return value(DerTag.generalizedTime, Buffer.from(toSecond(date), 'latin1'));
}

function toSecond(date: Date): string {
  const year = date.getUTCFullYear();
  if (!(year >= 0 && year <= 9999)) throw unencodable('a time', String(date.getTime()));
  return `${date.toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`;
}

function octetsOf(number: number | bigint): Uint8Array {
  if (number < 0 || (typeof number === 'number' && !Number.isSafeInteger(number)))
    throw unencodable('a non-negative INTEGER', String(number));
  const hex = number.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
}

function unencodable(type: string, text: string): TrustError {
  return new TrustError('der-unencodable', `'${printable(text)}' cannot be written as ${type}`);
}
