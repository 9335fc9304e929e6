// SPDX-License-Identifier: Apache-2.0

/** Flags of cosign's `sign` for images that ask for what is not done: none is ignored in silence. */
export const COSIGN_SIGN_FLAGS = {
  'registry-referrers-mode': {
    kind: 'string',
    choices: ['', 'legacy', 'oci-1-1'],
    default: '',
    help: 'where a legacy seal goes',
    hidden: true,
    refused: 'a bundle is a referrer and a legacy seal a tag; choose with --format',
  },
  payload: {
    kind: 'string',
    help: 'a payload made elsewhere',
    hidden: true,
    refused: 'this version seals what it resolved itself',
  },
} as const;
