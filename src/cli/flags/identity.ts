// SPDX-License-Identifier: Apache-2.0
import type { ExpectedIdentity, FulcioClaim, IdentityPattern, TextPattern } from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';

/** Whom a certificate must name. Where exact and expression are both given, both must hold. */
export const IDENTITY_FLAGS = {
  'certificate-identity': {
    kind: 'string',
    placeholder: 'SUBJECT',
    help: 'who must have sealed: the e-mail address or URI that the certificate names',
  },
  'certificate-identity-regexp': {
    kind: 'string',
    placeholder: 'RE2',
    help: 'the same, as an expression that may match anywhere in it: write ^…$ for the whole',
  },
  'certificate-oidc-issuer': {
    kind: 'string',
    placeholder: 'URL',
    help: 'who must have vouched for that identity',
  },
  'certificate-oidc-issuer-regexp': { kind: 'string', placeholder: 'RE2', help: 'the same, as an expression' },
  'certificate-github-workflow-name': {
    kind: 'string',
    help: 'the name of the workflow that the certificate must carry',
    hidden: true,
  },
  'certificate-github-workflow-ref': {
    kind: 'string',
    help: 'the same of its git reference',
    hidden: true,
  },
  'certificate-github-workflow-repository': { kind: 'string', help: 'the same of its repository', hidden: true },
  'certificate-github-workflow-sha': { kind: 'string', help: 'the same of its commit', hidden: true },
  'certificate-github-workflow-trigger': { kind: 'string', help: 'the same of its event', hidden: true },
  'allow-any-identity': {
    kind: 'boolean',
    help: 'accept an expression that matches everything, so that anybody may have sealed',
    hidden: true,
    weakens:
      'An expression that matches everything is accepted: anybody who gets a certificate may have sealed.' as string,
  },
} as const;

type Flags = FlagValues<typeof IDENTITY_FLAGS>;
type Name = Exclude<keyof typeof IDENTITY_FLAGS, 'allow-any-identity'>;

const CLAIMS: readonly (readonly [flag: Name, claim: FulcioClaim])[] = [
  ['certificate-github-workflow-name', 'githubWorkflowName'],
  ['certificate-github-workflow-ref', 'githubWorkflowRef'],
  ['certificate-github-workflow-repository', 'githubWorkflowRepository'],
  ['certificate-github-workflow-sha', 'githubWorkflowSha'],
  ['certificate-github-workflow-trigger', 'githubWorkflowTrigger'],
];

const NAMES: readonly Name[] = [
  'certificate-identity',
  'certificate-identity-regexp',
  'certificate-oidc-issuer',
  'certificate-oidc-issuer-regexp',
  ...CLAIMS.map(([flag]) => flag),
];

/** True where an identity is expected instead of a key. */
export function identityAsked(flags: Flags): boolean {
  return NAMES.some((name) => flags[name] !== undefined);
}

/**
 * The identity that the flags ask for.
 *
 * @throws CliError `usage` for half an identity, which names nobody: a subject means something only by the issuer that vouches for it;
 * TrustError `identity-unspecific`; WireError `expression-malformed`
 */
export async function loadIdentity(flags: Flags): Promise<ExpectedIdentity> {
  for (const name of ['certificate-identity', 'certificate-oidc-issuer'] as const) {
    if (flags[name] === undefined && flags[`${name}-regexp`] === undefined) {
      throw new CliError('usage', `--${name} or --${name}-regexp is required for verification in keyless mode`);
    }
  }
  const claims = CLAIMS.flatMap(([flag, claim]) => {
    const exact = flags[flag];
    return exact === undefined ? [] : [[claim, { exact }] as const];
  });
  const pattern: IdentityPattern = {
    subject: patternOf(flags['certificate-identity'], flags['certificate-identity-regexp']),
    issuer: patternOf(flags['certificate-oidc-issuer'], flags['certificate-oidc-issuer-regexp']),
    claims: Object.fromEntries(claims),
    allowAny: flags['allow-any-identity'],
  };
  const { compileExpectedIdentity } = await import('./expected-identity.ts');
  return compileExpectedIdentity(pattern);
}

function patternOf(exact: string | undefined, expression: string | undefined): TextPattern {
  return { ...(exact === undefined ? {} : { exact }), ...(expression === undefined ? {} : { expression }) };
}
