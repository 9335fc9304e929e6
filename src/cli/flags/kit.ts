// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import type { Kit } from '../../image/index.ts';
import type { PolicyDocuments, PolicyFile, PolicySurroundings } from '../../policy/index.ts';
import { decodeTrustedRoot } from '../../trust/index.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { loadPolicyTrust, type POLICY_TRUST_FLAGS } from './policy-trust.ts';

/** From what a command decides without a network. */
export const KIT_FLAG = {
  kit: {
    kind: 'string',
    default: '',
    placeholder: 'DIR',
    help: 'decide by the images, evidence, policies and trusted root that `bulla save` put into this folder; no socket is opened',
  },
} as const;

/** The kit that `--kit` names; `undefined` where it was not given. @throws ImageError `kit-malformed`; as `openKit` */
export async function openKitFlag(
  context: Pick<CommandContext, 'cwd'>,
  { kit }: FlagValues<typeof KIT_FLAG>,
): Promise<Kit | undefined> {
  if (kit === '') return undefined;
  const { openKit } = await import('../../image/index.ts');
  return openKit(resolve(context.cwd, kit));
}

/** The policies of a kit as files: `--policy` stands in their place, so that nobody need believe who made the kit. */
export function kitPolicyFiles({ path, files }: Kit): readonly PolicyFile[] {
  return files.policies.map(({ name, bytes }) => ({ name: `${path}: ${name}`, bytes }));
}

/**
 * The trusted roots that policies need: those of the flags, else for the policies of the kit those that came with it. Policies of one's own are
 * never decided by a root that whoever made the kit has chosen. Nothing is fetched.
 *
 * @param by whose policies
 * @throws TrustError for what is no trusted root; as `loadPolicyTrust`
 */
export async function loadKitTrust(
  context: CommandContext,
  flags: FlagValues<typeof POLICY_TRUST_FLAGS>,
  documents: PolicyDocuments,
  { path, files }: Kit,
  by: 'kit' | 'user',
): Promise<PolicySurroundings> {
  const closed: CommandContext = Object.create(context, { noNetwork: { value: true } });
  const { trustedRoot: own, trustRoots } = by === 'kit' ? files : { trustedRoot: undefined, trustRoots: [] };
  const { roots: given, fallback: named } = await loadPolicyTrust(
    closed,
    flags,
    own === undefined || flags['trusted-root'] !== '' ? documents : { ...documents, policies: [], settings: [] },
  );
  const roots = new Map(given);
  for (const [name, bytes] of trustRoots)
    if (!roots.has(name)) roots.set(name, decodeTrustedRoot(bytes, `${path}: trusted root of ${name}`));
  const fallback = named ?? (own === undefined ? undefined : decodeTrustedRoot(own, `${path}: trusted root`));
  const { closedSurroundings } = await import('./policy-surroundings.ts');
  return { ...closedSurroundings(context), roots, ...(fallback === undefined ? {} : { fallback }) };
}
