// SPDX-License-Identifier: Apache-2.0
import type { Seal, Verdict, VerifyImageOptions } from '../../image/index.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { throwIfEnded } from '../exit-code.ts';
import { checkTagPrefix } from '../flags/attachment.ts';
import {
  namedByTag,
  openImages,
  type LOCAL_IMAGE_FLAG,
  type OpenedImage,
  type REQUIRE_DIGEST_FLAG,
} from '../flags/opened-images.ts';
import { openEvidence, type RegistryFlagValues } from '../flags/registry.ts';
import { rejectionCodes, type ImageVerdict } from '../output/verdict-exit-code.ts';
import { judgeByLatest, type Asked, type Judging } from './judge-by-latest.ts';

type ImageFlags = RegistryFlagValues &
  FlagValues<typeof LOCAL_IMAGE_FLAG & typeof REQUIRE_DIGEST_FLAG> & { readonly 'attachment-tag-prefix': string };

/** Opens the images that are judged. @throws as `openImages` and `checkTagPrefix`; CliError `usage` with `--require-digest` */
export async function openJudgedImages(
  context: CommandContext,
  images: readonly string[],
  flags: ImageFlags,
): Promise<readonly OpenedImage[]> {
  const opened = await openImages(context, images, flags, { actions: 'pull', layout: flags['local-image'] });
  checkTagPrefix(flags);
  const tagged = opened.find(({ byDigest }) => !byDigest);
  if (flags['require-digest'] && tagged !== undefined) throw namedByTag(tagged);
  return opened;
}

/** How an image is looked at, as flags say. @throws as `openEvidence` */
export async function searchOptions(
  context: CommandContext,
  flags: ImageFlags & {
    readonly all: boolean;
    readonly 'max-workers': number;
    readonly 'new-bundle-format': boolean;
  },
): Promise<VerifyImageOptions> {
  const evidence = await openEvidence(context, flags, 'pull');
  return {
    ...(evidence === undefined ? {} : { evidence }),
    ...(flags['new-bundle-format'] ? {} : { formats: ['legacy'] }),
    all: flags.all,
    tagPrefix: flags['attachment-tag-prefix'],
    maxWorkers: flags['max-workers'],
  };
}

/** How the images of a command are judged. */
export interface ImageJudging<A extends Asked, S extends Seal> extends Pick<Judging<A, Verdict<S>>, 'ask'> {
  readonly judge: (image: OpenedImage, asked: A) => Promise<Verdict<S>>;
  /** called once for each, in their order, when its answer is final */
  readonly report: (verdict: ImageVerdict<S>, asked: A) => void;
}

/** The answers about several images, and what was asked of the last. */
export interface JudgedImages<A extends Asked, S extends Seal> {
  readonly verdicts: readonly ImageVerdict<S>[];
  readonly asked: A;
}

/** Judges one image after the other. What was learnt of newer trust for one holds for those that follow. @throws what ended the command */
export async function judgeImages<A extends Asked, S extends Seal>(
  context: CommandContext,
  images: readonly OpenedImage[],
  { ask, judge, report }: ImageJudging<A, S>,
): Promise<JudgedImages<A, S>> {
  let asked = await ask();
  if (asked.origin !== undefined && !context.json) context.stderr(`trust: ${asked.origin.text}\n`);
  const verdicts: ImageVerdict<S>[] = [];
  for (const one of images) {
    const last = await judgeByLatest(asked, {
      ask,
      judge: (by) => judge(one, by),
      codesOf: (verdict) => rejectionCodes(verdict),
    });
    ({ asked } = last);
    if (last.judged.kind === 'undecided') throwIfEnded(context.signal);
    const verdict = { image: one.image, repository: one.repository.name, verdict: last.judged };
    verdicts.push(verdict);
    report(verdict, asked);
  }
  return { verdicts, asked };
}
