// SPDX-License-Identifier: Apache-2.0
import type { PrivateKey, PublicKey, Signer } from '../../trust/index.ts';
import type { CommandContext } from '../context.ts';
import { readKeyReference } from './key-reference.ts';
import { passwordsToOpen } from './password.ts';

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

/**
 * Opens the private key that a reference names, asking for its password only if it has one.
 *
 * @throws CliError as {@link readKeyReference} and {@link passwordsToOpen}; TrustError as `decodePrivateKey`
 */
async function loadPrivateKey(context: CommandContext, reference: string): Promise<PrivateKey> {
  const bytes = await readKeyReference(context, reference, 'private key');
  return await openPrivateKey(context, bytes, reference);
}

/** What signs with the private key that a reference names. @throws as {@link loadPrivateKey} */
export async function loadSigner(context: CommandContext, reference: string): Promise<Signer> {
  const key = await loadPrivateKey(context, reference);
  const { keySigner } = await import('../../trust/index.ts');
  return keySigner(key);
}

/** Opens a private key whose file was read. @param reference names it in errors */
export async function openPrivateKey(
  context: CommandContext,
  bytes: Uint8Array,
  reference: string,
): Promise<PrivateKey> {
  const { decodePrivateKey, privateKeyNeedsPassword } = await import('../../trust/index.ts');
  const passwords = privateKeyNeedsPassword(bytes) ? await passwordsToOpen(context, 'private key') : [];
  return await decodePrivateKey(bytes, { what: reference, passwords });
}
