// SPDX-License-Identifier: Apache-2.0
import { createECDH, hash, type ECDH } from 'node:crypto';
import { CURVES, toNumber, type Curve, type EcdsaAlgorithm } from './curve.ts';
import type { KeyOctets } from './public-key.ts';
import { verifyOnce } from './verify-once.ts';

/** What the library is given to hash. Any octets would do; there are two, since either may be the one message of many that does not. */
const SUBSTITUTES: readonly Uint8Array[] = [new Uint8Array(), Uint8Array.of(0)];

/**
 * Whether a key made an ECDSA signature over a digest.
 *
 * OpenSSL verifies ECDSA ten times as fast as the libraries that take a digest, and node:crypto gives it messages only. So the key is
 * moved by as much as the digest of another message differs. A signature (r, s) over the digest e by the key Q holds if
 *
 *     R = (e/s)·G + (r/s)·Q        has the coordinate r.
 *
 * With another digest f, and the key Q* = Q + ((e−f)/r)·G, the same point is
 *
 *     (f/s)·G + (r/s)·Q* = (f/s)·G + (r/s)·Q + ((e−f)/s)·G = R,
 *
 * so that (r, s), as it stands, holds over f by Q* if and only if it holds over e by Q. Everything here is public, so that no time is secret.
 *
 * Where e is f, or Q is the point that it would be moved by, there is no other key to verify with, and another message is taken. Both at
 * once happen to nobody but who makes a signature for it, with the private key; such a one is not accepted.
 *
 * @see https://nvlpubs.nist.gov/nistpubs/FIPS/NIST.FIPS.186-5.pdf section 6.4.2
 */
export function verifyPrehashedEcdsa(
  algorithm: EcdsaAlgorithm,
  { spki }: Pick<KeyOctets, 'spki'>,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  const curve = CURVES[algorithm];
  const { order, octets, head } = curve;
  const r = firstNumber(signature);
  if (r === undefined || r === 0n || r >= order) return false;
  // As many of the leading bits as the order has; no digest is longer than the order of P-521.
  const e = toNumber(digest.subarray(0, octets));
  const inverted = inverse(r, order);
  for (const message of SUBSTITUTES) {
    const f = toNumber(hash('sha256', message, 'buffer'));
    const moved = movePoint(curve, spki.subarray(-2 * octets), mod((e - f) * inverted, order));
    if (moved === undefined) continue;
    // This reads the signature anew, and takes nothing but DER with numbers in their range.
    return verifyOnce('sha256', Buffer.concat([head, moved]), message, signature);
  }
  return false;
}

/** One for each curve, to multiply with: what it holds is a public number. */
const MULTIPLIERS = new Map<string, ECDH>();

function multiplier(curve: string): ECDH {
  const known = MULTIPLIERS.get(curve);
  if (known !== undefined) return known;
  const made = createECDH(curve);
  MULTIPLIERS.set(curve, made);
  return made;
}

/** The point, and so many times the generator; `undefined` if that is none, or both are the same but for their sign. */
function movePoint(curve: Curve, point: Uint8Array, times: bigint): Uint8Array | undefined {
  if (times === 0n) return undefined;
  const { name, octets, field } = curve;
  const ecdh = multiplier(name);
  ecdh.setPrivateKey(toOctets(times, octets));
  const other = ecdh.getPublicKey().subarray(1);
  const [x1, y1] = [toNumber(point.subarray(0, octets)), toNumber(point.subarray(octets))];
  const [x2, y2] = [toNumber(other.subarray(0, octets)), toNumber(other.subarray(octets))];
  if (x1 === x2) return undefined;
  const slope = mod((y2 - y1) * inverse(mod(x2 - x1, field), field), field);
  const x = mod(slope * slope - x1 - x2, field);
  const y = mod(slope * (x1 - x) - y1, field);
  return Buffer.concat([toOctets(x, octets), toOctets(y, octets)]);
}

/** The first INTEGER of a SEQUENCE with a length below 256. */
function firstNumber(signature: Uint8Array): bigint | undefined {
  const start = signature[1] === 0x81 ? 3 : 2;
  const length = signature[start + 1] ?? 0;
  if (signature[0] !== 0x30 || signature[start] !== 0x02 || length === 0 || length > 0x7f) return undefined;
  const number = signature.subarray(start + 2, start + 2 + length);
  return number.length === length ? toNumber(number) : undefined;
}

/** By Euclid, for a prime modulus and a number that is not 0. */
function inverse(number: bigint, modulus: bigint): bigint {
  let [before, rest] = [modulus, number];
  let [last, factor] = [0n, 1n];
  while (rest !== 0n) {
    const quotient = before / rest;
    [before, rest] = [rest, before - quotient * rest];
    [last, factor] = [factor, last - quotient * factor];
  }
  return last < 0n ? last + modulus : last;
}

function mod(number: bigint, modulus: bigint): bigint {
  const rest = number % modulus;
  return rest < 0n ? rest + modulus : rest;
}

function toOctets(number: bigint, octets: number): Buffer {
  return Buffer.from(number.toString(16).padStart(2 * octets, '0'), 'hex');
}
