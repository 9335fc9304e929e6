// SPDX-License-Identifier: Apache-2.0
import { TrustError } from '../error.ts';

// The presentation language of TLS, in which RFC 6962 writes its structures: numbers in network order, vectors with their length before.
// @see https://www.rfc-editor.org/rfc/rfc5246#section-4

/** Reads the fields of a structure one after the other, without copying. */
export class TlsReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** @throws TrustError `sct-malformed` at the end, or if the number is not below 2^53 */
  number(octets: number): number {
    let value = 0;
    for (const octet of this.octets(octets)) value = value * 256 + octet;
    if (value > Number.MAX_SAFE_INTEGER) throw malformed('a number that is too large');
    return value;
  }

  /** @throws TrustError `sct-malformed` */
  octets(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw malformed('an end within a field');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** A vector whose length has so many octets. @throws TrustError `sct-malformed` */
  vector(lengthOctets: number): Uint8Array {
    return this.octets(this.number(lengthOctets));
  }

  /** @throws TrustError `sct-malformed` if something is left */
  end(): void {
    if (!this.atEnd) throw malformed(`${this.#bytes.length - this.#at} bytes too many`);
  }
}

/** Writes the fields of a structure one after the other. */
export class TlsWriter {
  readonly #pieces: Uint8Array[] = [];

  /** @throws TrustError `sct-malformed` if it has no room */
  number(value: number, octets: number): this {
    if (!Number.isSafeInteger(value) || value < 0 || value >= 256 ** octets)
      throw malformed(`${value} in ${octets} octets`);
    const piece = new Uint8Array(octets);
    for (let i = octets - 1, rest = value; i >= 0; i--, rest = Math.floor(rest / 256)) piece[i] = rest % 256;
    return this.octets(piece);
  }

  octets(piece: Uint8Array): this {
    this.#pieces.push(piece);
    return this;
  }

  /** @throws TrustError `sct-malformed` if its length has no room */
  vector(piece: Uint8Array, lengthOctets: number): this {
    return this.number(piece.length, lengthOctets).octets(piece);
  }

  end(): Uint8Array {
    return Buffer.concat(this.#pieces);
  }
}

function malformed(found: string): TrustError {
  return new TrustError('sct-malformed', `a certificate timestamp has ${found}`);
}
