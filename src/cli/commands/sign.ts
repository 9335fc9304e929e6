// SPDX-License-Identifier: Apache-2.0
import type { MadeSeal, SealFormat, SignedImage, SignImageOptions } from '../../image/index.ts';
import { encodeBase64 } from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT } from '../exit-code.ts';
import { writeFileAtomically } from '../file/write-file.ts';
import { parseAnnotations } from '../flags/annotations.ts';
import { COSIGN_SIGN_FLAGS } from '../flags/cosign-sign.ts';
import { KEY_FLAG, loadSigner } from '../flags/key.ts';
import { openEvidence, openRepository, REGISTRY_FLAGS, type OpenedRepository } from '../flags/registry.ts';
import { attachmentTarget } from '../flags/attachment.ts';
import { writeJson } from '../output/json-document.ts';

const FLAGS = {
  ...KEY_FLAG,
  format: {
    kind: 'string',
    default: '',
    choices: ['', 'bundle', 'legacy', 'both'],
    placeholder: 'bundle|legacy|both',
    help: 'bundle (what cosign 3 reads first), legacy (.sig tag, what cosign 2 reads) or both; bundle unless told',
  },
  annotations: {
    kind: 'strings',
    split: true,
    short: 'a',
    placeholder: 'KEY=VALUE',
    help: 'seal this pair along; may be given several times',
  },
  recursive: { kind: 'boolean', short: 'r', help: 'seal the images of an index as well' },
  upload: { kind: 'boolean', default: true, help: 'false makes the seal and lays it nowhere; see --bundle' },
  bundle: { kind: 'string', placeholder: 'FILE', help: 'write the bundle to FILE too' },
  'require-digest': { kind: 'boolean', help: 'refuse an image that is named by a tag' },
  'sign-container-identity': {
    kind: 'strings',
    split: true,
    placeholder: 'NAME',
    help: 'what a legacy seal calls the image; one seal for each name',
  },
  'record-creation-timestamp': { kind: 'boolean', help: 'keep the time in the config of a legacy seal' },
  'attachment-tag-prefix': {
    kind: 'string',
    default: '',
    placeholder: 'PREFIX',
    help: "prefix of a legacy seal's tag",
  },
  attachment: {
    kind: 'string',
    choices: ['', 'sbom'],
    default: '',
    help: 'seal what cosign attached to the image under a tag',
    hidden: true,
    deprecated: 'SBOMs belong into attestations',
  },
  'output-signature': {
    kind: 'string',
    placeholder: 'FILE',
    help: 'write the signature in base64 to FILE',
    hidden: true,
  },
  'output-payload': { kind: 'string', placeholder: 'FILE', help: 'write the signed payload to FILE', hidden: true },
  'new-bundle-format': {
    kind: 'boolean',
    default: true,
    help: 'false is --format legacy',
    hidden: true,
    deprecated: 'please use --format',
  },
  ...COSIGN_SIGN_FLAGS,
  ...REGISTRY_FLAGS,
} as const;

type Flags = FlagValues<typeof FLAGS>;

/** One image of the command, with what was made for it. */
interface Sealed {
  readonly image: string;
  readonly opened: OpenedRepository;
  readonly signed: SignedImage;
}

/** `bulla sign`: seals images with a key. */
export const command: Command = defineCommand({
  name: 'sign',
  summary: 'Seal images',
  description:
    'Resolves each image once, seals that digest, checks the seal, lays it beside the image in the registry, reads it back, and prints what was sealed as name@digest.',
  usage: '[flags] --key KEY IMAGE...',
  arguments: { min: 1, name: 'image' },
  flags: FLAGS,
  examples: [
    'bulla sign --key cosign.key registry.example.com/platform/demo-api@sha256:…',
    'bulla sign --key env://SEAL_KEY --format both -a commit=$GIT_COMMIT registry.example.com/platform/demo-api:1.4',
  ],
  async run(context, images, flags, given) {
    const formats = formatsOf(flags, given);
    if (flags.key.length !== 1) {
      const message =
        flags.key.length === 0
          ? '--key is required: this version seals with a key'
          : 'one --key is sealed with at a time';
      throw new CliError('usage', message, { hint: 'make one with: bulla generate-key-pair' });
    }
    const annotations = parseAnnotations(flags.annotations);
    const opened = await Promise.all(images.map((image) => openRepository(context, image, flags, { actions: 'push' })));
    for (const [at, { byDigest }] of opened.entries()) if (!byDigest) warnOfTag(context, images[at] ?? '', flags);
    const signer = await loadSigner(context, flags.key[0] ?? '');
    const evidence = await openEvidence(context, flags, 'push');
    const { signImage } = await import('../../image/index.ts');
    const options: SignImageOptions = {
      signer,
      formats,
      now: signingTime(context),
      annotations,
      recursive: flags.recursive,
      upload: flags.upload,
      recordCreated: flags['record-creation-timestamp'],
      dockerReferences: flags['sign-container-identity'].filter((name) => name !== ''),
      tagPrefix: flags['attachment-tag-prefix'],
      dockerMediaTypes: isTrue(context.env['COSIGN_DOCKER_MEDIA_TYPES']),
      ...(evidence === undefined ? {} : { evidence }),
    };
    const sealed: Sealed[] = [];
    for (const [at, image] of images.entries()) {
      const one = opened[at];
      if (one === undefined) continue;
      const target = await attachmentTarget(one, flags.attachment, flags['attachment-tag-prefix']);
      if (flags.upload) context.stderr(`Pushing signature to: ${(evidence ?? one.repository).name}\n`);
      const signed = await signImage(one.repository, target, options);
      sealed.push({ image, opened: one, signed });
      await writeOutputs(context, signed, flags);
      if (!context.json) report(context, one, signed);
    }
    if (context.json) writeJson(context, signDocument(sealed, context.warnings));
    return EXIT.ok;
  },
});

