// SPDX-License-Identifier: Apache-2.0
import { SealChecks } from '../../image/index.ts';
import { ReferenceFault, type Digest } from '../../oci/index.ts';
import { decide, mayReuse, type Decision, type OpenRepository } from '../../policy/index.ts';
import { BoundedMemory } from './bounded-memory.ts';
import { EvidenceBudget } from './evidence-budget.ts';
import { AdmissionError } from './admission-error.ts';
import { FairQueue } from './fair-queue.ts';
import { isAnyPolicyAbout, nameImage, QuestionMemory, type NamedImage, type PosedQuestion } from './image-question.ts';
import {
  decodeReads,
  digestsOf,
  encodeReads,
  freshen,
  freshUntil,
  isFresh,
  SharedValues,
  sizeOfKept,
  spoil,
  verdictOfKept,
  type KeptVerdict,
} from './kept-verdict.ts';
import type { JudgedImage } from './judged-image.ts';
import { LargeReads } from './large-reads.ts';
import type { JudgeLimits, JudgeObserver, JudgeState } from './judge-limits.ts';
import { both, missing, NOTHING, undecided, verdictOf, withoutPolicy } from './image-verdict.ts';
import type { ImageVerdict, PullScope } from './ports.ts';
import { recordingOpener, saysTheSame, type PassingRead } from './recorded-repository.ts';
import { ReviewDeadline } from './review-deadline.ts';
import { SharedTask } from './shared-task.ts';
import type { SummaryKeeper } from './summary-keeper.ts';
import { TagResolver, type ResolvedTag } from './tag-resolver.ts';

interface Flight {
  readonly verdict: Promise<ImageVerdict>;
  readonly task: SharedTask<ImageVerdict>;
  waiting: number;
}

/**
 * Judges images, each digest once however many ask. Kept is a verdict, under the hash of all that it followed from. After some seconds the
 * registry is asked whether it still lists the same; if so the verdict stands, since signatures over a digest do not change. What could not be
 * found out is not kept.
 */
export class ImageJudge {
  readonly #limits: JudgeLimits;
  readonly #now: () => Date;
  readonly #observer: JudgeObserver;
  readonly #verdicts: BoundedMemory<KeptVerdict>;
  readonly #names: BoundedMemory<NamedImage> = new BoundedMemory(4 * 1024 * 1024, () => 300);
  readonly #tags: TagResolver;
  readonly #flights: Map<string, Flight> = new Map();
  readonly #queue: FairQueue;
  readonly #large: LargeReads = new LargeReads();
  readonly #checks: SealChecks;
  readonly #shared: SharedValues = new SharedValues();
  readonly #summaries: SummaryKeeper | undefined;
  #questions: QuestionMemory | undefined;

  constructor(now: () => Date, limits: JudgeLimits, observer: JudgeObserver, summaries?: SummaryKeeper) {
    this.#now = now;
    this.#limits = limits;
    this.#observer = observer;
    this.#summaries = summaries;
    this.#verdicts = new BoundedMemory(limits.verdictBytes, sizeOfKept);
    this.#tags = new TagResolver(now, limits.tagMs);
    this.#queue = new FairQueue(limits);
    this.#checks = new SealChecks(limits.checkBytes);
  }

