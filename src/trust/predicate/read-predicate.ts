// SPDX-License-Identifier: Apache-2.0
import { CodedError, type Json } from '../../wire/index.ts';
import { parseStrictObject } from '../bundle/strict-json.ts';
import { TrustError } from '../error.ts';
import type { PredicateType } from './predicate-type.ts';

/** What a predicate is read from. */
export interface PredicateSource {
  readonly bytes: Uint8Array;
  /** names it in errors, for example the file */
  readonly what: string;
  /** when it is attested; a custom predicate keeps that */
  readonly now: Date;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const MAX_BYTES = 128 * 1024 * 1024;
const MAX_VALUES = 2_000_000;

/**
 * The predicate that a file is, as cosign puts it into a statement: JSON as it is; a `custom` one and `spdx` as a text. What JSON cannot
 * keep (a member twice, a number of more digits than a reader has) is refused, so that nothing is signed that was not in the file.
 *
 * @throws TrustError `predicate-malformed`
 */
export function readPredicate({ name, uri }: PredicateType, { bytes, what, now }: PredicateSource): Json {
  if (bytes.byteLength === 0) throw malformed(what, 'it is empty');
  if (name === 'custom') return { Data: textOf(bytes, what), Timestamp: now.toISOString().replace(/\.\d+Z$/, 'Z') };
  if (name === 'spdx') return textOf(bytes, what);
  let value: Json;
  try {
    value = parseStrictObject(bytes, what, 'predicate-malformed', MAX_BYTES, MAX_VALUES);
  } catch (error) {
    if (error instanceof CodedError)
      throw malformed(what, `a predicate of type ${uri} is JSON: ${error.message}`, error);
    throw error;
  }
  const lost = lostNumber(UTF8.decode(bytes));
  if (lost === undefined) return value;
  throw malformed(
    what,
    `the number ${lost.slice(0, 40)} has more digits than readers of JSON keep: write it as a text`,
  );
}

function textOf(bytes: Uint8Array, what: string): string {
  try {
    return UTF8.decode(bytes);
  } catch (cause) {
    throw malformed(what, 'it is no text in UTF-8', cause);
  }
}

/** The first integer in this JSON text that a double cannot hold. */
function lostNumber(json: string): string | undefined {
  // few documents have one: without 16 digits in a row there is nothing to look for
  if (!/\d{16}/.test(json)) return undefined;
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g)) {
    if (token.startsWith('"') || !/^-?\d{16,}$/.test(token)) continue;
    if (!Number.isSafeInteger(Number(token))) return token;
  }
  return undefined;
}

function malformed(what: string, why: string, cause?: unknown): TrustError {
  return new TrustError('predicate-malformed', `${what} is no predicate: ${why}`, cause === undefined ? {} : { cause });
}
