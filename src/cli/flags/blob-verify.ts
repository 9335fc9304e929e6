// SPDX-License-Identifier: Apache-2.0
import type { FlagSpec } from '../command.ts';
import { BLOB_SEAL_FLAGS } from './blob-seal.ts';
import { COSIGN_VERIFY_FLAGS } from './cosign-verify.ts';
import { IDENTITY_FLAGS } from './identity.ts';
import { KEY_FLAG } from './key.ts';
import { PKI_FLAGS } from './pki.ts';
import { TRUST_FLAGS } from './trust.ts';

const { offline, 'experimental-oci11': oci11, 'new-bundle-format': newFormat, sk, slot, sct } = COSIGN_VERIFY_FLAGS;

type BlobVerifyFlags = typeof KEY_FLAG &
  typeof BLOB_SEAL_FLAGS &
  typeof IDENTITY_FLAGS &
  typeof PKI_FLAGS &
  typeof TRUST_FLAGS &
  Pick<typeof COSIGN_VERIFY_FLAGS, 'signature-digest-algorithm' | 'sct' | 'sk' | 'slot'> &
  Readonly<Record<'max-workers' | 'offline' | 'experimental-oci11' | 'new-bundle-format', FlagSpec>>;

/** What is there to say of a seal beside a file: by whom it is expected, where it lies, whom to believe. */
export const BLOB_VERIFY_FLAGS: BlobVerifyFlags = {
  ...KEY_FLAG,
  ...BLOB_SEAL_FLAGS,
  ...IDENTITY_FLAGS,
  ...PKI_FLAGS,
  ...TRUST_FLAGS,
  'max-workers': { kind: 'integer', default: 10, min: 1, help: 'changes nothing: there is one seal', hidden: true },
  'signature-digest-algorithm': COSIGN_VERIFY_FLAGS['signature-digest-algorithm'],
  offline: { ...offline, help: 'changes nothing: no service is asked anyway', hidden: true },
  'experimental-oci11': { ...oci11, help: 'changes nothing' },
  'new-bundle-format': {
    ...newFormat,
    help: 'changes nothing: what kind of bundle it is shows in it',
    deprecated: 'both kinds of bundle are read',
  },
  sct,
  sk,
  slot,
};
