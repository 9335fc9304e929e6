// SPDX-License-Identifier: Apache-2.0
import { TrustError } from '../error.ts';

/** Identifier octets of the types that are read here. @see https://www.itu.int/rec/T-REC-X.690 section 8.1.2 */
export const DerTag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  /** `[0]`, constructed */
  context0: 0xa0,
} as const;

/** Certificates, requests and time stamps nest twelve levels deep. */
const MAX_DEPTH = 32;
/** octets: RFC 5280 section 4.1.2.2 has 20 for a serial number, and there may be a zero before them */
const MAX_INTEGER = 21;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads DER values one after the other. Nothing is copied: what is read are slices of the one input. Strict: definite lengths in their
 * shortest form, one-octet tags, and each value in the one spelling that DER leaves it.
 *
 * @example
 * const key = new DerReader(spki, 'cosign.pub').sequence();
 * const algorithm = key.sequence().oid();
 */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #at = 0;
  #end: number;
  #depth = 0;

  /** @param what names the structure in errors */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
    this.#end = bytes.length;
  }

  /** The tag of the next value; `undefined` at the end. */
  peek(): number | undefined {
    return this.#at < this.#end ? this.#bytes[this.#at] : undefined;
  }

  /** The contents of the next value, which must have this tag. @throws TrustError `der-malformed` */
  read(tag: number): Uint8Array {
    const length = this.#open(tag);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** The whole next value with its tag and length, whatever the tag unless one is given. @throws TrustError `der-malformed` */
  element(tag?: number): Uint8Array {
    const start = this.#at;
    const length = this.#open(tag ?? this.peek());
    this.#at += length;
    return this.#bytes.subarray(start, this.#at);
  }

  /** Enters a constructed value. @throws TrustError `der-malformed` */
  enter(tag: number): DerReader {
    if (this.#depth === MAX_DEPTH) throw this.#malformed(`it nests deeper than ${MAX_DEPTH} levels`);
    const length = this.#open(tag);
    const inner = new DerReader(this.#bytes, this.#what);
    inner.#at = this.#at;
    this.#at += length;
    inner.#end = this.#at;
    inner.#depth = this.#depth + 1;
    return inner;
  }

  /** Enters a SEQUENCE. @throws TrustError `der-malformed` */
  sequence(): DerReader {
    return this.enter(DerTag.sequence);
  }

  /** All that is left, without reading it: what lies before is then known by its length. */
  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at, this.#end);
  }

  /** A BOOLEAN, which DER writes as 00 or FF. @throws TrustError `der-malformed` */
  boolean(): boolean {
    const [value, more] = this.read(DerTag.boolean);
    if (more !== undefined || (value !== 0 && value !== 0xff))
      throw this.#malformed('a BOOLEAN that is neither 00 nor FF');
    return value === 0xff;
  }

  /** A NULL. @throws TrustError `der-malformed` */
  null(): void {
    if (this.read(DerTag.null).length !== 0) throw this.#malformed('a NULL that holds something');
  }

  /** A non-negative INTEGER below 2^48. @throws TrustError `der-malformed` */
  integer(): number {
    const content = this.integerOctets();
    if (content.length > 6) throw this.#malformed('an INTEGER that is negative, padded or too large');
    let value = 0;
    for (const byte of content) value = value * 256 + byte;
    return value;
  }

  /** The octets of a non-negative INTEGER below 2^160, as they stand. @throws TrustError `der-malformed` */
  integerOctets(): Uint8Array {
    const content = this.read(DerTag.integer);
    const [first = 0x80, second = 0] = content;
    const padded = content.length > 1 && first === 0 && second < 0x80;
    if (first >= 0x80 || padded || content.length > MAX_INTEGER)
      throw this.#malformed('an INTEGER that is negative, padded or too large');
    return content;
  }

  /** An OBJECT IDENTIFIER in dotted form. @throws TrustError `der-malformed` */
  oid(): string {
    const content = this.read(DerTag.oid);
    let dotted = '';
    let arc = 0;
    let inArc = false;
    for (const byte of content) {
      if (!inArc && byte === 0x80) throw this.#malformed('an OBJECT IDENTIFIER with a padded arc');
      if (arc > 0xff_ffff_ffff) throw this.#malformed('an OBJECT IDENTIFIER with an endless arc');
      arc = arc * 128 + (byte & 0x7f);
      inArc = byte >= 0x80;
      if (inArc) continue;
      dotted += dotted === '' ? firstArcs(arc) : `.${arc}`;
      arc = 0;
    }
    if (inArc || dotted === '') throw this.#malformed('an unfinished OBJECT IDENTIFIER');
    return dotted;
  }

  /** The octets of a BIT STRING that is made of whole ones. @throws TrustError `der-malformed` */
  bitString(): Uint8Array {
    const content = this.read(DerTag.bitString);
    if (content[0] !== 0) throw this.#malformed('a BIT STRING that is not made of octets');
    return content.subarray(1);
  }

  /**
   * A BIT STRING of at most 16 named bits: the bit named `n` is `1 << n` in the result. Zeros at its end are accepted, although DER
   * leaves them out: some authorities write them, and they say nothing.
   *
   * @throws TrustError `der-malformed`
   */
  namedBits(): number {
    const content = this.read(DerTag.bitString);
    const [unused = 8, first = 0, second = 0] = content;
    const last = content.length === 3 ? second : first;
    if (
      unused > 7 ||
      content.length > 3 ||
      (content.length === 1 && unused !== 0) ||
      (last & ((1 << unused) - 1)) !== 0
    )
      throw this.#malformed('a BIT STRING of named bits that is too long or badly ended');
    let bits = 0;
    for (let n = 0; n < 8; n++) bits |= (((first >> (7 - n)) & 1) << n) | (((second >> (7 - n)) & 1) << (n + 8));
    return bits;
  }

  /**
   * A character string of this type; under another tag where it is IMPLICIT.
   *
   * @throws TrustError `der-malformed`
   */
  text(
    type: typeof DerTag.utf8String | typeof DerTag.ia5String | typeof DerTag.printableString,
    tag: number = type,
  ): string {
    const octets = this.read(tag);
    let text: string;
    try {
      text = UTF8.decode(octets);
    } catch {
      throw this.#malformed('a character string that is not UTF-8');
    }
    if (type === DerTag.ia5String && text.length !== octets.length)
      throw this.#malformed('an IA5String that is not ASCII');
    if (type === DerTag.printableString && !/^[A-Za-z0-9 '()+,\-./:=?]*$/.test(text))
      throw this.#malformed('a PrintableString with other characters');
    return text;
  }

  /**
   * A UTCTime or GeneralizedTime as RFC 5280 section 4.1.2.5 has them: to the second, in UTC.
   *
   * @throws TrustError `der-malformed`
   */
  time(): Date {
    const long = this.peek() === DerTag.generalizedTime;
    const content = this.read(long ? DerTag.generalizedTime : DerTag.utcTime);
    const digits = content.length - 1;
    const at = long ? 4 : 2;
    const two = (position: number): number => this.#digit(content, position) * 10 + this.#digit(content, position + 1);
    if (digits !== at + 10 || content[digits] !== 0x5a)
      throw this.#malformed('a time that is not to the second in UTC');
    const short = two(0);
    const year = long ? short * 100 + two(2) : short + (short < 50 ? 2000 : 1900);
    const month = two(at);
    const time = new Date(Date.UTC(year, month - 1, two(at + 2), two(at + 4), two(at + 6), two(at + 8)));
    // Date carries what is too large into the next field, and takes years below 100 for those of the twentieth century.
    const same =
      time.getUTCFullYear() === year &&
      time.getUTCMonth() === month - 1 &&
      time.getUTCDate() === two(at + 2) &&
      time.getUTCHours() === two(at + 4) &&
      time.getUTCMinutes() === two(at + 6) &&
      time.getUTCSeconds() === two(at + 8);
    if (!same) throw this.#malformed('a time that no calendar has');
    return time;
  }

  /** Checks that nothing is left. @throws TrustError `der-malformed` */
  end(): void {
    if (this.#at !== this.#end) throw this.#malformed(`${this.#end - this.#at} bytes too many`);
  }

  // Section 10.1: the definite form, in as few octets as can hold it.
  #open(tag: number | undefined): number {
    const found = this.peek();
    if (found === undefined || found !== tag)
      throw this.#malformed(`tag ${found ?? 'nothing'} at offset ${this.#at}, expected ${tag ?? 'a value'}`);
    if ((found & 0x1f) === 0x1f) throw this.#malformed('a tag of more than one octet');
    this.#at++;
    const length = this.#length();
    if (length > this.#end - this.#at) throw this.#malformed(`a length of ${length} runs past the end`);
    return length;
  }

  #length(): number {
    const first = this.#octet();
    if (first < 0x80) return first;
    const octets = first & 0x7f;
    if (octets === 0 || octets > 4) throw this.#malformed('an indefinite or oversized length');
    let length = 0;
    for (let i = 0; i < octets; i++) length = length * 256 + this.#octet();
    if (length < 0x80 || length < 256 ** (octets - 1))
      throw this.#malformed('a length that is not in its shortest form');
    return length;
  }

  #octet(): number {
    const octet = this.#at < this.#end ? this.#bytes[this.#at++] : undefined;
    if (octet === undefined) throw this.#malformed('it ends within a length');
    return octet;
  }

  #digit(content: Uint8Array, position: number): number {
    const digit = (content[position] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) throw this.#malformed('a time that is not made of digits');
    return digit;
  }

  #malformed(found: string): TrustError {
    return new TrustError('der-malformed', `${this.#what} is not DER: ${found}`);
  }
}

// X.690 section 8.19.4: the first octets hold two arcs.
function firstArcs(value: number): string {
  const root = value < 80 ? Math.floor(value / 40) : 2;
  return `${root}.${value - root * 40}`;
}
