// SPDX-License-Identifier: Apache-2.0
import { DigestStream, digestAlgorithm, type Digest } from './digest.ts';
import { RegistryError } from './error.ts';

/**
 * Passes chunks on and fails if they were not what they were said to be: as soon as there are too many bytes, else at the end. What
 * is done with the chunks must not count before the end.
 *
 * @param what names the content in the error
 * @throws RegistryError `size-mismatch`, `digest-mismatch`
 */
export async function* verifiedStream(
  chunks: AsyncIterable<Uint8Array>,
  expected: { readonly digest: Digest; readonly size: number },
  what: string,
): AsyncIterable<Uint8Array> {
  const running = new DigestStream(digestAlgorithm(expected.digest));
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.byteLength;
    if (size > expected.size) throw sizeMismatch(what, `more than ${expected.size}`, expected.size);
    running.update(chunk);
    yield chunk;
  }
  if (size !== expected.size) throw sizeMismatch(what, `${size}`, expected.size);
  const digest = running.digest();
  if (digest !== expected.digest) {
    throw new RegistryError('digest-mismatch', `${what} has content of ${digest}, expected ${expected.digest}`);
  }
}

function sizeMismatch(what: string, found: string, expected: number): RegistryError {
  return new RegistryError('size-mismatch', `${what} has ${found} bytes, expected ${expected}`);
}
