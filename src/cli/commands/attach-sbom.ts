// SPDX-License-Identifier: Apache-2.0
import { sbomMediaType, UNSIGNED_SBOM } from '../attestation/unsigned-sbom.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import { EXIT } from '../exit-code.ts';
import { checkTagPrefix } from '../flags/attachment.ts';
import { readAttachment } from '../flags/attachment-size.ts';
import { openEvidence, openRepository, REGISTRY_FLAGS } from '../flags/registry.ts';
import { writeJson } from '../output/json-document.ts';

/** `bulla attach sbom`: an SBOM as it is, unsigned, where cosign 2 looks for one. */
export const command: Command = defineCommand({
  name: 'attach sbom',
  summary: 'Lay an unsigned SBOM beside an image, where cosign 2 looks for it',
  description:
    'Pushes the file under the .sbom tag of the image, or as a referrer. Nobody vouches for it: whoever may write to the repository may exchange it. sbom attach signs one. Prints the image as name@digest.',
  usage: '[flags] --sbom FILE IMAGE',
  arguments: { min: 1, max: 1, name: 'image' },
  flags: {
    sbom: { kind: 'string', default: '', placeholder: 'FILE', help: 'the SBOM; - for standard input' },
    type: { kind: 'string', default: 'spdx', placeholder: 'spdx|cyclonedx|syft', help: 'kind of SBOM' },
    'input-format': {
      kind: 'string',
      default: '',
      placeholder: 'json|xml|text',
      help: 'how it is written; by its name and beginning unless told',
    },
    'registry-referrers-mode': {
      kind: 'string',
      choices: ['', 'legacy', 'oci-1-1'],
      default: '',
      placeholder: 'legacy|oci-1-1',
      help: 'legacy is the .sbom tag, oci-1-1 a referrer',
    },
    'attachment-tag-prefix': { kind: 'string', default: '', placeholder: 'PREFIX', help: 'prefix of the .sbom tag' },
    ...REGISTRY_FLAGS,
  },
  examples: ['bulla attach sbom --sbom sbom.spdx.json registry.example.com/platform/demo-api:1.4'],
  async run(context, [image = ''], flags) {
    if (flags.sbom === '') throw new CliError('usage', 'required flag(s) "sbom" not set');
    checkTagPrefix(flags);
    const { attachSbom } = await import('../../image/index.ts');
    const bytes = await readAttachment(context, flags.sbom, 'SBOM');
    if (bytes.byteLength === 0) throw new CliError('usage', `${flags.sbom} is empty, expected an SBOM`);
    const mediaType = sbomMediaType(flags.type, flags['input-format'], { name: flags.sbom, bytes });
    context.warn(UNSIGNED_SBOM);
    const { repository, target } = await openRepository(context, image, flags, { actions: 'push' });
    const evidence = await openEvidence(context, flags, 'push');
    const as = flags['registry-referrers-mode'] === 'oci-1-1' ? 'referrer' : 'tag';
    const { subject, descriptor, tag, replaced } = await attachSbom(
      repository,
      target,
      { bytes, mediaType },
      {
        as,
        tagPrefix: flags['attachment-tag-prefix'],
        ...(evidence === undefined ? {} : { evidence }),
      },
    );
    if (replaced !== undefined) context.warn(`the SBOM ${replaced} lay under the tag before, and has none any more`);
    const where = `${(evidence ?? repository).name}${tag === undefined ? `@${descriptor.digest}` : `:${tag}`}`;
    if (context.json) {
      const manifest = descriptor.digest;
      writeJson(context, {
        image,
        repository: repository.name,
        digest: subject,
        manifest,
        tag: tag ?? null,
        mediaType,
        warnings: context.warnings,
      });
      return EXIT.ok;
    }
    context.stderr(`Uploading SBOM file for [${image}] to [${where}] with mediaType [${mediaType}].\n`);
    context.stdout(`${repository.name}@${subject}\n`);
    return EXIT.ok;
  },
});
