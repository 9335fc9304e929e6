// SPDX-License-Identifier: Apache-2.0
import type { ReadAttestations, UnverifiedAttestation } from '../../image/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { checkTagPrefix } from '../flags/attachment.ts';
import { maxAttachmentSize } from '../flags/attachment-size.ts';
import { platformTarget } from '../flags/platform.ts';
import { openEvidence, openRepository, REGISTRY_FLAGS } from '../flags/registry.ts';
import { envelopeLine } from '../output/envelope-line.ts';
import { writeJson } from '../output/json-document.ts';
import { printable } from '../output/printable.ts';

/** `bulla download attestation`: the attestations of an image, as they lie there. */
export const command: Command = defineCommand({
  name: 'download attestation',
  summary: 'Print the attestations of an image, unverified',
  description:
    'Prints each attestation in a line: the bundle, or the envelope that lies in an .att tag. Nothing is verified: use verify-attestation for that.',
  usage: '[flags] IMAGE',
  arguments: { min: 1, max: 1, name: 'image' },
  flags: {
    'predicate-type': {
      kind: 'string',
      default: '',
      placeholder: 'TYPE',
      help: "only those of this kind: a name as attest's --type, or a URI",
    },
    platform: {
      kind: 'string',
      default: '',
      placeholder: 'OS/ARCH',
      help: 'of an index, the image for this platform, for example linux/arm64',
    },
    'attachment-tag-prefix': { kind: 'string', default: '', placeholder: 'PREFIX', help: 'prefix of the .att tag' },
    ...REGISTRY_FLAGS,
  },
  examples: [
    'bulla download attestation registry.example.com/platform/demo-api:1.4',
    'bulla download attestation --predicate-type spdxjson --platform linux/arm64 registry.example.com/platform/demo-api:1.4',
  ],
  async run(context, [image = ''], flags) {
    const type = flags['predicate-type'];
    const { parsePredicateType } = await import('../../trust/index.ts');
    const predicateType = type === '' ? undefined : parsePredicateType(type).uri;
    checkTagPrefix(flags);
    const opened = await openRepository(context, image, flags, { actions: 'pull' });
    const evidence = await openEvidence(context, flags, 'pull');
    const maxSealBytes = maxAttachmentSize(context);
    const target = await platformTarget(opened, flags.platform);
    const { readAttestations } = await import('../../image/index.ts');
    const read = await readAttestations(opened.repository, target, {
      ...(predicateType === undefined ? {} : { predicateType }),
      ...(evidence === undefined ? {} : { evidence }),
      ...(maxSealBytes === undefined ? {} : { limits: { maxSealBytes } }),
      tagPrefix: flags['attachment-tag-prefix'],
    });
    for (const { place, code, found } of read.unreadable)
      context.warn(`what lies in ${place.manifest} cannot be read: ${printable(found)} [${code}]`);
    if (read.attestations.length === 0) throw nothing(predicateType);
    await write(context, image, read);
    return EXIT.ok;
  },
});

function nothing(predicateType: string | undefined): CliError {
  const none =
    predicateType === undefined
      ? 'found no attestations'
      : `no attestations with predicate type '${predicateType}' found`;
  return new CliError('attestation-missing', none);
}

async function write(
  context: CommandContext,
  image: string,
  { digest, attestations }: ReadAttestations,
): Promise<void> {
  const lines = await Promise.all(attestations.map(lineOf));
  if (!context.json) for (const line of lines) context.stdout(line);
  else
    writeJson(context, {
      image,
      digest,
      attestations: attestations.map(({ format, place, predicateType }, at) => ({
        format,
        place,
        predicateType,
        attestation: JSON.parse(lines[at] ?? 'null') as object,
      })),
      warnings: context.warnings,
    });
}

async function lineOf({ format, bundle }: UnverifiedAttestation): Promise<string> {
  if (format === 'legacy') return envelopeLine(bundle.content, format);
  const { encodeBundle } = await import('../../trust/index.ts');
  return `${new TextDecoder().decode(encodeBundle(bundle))}\n`;
}
