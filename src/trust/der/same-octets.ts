// SPDX-License-Identifier: Apache-2.0

/** Whether both are the same octets. Not for secrets: it stops at the first difference. */
export function sameOctets(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
