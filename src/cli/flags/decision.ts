// SPDX-License-Identifier: Apache-2.0
import type { Repository } from '../../oci/index.ts';
import type { OpenRepository, PolicyFile, PolicySet } from '../../policy/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { type KIT_FLAG, kitPolicyFiles, loadKitTrust, openKitFlag } from './kit.ts';
import { readPolicyFiles } from './policy-files.ts';
import { loadPolicyTrust, type POLICY_TRUST_FLAGS } from './policy-trust.ts';
import { openRepository, type RegistryFlagValues } from './registry.ts';

/** By which policies images are decided on; goes with KIT_FLAG, POLICY_TRUST_FLAGS and REGISTRY_FLAGS. */
export const POLICY_FLAG = {
  policy: {
    kind: 'strings',
    split: false,
    placeholder: 'FILE',
    help: 'policies and what they refer to; may be given several times. Stands in the place of those in a kit',
  },
} as const;

/** Values of the flags by which images are decided on: of those of policies, kits, trust and registries. */
export type DecisionFlagValues = FlagValues<typeof POLICY_FLAG & typeof KIT_FLAG & typeof POLICY_TRUST_FLAGS> &
  RegistryFlagValues;

/** Policies that are ready, and how images are reached. */
export interface DecisionInputs {
  readonly set: PolicySet;
  readonly open: OpenRepository;
}

/**
 * Loads the policies that flags name, or those of the kit, and opens repositories as flags say: those of a registry, or of the kit, and then
 * no socket. Nothing is asked of a registry yet.
 *
 * @throws CliError `usage`; PolicyError; as `readPolicyFiles`, `loadPolicyTrust` and `openKitFlag`
 */
export async function loadDecisionInputs(context: CommandContext, flags: DecisionFlagValues): Promise<DecisionInputs> {
  const { decodePolicyDocuments, loadPolicies, YAML_LIMITS } = await import('../../policy/index.ts');
  const kit = await openKitFlag(context, flags);
  const given = await readPolicyFiles(context, flags.policy, YAML_LIMITS.maxBytes);
  const files = given.length === 0 && kit !== undefined ? kitPolicyFiles(kit) : given;
  if (files.length === 0) throw new CliError('usage', '--policy is required: by which policies?');
  const documents = await decodePolicyDocuments(files);
  const trust =
    kit === undefined
      ? await loadPolicyTrust(context, flags, documents)
      : await loadKitTrust(context, flags, documents, kit, given.length === 0 ? 'kit' : 'user');
  const open: OpenRepository = kit === undefined ? openFrom(context, flags, files) : (name) => kit.open(name);
  const set = await loadPolicies(files, trust);
  if (set.policies.length === 0)
    throw new CliError(
      'usage',
      `no policy in ${files
        .map(({ name }) => name)
        .join(', ')
        .slice(0, 200)}`,
    );
  return { set, open };
}

/**
 * Opens the repositories of registries, each once.
 *
 * @param files beside policies: Secrets that these name for a repository
 */
export function openFrom(
  context: CommandContext,
  flags: RegistryFlagValues,
  files: readonly PolicyFile[] = [],
): OpenRepository {
  return async (name, { pullSecrets = [] } = {}): Promise<Repository> => {
    if (pullSecrets.length === 0) return (await openRepository(context, name, flags, { actions: 'pull' })).repository;
    const { pullSecretCredentials } = await import('./pull-secrets.ts');
    const provider = await pullSecretCredentials(context, files, pullSecrets);
    const credentials = { name: JSON.stringify(pullSecrets), provider };
    return (await openRepository(context, name, flags, { actions: 'pull', credentials })).repository;
  };
}
