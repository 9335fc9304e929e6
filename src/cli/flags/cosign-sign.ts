// SPDX-License-Identifier: Apache-2.0

const NO_KEYLESS = 'this version seals with a key: pass --key, and leave this out';
const NO_LOG =
  'this version writes to no transparency log or timestamp authority; leave it out to seal with a key alone';
const NO_HARDWARE = 'this version takes keys from files and env://NAME, not from hardware';
const TLOG_DEPRECATED = 'prefer using a --signing-config file with no transparency log services';

/**
 * Flags of cosign's `sign` that change nothing here, or ask for what this version does not do: none is ignored in silence where the seal would
 * be another than was asked for.
 */
export const COSIGN_SIGN_FLAGS = {
  yes: { kind: 'boolean', short: 'y', help: 'ask nothing (nothing is asked)' },
  'tlog-upload': {
    kind: 'boolean',
    help: 'write to a transparency log',
    hidden: true,
    refused: NO_LOG as string,
    deprecated: TLOG_DEPRECATED as string,
  },
  'use-signing-config': { kind: 'boolean', help: 'take services from TUF', hidden: true, refused: NO_LOG as string },
  'signing-config': {
    kind: 'string',
    placeholder: 'FILE',
    help: 'services to seal with: this version takes one that names none',
    hidden: true,
  },
  'trusted-root': {
    kind: 'string',
    placeholder: 'FILE',
    help: 'trust of services, beside a signing config that names none',
    hidden: true,
  },
  'rekor-url': { kind: 'string', help: 'a transparency log', hidden: true, refused: NO_LOG as string },
  'timestamp-server-url': { kind: 'string', help: 'a timestamp authority', hidden: true, refused: NO_LOG as string },
  'timestamp-client-cacert': {
    kind: 'string',
    help: 'TLS of a timestamp authority',
    hidden: true,
    refused: NO_LOG as string,
  },
  'timestamp-client-cert': {
    kind: 'string',
    help: 'TLS of a timestamp authority',
    hidden: true,
    refused: NO_LOG as string,
  },
  'timestamp-client-key': {
    kind: 'string',
    help: 'TLS of a timestamp authority',
    hidden: true,
    refused: NO_LOG as string,
  },
  'timestamp-server-name': {
    kind: 'string',
    help: 'TLS of a timestamp authority',
    hidden: true,
    refused: NO_LOG as string,
  },
  'fulcio-url': { kind: 'string', help: 'a certificate authority', hidden: true, refused: NO_KEYLESS as string },
  'fulcio-auth-flow': { kind: 'string', help: 'how to log in', hidden: true, refused: NO_KEYLESS as string },
  'identity-token': { kind: 'string', help: 'an identity token', hidden: true, refused: NO_KEYLESS as string },
  'oidc-issuer': { kind: 'string', help: 'who vouches for an identity', hidden: true, refused: NO_KEYLESS as string },
  'oidc-client-id': {
    kind: 'string',
    default: 'sigstore',
    help: 'a client of the issuer',
    hidden: true,
    refused: NO_KEYLESS as string,
  },
  'oidc-client-secret-file': { kind: 'string', help: 'its secret', hidden: true, refused: NO_KEYLESS as string },
  'oidc-redirect-url': {
    kind: 'string',
    help: 'where the issuer returns to',
    hidden: true,
    refused: NO_KEYLESS as string,
  },
  'oidc-provider': { kind: 'string', help: 'where a token comes from', hidden: true, refused: NO_KEYLESS as string },
  'oidc-disable-ambient-providers': { kind: 'boolean', help: 'no token is looked for', hidden: true },
  'issue-certificate': {
    kind: 'boolean',
    help: 'a certificate for the key',
    hidden: true,
    refused: NO_KEYLESS as string,
  },
  'insecure-skip-verify': {
    kind: 'boolean',
    help: 'of a certificate authority',
    hidden: true,
    refused: NO_KEYLESS as string,
  },
  certificate: { kind: 'string', help: 'a certificate for the key', hidden: true, refused: NO_KEYLESS as string },
  'certificate-chain': { kind: 'string', help: 'its chain', hidden: true, refused: NO_KEYLESS as string },
  'output-certificate': {
    kind: 'string',
    help: 'where the certificate goes',
    hidden: true,
    refused: NO_KEYLESS as string,
  },
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
  sk: { kind: 'boolean', help: 'a hardware key', hidden: true, refused: NO_HARDWARE as string },
  slot: { kind: 'string', help: 'a slot of a hardware key', hidden: true, refused: NO_HARDWARE as string },
} as const;
