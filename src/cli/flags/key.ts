// SPDX-License-Identifier: Apache-2.0
import type { PublicKey } from '../../trust/index.ts';
import type { CommandContext } from '../context.ts';
import { readKeyReference } from './key-reference.ts';

/** `--key` where any of several may have signed, or each of several signs. */
export const KEY_FLAG = {
  key: {
    kind: 'strings',
    split: false,
    placeholder: 'KEY',
    help: 'key file, or env://NAME for a variable that holds one',
  },
} as const;

/** `--key` where there is one key. */
export const ONE_KEY_FLAG = {
  key: { kind: 'string', placeholder: 'KEY', help: 'key file, or env://NAME for a variable that holds one' },
} as const;

/**
 * The public keys that references name.
 *
 * @throws CliError as {@link readKeyReference}; TrustError as `decodePublicKey`
 * @example
 * const keys = await loadPublicKeys(context, flags.key);
 */
export async function loadPublicKeys(
  context: CommandContext,
  references: readonly string[],
): Promise<readonly PublicKey[]> {
  const { decodePublicKey } = await import('../../trust/index.ts');
  const keys: PublicKey[] = [];
  for (const reference of references) {
    keys.push(decodePublicKey(await readKeyReference(context, reference, 'public key'), reference));
  }
  return keys;
}
