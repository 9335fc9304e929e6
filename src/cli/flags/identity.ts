// SPDX-License-Identifier: Apache-2.0
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';

const CLAIM = 'a claim that the certificate must carry';

/** Whom a certificate must name. Accepted so that a key seal can be told apart; certificates are not judged by this version. */
export const IDENTITY_FLAGS = {
  'certificate-identity': {
    kind: 'string',
    placeholder: 'SUBJECT',
    help: 'the identity that the certificate must name (this version judges keys only)',
  },
  'certificate-identity-regexp': {
    kind: 'string',
    placeholder: 'RE2',
    help: 'the same, as an expression',
    hidden: true,
  },
  'certificate-oidc-issuer': {
    kind: 'string',
    placeholder: 'URL',
    help: 'who must have vouched for the identity',
    hidden: true,
  },
  'certificate-oidc-issuer-regexp': {
    kind: 'string',
    placeholder: 'RE2',
    help: 'the same, as an expression',
    hidden: true,
  },
  'certificate-github-workflow-name': { kind: 'string', help: CLAIM as string, hidden: true },
  'certificate-github-workflow-ref': { kind: 'string', help: CLAIM as string, hidden: true },
  'certificate-github-workflow-repository': { kind: 'string', help: CLAIM as string, hidden: true },
  'certificate-github-workflow-sha': { kind: 'string', help: CLAIM as string, hidden: true },
  'certificate-github-workflow-trigger': { kind: 'string', help: CLAIM as string, hidden: true },
} as const;

/** True where an identity is expected instead of a key. */
export function identityAsked(flags: FlagValues<typeof IDENTITY_FLAGS>): boolean {
  return (Object.keys(IDENTITY_FLAGS) as (keyof typeof IDENTITY_FLAGS)[]).some((name) => flags[name] !== undefined);
}

/**
 * Half an identity names nobody: a subject means something only by the issuer that vouches for it.
 *
 * @throws CliError `usage`
 */
export function demandIdentity(flags: FlagValues<typeof IDENTITY_FLAGS>): void {
  for (const name of ['certificate-identity', 'certificate-oidc-issuer'] as const) {
    if (flags[name] === undefined && flags[`${name}-regexp`] === undefined) {
      throw new CliError('usage', `--${name} or --${name}-regexp is required for verification in keyless mode`);
    }
  }
}
