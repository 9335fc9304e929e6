// SPDX-License-Identifier: Apache-2.0
import { formatReference, parseReference, ReferenceFault, type Digest } from '../../oci/index.ts';
import type { Decision } from '../../policy/index.ts';
import type { FoundImage, ImagePlace } from '../manifest/found-image.ts';
import { formatSigner, lockedImage, signerKey, type Lock, type LockedImage } from './lock.ts';

/**
 * How files, lock and what is decided now differ. Stable: programs tell them apart by these.
 *
 * - `not-pinned`: an image without a digest
 * - `not-locked`: a pinned image that the lock does not have
 * - `digest-differs`: the lock has the image at another digest
 * - `not-used`: the lock has an image that is nowhere in the files
 * - `policy-changed`: other policies decide than those that it was pinned by, or they have other content
 * - `evidence-gone`: what the lock names does not count any more
 * - `signer-gone`: nothing by a signer that the lock names counts any more
 */
export type DriftCode =
  | 'not-pinned'
  | 'not-locked'
  | 'digest-differs'
  | 'not-used'
  | 'policy-changed'
  | 'evidence-gone'
  | 'signer-gone';

/** One difference. */
export interface Drift {
  readonly code: DriftCode;
  readonly image: string;
  /** where the image stands; absent where only the lock has it */
  readonly place?: ImagePlace;
  /** one line, safe to print */
  readonly message: string;
}

/** What checking a lock gave. */
export interface LockCheck {
  /** each pinned image and what is decided on it now, in the order of the images */
  readonly decided: readonly { readonly found: FoundImage; readonly decision: Decision }[];
  readonly drifts: readonly Drift[];
}

/** A pinned image of a file. */
interface PinnedImage {
  readonly found: FoundImage;
  readonly name: string;
  readonly digest: Digest;
}

/**
 * Holds files against their lock, and decides anew on each image that they name by digest: what the lock says is a record and never a reason
 * to trust. Tags are not resolved, so that the answer is the same without a network.
 *
 * @param decide on images as they stand
 */
export async function checkLock(
  lock: Lock,
  images: readonly FoundImage[],
  decide: (images: readonly FoundImage[]) => Promise<ReadonlyMap<FoundImage, Decision>>,
): Promise<LockCheck> {
  const drifts: Drift[] = [];
  const pinned = images.flatMap((found): PinnedImage[] => {
    const read = pinnedIn(found);
    if (read !== undefined) return [read];
    drifts.push({
      code: 'not-pinned',
      image: found.image,
      place: found.place,
      message: 'has no digest: bulla pin adds it',
    });
    return [];
  });
  const locked = new Map(lock.images.map((image) => [keyOf(image.image, image.digest), image]));
  const digests = Map.groupBy(lock.images, ({ image }) => image);
  for (const { found, name, digest } of pinned) {
    if (locked.has(keyOf(name, digest))) continue;
    const about = { image: found.image, place: found.place };
    const others = digests.get(name)?.map((other) => other.digest) ?? [];
    if (others.length === 0) drifts.push({ ...about, code: 'not-locked', message: 'is not in the lock' });
    else drifts.push({ ...about, code: 'digest-differs', message: `the lock has ${others.join(' and ')}` });
  }
  const decisions = await decide(pinned.map(({ found }) => found));
  const decided = pinned.flatMap(({ found }) => {
    const decision = decisions.get(found);
    return decision === undefined ? [] : [{ found, decision }];
  });
  const used = Map.groupBy(pinned, ({ name, digest }) => keyOf(name, digest));
  for (const [key, image] of locked) {
    const same = used.get(key);
    if (same === undefined) {
      const message = `is in the lock at ${image.digest}, and in none of the files`;
      drifts.push({ code: 'not-used', image: image.image, message });
    } else drifts.push(...recordDrifts(image, same, decisions));
  }
  return { decided, drifts };
}

function pinnedIn(found: FoundImage): PinnedImage | undefined {
  try {
    const { digest, ...name } = parseReference(found.image);
    return digest === undefined ? undefined : { found, name: formatReference(name), digest };
  } catch (error) {
    if (error instanceof ReferenceFault) return undefined;
    throw error;
  }
}

function keyOf(image: string, digest: Digest): string {
  return `${image}@${digest}`;
}

/** What the lock says of an image against what is found now. What is not trusted is no drift: it is refused, or undecided. */
function recordDrifts(
  locked: LockedImage,
  pinned: readonly PinnedImage[],
  decisions: ReadonlyMap<FoundImage, Decision>,
): readonly Drift[] {
  const now = pinned.flatMap(({ found }) => decisions.get(found) ?? []);
  const [first] = pinned;
  if (first === undefined || now.some(({ outcome }) => outcome !== 'trusted')) return [];
  const found = lockedImage(locked.image, locked.digest, now);
  const about = { image: first.found.image, place: first.found.place };
  const drifts: Drift[] = [];
  if (!isSame(locked.policyHashes, found.policyHashes)) {
    const [was, is] = [locked.policyHashes, found.policyHashes].map((hashes) => hashes.join(' and ') || 'none');
    drifts.push({ ...about, code: 'policy-changed', message: `pinned by policies ${was}, now ${is}` });
  }
  const gone = locked.evidence.filter((digest) => !found.evidence.includes(digest));
  if (gone.length > 0)
    drifts.push({ ...about, code: 'evidence-gone', message: `does not count now: ${gone.join(', ')}` });
  const signers = new Set(found.sealedBy.map(signerKey));
  const left = locked.sealedBy.filter((signer) => !signers.has(signerKey(signer)));
  if (left.length > 0) {
    const message = `nothing counts now that is by ${left.map(formatSigner).join(', ')}`;
    drifts.push({ ...about, code: 'signer-gone', message });
  }
  return drifts;
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((value) => b.includes(value));
}
