// SPDX-License-Identifier: Apache-2.0
import type { Decision, Outcome } from '../../policy/index.ts';
import { decideImages, type DecideOptions } from '../decide-images.ts';
import type { FoundImage, FoundImages, ManifestFault } from '../manifest/found-image.ts';
import type { CheckedImage, CheckReport } from './check-report.ts';

/** What is checked. */
export interface ImagesToCheck extends FoundImages {
  /** images that are in no file */
  readonly named: readonly string[];
}

/** How strictly. */
export interface CheckOptions extends DecideOptions {
  /** what could not be read is a warning: the images that were found are all that is judged */
  readonly skipUnreadable?: boolean;
  /** that there is no image at all is well */
  readonly allowEmpty?: boolean;
}

/**
 * Decides on every image of files and of a list, each once, and sums up. Nothing that could not be read passes in silence: with such a fault
 * the whole is undecided, and so it is where there is no image at all.
 *
 * @example
 * const report = await checkImages({ named: ['ghcr.io/acme/app:1'], ...(await findImages(files)) }, { set, open, now: new Date() });
 * console.log(encodeSarif(report, { version: '1.0.0' }));
 */
export async function checkImages(
  { named, images, faults, passedOver }: ImagesToCheck,
  { skipUnreadable = false, allowEmpty = false, ...options }: CheckOptions,
): Promise<CheckReport> {
  const asked: readonly (FoundImage | { readonly image: string })[] = [...named.map((image) => ({ image })), ...images];
  const { decisions } = await decideImages(asked, options);
  const places = new Map<Decision, FoundImage[]>();
  for (const [image, decision] of decisions) {
    const found = places.get(decision) ?? [];
    if ('place' in image) found.push(image);
    places.set(decision, found);
  }
  const checked = [...places].map(([decision, found]): CheckedImage => ({ decision, found }));
  const kept: readonly ManifestFault[] = skipUnreadable
    ? faults.map((fault) => ({ ...fault, severity: 'warning' }))
    : faults;
  const isEmpty = checked.length === 0 && !allowEmpty;
  const isUnread = isEmpty || kept.some(({ severity }) => severity === 'error');
  return { outcome: outcomeOf(checked, isUnread), images: checked, faults: kept, passedOver };
}

function outcomeOf(images: readonly CheckedImage[], isUnread: boolean): Outcome {
  if (images.some(({ decision }) => decision.outcome === 'refused')) return 'refused';
  return isUnread || images.some(({ decision }) => decision.outcome === 'undecided') ? 'undecided' : 'trusted';
}
