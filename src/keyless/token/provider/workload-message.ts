// SPDX-License-Identifier: Apache-2.0
import { KeylessError } from '../../error.ts';

/** An identity of a workload, with the token that says it. */
export interface JwtSvid {
  readonly spiffeId: string;
  /** a JSON Web Token */
  readonly svid: string;
}

const MAX_IDENTITIES = 64;

/**
 * A `JWTSVIDRequest`: field 1 is an audience.
 * @see https://github.com/spiffe/go-spiffe/blob/main/proto/spiffe/workload/workload.proto
 */
export function encodeAudience(audience: string): Uint8Array {
  const bytes = new TextEncoder().encode(audience);
  const length: number[] = [];
  for (let rest = bytes.length; ; rest >>>= 7) {
    if (rest < 0x80) {
      length.push(rest);
      break;
    }
    length.push((rest & 0x7f) | 0x80);
  }
  return Uint8Array.from([(1 << 3) | 2, ...length, ...bytes]);
}

/**
 * Reads a `JWTSVIDResponse`: field 1, repeated, is a `JWTSVID` with the SPIFFE ID in field 1 and the token in field 2. Other fields are
 * skipped, as Protocol Buffers want it.
 *
 * @throws KeylessError `token-unavailable`; no message shows what was read
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export function decodeJwtSvids(message: Uint8Array): readonly JwtSvid[] {
  const identities: JwtSvid[] = [];
  for (const [field, value] of readFields(message)) {
    if (field !== 1) continue;
    if (identities.length >= MAX_IDENTITIES) throw malformed(`holds more than ${MAX_IDENTITIES} identities`);
    identities.push(decodeJwtSvid(value));
  }
  return identities;
}

function decodeJwtSvid(message: Uint8Array): JwtSvid {
  let spiffeId = '';
  let svid = '';
  for (const [field, value] of readFields(message)) {
    if (field === 1) spiffeId = text(value);
    else if (field === 2) svid = text(value);
  }
  if (svid === '') throw malformed('holds an identity without a token');
  return { spiffeId, svid };
}

/** The fields of wire type 2: those that hold bytes, a text or a message. */
function* readFields(message: Uint8Array): Generator<readonly [field: number, value: Uint8Array]> {
  let at = 0;
  const take = (length: number): Uint8Array => {
    if (length > message.length - at) throw malformed('ends within a field');
    return message.subarray(at, (at += length));
  };
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = take(1)[0] ?? 0;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw malformed('holds a number of more than ten bytes');
  };
  while (at < message.length) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    if (field === 0 || field > 0x1fff_ffff) throw malformed('holds a field without a number');
    const type = tag % 8;
    if (type === 2) yield [field, take(varint())];
    else if (type === 0) varint();
    else if (type === 1) take(8);
    else if (type === 5) take(4);
    else throw malformed(`holds a field of the unknown wire type ${type}`);
  }
}

function text(value: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(value);
  } catch {
    throw malformed('holds a text that is not UTF-8');
  }
}

function malformed(problem: string): KeylessError {
  return new KeylessError('token-unavailable', `the answer of the SPIFFE agent ${problem}`);
}
