// SPDX-License-Identifier: Apache-2.0

/** Certificates of one's own in the place of those in a trusted root: cosign 2's way of saying who may certify. */
export const PKI_FLAGS = {
  'ca-roots': {
    kind: 'string',
    placeholder: 'FILE',
    help: 'PEM of the authorities that may certify, instead of a trusted root',
  },
  'ca-intermediates': {
    kind: 'string',
    placeholder: 'FILE',
    help: 'PEM of the authorities below those of --ca-roots',
  },
  'certificate-chain': {
    kind: 'string',
    placeholder: 'FILE',
    help: 'PEM of the chain above the certificate, up to its root, instead of --ca-roots',
  },
  'timestamp-certificate-chain': {
    kind: 'string',
    placeholder: 'FILE',
    help: 'PEM of the timestamp authority, from the certificate that signs to its root, instead of a trusted root',
  },
} as const;
