// SPDX-License-Identifier: Apache-2.0
import type { AttachedExisting, SealToAttach } from '../../image/index.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { checkTagPrefix } from '../flags/attachment.ts';
import { maxAttachmentSize } from '../flags/attachment-size.ts';
import { openEvidence, openRepository, type RegistryFlagValues } from '../flags/registry.ts';
import { signingTime, wantsDockerMediaTypes } from '../flags/seal-format.ts';
import { writeJson } from '../output/json-document.ts';

/** Lays seals that were made elsewhere beside an image, and prints it as name@digest. @returns the exit code */
export async function attachSeal(
  context: CommandContext,
  image: string,
  seals: readonly SealToAttach[],
  flags: RegistryFlagValues & { readonly 'attachment-tag-prefix': string },
): Promise<number> {
  checkTagPrefix(flags);
  const { repository, target } = await openRepository(context, image, flags, { actions: 'push' });
  const evidence = await openEvidence(context, flags, 'push');
  const maxBytes = maxAttachmentSize(context);
  const { attachExisting } = await import('../../image/index.ts');
  const attached: AttachedExisting[] = [];
  // what the first one resolved is what the others are laid beside
  for (const seal of seals)
    attached.push(
      await attachExisting(repository, attached[0]?.subject ?? target, seal, {
        now: signingTime(context),
        tagPrefix: flags['attachment-tag-prefix'],
        dockerMediaTypes: wantsDockerMediaTypes(context),
        ...(evidence === undefined ? {} : { evidence }),
        ...(maxBytes === undefined ? {} : { maxBytes }),
      }),
    );
  const digest = attached[0]?.subject;
  if (context.json) {
    const seen = attached.map(({ manifest, predicateType, existed }) => {
      return { manifest, predicateType: predicateType ?? null, existed };
    });
    writeJson(context, { image, repository: repository.name, digest, attached: seen, warnings: context.warnings });
  } else context.stdout(`${repository.name}@${digest}\n`);
  return EXIT.ok;
}
