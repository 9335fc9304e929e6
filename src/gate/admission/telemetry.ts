// SPDX-License-Identifier: Apache-2.0
import type { JudgeObserver } from './judge-limits.ts';
import type { DecisionRecord } from './ports.ts';

/** What the gate tells about itself while it works: to metrics, traces and the log. Each call returns at once and does not throw. */
export interface GateTelemetry extends JudgeObserver {
  /** A review begins; the function that it returns is called with how it ended. */
  began(endpoint: 'mutate' | 'validate'): (ended: ReviewEnd) => void;
}

/** How a review ended. */
export interface ReviewEnd {
  readonly allowed: boolean;
  readonly code: string;
  readonly milliseconds: number;
  readonly images: number;
  /** made where somebody reads it: a review that is answered from memory need not be put into words. Absent for what is no review */
  readonly record?: () => DecisionRecord;
}

/** Says nothing. */
export const SILENT: GateTelemetry = {
  began: () => () => undefined,
  cached: () => undefined,
  took: () => undefined,
  failed: () => undefined,
};

/** Tells several. */
export function joined(all: readonly GateTelemetry[]): GateTelemetry {
  const [only, ...others] = all;
  if (only === undefined) return SILENT;
  if (others.length === 0) return only;
  return {
    began(endpoint) {
      const ends = all.map((one) => one.began(endpoint));
      return (ended) => {
        for (const end of ends) end(ended);
      };
    },
    cached(how) {
      for (const one of all) one.cached(how);
    },
    took(phase, milliseconds) {
      for (const one of all) one.took(phase, milliseconds);
    },
    failed(error) {
      for (const one of all) one.failed(error);
    },
  };
}
