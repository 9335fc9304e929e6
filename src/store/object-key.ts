// SPDX-License-Identifier: Apache-2.0
import { StoreError } from './store-error.ts';

const SEGMENT = /^[a-z0-9][a-z0-9._-]*$/;
const LONGEST = 512;

/**
 * The segments of an object's key. No key can name a file outside the store: a segment never begins with a dot.
 *
 * @throws StoreError `key-malformed`
 */
export function keySegments(key: string): readonly string[] {
  const segments = key.split('/');
  if (key.length > LONGEST || !segments.every((segment) => SEGMENT.test(segment))) {
    const shown = key.length > 100 ? `${key.slice(0, 100)}…` : key;
    throw new StoreError(
      'key-malformed',
      `${JSON.stringify(shown)} is not an object's key (expected segments of [a-z0-9][a-z0-9._-]*, at most ${LONGEST} characters)`,
    );
  }
  return segments;
}
