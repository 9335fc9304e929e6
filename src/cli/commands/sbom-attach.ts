// SPDX-License-Identifier: Apache-2.0
import type { AttestedContent } from '../../image/index.ts';
import type { DocumentKind } from '../../sbom/index.ts';
import { attestImages } from '../attestation/attest-images.ts';
import { UNSIGNED_SBOM } from '../attestation/unsigned-sbom.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { ATTEST_IMAGES_FLAGS } from '../flags/attest-images.ts';
import { ATTESTED_CONTENT_FLAGS, STRICT_PREDICATE_FLAG } from '../flags/attestation.ts';
import { readAttachment } from '../flags/attachment-size.ts';
import { predicateContent } from '../flags/attested-content.ts';
import { openEvidence, openRepository } from '../flags/registry.ts';
import { writeJson } from '../output/json-document.ts';

const FLAGS = {
  sbom: { kind: 'string', default: '', placeholder: 'FILE', help: 'the SBOM; - for standard input' },
  unsigned: {
    kind: 'boolean',
    help: 'lay the file beside the image as it is, as a referrer: nobody vouches for it',
    weakens: UNSIGNED_SBOM as string,
  },
  ...STRICT_PREDICATE_FLAG,
  'statement-version': ATTESTED_CONTENT_FLAGS['statement-version'],
  ...ATTEST_IMAGES_FLAGS,
} as const;

type Flags = FlagValues<typeof FLAGS>;

/** `bulla sbom attach`: an SBOM that some program made, with a seal that says who vouches for it. */
export const command: Command = defineCommand({
  name: 'sbom attach',
  summary: 'Attest an SBOM that some program made, and lay it beside images',
  description:
    'Reads an SPDX document (JSON or tag-value) or a CycloneDX document (JSON) and attests it of each image, as attest --type spdxjson, spdx or cyclonedx does: which it is, it says itself. Key or identity as with sign. ' +
    'sbom get fetches it, verified; so does verify-attestation, and cosign.',
  usage: '[flags] [--key KEY] --sbom FILE IMAGE...',
  arguments: { min: 1, name: 'image' },
  flags: FLAGS,
  examples: [
    'bulla sbom attach --key cosign.key --sbom sbom.spdx.json registry.example.com/platform/demo-api@sha256:…',
    'bulla sbom attach --yes --signing-config signing_config.json --trusted-root trusted_root.json --sbom bom.json IMAGE',
  ],
  async run(context, images, flags, given) {
    if (flags.sbom === '') throw new CliError('usage', 'required flag(s) "sbom" not set');
    const bytes = await readAttachment(context, flags.sbom, 'SBOM');
    const { documentKind } = await import('../../sbom/index.ts');
    const kind = documentKind(bytes);
    if (kind === undefined)
      throw new CliError(
        'usage',
        `${flags.sbom} is no SBOM that is known: expected SPDX (JSON or tag-value) or CycloneDX`,
      );
    if (flags.unsigned) return layBeside(context, images, flags, { bytes, kind });
    return attestImages(context, images, flags, given, {
      load: (now) => contentOf(context, flags, { bytes, kind, now }),
      stdinTaken: flags.sbom === '-',
    });
  },
});

const MEDIA_TYPES: Readonly<Record<DocumentKind, string>> = {
  'spdx-json': 'text/spdx+json',
  spdx: 'text/spdx',
  'cyclonedx-json': 'application/vnd.cyclonedx+json',
  'cyclonedx-xml': 'application/vnd.cyclonedx+xml',
  'syft-json': 'application/vnd.syft+json',
};

/** The kinds of predicates that SBOMs are; the others can only be attached as they are. */
const PREDICATES: Partial<Readonly<Record<DocumentKind, string>>> = {
  'spdx-json': 'spdxjson',
  spdx: 'spdx',
  'cyclonedx-json': 'cyclonedx',
};

async function contentOf(
  context: CommandContext,
  flags: Flags,
  { bytes, kind, now }: { readonly bytes: Uint8Array; readonly kind: DocumentKind; readonly now: Date },
): Promise<AttestedContent> {
  const name = PREDICATES[kind];
  if (name === undefined) {
    const hint = 'convert it to SPDX or CycloneDX in JSON, or lay it beside the image unsigned: --unsigned';
    throw new CliError('usage', `${flags.sbom} is ${kind}, for which there is no kind of attestation`, { hint });
  }
  const { parsePredicateType, readPredicate } = await import('../../trust/index.ts');
  const type = parsePredicateType(name);
  const predicate = readPredicate(type, { bytes, what: flags.sbom, now });
  const content = predicateContent(context, type.uri, predicate, flags);
  if (!context.json) context.stderr(`${flags.sbom}: ${kind}, attested as ${type.uri}\n`);
  return content;
}

async function layBeside(
  context: CommandContext,
  images: readonly string[],
  flags: Flags,
  { bytes, kind }: { readonly bytes: Uint8Array; readonly kind: DocumentKind },
): Promise<number> {
  const { attachSbom } = await import('../../image/index.ts');
  const mediaType = MEDIA_TYPES[kind];
  const evidence = await openEvidence(context, flags, 'push');
  const attached: object[] = [];
  for (const image of images) {
    const { repository, target } = await openRepository(context, image, flags, { actions: 'push' });
    const options = { as: 'referrer', ...(evidence === undefined ? {} : { evidence }) } as const;
    const { subject, descriptor } = await attachSbom(repository, target, { bytes, mediaType }, options);
    attached.push({ image, repository: repository.name, digest: subject, manifest: descriptor.digest, mediaType });
    if (!context.json) context.stdout(`${repository.name}@${subject}\n`);
  }
  if (context.json) writeJson(context, { signed: false, images: attached, warnings: context.warnings });
  return EXIT.ok;
}