function formatsOf(flags: Flags, given: ReadonlySet<keyof typeof FLAGS>): readonly SealFormat[] {
  if (flags.format === 'both') return ['bundle', 'legacy'];
  if (flags.format === 'legacy' || flags.format === 'bundle') return [flags.format];
  return given.has('new-bundle-format') && !flags['new-bundle-format'] ? ['legacy'] : ['bundle'];
}

// The first line is cosign's; who moves the tag between the build and this command has the wrong image sealed.
function warnOfTag(context: CommandContext, image: string, flags: Flags): void {
  if (flags['require-digest'])
    throw new CliError('usage', `${image} is named by a tag, and --require-digest asks for name@sha256:…`);
  context.warn(
    `Image reference ${image} uses a tag, not a digest, to identify the image to sign. It is resolved once, now; if it may have moved since the build, seal name@sha256:… instead.`,
  );
}

/** `SOURCE_DATE_EPOCH` makes what is written reproducible. @see https://reproducible-builds.org/specs/source-date-epoch/ */
function signingTime(context: CommandContext): Date {
  const epoch = context.env['SOURCE_DATE_EPOCH'];
  if (epoch === undefined || epoch === '') return context.now();
  if (!/^\d{1,11}$/.test(epoch))
    throw new CliError('usage', `SOURCE_DATE_EPOCH is '${epoch}', not a number of seconds`);
  return new Date(Number(epoch) * 1000);
}

function isTrue(value: string | undefined): boolean {
  return value === '1' || value?.toLowerCase() === 'true';
}

async function writeOutputs(context: CommandContext, signed: SignedImage, flags: Flags): Promise<void> {
  const first = signed.seals[0];
  if (first === undefined) return;
  const { encodeBundle } = await import('../../trust/index.ts');
  const bundled = signed.seals.find((seal) => seal.format === 'bundle');
  if (flags.bundle !== undefined) {
    if (bundled === undefined)
      throw new CliError('usage', '--bundle asks for a bundle, and --format legacy makes none');
    await writeFileAtomically(context, flags.bundle, encodeBundle(bundled.bundle));
    context.stderr(`Wrote bundle to file ${flags.bundle}\n`);
  }
  const [payload, signature] = signedParts(first);
  if (flags['output-payload'] !== undefined) await writeFileAtomically(context, flags['output-payload'], payload);
  if (flags['output-signature'] !== undefined) {
    await writeFileAtomically(context, flags['output-signature'], new TextEncoder().encode(encodeBase64(signature)));
  }
}

function signedParts(seal: MadeSeal): [payload: Uint8Array, signature: Uint8Array] {
  if (seal.format === 'legacy') return [seal.payload, seal.signature];
  const { content } = seal.bundle;
  return content.kind === 'dsse'
    ? [content.envelope.payload, content.envelope.signatures[0]?.sig ?? new Uint8Array()]
    : [new Uint8Array(), content.signature];
}

function report(context: CommandContext, opened: OpenedRepository, signed: SignedImage): void {
  for (const seal of signed.seals) {
    const where =
      seal.manifest === undefined
        ? 'not uploaded'
        : seal.format === 'legacy'
          ? `tag ${seal.tag}`
          : `referrer ${seal.manifest}`;
    const again =
      seal.format === 'legacy' && seal.existed ? ' (it was sealed with this key before; nothing was written)' : '';
    context.stderr(`Sealed ${seal.digest} as ${seal.format}: ${where}${again}\n`);
    if (seal.format === 'bundle' && seal.listed !== undefined && !seal.listed.raceSafe) {
      context.stderr(
        `note: this registry knows neither the referrers API nor If-Match, so it cannot exclude that somebody who seals at the same moment drops this seal from the list; it was read back\n`,
      );
    }
  }
  context.stderr('log: not written (a key was given and no signing config)\n');
  context.stdout(`${opened.repository.name}@${signed.digest}\n`);
}

function signDocument(sealed: readonly Sealed[], warnings: readonly string[]): object {
  return {
    images: sealed.map(({ image, opened, signed }) => ({
      image,
      repository: opened.repository.name,
      digest: signed.digest,
      log: 'not written',
      seals: signed.seals.map((seal) => ({
        format: seal.format,
        digest: seal.digest,
        manifest: seal.manifest ?? null,
        ...(seal.format === 'legacy' ? { tag: seal.tag, existed: seal.existed } : { listed: seal.listed ?? null }),
      })),
    })),
    warnings,
  };
}
