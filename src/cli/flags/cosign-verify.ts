// SPDX-License-Identifier: Apache-2.0

const NO_TRUSTED_ROOT =
  'this version judges key seals and reads no transparency log, certificate or timestamp; leave it out to verify by key alone';
const NO_DETACHED = 'this version verifies seals in a registry or a layout, not detached ones';
const NO_HARDWARE = 'this version takes keys from files and env://NAME, not from hardware';
const INSECURE_TLOG =
  'Skipping tlog verification is an insecure practice that lacks transparency and auditability verification for the signature.';

/**
 * Flags of cosign's `verify` that change nothing here, or ask for what this version does not do: none is ignored in silence where it would
 * make the answer weaker or other.
 */
export const COSIGN_VERIFY_FLAGS = {
  'insecure-ignore-tlog': {
    kind: 'boolean',
    help: 'a key seal is not looked up in a log (so it is without this flag)',
    weakens: INSECURE_TLOG as string,
  },
  'insecure-ignore-sct': { kind: 'boolean', help: 'has no meaning for key seals', hidden: true },
  'private-infrastructure': {
    kind: 'boolean',
    help: 'as --insecure-ignore-tlog',
    hidden: true,
    deprecated: 'please use --insecure-ignore-tlog instead',
  },
  offline: { kind: 'boolean', help: 'talk to the registry only (so it does with a key)' },
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
  'trusted-root': {
    kind: 'string',
    placeholder: 'FILE',
    help: 'trust of logs and certificates',
    hidden: true,
    refused: NO_TRUSTED_ROOT as string,
  },
  'use-signed-timestamps': {
    kind: 'boolean',
    help: 'demand a timestamp',
    hidden: true,
    refused: NO_TRUSTED_ROOT as string,
  },
  'timestamp-certificate-chain': {
    kind: 'string',
    help: 'trust of timestamps',
    hidden: true,
    refused: NO_TRUSTED_ROOT as string,
  },
  'rekor-url': { kind: 'string', help: 'a transparency log', hidden: true, refused: NO_TRUSTED_ROOT as string },
  certificate: {
    kind: 'string',
    help: 'a certificate beside the seal',
    hidden: true,
    refused: NO_TRUSTED_ROOT as string,
  },
  'certificate-chain': { kind: 'string', help: 'its chain', hidden: true, refused: NO_TRUSTED_ROOT as string },
  'ca-roots': { kind: 'string', help: 'roots of certificates', hidden: true, refused: NO_TRUSTED_ROOT as string },
  'ca-intermediates': {
    kind: 'string',
    help: 'intermediates of certificates',
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
