// SPDX-License-Identifier: Apache-2.0
import { CliError } from '../cli-error.ts';

/**
 * `-a KEY=VALUE` pairs. A later pair of the same key wins, as in cosign.
 *
 * @param flag that they were given by
 * @throws CliError `flag-invalid`
 */
export function parseAnnotations(pairs: readonly string[], flag = 'annotations'): Readonly<Record<string, string>> {
  const annotations = new Map<string, string>();
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at <= 0) throw new CliError('flag-invalid', `--${flag} '${pair}' is not KEY=VALUE`);
    annotations.set(pair.slice(0, at), pair.slice(at + 1));
  }
  return Object.fromEntries(annotations);
}
