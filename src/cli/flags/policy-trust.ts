// SPDX-License-Identifier: Apache-2.0
import type { Authority, PolicyDocuments, PolicySurroundings } from '../../policy/index.ts';
import type { TrustedRoot } from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { readTrustedRoot } from './trusted-root.ts';

/** Whom policies believe. */
export const POLICY_TRUST_FLAGS = {
  'trusted-root': {
    kind: 'string',
    default: '',
    placeholder: 'FILE',
    help: 'whom policies believe that name no TrustRoot; without it, what verify believes',
  },
  'trust-root': {
    kind: 'strings',
    split: false,
    placeholder: 'NAME=FILE',
    help: 'the trusted root of a TrustRoot that is a TUF repository; may be given several times',
  },
} as const;

/**
 * The trusted roots that policies need, and what else they may: engines, and what is behind addresses. Nothing is fetched where no policy asks for it.
 *
 * @throws CliError `usage`; as `readTrustedRoot` and `loadDefaultTrust`
 */
export async function loadPolicyTrust(
  context: CommandContext,
  flags: FlagValues<typeof POLICY_TRUST_FLAGS>,
  documents: PolicyDocuments,
): Promise<PolicySurroundings> {
  const roots = new Map<string, TrustedRoot>();
  for (const pair of flags['trust-root']) {
    const at = pair.indexOf('=');
    if (at <= 0) throw new CliError('usage', `--trust-root is '${pair}', expected NAME=FILE`);
    roots.set(pair.slice(0, at), await readTrustedRoot(context, pair.slice(at + 1)));
  }
  const fallback = await fallbackOf(context, flags['trusted-root'], documents);
  const { policySurroundings } = await import('./policy-surroundings.ts');
  return { ...policySurroundings(context), roots, ...(fallback === undefined ? {} : { fallback }) };
}

async function fallbackOf(
  context: CommandContext,
  file: string,
  { policies, settings }: PolicyDocuments,
): Promise<TrustedRoot | undefined> {
  if (file !== '') return readTrustedRoot(context, file);
  const signers = settings.flatMap(({ gates, exceptions }) => [...gates, ...(exceptions?.signers ?? [])]);
  const asked = [...policies.flatMap(({ authorities }) => authorities), ...signers];
  if (!asked.some(needsFallback)) return undefined;
  const { loadDefaultTrust } = await import('./default-trust.ts');
  const { trustedRoot, origin } = await loadDefaultTrust(context);
  if (!context.json) context.stderr(`trust: ${origin.text}\n`);
  return trustedRoot;
}

function needsFallback(authority: Authority): boolean {
  if (authority.kind === 'static') return false;
  const { signers, log, timestamps } = authority;
  if (signers.kind === 'keyless') return signers.trustRoot === undefined;
  return (log !== undefined && log.trustRoot === undefined) || timestamps === '';
}
