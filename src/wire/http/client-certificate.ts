// SPDX-License-Identifier: Apache-2.0
import { WireError } from '../wire-error.ts';
import type { TlsSettings } from './transport.ts';

const sound = new WeakSet<TlsSettings>();

/**
 * Checks, once, that a client certificate and its key can be read and belong together: Bun's `fetch` says no more of those that do not than
 * that the connection was reset.
 *
 * @throws WireError `tls-failed`
 */
export function demandSoundClient(tls: TlsSettings): void {
  const { cert, key } = tls;
  if (cert === undefined || key === undefined || sound.has(tls)) return;
  const { createPrivateKey, X509Certificate } = process.getBuiltinModule('node:crypto');
  let cause: unknown;
  try {
    if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
      sound.add(tls);
      return;
    }
  } catch (error) {
    cause = error;
  }
  throw new WireError('tls-failed', 'the given certificates or the key cannot be used', { cause });
}
