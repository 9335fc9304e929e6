// SPDX-License-Identifier: Apache-2.0
import type { EvidenceLimits } from './evidence-budget.ts';
import type { QueueLimits } from './fair-queue.ts';

/** What is kept, and for how long. Bytes, milliseconds. */
export interface JudgeLimits extends EvidenceLimits, QueueLimits {
  /** how long it is taken that a registry still lists the same beside an image */
  readonly listingMs: number;
  /** how long it is taken that a tag still names the same */
  readonly tagMs: number;
  readonly verdictBytes: number;
  /** what is kept of seals that were verified */
  readonly checkBytes: number;
}

/** Caps that hold in 256 MiB. */
export const JUDGE_LIMITS: JudgeLimits = {
  listingMs: 10_000,
  tagMs: 5000,
  verdictBytes: 64 * 1024 * 1024,
  checkBytes: 16 * 1024 * 1024,
  probe: 128 * 1024,
  small: 2 * 1024 * 1024,
  large: 32 * 1024 * 1024,
  waitMs: 25_000,
  holdMs: 10_000,
  totalMs: 30_000,
  running: 16,
  runningEach: 8,
  runningFirst: 16,
  waiting: 2000,
  waitingEach: 500,
};

/** Told what happens, for metrics. */
export interface JudgeObserver {
  /** how a verdict came about */
  cached(how: 'hit' | 'rechecked' | 'miss' | 'joined'): void;
  /** @param milliseconds that a phase of one verification took */
  took(phase: 'queue' | 'resolve' | 'recheck' | 'verify', milliseconds: number): void;
  /** what nobody foresaw */
  failed(error: unknown): void;
}

/** How much is kept and under way. */
export interface JudgeState {
  readonly verdicts: number;
  /** by a fair estimate */
  readonly bytes: number;
  readonly running: number;
  readonly waiting: number;
}
