// SPDX-License-Identifier: Apache-2.0
import { isDigest, parseLocation, parseReference, repositoryName } from '../../oci/index.ts';
import type { Decision, ImageContext, OpenRepository } from '../../policy/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT, throwIfEnded } from '../exit-code.ts';
import { loadDecisionInputs, POLICY_FLAG } from '../flags/decision.ts';
import { KIT_FLAG } from '../flags/kit.ts';
import { checkStdin } from '../flags/manifest-files.ts';
import { POLICY_TRUST_FLAGS } from '../flags/policy-trust.ts';
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
    'Policies that cannot be evaluated here are refused before anything is asked. Exit codes: 0 trusted, 1 refused, 2 could not find out, 64 wrong usage.',
  usage: '[flags] [--policy FILE] [--kit DIR] IMAGE',
  arguments: { min: 1, max: 1, name: 'image' },
  gate: true,
  flags: {
    ...POLICY_FLAG,
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
    ...KIT_FLAG,
    ...POLICY_TRUST_FLAGS,
    ...REGISTRY_FLAGS,
  },
  examples: [
    'bulla policy explain --policy policies.yaml ghcr.io/acme/app:1.4',
    'bulla policy explain --policy policies.yaml --resource deployment.yaml ghcr.io/acme/app:1.4',
    'bulla policy explain --kit ./kit ghcr.io/acme/app:1.4',
    'bulla policy explain --policy policies.yaml --as ghcr.io/acme/app:1.4 oci-layout:./saved',
  ],
  async run(context, [image = ''], flags) {
    checkStdin([...flags.policy, flags.resource]);
    const { decide } = await import('../../policy/index.ts');
    const { set, open } = await loadDecisionInputs(context, flags);
    const workload = flags.resource === '' ? undefined : await readWorkload(context, flags.resource);
    const subject = flags.kit === '' ? await subjectOf(context, image, flags, open) : { image, open };
    const decision = await decide({ ...subject, ...workload, now: context.now() }, set);
    throwIfEnded(context.signal);
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
  open: OpenRepository,
): Promise<Pick<ImageContext, 'image' | 'open' | 'repository'>> {
  if (parseLocation(image).kind === 'registry' && flags.as === '') return { image, open };
  if (flags.as === '')
    throw new CliError('usage', `${image} has no name that policies know`, {
      hint: 'say what it is called: --as NAME',
    });
  const called = repositoryName(parseReference(flags.as));
  const { repository, target } = await openRepository(context, image, flags, { actions: 'pull' });
  const digest = isDigest(target) ? target : (await repository.resolve(target))?.digest;
  if (digest === undefined) throw new CliError('usage', `${repository.name} has no tag '${target}'`);
  return { image: `${called}@${digest}`, open, repository };
}
