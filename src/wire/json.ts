// SPDX-License-Identifier: Apache-2.0
import { WireError } from './wire-error.ts';

/** A value that JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** Limits on a document from outside. */
export interface JsonLimits {
  /** names the document in errors */
  readonly what: string;
  /** bytes; 4 MiB unless told */
  readonly maxBytes?: number;
  /** levels of nesting; 64 unless told */
  readonly maxDepth?: number;
  /** values, arrays and objects included; 250,000 unless told. In 4 MiB there is room for a million, which take 30 times that in memory */
  readonly maxValues?: number;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Parses UTF-8 JSON from outside, with caps on size, depth and number that hold before anything is allocated for it.
 *
 * @throws WireError `too-large`, `json-too-deep`, `json-malformed`
 */
export function parseJson(bytes: Uint8Array, limits: JsonLimits): Json {
  const maxBytes = limits.maxBytes ?? 4 * 1024 * 1024;
  if (bytes.byteLength > maxBytes) {
    throw new WireError('too-large', `${limits.what} has ${bytes.byteLength} bytes, at most ${maxBytes} are read`);
  }
  if (!isSmall(bytes, limits)) checkShape(bytes, limits);
  try {
    return JSON.parse(UTF8.decode(bytes)) as Json;
  } catch (cause) {
    throw new WireError('json-malformed', `${limits.what} is not JSON (${preview(bytes)})`, { cause });
  }
}

/** True for `{…}`. */
export function isJsonObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Names of members, by how a reader sees them to whom upper and lower case are one, as they are to Go's `encoding/json`. */
export type CaselessNames = ReadonlyMap<string, string>;

export function caselessNames(names: readonly string[]): CaselessNames {
  return new Map(names.map((name) => [caseless(name), name]));
}

/**
 * The first member that a reader who does not tell case apart takes for one of these names, and that is not spelt so: what is read of such
 * an object here is not what is read there.
 */
export function misspeltMember(object: { readonly [key: string]: Json }, names: CaselessNames): string | undefined {
  return Object.keys(object).find((key) => (names.get(caseless(key)) ?? key) !== key);
}

// Go folds as Unicode does: a long s is an s too, and the sign of kelvin a k.
function caseless(name: string): string {
  return name.toUpperCase().toLowerCase();
}

/**
 * Canonical JSON as RFC 8785 (JCS) defines it: what logs sign and stores hash.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8785
 */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map((item: Json) => canonicalJson(item)).join(',')}]`;
  if (isJsonObject(value)) {
    const members = Object.keys(value)
      .toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0)) // UTF-16 code units, section 3.2.3
      .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key] as Json)}`);
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value);
}

/**
 * JSON as Go's `encoding/json` writes it: `<`, `>`, `&` and the two line separators escaped. What cosign signs and prints has this form.
 *
 * @see https://pkg.go.dev/encoding/json#Marshal
 */
export function goJson(value: Json): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * Whether a document cannot pass the caps, by a count that is never too low and takes no loop over its bytes: brackets in strings count
 * too, and no value takes less than a byte. Most documents are small, and a loop makes a cold runtime compile it: 2 ms and 6 MB.
 */
function isSmall(bytes: Uint8Array, { maxDepth = 64, maxValues = 250_000 }: JsonLimits): boolean {
  if (bytes.length >= maxValues) return false;
  const octets = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength); // which finds octets faster than an array does
  let brackets = 0;
  for (const bracket of [0x7b, 0x5b]) {
    for (let at = octets.indexOf(bracket); at !== -1; at = octets.indexOf(bracket, at + 1)) {
      if (++brackets > maxDepth) return false;
    }
  }
  return true;
}

function checkShape(bytes: Uint8Array, { what, maxDepth = 64, maxValues = 250_000 }: JsonLimits): void {
  let depth = 0;
  let values = 1;
  let inString = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (inString) {
      if (byte === 0x5c) at++;
      else if (byte === 0x22) inString = false;
    } else if (byte === 0x22) inString = true;
    else if (byte === 0x2c) values++;
    else if (byte === 0x7b || byte === 0x5b) {
      values++;
      if (++depth > maxDepth) throw new WireError('json-too-deep', `${what} nests deeper than ${maxDepth} levels`);
    } else if (byte === 0x7d || byte === 0x5d) depth--;
    // what is in no array or object is one value, and each comma and each bracket can begin one more
    if (values > maxValues)
      throw new WireError('too-large', `${what} holds more than the ${maxValues} values that are read`);
  }
}

/** The page of a proxy says what is wrong; anything else may be a secret in a file that was named by mistake. */
function preview(bytes: Uint8Array): string {
  if (bytes.byteLength === 0) return 'it is empty';
  const start = new TextDecoder().decode(bytes.subarray(0, 40));
  return start.trimStart().startsWith('<') ? `it begins ${JSON.stringify(start)}` : `${bytes.byteLength} bytes`;
}
