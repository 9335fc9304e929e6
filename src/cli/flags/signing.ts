// SPDX-License-Identifier: Apache-2.0

const CONFIG = 'prefer a --signing-config file';
const NO_HARDWARE = 'this version takes keys from files and env://NAME, not from hardware';

/** With which services one seals, and who one is there: cosign's flags of both versions. */
export const SIGNING_FLAGS = {
  yes: { kind: 'boolean', short: 'y', help: 'ask nothing before something is written to a log for ever' },
  'signing-config': {
    kind: 'string',
    placeholder: 'FILE',
    help: 'with which services to seal; one without services is for sealing with a key alone',
  },
  'trusted-root': {
    kind: 'string',
    placeholder: 'FILE',
    help: 'whom to believe about what the services answer: the seal is verified before it is given to anybody',
  },
  'use-signing-config': {
    kind: 'boolean',
    help: 'seal with the services that initialize fetched; with a key, too',
  },
  'fulcio-url': { kind: 'string', placeholder: 'URL', help: 'the certificate authority, without a signing config' },
  'rekor-url': {
    kind: 'string',
    placeholder: 'URL',
    help: 'the transparency log (Rekor v1), without a signing config; with a key, too',
  },
  'timestamp-server-url': {
    kind: 'string',
    placeholder: 'URL',
    help: 'the timestamp authority, without a signing config; with a key, too',
  },
  'timestamp-client-cacert': {
    kind: 'string',
    placeholder: 'FILE',
    help: 'PEM of the authorities that may certify the timestamp authority',
    hidden: true,
  },
  'timestamp-client-cert': { kind: 'string', placeholder: 'FILE', help: 'PEM of our certificate there', hidden: true },
  'timestamp-client-key': { kind: 'string', placeholder: 'FILE', help: 'PEM of its private key', hidden: true },
  'timestamp-server-name': { kind: 'string', help: 'the name that its certificate must carry', hidden: true },
  'tlog-upload': {
    kind: 'boolean',
    default: true,
    help: 'false writes to no log, whatever --rekor-url names',
    hidden: true,
    deprecated: CONFIG as string,
  },
  'identity-token': {
    kind: 'string',
    placeholder: 'TOKEN|FILE',
    help: 'who one is: an identity token, or the file with one',
  },
  'oidc-issuer': { kind: 'string', placeholder: 'URL', help: 'where to log in, without a signing config' },
  'oidc-client-id': { kind: 'string', default: 'sigstore', placeholder: 'ID', help: 'whom identity tokens are for' },
  'oidc-client-secret-file': { kind: 'string', placeholder: 'FILE', help: 'the secret of that client', hidden: true },
  'oidc-redirect-url': { kind: 'string', placeholder: 'URL', help: 'where a browser brings the answer', hidden: true },
  'oidc-provider': {
    kind: 'string',
    placeholder: 'NAME',
    help: 'ask this one alone for a token: filesystem, envvar, github-actions, gitlab, buildkite-agent, circleci, spiffe, google',
  },
  'oidc-disable-ambient-providers': { kind: 'boolean', help: 'look for no token in the surroundings' },
  'fulcio-auth-flow': {
    kind: 'string',
    choices: ['', 'normal', 'device', 'token', 'client_credentials'],
    default: '',
    placeholder: 'FLOW',
    help: 'how to log in where there is no token: normal (browser), device, token (not at all), client_credentials',
  },
  'issue-certificate': { kind: 'boolean', help: 'have the key of --key certified for the identity', hidden: true },
  certificate: { kind: 'string', placeholder: 'FILE', help: 'PEM of the certificate of --key' },
  'certificate-chain': { kind: 'string', placeholder: 'FILE', help: 'PEM of those above it, up to the root' },
  'insecure-skip-verify': {
    kind: 'boolean',
    help: 'give the seal away without a trusted root to verify it by',
    hidden: true,
    weakens: '--insecure-skip-verify: what the services answer is not verified by a trusted root' as string,
  },
  sk: { kind: 'boolean', help: 'a hardware key', hidden: true, refused: NO_HARDWARE as string },
  slot: { kind: 'string', help: 'a slot of a hardware key', hidden: true, refused: NO_HARDWARE as string },
} as const;
