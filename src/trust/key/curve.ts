// SPDX-License-Identifier: Apache-2.0
import type { PublicKeyAlgorithm } from './public-key.ts';

export type EcdsaAlgorithm = Extract<PublicKeyAlgorithm, `ecdsa-${string}`>;

/** y² = x³ − 3x + b over a prime field. */
export interface Curve {
  /** by OpenSSL's name */
  readonly name: string;
  /** of a coordinate */
  readonly octets: number;
  /** of the coordinates */
  readonly field: bigint;
  readonly b: bigint;
  /** of the points */
  readonly order: bigint;
  /**
   * What stands before the coordinates in a SubjectPublicKeyInfo with named curve, uncompressed point, and nothing else: what begins so and
   * has this length is the one encoding of the key. @see https://www.rfc-editor.org/rfc/rfc5480#section-2
   */
  readonly head: Uint8Array;
}

/** SEC 2, sections 2.4.2, 2.5.1 and 2.6.1. */
export const CURVES: Readonly<Record<EcdsaAlgorithm, Curve>> = {
  'ecdsa-p256': {
    name: 'prime256v1',
    octets: 32,
    field: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
    order: 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n,
    head: Buffer.from('3059301306072a8648ce3d020106082a8648ce3d03010703420004', 'hex'),
  },
  'ecdsa-p384': {
    name: 'secp384r1',
    octets: 48,
    field: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
    order: 0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
    head: Buffer.from('3076301006072a8648ce3d020106052b8104002203620004', 'hex'),
  },
  'ecdsa-p521': {
    name: 'secp521r1',
    octets: 66,
    field: 2n ** 521n - 1n,
    b: 0x51953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n,
    order:
      0x1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
    head: Buffer.from('30819b301006072a8648ce3d020106052b810400230381860004', 'hex'),
  },
};

/** Whether two coordinates, one after the other, are a point of the curve in its one spelling. All such points can be keys: the curves have prime order. */
export function isOnCurve({ octets, field, b }: Curve, point: Uint8Array): boolean {
  const [x, y] = [toNumber(point.subarray(0, octets)), toNumber(point.subarray(octets))];
  return x < field && y < field && (y * y - (x * x - 3n) * x - b) % field === 0n;
}

/** Most significant octet first. */
export function toNumber(octets: Uint8Array): bigint {
  if (octets.length === 0) return 0n;
  return BigInt(`0x${Buffer.from(octets.buffer, octets.byteOffset, octets.byteLength).toString('hex')}`);
}
