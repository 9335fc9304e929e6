// SPDX-License-Identifier: Apache-2.0
import type { Command } from './command.ts';

/** Where a command is: nothing of it is loaded before it is named. */
export interface CommandEntry {
  /** the command's own summary; a test holds the two equal */
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: Command }>;
}

/** All commands by name, in the order of the manual. */
export const COMMANDS: Readonly<Record<string, CommandEntry>> = {
  quickstart: {
    summary: 'Watch an image go through the whole chain on this machine',
    load: () => import('./quickstart/quickstart.ts'),
  },
  'generate-key-pair': {
    summary: 'Make a key pair: an encrypted private key and its public key',
    load: () => import('./commands/generate-key-pair.ts'),
  },
  'import-key-pair': {
    summary: 'Turn a private key made elsewhere into an encrypted key pair',
    load: () => import('./commands/import-key-pair.ts'),
  },
  'public-key': {
    summary: 'Print the public key of a key',
    load: () => import('./commands/public-key.ts'),
  },
  sign: {
    summary: 'Seal images',
    load: () => import('./commands/sign.ts'),
  },
  verify: {
    summary: 'Verify who sealed images',
    load: () => import('./commands/verify.ts'),
  },
  attest: {
    summary: 'Attest something of images: an SBOM, provenance, a scan',
    load: () => import('./commands/attest.ts'),
  },
  'verify-attestation': {
    summary: 'Verify what was attested of images, and by whom',
    load: () => import('./commands/verify-attestation.ts'),
  },
  'sign-blob': {
    summary: 'Seal files',
    load: () => import('./commands/sign-blob.ts'),
  },
  'verify-blob': {
    summary: 'Verify who sealed a file',
    load: () => import('./commands/verify-blob.ts'),
  },
  provenance: {
    summary: 'Say how images were built: SLSA provenance from the variables of a pipeline',
    load: () => import('./commands/provenance.ts'),
  },
  'attest-blob': {
    summary: 'Attest something of a file',
    load: () => import('./commands/attest-blob.ts'),
  },
  'verify-blob-attestation': {
    summary: 'Verify what was attested of a file, and by whom',
    load: () => import('./commands/verify-blob-attestation.ts'),
  },
  'download attestation': {
    summary: 'Print the attestations of an image, unverified',
    load: () => import('./commands/download-attestation.ts'),
  },
  'download sbom': {
    summary: 'Print the SBOM that lies beside an image, unverified',
    load: () => import('./commands/download-sbom.ts'),
  },
  'attach signature': {
    summary: 'Lay a signature that was made elsewhere beside an image',
    load: () => import('./commands/attach-signature.ts'),
  },
  'attach attestation': {
    summary: 'Lay attestations that were made elsewhere beside an image',
    load: () => import('./commands/attach-attestation.ts'),
  },
  'attach sbom': {
    summary: 'Lay an unsigned SBOM beside an image, where cosign 2 looks for it',
    load: () => import('./commands/attach-sbom.ts'),
  },
  'bundle inspect': {
    summary: 'Show what is in a bundle',
    load: () => import('./commands/bundle-inspect.ts'),
  },
  initialize: {
    summary: 'Begin to trust a stack: fetch whom to believe and with which services to sign',
    load: () => import('./commands/initialize.ts'),
  },
  login: {
    summary: 'Log in at an issuer, so that sign need not ask each time',
    load: () => import('./commands/login.ts'),
  },
  'trusted-root create': {
    summary: 'Make a trusted root: whom one believes',
    load: () => import('./commands/trusted-root-create.ts'),
  },
  'signing-config create': {
    summary: 'Make a signing config: with which services one signs',
    load: () => import('./commands/signing-config-create.ts'),
  },
  tree: {
    summary: 'Show what is attached to an image',
    load: () => import('./commands/tree.ts'),
  },
  triangulate: {
    summary: "Print where an image's seals lie",
    load: () => import('./commands/triangulate.ts'),
  },
  'image pack': {
    summary: 'Make an image from a folder, without a container engine',
    load: () => import('./commands/image-pack.ts'),
  },
  sbom: {
    summary: 'List what is inside an image: SPDX, CycloneDX or a table',
    load: () => import('./commands/sbom.ts'),
  },
  'sbom attach': {
    summary: 'Attest an SBOM that some program made, and lay it beside images',
    load: () => import('./commands/sbom-attach.ts'),
  },
  'sbom get': {
    summary: 'Fetch the SBOM of an image, verified',
    load: () => import('./commands/sbom-get.ts'),
  },
  'sbom diff': {
    summary: 'Show which packages two images or SBOMs differ in',
    load: () => import('./commands/sbom-diff.ts'),
  },
  save: {
    summary: 'Save images with their evidence, and whom to trust, into a folder',
    load: () => import('./commands/save.ts'),
  },
  load: {
    summary: 'Load what save wrote into a registry, with its evidence',
    load: () => import('./commands/load.ts'),
  },
  check: {
    summary: 'Decide on every image that manifests, charts, compose files and Dockerfiles name',
    load: () => import('./commands/check.ts'),
  },
  vsa: {
    summary: 'Say in a verification summary what policies decide on an image',
    load: () => import('./commands/vsa.ts'),
  },
  'policy check': {
    summary: 'Check files of policies, and say what they are about',
    load: () => import('./commands/policy-check.ts'),
  },
  'policy except': {
    summary: 'Sign an exception: one digest, for a while, with a reason',
    load: () => import('./commands/policy-except.ts'),
  },
  'policy explain': {
    summary: 'Decide on an image by policies, and say why',
    load: () => import('./commands/policy-explain.ts'),
  },
  'policy preview': {
    summary: 'Say what new policies would strand before they are in force',
    load: () => import('./commands/policy-preview.ts'),
  },
  'policy test': {
    summary: 'Run the tests that lie beside policies, offline',
    load: () => import('./commands/policy-test.ts'),
  },
  pin: {
    summary: 'Pin images in manifests to digests that the policies trust',
    load: () => import('./commands/pin.ts'),
  },
  scan: {
    summary: 'Decide anew on everything that runs in a cluster, or in a list',
    load: () => import('./commands/scan.ts'),
  },
  'admission install': {
    summary: 'Print the manifests of a Kubernetes gate',
    load: () => import('./commands/admission-install.ts'),
  },
  up: {
    summary: 'Run the signing stack: certificates, logs, timestamps, trust root, issuer, registry',
    load: () => import('./commands/up.ts'),
  },
  token: {
    summary: "Print an identity token of a stack's own issuer",
    load: () => import('./commands/token.ts'),
  },
  'keys rotate': {
    summary: 'Give a running stack a new key, and tell its clients',
    load: () => import('./commands/keys-rotate.ts'),
  },
  backup: {
    summary: 'Copy a running stack into a new folder',
    load: () => import('./commands/backup.ts'),
  },
  restore: {
    summary: 'Make a data directory out of a backup, without ever forking the log',
    load: () => import('./commands/restore.ts'),
  },
  'log fsck': {
    summary: 'Check every log of a stack, entry by entry',
    load: () => import('./commands/log-fsck.ts'),
  },
  'log entries': {
    summary: 'Search a log of a stack',
    load: () => import('./commands/log-entries.ts'),
  },
  'log monitor': {
    summary: 'Tell when an identity of yours signs something unexpected',
    load: () => import('./commands/log-monitor.ts'),
  },
  doctor: {
    summary: 'Sign and verify through every service of a stack, and say what is wrong',
    load: () => import('./commands/doctor.ts'),
  },
  'admission serve': {
    summary: 'Serve the admission webhooks of a Kubernetes cluster',
    load: () => import('./commands/admission-serve.ts'),
  },
  'registry serve': {
    summary: 'Serve an OCI registry with write-once tags',
    load: () => import('./commands/registry-serve.ts'),
  },
  env: {
    summary: 'List the environment variables that are read',
    load: () => import('./commands/env.ts'),
  },
  completion: {
    summary: 'Print the completion script of a shell',
    load: () => import('./commands/completion.ts'),
  },
  version: {
    summary: 'Print the version',
    load: () => import('./commands/version.ts'),
  },
};

/** What groups of nested commands are about. */
export const GROUPS: Readonly<Record<string, string>> = {
  admission: 'Gate a Kubernetes cluster',
  attach: 'Lay beside images what was made elsewhere',
  bundle: 'Look into bundles',
  download: 'Print what lies beside images',
  image: 'Make images',
  keys: 'Change the keys of a stack',
  log: 'Look into a transparency log',
  policy: 'Say who must have sealed what',
  registry: 'Run a registry',
  'signing-config': 'Say with which services one signs',
  'trusted-root': 'Say whom one believes',
};
