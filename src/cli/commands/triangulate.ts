// SPDX-License-Identifier: Apache-2.0
import { isDigest } from '../../oci/index.ts';
import { defineCommand, type Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { checkTagPrefix } from '../flags/attachment.ts';
import { openEvidence, openRepository, REGISTRY_FLAGS } from '../flags/registry.ts';
import { writeJson } from '../output/json-document.ts';

/** `bulla triangulate`: where cosign 2 keeps what belongs to an image. */
export const command: Command = defineCommand({
  name: 'triangulate',
  summary: "Print where an image's seals lie",
  usage: '[flags] IMAGE',
  arguments: { min: 1, max: 1, name: 'image' },
  flags: {
    type: {
      kind: 'string',
      default: 'signature',
      choices: ['signature', 'attestation', 'sbom', 'digest'],
      help: 'what to locate',
    },
    'attachment-tag-prefix': { kind: 'string', default: '', placeholder: 'PREFIX', help: 'prefix of the tag' },
    ...REGISTRY_FLAGS,
  },
  examples: ['bulla triangulate registry.example.com/platform/demo-api:1.4'],
  async run(context, [image = ''], flags) {
    checkTagPrefix(flags);
    const opened = await openRepository(context, image, flags, { actions: 'pull' });
    const { attachedTag, ImageError } = await import('../../image/index.ts');
    const digest = isDigest(opened.target) ? opened.target : (await opened.repository.resolve(opened.target))?.digest;
    if (digest === undefined)
      throw new ImageError('image-missing', `${opened.repository.name} has no tag '${opened.target}'`);
    const evidence = (await openEvidence(context, flags, 'pull')) ?? opened.repository;
    const located =
      flags.type === 'signature' || flags.type === 'attestation' || flags.type === 'sbom'
        ? `${evidence.name}:${attachedTag(digest, flags.type, flags['attachment-tag-prefix'])}`
        : `${opened.repository.name}@${digest}`;
    if (context.json)
      writeJson(context, { image, digest, type: flags.type, reference: located, warnings: context.warnings });
    else context.stdout(`${located}\n`);
    return EXIT.ok;
  },
});
