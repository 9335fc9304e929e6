// SPDX-License-Identifier: Apache-2.0
import type { JSONWebKeySet } from 'jose';

/** Where the keys of an issuer come from. */
export interface TokenKeys {
  /** The keys that are believed now. @throws CertificateRefusal `issuer-unreachable` */
  current(): Promise<JSONWebKeySet>;
  /**
   * The keys, read anew because a token has a signature by none of them; `undefined` where they were read too recently.
   *
   * @throws CertificateRefusal `issuer-unreachable`
   */
  refreshed(): Promise<JSONWebKeySet | undefined>;
}

/** The keys of an issuer in this process. */
export function givenKeys(keys: () => JSONWebKeySet | Promise<JSONWebKeySet>): TokenKeys {
  return { current: async () => keys(), refreshed: async () => undefined };
}
