// SPDX-License-Identifier: Apache-2.0
import type { AttestedContent, AttestImageOptions, MadeSeal, SealFormat } from '../../image/index.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import type { AttestImagesFlags } from '../flags/attest-images.ts';
import { checkTagPrefix } from '../flags/attachment.ts';
import { maxAttachmentSize } from '../flags/attachment-size.ts';
import { formatsOf, signingTime } from '../flags/seal-format.ts';
import { planSigning, type SigningPlan } from '../flags/signing-plan.ts';
import { envelopeLine } from '../output/envelope-line.ts';
import { laidText } from '../output/made-seals.ts';
import { printable } from '../output/printable.ts';
import { checkSealFiles, type SealFiles } from '../output/seal-files.ts';
import { lookUp, openImagesToSeal, sealImages, sealOptions } from '../seal/seal-images.ts';

/**
 * Attests something of images, as the flags say.
 *
 * @param load what is attested; asked for once, when the flags were found to be in order. Several are of the images in their order
 * @param stdinTaken standard input holds it, and answers no question
 * @returns the exit code
 */
export async function attestImages(
  context: CommandContext,
  images: readonly string[],
  flags: AttestImagesFlags,
  given: ReadonlySet<string>,
  {
    load,
    stdinTaken,
  }: {
    readonly load: (now: Date) => Promise<AttestedContent | readonly AttestedContent[]>;
    readonly stdinTaken: boolean;
  },
): Promise<number> {
  const formats = formatsOf(flags, given);
  const files = filesOf(context, flags, images.length, formats);
  checkTagPrefix(flags);
  const opened = await openImagesToSeal(context, images, flags);
  const now = signingTime(context);
  const loaded = await load(now);
  const contents = 'kind' in loaded ? images.map(() => loaded) : loaded;
  if (flags.replace && formats.includes('bundle'))
    context.warn('--replace: a bundle is a referrer, which lies beside older ones; only .att tags are replaced in');
  const attested = opened.flatMap((image, at) => {
    const content = contents[at];
    return content === undefined ? [] : [{ ...image, content }];
  });
  const { attestImage, sealSubjects } = await import('../../image/index.ts');
  const { begin, subjectsOf } = lookUp(attested, ({ repository, target }) =>
    sealSubjects(repository, target, flags.recursive),
  );
  const plan = await planSigning(context, flags, {
    legacy: formats.includes('legacy'),
    given,
    stdinTaken,
    meanwhile: begin,
  });
  const options = await optionsOf(context, flags, { formats, now, plan });
  return sealImages(context, attested, {
    plan,
    files,
    words: { does: 'attests', thing: 'attestation' },
    async make(image) {
      const { repository, content } = image;
      const subjects = await subjectsOf(image);
      if (options.upload) context.stderr(`Pushing attestation to: ${(options.evidence ?? repository).name}\n`);
      return attestImage(repository, subjects, content, options);
    },
    tell: (seal, { predicateType }) =>
      `Attested ${printable(predicateType)} of ${seal.digest} as ${seal.format}: ${laidText(seal)}\n`,
    ...(flags['no-upload'] && files.bundle === undefined ? { print: attestationsOf } : {}),
    describe: ({ digest, predicateType }, attestations, log) => ({ digest, predicateType, log, attestations }),
  });
}

/** What was laid nowhere, as cosign 2 writes it to stdout. */
function attestationsOf(seals: readonly MadeSeal[]): string {
  return seals
    .map((seal) =>
      seal.format === 'legacy'
        ? `${new TextDecoder().decode(seal.payload)}\n`
        : envelopeLine(seal.bundle.content, 'bundle'),
    )
    .join('');
}

function filesOf(
  context: CommandContext,
  flags: AttestImagesFlags,
  images: number,
  formats: readonly SealFormat[],
): SealFiles {
  const none = { 'output-payload': undefined, 'output-signature': undefined };
  const files = { ...none, bundle: flags.bundle, 'output-certificate': undefined };
  checkSealFiles(context, files, { images, formats });
  if (flags['no-upload'] && formats.includes('bundle') && formats.length > 1 && files.bundle === undefined)
    throw new CliError('usage', '--no-upload with --format both: say where the bundle goes, with --bundle FILE');
  return files;
}

async function optionsOf(
  context: CommandContext,
  flags: AttestImagesFlags,
  made: { readonly formats: readonly SealFormat[]; readonly now: Date; readonly plan: SigningPlan },
): Promise<AttestImageOptions> {
  const options = await sealOptions(context, flags, made);
  const maxBytes = maxAttachmentSize(context);
  return {
    ...options,
    replace: flags.replace,
    upload: !flags['no-upload'],
    onOlder: (predicateType, replaced) =>
      context.stderr(
        `${replaced ? 'Replacing' : 'Not replacing'} attestation predicate: ${printable(predicateType)}\n`,
      ),
    ...(maxBytes === undefined ? {} : { maxBytes }),
  };
}