  /** How much is kept and under way. */
  get state(): JudgeState {
    const { size, bytes } = this.#verdicts;
    return { verdicts: size, bytes, running: this.#queue.running, waiting: this.#queue.waiting };
  }

  /** What is known of an image without asking anybody: most reviews are answered by this. */
  known(asked: JudgedImage): ImageVerdict | undefined {
    const named = this.#name(asked.image);
    if ('outcome' in named) return named;
    const digest = named.digest ?? this.#tags.known(asked, named)?.digest;
    if (digest === undefined) return undefined;
    const kept = this.#verdicts.get(this.#pose(asked, named, digest).key);
    if (kept === undefined) return undefined;
    const now = this.#now().getTime();
    if (!isFresh(kept, asked.scope.key, now)) return undefined;
    // Of a tag that no policy can be about nobody asks for the digest.
    if (kept.shared.code === 'no-policy-matches' && named.digest === undefined && !this.#isPoliced(asked, named))
      return withoutPolicy(asked.set);
    // Asked for again before it is too old, so that nobody has to wait for that.
    if (freshUntil(kept, asked.scope.key) - now < this.#limits.listingMs / 4)
      void this.#fly(asked, named, digest, undefined).verdict;
    this.#observer.cached('hit');
    return verdictOfKept(kept);
  }

  /** What is known of an image, or can be found out in time. Never throws. */
  async judge(asked: JudgedImage, deadline: ReviewDeadline): Promise<ImageVerdict> {
    const known = this.known(asked);
    if (known !== undefined) return known;
    try {
      const named = this.#name(asked.image);
      if ('outcome' in named) return named;
      if (named.digest !== undefined)
        return await this.#wait(this.#fly(asked, named, named.digest, undefined), deadline);
      if (!this.#isPoliced(asked, named)) return withoutPolicy(asked.set);
      const resolved = await deadline.within(this.#resolve(asked, named));
      if (resolved === undefined) return missing(named);
      const { digest, onePlatform } = resolved;
      return this.known(asked) ?? (await this.#wait(this.#fly(asked, named, digest, onePlatform), deadline));
    } catch (error) {
      return this.#undecided(error);
    }
  }

  /** Begins to find out what will be asked soon. */
  warm(asked: JudgedImage): void {
    const deadline = new ReviewDeadline('');
    void this.judge(asked, deadline).finally(() => deadline.end());
  }

  async #wait(flight: Flight, deadline: ReviewDeadline): Promise<ImageVerdict> {
    flight.waiting += 1;
    try {
      return await deadline.within(flight.verdict);
    } finally {
      flight.waiting -= 1;
    }
  }

  #fly(asked: JudgedImage, named: NamedImage, digest: Digest, onePlatform: boolean | undefined): Flight {
    const posed = this.#pose(asked, named, digest);
    const key = `${asked.scope.key}\n${posed.key}`;
    const known = this.#flights.get(key);
    if (known !== undefined) {
      this.#observer.cached('joined');
      known.task.ask(asked.namespace);
      return known;
    }
    const began = performance.now();
    const isWanted = (): boolean => this.#flights.get(key)?.waiting !== 0 || performance.now() - began < GRACE;
    const task = new SharedTask(this.#queue, async () => {
      this.#observer.took('queue', performance.now() - began);
      if (!isWanted()) throw new AdmissionError('deadline', 'nobody waits for this image any more');
      return (await this.#recheck(asked, posed, digest)) ?? (await this.#verify(asked, posed, { digest, onePlatform }));
    });
    const verdict = task.result
      .catch((error: unknown) => this.#undecided(error))
      .finally(() => this.#flights.delete(key));
    const flight = { verdict, task, waiting: 0 };
    this.#flights.set(key, flight);
    task.ask(asked.namespace);
    return flight;
  }

  /** A verdict that stands, since the registry still says the same to these credentials. */
  async #recheck(asked: JudgedImage, { key }: PosedQuestion, digest: Digest): Promise<ImageVerdict | undefined> {
    const { scope, dryRun } = asked;
    const kept = this.#verdicts.get(key);
    const now = this.#now().getTime();
    // Without a request of one's own there is none that could be refused.
    if (kept === undefined || now >= kept.validUntil || kept.reads === '') return undefined;
    // What a dry run has found out is verified again, for the summary that it could not write.
    if (!kept.summarized && !dryRun) return undefined;
    const reads = decodeReads(kept.reads, digest);
    try {
      const same = await this.#timed(asked, 'recheck', (budget) =>
        budget.within(() => Promise.all(reads.map((read) => saysTheSame(scope, read)))),
      );
      if (same.includes(false)) return undefined;
    } catch {
      // The verification says what is wrong.
      return undefined;
    }
    freshen(kept, scope.key, now + this.#limits.listingMs);
    this.#observer.cached('rechecked');
    return verdictOfKept(kept);
  }

  async #verify(
    asked: JudgedImage,
    { key, images, ahead }: PosedQuestion,
    { digest, onePlatform }: { readonly digest: Digest; readonly onePlatform: boolean | undefined },
  ): Promise<ImageVerdict> {
    const { scope, dryRun } = asked;
    const reads: PassingRead[] = [];
    const now = this.#now();
    const [first, ...further] = await this.#timed(asked, 'verify', async (budget) => {
      const open = recordingOpener(scope, budget, reads, ahead);
      const decisions: Decision[] = [];
      for (const image of images) decisions.push(await this.#decide(asked, image, { open, now, onePlatform }));
      return decisions;
    });
    if (first === undefined) throw new TypeError('no name of the image was asked for');
    const decisions = [first, ...further];
    if (!dryRun) for (const decision of decisions) this.#summarize(scope, decision, now);
    const verdict = further.reduce((whole, decision) => both(whole, verdictOf(decision)), verdictOf(first));
    if (verdict.outcome !== 'undecided' && decisions.every((decision) => isReusable(decision, now)))
      this.#verdicts.set(key, {
        shared: this.#shared.share(verdict),
        digests: digestsOf(verdict),
        reads: encodeReads(reads, digest),
        validUntil: Math.min(...decisions.map(({ validUntil }) => validUntil?.getTime() ?? Infinity)),
        summarized: !dryRun || this.#summaries === undefined,
        scope: scope.key,
        freshUntil: now.getTime() + this.#limits.listingMs,
      });
    else this.#spoil(key, scope);
    this.#observer.cached('miss');
    return verdict;
  }

  #decide(
    { set, run, scope }: JudgedImage,
    image: string,
    {
      open,
      now,
      onePlatform,
    }: { readonly open: OpenRepository; readonly now: Date; readonly onePlatform: boolean | undefined },
  ): Promise<Decision> {
    const known = onePlatform === undefined ? {} : { onePlatform };
    const keeper = this.#summaries;
    const kept = keeper === undefined ? {} : { summaries: (digest: Digest) => keeper.find(scope.key, digest) };
    return decide({ image, open, now, checks: this.#checks, ...run, ...known, ...kept }, set);
  }

  #spoil(key: string, scope: PullScope): void {
    const kept = this.#verdicts.get(key);
    if (kept !== undefined) spoil(kept, scope.key);
  }

  // Nobody waits for it: that it fails takes nothing from what was decided.
  #summarize({ key }: PullScope, decision: Decision, now: Date): void {
    this.#summaries?.keep(key, decision, now).catch((error: unknown) => this.#observer.failed(error));
  }

