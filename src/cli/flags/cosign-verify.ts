// SPDX-License-Identifier: Apache-2.0

const NO_TRUSTED_ROOT =
  'this version takes what it believes from --trusted-root FILE, and evidence from what lies beside the seal';
const NO_DETACHED = 'this version verifies seals in a registry or a layout, not detached ones';
const NO_HARDWARE = 'this version takes keys from files and env://NAME, not from hardware';

/**
 * Flags of cosign's `verify` that change nothing here, or ask for what this version does not do: none is ignored in silence where it would
 * make the answer weaker or other.
 */
export const COSIGN_VERIFY_FLAGS = {
  offline: { kind: 'boolean', help: 'talk to the registry only (so it does without this flag)' },
  'experimental-oci11': { kind: 'boolean', help: 'those places are always read', hidden: true },
  'new-bundle-format': {
    kind: 'boolean',
    default: true,
    help: 'false reads only .sig tags',
    hidden: true,
    deprecated: 'both formats are read; --new-bundle-format=false reads .sig tags only',
  },
  'signature-digest-algorithm': {
    kind: 'string',
    default: 'sha256',
    help: "the curve's own digest and SHA-256 are both tried",
    hidden: true,
  },
  attachment: {
    kind: 'string',
    choices: ['', 'sbom'],
    default: '',
    placeholder: 'sbom',
    help: 'verify what cosign attached to the image under a tag',
    hidden: true,
    deprecated: 'SBOMs belong into attestations',
  },
  certificate: {
    kind: 'string',
    help: 'a certificate beside the seal',
    hidden: true,
    refused: NO_TRUSTED_ROOT as string,
  },
  sct: { kind: 'string', help: 'a detached SCT', hidden: true, refused: NO_TRUSTED_ROOT as string },
  'rfc3161-timestamp': {
    kind: 'string',
    help: 'a detached timestamp',
    hidden: true,
    refused: NO_TRUSTED_ROOT as string,
  },
  payload: { kind: 'string', help: 'a detached payload', hidden: true, refused: NO_DETACHED as string },
  signature: { kind: 'string', help: 'a detached signature', hidden: true, refused: NO_DETACHED as string },
  sk: { kind: 'boolean', help: 'a hardware key', hidden: true, refused: NO_HARDWARE as string },
  slot: { kind: 'string', help: 'a slot of a hardware key', hidden: true, refused: NO_HARDWARE as string },
} as const;
