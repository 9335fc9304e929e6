// SPDX-License-Identifier: Apache-2.0
import { isDigest, parseLocation, parseReference, repositoryName, type Repository } from '../../oci/index.ts';
import type { Decision, ImageContext } from '../../policy/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT, exitCodeOf } from '../exit-code.ts';
import { readPolicyFiles } from '../flags/policy-files.ts';
import { loadPolicyTrust, POLICY_TRUST_FLAGS } from '../flags/policy-trust.ts';
import { openRepository, REGISTRY_FLAGS, type RegistryFlagValues } from '../flags/registry.ts';
import { readWorkload } from '../flags/workload.ts';
import { decisionDocument } from '../output/decision-json.ts';
import { explainDecision } from '../output/decision-text.ts';
import { writeJson } from '../output/json-document.ts';

/** `bulla policy explain`: may this image run, and why? */
export const command: Command = defineCommand({
  name: 'policy explain',
  summary: 'Decide on an image by policies, and say why',
  description:
    'Says which policies are about the image, which authority is satisfied by which evidence, and where none is, the nearest miss and what would make it pass. ' +
    'Policies that cannot be evaluated here are refused before anything is asked. Exit codes: 0 trusted, 1 refused, 2 could not find out.',
  usage: '[flags] --policy FILE IMAGE',
  arguments: { min: 1, max: 1, name: 'image' },
  flags: {
    policy: {
      kind: 'strings',
      split: false,
      placeholder: 'FILE',
      help: 'policies and what they refer to; may be given several times',
    },
    resource: {
      kind: 'string',
      default: '',
      placeholder: 'FILE',
      help: 'manifest of the object that would run the image; policies with match are about no other',
    },
    as: {
      kind: 'string',
      default: '',
      placeholder: 'NAME',
      help: 'decide as if the image were called so, for example one in an OCI layout',
    },
    ...POLICY_TRUST_FLAGS,
    ...REGISTRY_FLAGS,
  },
  examples: [
    'bulla policy explain --policy policies.yaml ghcr.io/acme/app:1.4',
    'bulla policy explain --policy policies.yaml --resource deployment.yaml ghcr.io/acme/app:1.4',
    'bulla policy explain --policy policies.yaml --as ghcr.io/acme/app:1.4 oci-layout:./saved',
  ],
  async run(context, [image = ''], flags) {
    const { decide, decodePolicyDocuments, loadPolicies, YAML_LIMITS } = await import('../../policy/index.ts');
    if (flags.policy.length === 0) throw new CliError('usage', '--policy is required: by which policies?');
    const subject = await subjectOf(context, image, flags);
    const workload = flags.resource === '' ? undefined : await readWorkload(context, flags.resource);
    const files = await readPolicyFiles(context, flags.policy, YAML_LIMITS.maxBytes);
    const trust = await loadPolicyTrust(context, flags, await decodePolicyDocuments(files));
    const set = await loadPolicies(files, trust);
    const decision = await decide({ ...subject, ...workload, now: context.now() }, set);
    // What a signal interrupted is no answer; that the time was up is one.
    if (context.signal.aborted && exitCodeOf(context.signal.reason) !== EXIT.undecided) context.signal.throwIfAborted();
    const exitCode = exitCodeOfDecision(decision);
    if (context.json) writeJson(context, { exitCode, ...decisionDocument(decision), warnings: context.warnings });
    else context.stdout(explainDecision(context, decision));
    return exitCode;
  },
});

function exitCodeOfDecision({ outcome }: Decision): number {
  if (outcome === 'trusted') return EXIT.ok;
  return outcome === 'refused' ? EXIT.failure : EXIT.undecided;
}

async function subjectOf(
  context: CommandContext,
  image: string,
  flags: RegistryFlagValues & { readonly as: string },
): Promise<Pick<ImageContext, 'image' | 'open' | 'repository'>> {
  const open = async (name: string): Promise<Repository> =>
    (await openRepository(context, name, flags, { actions: 'pull' })).repository;
  if (parseLocation(image).kind === 'registry' && flags.as === '') return { image, open };
  if (flags.as === '')
    throw new CliError('usage', `${image} has no name that policies know`, {
      hint: 'say what it is called: --as NAME',
    });
  const called = repositoryName(parseReference(flags.as));
  const { repository, target } = await openRepository(context, image, flags, { actions: 'pull' });
  const digest = isDigest(target) ? target : (await repository.resolve(target))?.digest;
  const { ImageError } = await import('../../image/index.ts');
  if (digest === undefined) throw new ImageError('image-missing', `${repository.name} has no tag '${target}'`);
  return { image: `${called}@${digest}`, open, repository };
}
