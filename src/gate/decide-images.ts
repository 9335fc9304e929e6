// SPDX-License-Identifier: Apache-2.0
import { RegistryError, type Repository } from '../oci/index.ts';
import {
  decide,
  EvidenceCache,
  questionOf,
  type Decision,
  type ImageContext,
  type OpenRepository,
  type PolicySet,
  type Question,
  type Workload,
} from '../policy/index.ts';
import { CodedError } from '../wire/index.ts';

/** An image to decide on: found in a file, or named. */
export interface ImageToDecide {
  readonly image: string;
  /** what runs it; without it, policies with `match` are not about it */
  readonly workload?: Workload;
  /** where it lies, if that is open already */
  readonly repository?: Repository;
}

/** By what, when and how images are decided on. */
export interface DecideOptions {
  readonly set: PolicySet;
  readonly open: OpenRepository;
  readonly now: Date;
  /** what earlier decisions have read; a cache of its own unless told */
  readonly evidence?: EvidenceCache;
  /** images that are decided on at a time; 8 unless told */
  readonly concurrency?: number;
  /** `ignore` decides by the policies alone, whatever the settings say of verification summaries: for who makes one */
  readonly summaries?: ImageContext['summaries'];
  /** aborted when time is up: what is open then is undecided, and is said to be */
  readonly signal?: AbortSignal;
}

/** The decisions on some images. */
export interface ImageDecisions<T extends ImageToDecide> {
  /** one for each image that was given; the same object for those that ask the same */
  readonly decisions: ReadonlyMap<T, Decision>;
  /** how many questions there were */
  readonly distinct: number;
}

/**
 * Decides on images, each question once however often it is asked: images of one name, and where a policy looks at the object that runs them,
 * of objects that are the same to it. Evidence is read once for all. Never throws for what a registry does or does not answer.
 *
 * @example
 * const { decisions } = await decideImages(images, { set, open, now: new Date() });
 */
export async function decideImages<T extends ImageToDecide>(
  images: readonly T[],
  { set, open, now, evidence = new EvidenceCache(), concurrency = 8, signal, summaries }: DecideOptions,
): Promise<ImageDecisions<T>> {
  const asked = Map.groupBy(images, (image) => keyOf(image, set));
  const openInTime = signal === undefined ? open : openUntil(open, signal);
  const made = new Map<T, Decision>();
  const waiting = [...asked.values()].values();
  const work = async (): Promise<void> => {
    for (const same of waiting) {
      const [first] = same;
      if (first === undefined) continue;
      const question = { ...aboutOf(first), now, ...(summaries === undefined ? {} : { summaries }) };
      const full = { ...question, ...(first.repository === undefined ? {} : { repository: first.repository }) };
      // past the deadline a decision still says what it can without a registry
      const late = (): Promise<Decision> => decide({ ...question, open: openInTime }, set);
      const shelf = first.repository === undefined ? { evidence } : {};
      const decision = await inTime(decide({ ...full, ...shelf, open: openInTime }, set), late, signal);
      for (const image of same) made.set(image, decision);
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, concurrency) }, work));
  // in the order in which they were given, and not in that in which registries answered
  const decisions = new Map(images.flatMap((image) => withDecision(image, made.get(image))));
  return { decisions, distinct: asked.size };
}

function withDecision<T>(image: T, decision: Decision | undefined): readonly (readonly [T, Decision])[] {
  return decision === undefined ? [] : [[image, decision]];
}

function aboutOf({ image, workload }: ImageToDecide): Question {
  return { image, ...workload };
}

function keyOf(image: ImageToDecide, set: PolicySet): unknown {
  // a repository that is open already may be another of the same name: it is asked for itself
  if (image.repository !== undefined) return image;
  try {
    return questionOf(aboutOf(image), set);
  } catch (error) {
    if (error instanceof CodedError) return `written ${image.image}`;
    throw error;
  }
}

function timedOut(signal: AbortSignal): RegistryError {
  return new RegistryError('timeout', 'time was up before this image was decided on', { cause: signal.reason });
}

function openUntil(open: OpenRepository, signal: AbortSignal): OpenRepository {
  return (name, options) => (signal.aborted ? Promise.reject(timedOut(signal)) : open(name, options));
}

/** A decision, or where time is up before it is there, the one that can be had then. */
async function inTime(
  deciding: Promise<Decision>,
  late: () => Promise<Decision>,
  signal: AbortSignal | undefined,
): Promise<Decision> {
  if (signal === undefined || signal.aborted) return deciding;
  const { promise, resolve } = Promise.withResolvers<'late'>();
  const end = (): void => resolve('late');
  signal.addEventListener('abort', end, { once: true });
  try {
    const first = await Promise.race([deciding, promise]);
    return first === 'late' ? await late() : first;
  } finally {
    signal.removeEventListener('abort', end);
  }
}
