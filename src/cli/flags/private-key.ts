// SPDX-License-Identifier: Apache-2.0
import type { PrivateKey, Signer } from '../../trust/index.ts';
import type { CommandContext } from '../context.ts';
import { readKeyReference } from './key-reference.ts';
import { passwordsToOpen } from './password.ts';

/**
 * Opens the private key that a reference names, asking for its password only if it has one.
 *
 * @throws CliError as {@link readKeyReference} and {@link passwordsToOpen}; TrustError as `decodePrivateKey`
 */
export async function loadPrivateKey(context: CommandContext, reference: string): Promise<PrivateKey> {
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
