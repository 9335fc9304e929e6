// SPDX-License-Identifier: Apache-2.0
import { EvidenceCache, type Decision, type PolicySet } from '../../policy/index.ts';
import { decideImages, type DecideOptions } from '../decide-images.ts';
import type { FoundImage } from '../manifest/found-image.ts';
import { reasonOf } from './check-report.ts';

/**
 * What new policies make of an image that runs.
 *
 * - `stranded`: it is admitted now and would be refused
 * - `undecided`: it could not be found out
 * - `admitted`: it is not admitted now and would be
 * - `other-reason`: the outcome is the same, by other policies or for another reason
 * - `same`: nothing changes
 */
export type PreviewChange = 'stranded' | 'undecided' | 'admitted' | 'other-reason' | 'same';

/** One image under the old policies and the new ones. */
export interface PreviewedImage {
  readonly change: PreviewChange;
  readonly after: Decision;
  /** absent where there are no old policies: then all that runs is admitted now */
  readonly before?: Decision;
  readonly found: readonly FoundImage[];
}

/** What changes for some images. */
export interface PolicyPreview {
  readonly images: readonly PreviewedImage[];
  readonly counts: Readonly<Record<PreviewChange, number>>;
}

/** Old policies beside the new ones. */
export interface PreviewOptions extends DecideOptions {
  readonly against?: PolicySet;
}

/**
 * What would become of images if policies came into force: which would be refused that are admitted now, and what else changes. Evidence is
 * read once for both.
 *
 * @example
 * const { counts } = await previewPolicies(images, { set: newer, against: current, open, now: new Date() });
 */
export async function previewPolicies(
  images: readonly (FoundImage | { readonly image: string })[],
  { against, evidence = new EvidenceCache(), ...options }: PreviewOptions,
): Promise<PolicyPreview> {
  const after = (await decideImages(images, { ...options, evidence })).decisions;
  const before =
    against === undefined ? undefined : (await decideImages(images, { ...options, evidence, set: against })).decisions;
  const previews = new Map<string, { image: Omit<PreviewedImage, 'found'>; found: FoundImage[] }>();
  const ids = new Map<Decision | undefined, number>();
  const idOf = (decision: Decision | undefined): number => {
    const id = ids.get(decision) ?? ids.size;
    ids.set(decision, id);
    return id;
  };
  for (const image of images) {
    const [then, now] = [after.get(image), before?.get(image)];
    if (then === undefined) continue;
    const key = `${idOf(then)} ${idOf(now)}`;
    const preview = previews.get(key) ?? { image: previewed(then, now), found: [] };
    if ('place' in image) preview.found.push(image);
    previews.set(key, preview);
  }
  const all = [...previews.values()].map(({ image, found }): PreviewedImage => ({ ...image, found }));
  const counts = { stranded: 0, undecided: 0, admitted: 0, 'other-reason': 0, same: 0 };
  for (const { change } of all) counts[change]++;
  return { images: all, counts };
}

function previewed(after: Decision, before: Decision | undefined): Omit<PreviewedImage, 'found'> {
  return { change: changeOf(after, before), after, ...(before === undefined ? {} : { before }) };
}

function changeOf(after: Decision, before: Decision | undefined): PreviewChange {
  // what cannot be told now cannot be said to change; a refusal that is certain can, unless it was one before
  if (after.outcome === 'undecided') return 'undecided';
  if (before === undefined) return after.outcome === 'refused' ? 'stranded' : 'same';
  if (before.outcome === 'undecided') return 'undecided';
  if (before.outcome !== after.outcome) return after.outcome === 'refused' ? 'stranded' : 'admitted';
  return whyOf(before) === whyOf(after) ? 'same' : 'other-reason';
}

function whyOf(decision: Decision): string {
  const policies = decision.policies.map(({ policy, outcome, code, mode }) => [policy, outcome, code, mode]);
  return JSON.stringify([reasonOf(decision), policies]);
}
