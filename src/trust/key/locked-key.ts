// SPDX-License-Identifier: Apache-2.0

/** A private key under a password, read as far as that goes without one. */
export interface LockedKey {
  /** Answers what the password opens, which may still be no key, or `undefined` if it surely does not fit. */
  unlock(password: Uint8Array): Promise<Uint8Array | undefined>;
}