  #resolve(asked: JudgedImage, named: NamedImage): Promise<ResolvedTag | undefined> {
    return this.#tags.resolve(
      asked,
      named,
      (work) => new SharedTask(this.#queue, () => this.#timed(asked, 'resolve', (budget) => budget.within(work))),
    );
  }

  /** One phase of a verification, which has only so much time and memory. */
  async #timed<T>(
    { namespace }: JudgedImage,
    phase: Parameters<JudgeObserver['took']>[0],
    task: (budget: EvidenceBudget) => Promise<T>,
  ): Promise<T> {
    const began = performance.now();
    const budget = new EvidenceBudget(this.#limits, this.#large, namespace);
    try {
      return await task(budget);
    } finally {
      budget.end();
      this.#observer.took(phase, performance.now() - began);
    }
  }

  #isPoliced({ run, set }: JudgedImage, named: NamedImage): boolean {
    return isAnyPolicyAbout(named, run, set);
  }

  #pose({ set, run }: JudgedImage, named: NamedImage, digest: Digest): PosedQuestion {
    if (this.#questions?.set !== set) this.#questions = new QuestionMemory(set);
    return this.#questions.pose(named, digest, run);
  }

  #name(image: string): NamedImage | ImageVerdict {
    const known = this.#names.get(image);
    if (known !== undefined) return known;
    try {
      const named = nameImage(image);
      this.#names.set(image, named);
      return named;
    } catch (error) {
      if (!(error instanceof ReferenceFault)) return this.#undecided(error);
      return { ...NOTHING, outcome: 'refused', code: 'reference-malformed', message: error.message };
    }
  }

  #undecided(error: unknown): ImageVerdict {
    const verdict = undecided(error);
    if (verdict.cause?.code === 'unexpected') this.#observer.failed(error);
    return verdict;
  }
}

/** milliseconds in which somebody who has begun a verification comes to wait for it */
const GRACE = 1000;

function isReusable(decision: Decision, now: Date): boolean {
  // Under a policy that only warns an image is trusted all the same, and still it was not found out.
  return mayReuse(decision, now) && decision.policies.every(({ outcome }) => outcome !== 'undecided');
}
