// SPDX-License-Identifier: Apache-2.0
import type { Certificate, PrivateKey, PublicKey, ValidityPeriod } from '../../trust/index.ts';
import type { KeyRole } from './key-role.ts';

/** The curve of the authorities' keys. P-384 is what the public instance has; it signs thirty times slower. */
export type AuthorityAlgorithm = 'ecdsa-p256' | 'ecdsa-p384';

/** What holds for all keys of a ring, from its first start on. */
export interface RingSettings {
  /** stands in the names of certificates */
  readonly organization: string;
  readonly authorityAlgorithm: AuthorityAlgorithm;
  /** whether the keys of the roots and of the TUF targets are kept elsewhere */
  readonly offlineRoot: boolean;
}

/** A key of a stack, without its secret. */
export interface RingKey {
  /** names its files; begins with the role and ends with 16 hexadecimal digits of the SHA-256 of its public key */
  readonly id: string;
  readonly role: KeyRole;
  readonly created: Date;
  /** what clients are told: when to trust it */
  readonly validFor: ValidityPeriod;
  /** a retired key is listed for ever and signs no more */
  readonly state: 'active' | 'retired';
  /** `offline`: in a file that the operator carries away */
  readonly place: 'ring' | 'offline';
  readonly publicKey: PublicKey;
  /** of authorities: from its own certificate to the root */
  readonly chain?: readonly [Certificate, ...Certificate[]];
  /** of a log of Rekor v2: the name under which it signs, which is the host of its address */
  readonly origin?: string;
}

/** A key that is about to join a ring. */
export interface KeyDraft extends Omit<RingKey, 'id' | 'state' | 'publicKey'> {
  readonly privateKey: PrivateKey;
}
