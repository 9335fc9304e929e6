// SPDX-License-Identifier: Apache-2.0
import { EvidenceCache, type Decision, type OpenRepository, type PolicySet } from '../../policy/index.ts';
import { decideImages } from '../decide-images.ts';
import { findImages, type FindOptions } from '../manifest/find-images.ts';
import type { FoundImage, FoundImages, ManifestFile } from '../manifest/found-image.ts';
import { checkLock, type LockCheck } from './check-lock.ts';
import type { Lock } from './lock.ts';
import { planPins, type PinPlan } from './plan-pins.ts';
import { settleImages } from './settle-images.ts';

/** By what, when and how images are pinned. */
export interface PinOptions extends FindOptions {
  readonly set: PolicySet;
  readonly open: OpenRepository;
  readonly now: Date;
  /** take what the tags of pinned images are now, where that is trusted */
  readonly update?: boolean;
  /** the lock as it is */
  readonly lock?: Lock;
  /** images that are decided on at a time */
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
}

/** Files, what was found in them, and how they are to be pinned. */
export type PinnedFiles = PinPlan & Pick<FoundImages, 'faults' | 'passedOver'>;

/**
 * Plans how the images in some files are pinned to digests that the policies trust. A tag is resolved once: the digest that was verified is
 * the one that is written, and what is to be written is what was decided on. Writes nothing.
 *
 * @throws PinError `rewrite-unsound`
 * @example
 * const { files, locked, places } = await pinImages([{ name: 'app.yaml', bytes }], { set, open, now: new Date() });
 */
export async function pinImages(files: readonly ManifestFile[], options: PinOptions): Promise<PinnedFiles> {
  const find = (some: readonly ManifestFile[]): Promise<FoundImages> => findImages(some, options);
  const { images, faults, passedOver } = await find(files);
  const { set, open, update = false } = options;
  const evidence = new EvidenceCache();
  const settled = await settleImages(images, { set, open, evidence, update, decide: decider(options, evidence) });
  return { ...(await planPins(files, settled, find, options.lock?.images)), faults, passedOver };
}

/** How files and their lock differ, and what is decided now. */
export type CheckedPins = LockCheck & Pick<FoundImages, 'faults' | 'passedOver'>;

/**
 * Holds files against their lock; see {@link checkLock}.
 *
 * @example
 * const { decided, drifts } = await checkPins(files, decodeLock(bytes), { set, open: kit.open, now: new Date() });
 */
export async function checkPins(
  files: readonly ManifestFile[],
  lock: Lock,
  options: Omit<PinOptions, 'update' | 'lock'>,
): Promise<CheckedPins> {
  const { images, faults, passedOver } = await findImages(files, options);
  return { ...(await checkLock(lock, images, decider(options, new EvidenceCache()))), faults, passedOver };
}

function decider(
  { set, open, now, concurrency, signal }: Omit<PinOptions, 'update' | 'lock'>,
  evidence: EvidenceCache,
): (images: readonly FoundImage[]) => Promise<ReadonlyMap<FoundImage, Decision>> {
  return async (images) => {
    if (images.length === 0) return new Map();
    const { decisions } = await decideImages(images, {
      set,
      open,
      now,
      evidence,
      ...(concurrency === undefined ? {} : { concurrency }),
      ...(signal === undefined ? {} : { signal }),
    });
    return decisions;
  };
}
