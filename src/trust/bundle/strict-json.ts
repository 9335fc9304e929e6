// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, parseJson, type Json } from '../../wire/index.ts';
import { TrustError, type TrustErrorCode } from '../error.ts';
import { printable } from '../printable.ts';
import { repeatedMember } from './unique-members.ts';

/** A JSON object. */
export type JsonObject = { readonly [member: string]: Json };

/**
 * Parses a JSON object in which every member has a name of its own.
 *
 * @param what names the document in errors
 * @param code of the error if it is JSON and not such an object
 * @throws TrustError with `code`; WireError `too-large`, `json-too-deep`, `json-malformed`
 */
export function parseStrictObject(
  bytes: Uint8Array,
  what: string,
  code: TrustErrorCode,
  maxBytes: number,
  maxValues?: number,
): JsonObject {
  const value = parseJson(bytes, { what, maxBytes, ...(maxValues === undefined ? {} : { maxValues }) });
  if (!isJsonObject(value)) throw new TrustError(code, `${what} is JSON, expected an object`);
  const repeated = repeatedMember(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString());
  if (repeated !== undefined) {
    throw new TrustError(
      code,
      `${what} has the member '${printable(repeated)}' twice, so that readers would differ about it`,
    );
  }
  return value;
}
