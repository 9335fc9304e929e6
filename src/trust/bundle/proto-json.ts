// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, type Json } from '../../wire/index.ts';
import { TrustError, type TrustErrorCode } from '../error.ts';
import { printable } from '../printable.ts';
import { readRfc3339 } from '../rfc-3339.ts';
import { decodeAnyBase64 } from './any-base64.ts';
import type { JsonObject } from './strict-json.ts';

/**
 * One message in ProtoJSON, read field by field: each may be spelled `logIndex` or `log_index`, `null` means unset, and an unset
 * field has its default. Whoever has read all fields calls `end()`, which refuses any other, as sigstore's own readers do.
 *
 * @throws TrustError `bundle-malformed`, or the code that was given, from every method; WireError `base64-malformed`
 * @see https://protobuf.dev/programming-guides/json/
 */
export class MessageReader {
  /** names the message in errors */
  readonly what: string;
  readonly #fields: JsonObject;
  readonly #read = new Set<string>();
  readonly #code: TrustErrorCode;

  /** @param code of what is thrown where a field is not as it must be */
  constructor(fields: JsonObject, what: string, code: TrustErrorCode = 'bundle-malformed') {
    this.#fields = fields;
    this.what = what;
    this.#code = code;
  }

  /** A field of any type; `undefined` if unset. */
  take(name: string): Json | undefined {
    const snake = snakeCase(name);
    const inCamel = Object.hasOwn(this.#fields, name);
    const inSnake = snake !== name && Object.hasOwn(this.#fields, snake);
    if (inCamel && inSnake) throw this.malformed(name, 'given in two spellings');
    if (!inCamel && !inSnake) return undefined;
    const spelling = inCamel ? name : snake;
    this.#read.add(spelling);
    return this.#fields[spelling] ?? undefined;
  }

  /** A `string`; empty if unset. */
  string(name: string): string {
    const value = this.take(name) ?? '';
    if (typeof value !== 'string') throw this.malformed(name, 'no text');
    return value;
  }

  /** `bytes`; none if unset. */
  bytes(name: string): Uint8Array {
    return decodeAnyBase64(this.string(name), `${this.what}.${name}`);
  }

  /** An `int64`, as a number or in quotes; 0 if unset. Only counts and times are read, so that a negative one is refused. */
  count(name: string): number {
    const value = this.take(name) ?? 0;
    const number = typeof value === 'string' && /^(?:0|[1-9][0-9]{0,15})$/.test(value) ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 0) {
      throw this.malformed(name, 'no whole number from 0 to 2^53-1');
    }
    return number;
  }

  /** A message; `undefined` if unset. */
  message(name: string): MessageReader | undefined {
    const value = this.take(name);
    if (value === undefined) return undefined;
    if (!isJsonObject(value)) throw this.malformed(name, 'no object');
    return new MessageReader(value, `${this.what}.${name}`, this.#code);
  }

  /** A repeated message with at most `max` members. */
  messages(name: string, max: number): readonly MessageReader[] {
    return this.#list(name, max).map((item, index) => {
      if (!isJsonObject(item)) throw this.malformed(`${name}[${index}]`, 'no object');
      return new MessageReader(item, `${this.what}.${name}[${index}]`, this.#code);
    });
  }

  /** Repeated `bytes`, at most `max`. */
  bytesList(name: string, max: number): readonly Uint8Array[] {
    return this.#list(name, max).map((item, index) => {
      if (typeof item !== 'string') throw this.malformed(`${name}[${index}]`, 'no text');
      return decodeAnyBase64(item, `${this.what}.${name}[${index}]`);
    });
  }

  /** A `google.protobuf.Timestamp`; `undefined` if unset. @see https://www.rfc-editor.org/rfc/rfc3339#section-5.6 */
  time(name: string): Date | undefined {
    const value = this.take(name);
    if (value === undefined) return undefined;
    const time = typeof value === 'string' ? readRfc3339(value) : undefined;
    if (time === undefined) throw this.malformed(name, 'no time as RFC 3339 has it');
    return time;
  }

  /** Refuses fields that were not read. */
  end(): void {
    const unknown = Object.keys(this.#fields).find((name) => !this.#read.has(name));
    if (unknown !== undefined)
      throw new TrustError(this.#code, `${this.what} has an unknown field '${printable(unknown)}'`);
  }

  malformed(name: string, found: string): TrustError {
    return new TrustError(this.#code, `${this.what}.${name} is ${found}`);
  }

  #list(name: string, max: number): readonly Json[] {
    const value = this.take(name) ?? [];
    if (!Array.isArray(value)) throw this.malformed(name, 'no list');
    if (value.length > max) throw this.malformed(name, `a list of ${value.length}, at most ${max} are read`);
    return value;
  }
}

// Of names that stand in this code, so that there are some dozens.
const SNAKE_CASE = new Map<string, string>();

function snakeCase(name: string): string {
  const known = SNAKE_CASE.get(name);
  if (known !== undefined) return known;
  const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  SNAKE_CASE.set(name, snake);
  return snake;
}
