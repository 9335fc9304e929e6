// SPDX-License-Identifier: Apache-2.0
import type { SealFormat, SignedImage, SignImageOptions } from '../../image/index.ts';
import { CodedError } from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import { defineCommand, type Command, type FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT, exitCodeOf } from '../exit-code.ts';
import { checkSigningConfig } from '../flags/signing-config.ts';
import { parseAnnotations } from '../flags/annotations.ts';
import { COSIGN_SIGN_FLAGS } from '../flags/cosign-sign.ts';
import { KEY_FLAG } from '../flags/key.ts';
import { loadSigner } from '../flags/private-key.ts';
import { openEvidence, openRepository, REGISTRY_FLAGS, type OpenedRepository } from '../flags/registry.ts';
import { attachmentTarget, checkTagPrefix } from '../flags/attachment.ts';
import { printError, reportError } from '../output/error-line.ts';
import { writeJson } from '../output/json-document.ts';
import { checkSealFiles, writeSealFiles } from '../output/seal-files.ts';
import { exitCodeOfAll } from '../output/verdict-exit-code.ts';

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

/** One image of the command, with what was made for it, or why nothing was. */
type Outcome = { readonly image: string; readonly opened: OpenedRepository } & (
  | { readonly signed: SignedImage }
  | { readonly error: CodedError }
);

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
    const [key, ...others] = flags.key;
    if (key === undefined) {
      const hint = 'make one with: bulla generate-key-pair';
      throw new CliError('usage', '--key is required: this version seals with a key', { hint });
    }
    if (others.length > 0) throw new CliError('usage', 'one --key is sealed with at a time');
    await checkSigningConfig(context, flags['signing-config'], flags['trusted-root']);
    checkTagPrefix(flags);
    checkSealFiles(context, flags, { images: images.length, formats });
    const annotations = parseAnnotations(flags.annotations);
    const opened = await Promise.all(images.map((image) => openRepository(context, image, flags, { actions: 'push' })));
    for (const [at, { byDigest }] of opened.entries()) if (!byDigest) warnOfTag(context, images[at] ?? '', flags);
    const signer = await loadSigner(context, key);
    const evidence = await openEvidence(context, flags, 'push');
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
    const outcomes: Outcome[] = [];
    for (const [at, image] of images.entries()) {
      const one = opened[at];
      if (one === undefined) continue;
      const outcome = await sealOne(context, image, one, flags, options);
      if ('error' in outcome) {
        // of a single image its failure is the command's; and once the command was ended, the others would only fail too
        if (images.length === 1 || context.signal.aborted) throw outcome.error;
        if (!context.json) printError(context, outcome.error);
      } else if (!context.json) report(context, one, outcome.signed);
      outcomes.push(outcome);
    }
    const exitCode = exitCodeOfAll(outcomes.map((one) => ('error' in one ? exitCodeOf(one.error) : EXIT.ok)));
    if (context.json) writeJson(context, signDocument(outcomes, exitCode, context.warnings));
    return exitCode;
  },
});

async function sealOne(
  context: CommandContext,
  image: string,
  opened: OpenedRepository,
  flags: Flags,
  options: SignImageOptions,
): Promise<Outcome> {
  const { signImage } = await import('../../image/index.ts');
  try {
    const target = await attachmentTarget(opened, flags.attachment, flags['attachment-tag-prefix']);
    if (flags.upload) context.stderr(`Pushing signature to: ${(options.evidence ?? opened.repository).name}\n`);
    const signed = await signImage(opened.repository, target, options);
    await writeSealFiles(context, flags, signed);
    return { image, opened, signed };
  } catch (error) {
    if (error instanceof CodedError) return { image, opened, error };
    throw error;
  }
}

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

function signDocument(outcomes: readonly Outcome[], exitCode: number, warnings: readonly string[]): object {
  return { exitCode, images: outcomes.map(imageDocument), warnings };
}

function imageDocument(outcome: Outcome): object {
  const { image, opened } = outcome;
  const repository = opened.repository.name;
  if ('error' in outcome) return { image, repository, error: reportError(outcome.error) };
  return {
    image,
    repository,
    digest: outcome.signed.digest,
    log: 'not written',
    seals: outcome.signed.seals.map((made) => ({
      format: made.format,
      digest: made.digest,
      manifest: made.manifest ?? null,
      ...(made.format === 'legacy' ? { tag: made.tag, existed: made.existed } : { listed: made.listed ?? null }),
    })),
  };
}
