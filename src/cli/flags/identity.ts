// SPDX-License-Identifier: Apache-2.0
import type { ExpectedIdentity, FulcioClaim, TextPattern } from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import type { ClaimDemand } from './expected-identity.ts';

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
  'certificate-claim': {
    kind: 'strings',
    split: false,
    placeholder: 'NAME=VALUE',
    help: 'what else the certificate must say of the build, for example sourceRepositoryRef=refs/tags/v1',
  },
  'certificate-claim-regexp': {
    kind: 'strings',
    split: false,
    placeholder: 'NAME=RE2',
    help: 'the same, as an expression',
  },
  identities: {
    kind: 'string',
    placeholder: 'FILE',
    help: 'several identities, any of which may have sealed: a list in YAML or JSON, instead of these flags',
  },
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
type ClaimFlag = Extract<keyof Flags, `certificate-github-${string}`>;

const GITHUB_CLAIMS: readonly (readonly [flag: ClaimFlag, claim: FulcioClaim])[] = [
  ['certificate-github-workflow-name', 'githubWorkflowName'],
  ['certificate-github-workflow-ref', 'githubWorkflowRef'],
  ['certificate-github-workflow-repository', 'githubWorkflowRepository'],
  ['certificate-github-workflow-sha', 'githubWorkflowSha'],
  ['certificate-github-workflow-trigger', 'githubWorkflowTrigger'],
];

const NAMES = [
  'certificate-identity',
  'certificate-identity-regexp',
  'certificate-oidc-issuer',
  'certificate-oidc-issuer-regexp',
] as const;

/** True where an identity is expected instead of a key. */
export function identityAsked(flags: Flags): boolean {
  return flags.identities !== undefined || partsAsked(flags).length > 0;
}

/** The flags that describe one identity, of those that were given. */
function partsAsked(flags: Flags): readonly string[] {
  return [
    ...[...NAMES, ...GITHUB_CLAIMS.map(([flag]) => flag)].filter((name) => flags[name] !== undefined),
    ...(['certificate-claim', 'certificate-claim-regexp'] as const).filter((name) => flags[name].length > 0),
  ];
}

/**
 * The identities that the flags ask for, any of which may have sealed: one, or those of a file.
 *
 * @throws CliError `usage` for half an identity, which names nobody: a subject means something only by the issuer that vouches for it; for an
 * expression that matches everything, a claim that there is not, and for a file and flags together; as `readIdentities`; WireError
 * `expression-malformed`
 */
export async function loadIdentities(
  context: Pick<CommandContext, 'cwd'>,
  flags: Flags,
): Promise<readonly ExpectedIdentity[]> {
  const [asked] = partsAsked(flags);
  if (flags.identities !== undefined) {
    if (asked !== undefined)
      throw new CliError(
        'usage',
        `--identities lists whole identities, and --${asked} is a part of one: give one of them`,
      );
    const { readIdentities } = await import('./identities-file.ts');
    return await readIdentities(context, flags.identities, flags['allow-any-identity']);
  }
  for (const name of ['certificate-identity', 'certificate-oidc-issuer'] as const) {
    if (flags[name] === undefined && flags[`${name}-regexp`] === undefined) {
      throw new CliError('usage', `--${name} or --${name}-regexp is required for verification in keyless mode`, {
        hint: 'or several identities, in a file: --identities FILE',
      });
    }
  }
  const { compileExpectedIdentity, demandedClaims } = await import('./expected-identity.ts');
  const identity = await compileExpectedIdentity({
    subject: patternOf(flags['certificate-identity'], flags['certificate-identity-regexp']),
    issuer: patternOf(flags['certificate-oidc-issuer'], flags['certificate-oidc-issuer-regexp']),
    claims: demandedClaims(claimsAsked(flags)),
    allowAny: flags['allow-any-identity'],
  });
  return [identity];
}

function claimsAsked(flags: Flags): readonly ClaimDemand[] {
  return [
    ...GITHUB_CLAIMS.flatMap(([flag, name]): ClaimDemand[] => {
      const value = flags[flag];
      return value === undefined ? [] : [{ name, pattern: 'exact', value, by: `--${flag}` }];
    }),
    ...flags['certificate-claim'].map((pair) => claimOf(pair, 'exact', '--certificate-claim')),
    ...flags['certificate-claim-regexp'].map((pair) => claimOf(pair, 'expression', '--certificate-claim-regexp')),
  ];
}

function claimOf(pair: string, pattern: ClaimDemand['pattern'], by: string): ClaimDemand {
  const at = pair.indexOf('=');
  if (at > 0) return { name: pair.slice(0, at), pattern, value: pair.slice(at + 1), by };
  const expected = pattern === 'exact' ? 'NAME=VALUE' : 'NAME=RE2';
  throw new CliError('flag-invalid', `invalid argument "${pair.slice(0, 80)}" for "${by}" flag: expected ${expected}`);
}

function patternOf(exact: string | undefined, expression: string | undefined): TextPattern {
  return { ...(exact === undefined ? {} : { exact }), ...(expression === undefined ? {} : { expression }) };
}
