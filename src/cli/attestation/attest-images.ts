// SPDX-License-Identifier: Apache-2.0
import type { AttestedContent, AttestImageOptions, SealFormat } from '../../image/index.ts';
import { CodedError } from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { EXIT, exitCodeOf } from '../exit-code.ts';
import { checkTagPrefix } from '../flags/attachment.ts';
import { maxAttachmentSize } from '../flags/attachment-size.ts';
import type { ATTEST_FLAGS } from '../flags/attestation.ts';
import { openEvidence, openRepository, type OpenedRepository, type RegistryFlagValues } from '../flags/registry.ts';
import {
  formatsOf,
  signingTime,
  wantsDockerMediaTypes,
  warnOfTag,
  type SEAL_FORMAT_FLAGS,
} from '../flags/seal-format.ts';
import { planSigning, type SigningFlags, type SigningPlan } from '../flags/signing-plan.ts';
import { attestDocument, reportAttested, type AttestOutcome } from '../output/attested.ts';
import { printError } from '../output/error-line.ts';
import { writeJson } from '../output/json-document.ts';
import { evidenceOfSeals } from '../output/made-evidence.ts';
import { printable } from '../output/printable.ts';
import { checkSealFiles, writeSealFiles, type SealFiles } from '../output/seal-files.ts';
import { exitCodeOfAll } from '../output/verdict-exit-code.ts';

/** The flags of every command that attests something of images. */
export type AttestFlags = FlagValues<typeof ATTEST_FLAGS> &
  FlagValues<typeof SEAL_FORMAT_FLAGS> &
  SigningFlags &
  RegistryFlagValues;

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
  flags: AttestFlags,
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
  const opened = await Promise.all(images.map((image) => openRepository(context, image, flags, { actions: 'push' })));
  for (const [at, { byDigest }] of opened.entries())
    if (!byDigest) warnOfTag(context, images[at] ?? '', flags['require-digest']);
  const now = signingTime(context);
  const loaded = await load(now);
  const contents = 'kind' in loaded ? images.map(() => loaded) : loaded;
  if (flags.replace && formats.includes('bundle'))
    context.warn('--replace: a bundle is a referrer, which lies beside older ones; only .att tags are replaced in');
  const plan = await planSigning(context, flags, {
    logVersions: formats.includes('legacy') ? [1] : [1, 2],
    timestampCertificates: formats.includes('legacy'),
    given,
    stdinTaken,
  });
  const options = await optionsOf(context, flags, { formats, now, plan });
  const outcomes: AttestOutcome[] = [];
  for (const [at, image] of images.entries()) {
    const [one, content] = [opened[at], contents[at]];
    if (one === undefined || content === undefined) continue;
    const outcome = await attestOne(context, image, one, content, { flags, files, options, plan });
    if ('error' in outcome) {
      // of a single image its failure is the command's; and once the command was ended, the others would only fail too
      if (images.length === 1 || context.signal.aborted) throw outcome.error;
      if (!context.json) printError(context, outcome.error);
    } else if (!context.json) reportAttested(context, outcome, plan, flags['no-upload'] && files.bundle === undefined);
    outcomes.push(outcome);
  }
  const exitCode = exitCodeOfAll(outcomes.map((one) => ('error' in one ? exitCodeOf(one.error) : EXIT.ok)));
  if (context.json) writeJson(context, attestDocument(outcomes, exitCode, context.warnings, plan));
  return exitCode;
}

function filesOf(
  context: CommandContext,
  flags: AttestFlags,
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
  flags: AttestFlags,
  { formats, now, plan }: { readonly formats: readonly SealFormat[]; readonly now: Date; readonly plan: SigningPlan },
): Promise<AttestImageOptions> {
  const evidence = await openEvidence(context, flags, 'push');
  const maxBytes = maxAttachmentSize(context);
  return {
    signer: plan.signer,
    witnesses: plan.witnesses,
    ...(plan.expectation === undefined ? {} : { expectation: plan.expectation }),
    formats,
    now,
    recursive: flags.recursive,
    replace: flags.replace,
    upload: !flags['no-upload'],
    recordCreated: flags['record-creation-timestamp'],
    tagPrefix: flags['attachment-tag-prefix'],
    dockerMediaTypes: wantsDockerMediaTypes(context),
    onOlder: (predicateType, replaced) =>
      context.stderr(
        `${replaced ? 'Replacing' : 'Not replacing'} attestation predicate: ${printable(predicateType)}\n`,
      ),
    ...(maxBytes === undefined ? {} : { maxBytes }),
    ...(evidence === undefined ? {} : { evidence }),
  };
}

async function attestOne(
  context: CommandContext,
  image: string,
  opened: OpenedRepository,
  content: AttestedContent,
  {
    flags,
    files,
    options,
    plan,
  }: {
    readonly flags: AttestFlags;
    readonly files: SealFiles;
    readonly options: AttestImageOptions;
    readonly plan: SigningPlan;
  },
): Promise<AttestOutcome> {
  const { attestImage } = await import('../../image/index.ts');
  try {
    if (!flags['no-upload'])
      context.stderr(`Pushing attestation to: ${(options.evidence ?? opened.repository).name}\n`);
    const attested = await attestImage(opened.repository, opened.target, content, options);
    await writeSealFiles(context, files, attested, plan.certificate);
    return { image, opened, attested, evidence: await evidenceOfSeals(attested.seals) };
  } catch (error) {
    if (error instanceof CodedError) return { image, opened, error };
    throw error;
  }
}
