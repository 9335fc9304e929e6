// SPDX-License-Identifier: Apache-2.0
import type { MadeSeal, SealFormat, SealSubjects, SignedImage, SignImageOptions } from '../../image/index.ts';
import { CodedError } from '../../wire/index.ts';
import type { CommandContext } from '../context.ts';
import { EXIT, exitCodeOf } from '../exit-code.ts';
import { namedByTag, openImages, type OpenedImage } from '../flags/opened-images.ts';
import { openEvidence, type RegistryFlagValues } from '../flags/registry.ts';
import { wantsDockerMediaTypes } from '../flags/seal-format.ts';
import type { SigningPlan } from '../flags/signing-plan.ts';
import { printError, reportError } from '../output/error-line.ts';
import { writeJson } from '../output/json-document.ts';
import { evidenceOfSeals, logOf, sealerDocument, witnessText, type MadeEvidence } from '../output/made-evidence.ts';
import { madeSealDocument, raceText, type SealWords } from '../output/made-seals.ts';
import { writeSealFiles, type SealFiles } from '../output/seal-files.ts';
import { exitCodeOfAll } from '../output/verdict-exit-code.ts';

/**
 * Opens the images that are sealed, and warns of each that a tag names: who moves the tag between the build and this command has the wrong image
 * sealed. The first line of the warning is cosign's.
 *
 * @throws as `openImages`; CliError `usage` with `--require-digest`
 */
export async function openImagesToSeal(
  context: CommandContext,
  images: readonly string[],
  flags: RegistryFlagValues & { readonly 'require-digest': boolean },
): Promise<readonly OpenedImage[]> {
  const opened = await openImages(context, images, flags, { actions: 'push' });
  for (const one of opened) {
    if (one.byDigest) continue;
    if (flags['require-digest']) throw namedByTag(one);
    context.warn(
      `Image reference ${one.image} uses a tag, not a digest, to identify the image to sign. It is resolved once, now; if it may have moved since the build, seal name@sha256:… instead.`,
    );
  }
  return opened;
}

/** Images that are looked up when they are sealed, but for the first, for which there may be time before. */
export interface LookedUp<I extends OpenedImage> {
  /** Looks the first up now: nobody waits for the registry then. What goes wrong is told when the image's turn comes. */
  readonly begin: () => void;
  readonly subjectsOf: (image: I) => Promise<SealSubjects>;
}

/** @param find asked once for each image */
export function lookUp<I extends OpenedImage>(
  images: readonly I[],
  find: (image: I) => Promise<SealSubjects>,
): LookedUp<I> {
  const [first] = images;
  let ahead: Promise<SealSubjects> | undefined;
  return {
    begin: () => {
      if (first === undefined || ahead !== undefined) return;
      ahead = find(first);
      ahead.catch(() => undefined);
    },
    subjectsOf: (image) => (image === first && ahead !== undefined ? ahead : find(image)),
  };
}

/** How seals of images are made, of whatever kind, as flags say. @throws as `openEvidence` */
export async function sealOptions(
  context: CommandContext,
  flags: RegistryFlagValues & {
    readonly recursive: boolean;
    readonly 'record-creation-timestamp': boolean;
    readonly 'attachment-tag-prefix': string;
  },
  {
    plan: { signer, witnesses, expectation },
    formats,
    now,
  }: { readonly plan: SigningPlan; readonly formats: readonly SealFormat[]; readonly now: Date },
): Promise<Omit<SignImageOptions, 'annotations' | 'dockerReferences' | 'upload'>> {
  const evidence = await openEvidence(context, flags, 'push');
  return {
    signer,
    witnesses,
    ...(expectation === undefined ? {} : { expectation }),
    formats,
    now,
    recursive: flags.recursive,
    recordCreated: flags['record-creation-timestamp'],
    tagPrefix: flags['attachment-tag-prefix'],
    dockerMediaTypes: wantsDockerMediaTypes(context),
    ...(evidence === undefined ? {} : { evidence }),
  };
}

/** What a command makes of each image, and how it speaks of it. */
export interface Sealing<I extends OpenedImage, M extends SignedImage> {
  readonly plan: SigningPlan;
  /** where the parts of a seal go besides */
  readonly files: SealFiles;
  readonly words: SealWords;
  readonly make: (image: I) => Promise<M>;
  /** a line for people on a seal that was made */
  readonly tell: (seal: MadeSeal, made: M) => string;
  /** what goes to stdout in the place of name@digest */
  readonly print?: (seals: readonly MadeSeal[]) => string;
  /** what was made in JSON. The shape is documented in docs/cli.md and kept */
  readonly describe: (made: M, seals: readonly object[], log: ReturnType<typeof logOf>) => object;
}

/** What was made for an image, or why nothing was. */
type Outcome<M> = { readonly made: M; readonly evidence: readonly MadeEvidence[] } | { readonly error: CodedError };

/**
 * Seals one image after the other, and says what was made, and what could not be.
 *
 * @returns the exit code
 * @throws what ended the command; of a single image what its sealing throws
 */
export async function sealImages<I extends OpenedImage, M extends SignedImage>(
  context: CommandContext,
  images: readonly I[],
  sealing: Sealing<I, M>,
): Promise<number> {
  const { plan } = sealing;
  const codes: number[] = [];
  const documents: object[] = [];
  for (const one of images) {
    const outcome = await sealOne(context, one, sealing);
    if ('error' in outcome) {
      // of a single image its failure is the command's; and once the command was ended, the others would only fail too
      if (images.length === 1 || context.signal.aborted) throw outcome.error;
      if (!context.json) printError(context, outcome.error);
    } else if (!context.json) report(context, one, outcome, sealing);
    codes.push('error' in outcome ? exitCodeOf(outcome.error) : EXIT.ok);
    documents.push({ image: one.image, repository: one.repository.name, ...documentOf(outcome, sealing) });
  }
  const exitCode = exitCodeOfAll(codes);
  const signer = sealerDocument(plan.signer, plan.identity);
  if (context.json) writeJson(context, { exitCode, signer, images: documents, warnings: context.warnings });
  return exitCode;
}

async function sealOne<I extends OpenedImage, M extends SignedImage>(
  context: CommandContext,
  image: I,
  { plan, files, make }: Sealing<I, M>,
): Promise<Outcome<M>> {
  try {
    const made = await make(image);
    await writeSealFiles(context, files, made, plan.certificate);
    return { made, evidence: await evidenceOfSeals(made.seals) };
  } catch (error) {
    if (error instanceof CodedError) return { error };
    throw error;
  }
}

function report<I extends OpenedImage, M extends SignedImage>(
  context: CommandContext,
  { repository }: I,
  { made, evidence }: Exclude<Outcome<M>, { readonly error: CodedError }>,
  { plan, words, tell, print }: Sealing<I, M>,
): void {
  for (const seal of made.seals) {
    context.stderr(tell(seal, made));
    context.stderr(raceText(seal, words));
  }
  context.stderr(witnessText(evidence, plan.identity));
  context.stdout(print === undefined ? `${repository.name}@${made.digest}\n` : print(made.seals));
}

function documentOf<I extends OpenedImage, M extends SignedImage>(
  outcome: Outcome<M>,
  { describe }: Sealing<I, M>,
): object {
  if ('error' in outcome) return { error: reportError(outcome.error) };
  const { made, evidence } = outcome;
  const seals = made.seals.map((seal, at) => madeSealDocument(seal, evidence[at]));
  return describe(made, seals, logOf(evidence));
}
