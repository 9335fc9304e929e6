// SPDX-License-Identifier: Apache-2.0
import { isDigest, parseReference, ReferenceFault, targetOf, type Digest } from '../../oci/index.ts';
import {
  fetchedFrom,
  imageName,
  matchingPolicies,
  type Cause,
  type Decision,
  type EvidenceCache,
  type OpenRepository,
  type PolicySet,
} from '../../policy/index.ts';
import { CodedError } from '../../wire/index.ts';
import type { FoundImage } from '../manifest/found-image.ts';
import { pinnedImage, taggedImage } from './pin-edits.ts';

/** What decides, for all images of a run. */
export interface SettleOptions {
  readonly set: PolicySet;
  readonly open: OpenRepository;
  /** what was read for one decision serves the others */
  readonly evidence: EvidenceCache;
  /** look at what the tags of pinned images are now */
  readonly update?: boolean;
  /** decides on each image in the words of its argument; equal ones once */
  decide(images: readonly FoundImage[]): Promise<ReadonlyMap<FoundImage, Decision>>;
}

/** What became of an image: trusted at a digest, or why it is not. */
export interface SettledImage {
  readonly found: FoundImage;
  /** about what stands in the file, or will: the pinned image, where it is trusted */
  readonly decision: Decision;
  /** the image with its digest, in the writer's spelling; where it is trusted */
  readonly pinned?: { readonly image: string; readonly digest: Digest };
  /** why what the tag of a pinned image is now is not taken in its place */
  readonly newer?: Decision;
}

// One resolution, and the same answer for what is written:
//   1. each image is decided on as it stands; with `update` a pinned one by its tag. The digest is that of the decision
//   2. with its digest an image has another name, and a policy about a tag may not be about it any more: where other policies are about the
//      pinned image than were about the tag, it is decided on again. Both must trust it: the tag's policies, so that none is escaped by
//      pinning, and the digest's, since by them the cluster will judge
//   3. with `update`, what stands in the file is decided on where what the tag is now is not taken

/** Decides what each image is to be pinned to; in the order of the images. */
export async function settleImages(
  images: readonly FoundImage[],
  options: SettleOptions,
): Promise<readonly SettledImage[]> {
  const questions = images.map((found) => ({ found, asked: options.update === true ? byTag(found) : found }));
  const settled = await settle(questions, options);
  const refused = settled.filter(({ pinned }, at) => pinned === undefined && questions[at]?.asked !== images[at]);
  const standing = await settle(
    refused.map(({ found }) => ({ found, asked: found })),
    options,
  );
  const instead = new Map(standing.map((one, at) => [one.found, { ...one, newer: refused[at]?.decision }]));
  return settled.map((one): SettledImage => {
    const { newer, ...other } = instead.get(one.found) ?? one;
    return newer === undefined ? other : { ...other, newer };
  });
}

/** An image, under the name by which it is asked about. */
interface Question {
  readonly found: FoundImage;
  readonly asked: FoundImage;
}

/** A pinned image by its tag, if it has one; any other as it is. */
function byTag(found: FoundImage): FoundImage {
  try {
    const { tag, digest } = parseReference(found.image);
    return tag === undefined || digest === undefined ? found : { ...found, image: taggedImage(found.image) };
  } catch (error) {
    if (error instanceof ReferenceFault) return found;
    throw error;
  }
}

async function settle(questions: readonly Question[], options: SettleOptions): Promise<readonly SettledImage[]> {
  const first = await options.decide(questions.map(({ asked }) => asked));
  const drafts = await Promise.all(
    questions.map(async ({ found, asked }) => {
      const decision = await withDigest(decisionOn(first, asked), asked, options);
      const { outcome, digest } = decision;
      if (outcome !== 'trusted' || digest === undefined) return { found, decision };
      const image = pinnedImage(asked.image, digest);
      return { found, decision, pinned: { image, digest }, asked: image === asked.image ? asked : { ...asked, image } };
    }),
  );
  const changed = drafts.flatMap(({ asked }, at) => {
    const before = questions[at]?.asked;
    return asked === undefined || before === undefined || hasSamePolicies(before, asked, options.set) ? [] : [asked];
  });
  const second = await options.decide(changed);
  return drafts.map(({ found, decision, pinned, asked }) => {
    const counts = (asked === undefined ? undefined : second.get(asked)) ?? decision;
    return { found, decision: counts, ...(pinned === undefined || counts.outcome !== 'trusted' ? {} : { pinned }) };
  });
}

function decisionOn(decisions: ReadonlyMap<FoundImage, Decision>, asked: FoundImage): Decision {
  const decision = decisions.get(asked);
  if (decision === undefined) throw new Error(`internal error: nothing was decided on ${asked.image}`);
  return decision;
}

/** Whether the same policies are about both names. */
function hasSamePolicies(before: FoundImage, after: FoundImage, set: PolicySet): boolean {
  if (before === after) return true;
  const about = ({ image, workload }: FoundImage): readonly unknown[] =>
    matchingPolicies(set, imageName(image), workload?.resource);
  const [old, now] = [about(before), about(after)];
  return old.length === now.length && old.every((policy, at) => policy === now[at]);
}

/** A policy may trust an image without looking at it; to be pinned it is resolved all the same, in the place where it would be judged. */
async function withDigest(decision: Decision, { image }: FoundImage, options: SettleOptions): Promise<Decision> {
  if (decision.outcome !== 'trusted' || decision.digest !== undefined) return decision;
  const name = imageName(image);
  const target = targetOf(name.reference);
  if (isDigest(target)) return { ...decision, digest: target };
  const at = { repository: fetchedFrom(options.set.mirrors, name), target };
  try {
    return { ...decision, digest: await options.evidence.shelf(options.open, at).digest() };
  } catch (error) {
    options.evidence.forget(at);
    if (!(error instanceof CodedError)) throw error;
    const { code, message } = error;
    if (code === 'image-missing') return { ...decision, outcome: 'refused', code, message };
    const cause: Cause = { code, message };
    return { ...decision, outcome: 'undecided', code: 'unknown', message: `could not be found out: ${message}`, cause };
  }
}
