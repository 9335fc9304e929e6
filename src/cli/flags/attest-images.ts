// SPDX-License-Identifier: Apache-2.0
import type { FlagValues } from '../command.ts';
import { ATTEST_FLAGS } from './attestation.ts';
import { KEY_FLAG } from './key.ts';
import { REQUIRE_DIGEST_FLAG } from './opened-images.ts';
import { REGISTRY_FLAGS } from './registry.ts';
import { SEAL_FORMAT_FLAGS } from './seal-format.ts';
import { SIGNING_FLAGS } from './signing.ts';

type Table = typeof KEY_FLAG &
  typeof SEAL_FORMAT_FLAGS &
  typeof REQUIRE_DIGEST_FLAG &
  typeof ATTEST_FLAGS &
  typeof SIGNING_FLAGS &
  typeof REGISTRY_FLAGS;

/** The flags of every command that attests something of images. */
export const ATTEST_IMAGES_FLAGS: Table = {
  ...KEY_FLAG,
  ...SEAL_FORMAT_FLAGS,
  ...REQUIRE_DIGEST_FLAG,
  ...ATTEST_FLAGS,
  ...SIGNING_FLAGS,
  ...REGISTRY_FLAGS,
};

/** Their values. */
export type AttestImagesFlags = FlagValues<Table>;
