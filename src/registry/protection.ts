// SPDX-License-Identifier: Apache-2.0
import { isLoopback, type TlsFiles } from '../wire/index.ts';
import { RegistryServeError } from './serve-error.ts';

/** Where a service listens, and what protects it there. */
export interface Protection {
  readonly host: string;
  readonly tls?: TlsFiles | undefined;
  /** path of an htpasswd file */
  readonly htpasswd?: string | undefined;
  /** listen on any address without TLS or without users; each start warns */
  readonly insecureListen?: boolean | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

/**
 * Lets a service listen beyond loopback only with TLS and users, unless told to.
 *
 * @param what names it
 * @throws RegistryServeError `listen-refused`
 */
export function demandProtection(what: string, { host, tls, htpasswd, insecureListen, onWarning }: Protection): void {
  if (isLoopback(host) || (tls !== undefined && htpasswd !== undefined)) return;
  const lacks = [
    ...(tls === undefined ? ['TLS (--tls-cert, --tls-key)'] : []),
    ...(htpasswd === undefined ? ['users (--htpasswd)'] : []),
  ].join(' and ');
  if (insecureListen === true) {
    onWarning?.(`${what} listens on ${host} without ${lacks}: whoever reaches it can read and write`);
    return;
  }
  throw new RegistryServeError(
    'listen-refused',
    `refusing to listen on ${host} without ${lacks}: only loopback addresses are open then, unless --insecure-listen`,
  );
}
