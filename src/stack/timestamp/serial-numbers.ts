// SPDX-License-Identifier: Apache-2.0
import { randomFillSync } from 'node:crypto';

const BYTES = 20;
const AT_ONCE = 512;

/**
 * Numbers for timestamps: 159 random bits each, so that no number is given twice, by this authority or one before it, and nobody has to
 * remember which were. Drawn many at a time: a call to the system's generator costs as much as a twentieth of a timestamp.
 *
 * @see https://www.rfc-editor.org/rfc/rfc3161#section-2.4.2 (`serialNumber`)
 */
export function createSerialNumbers(): () => Uint8Array {
  const drawn = new Uint8Array(BYTES * AT_ONCE);
  let used = drawn.length;
  return () => {
    if (used === drawn.length) {
      randomFillSync(drawn);
      used = 0;
    }
    // A copy: the next draw writes over what is here.
    const number = drawn.slice(used, (used += BYTES));
    number[0] = (number[0] ?? 0) & 0x7f;
    return number;
  };
}
