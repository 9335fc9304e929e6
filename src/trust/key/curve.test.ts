// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { describe, test } from 'node:test';
import { CURVES, isOnCurve, toNumber, type Curve } from './curve.ts';

function newPoint({ name, head }: Curve): Buffer {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: name });
  return publicKey.export({ type: 'spki', format: 'der' }).subarray(head.length);
}

/** What the library says. */
function imports({ head }: Curve, point: Uint8Array): boolean {
  try {
    createPublicKey({ key: Buffer.concat([head, point]), format: 'der', type: 'spki' });
    return true;
  } catch {
    return false;
  }
}

function withCoordinates({ octets }: Curve, x: bigint, y: bigint): Buffer {
  return Buffer.from([x, y].map((number) => number.toString(16).padStart(2 * octets, '0')).join(''), 'hex');
}

for (const [name, curve] of Object.entries(CURVES)) {
  describe(`${name}, as the library sees it`, () => {
    test('keys are points of the curve', () => {
      for (let count = 0; count < 20; count++) {
        const point = newPoint(curve);
        assert.ok(imports(curve, point));
        assert.ok(isOnCurve(curve, point));
      }
    });

    test('a point with any octet changed is none', () => {
      const point = newPoint(curve);
      for (let at = 0; at < point.length; at++) {
        const changed = Buffer.from(point);
        changed[at] = (changed[at] ?? 0) ^ 1;
        assert.equal(isOnCurve(curve, changed), imports(curve, changed));
        assert.equal(isOnCurve(curve, changed), false);
      }
    });

    test('a coordinate beyond the field, zeros and the largest numbers are none', () => {
      const { field, octets } = curve;
      const point = newPoint(curve);
      const [x, y] = [toNumber(point.subarray(0, octets)), toNumber(point.subarray(octets))];
      const fits = (number: bigint): bigint => number % (1n << BigInt(8 * octets));
      const others = [
        [fits(x + field), y],
        [x, fits(y + field)],
        [0n, 0n],
        [field, field],
        [x, field - y + 1n],
      ] as const;
      for (const [one, other] of others) {
        const changed = withCoordinates(curve, one, other);
        assert.equal(isOnCurve(curve, changed), imports(curve, changed));
        assert.equal(isOnCurve(curve, changed), false);
      }
      assert.ok(isOnCurve(curve, withCoordinates(curve, x, field - y)), 'the other point at this x is one');
    });
  });
}
