// SPDX-License-Identifier: Apache-2.0

const MILLISECONDS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

const SHAPE = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h)(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))*$/;
const PART = /(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;

/** Longer is not a duration to Go, whose durations are 64-bit nanoseconds. */
const MAX_MILLISECONDS = 9_223_372_036_854;

/**
 * A duration as Go writes it, in milliseconds; `undefined` for anything else.
 *
 * @see https://pkg.go.dev/time#ParseDuration
 * @example parseDuration('3m0s') // 180000
 */
export function parseDuration(text: string): number | undefined {
  if (/^[+-]?0$/.test(text)) return 0;
  // the first test bounds what the expression has to look at
  if (text.length > 64 || !SHAPE.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(PART))
    total += Number(amount) * (MILLISECONDS[unit ?? ''] ?? Number.NaN);
  if (!(total <= MAX_MILLISECONDS)) return undefined;
  return text.startsWith('-') ? -total : total;
}

/**
 * Milliseconds as Go writes them.
 *
 * @example formatDuration(180000) // '3m0s'
 */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 0) return `-${formatDuration(-milliseconds)}`;
  if (milliseconds === 0) return '0s';
  if (milliseconds < 1000) return `${trim(milliseconds)}ms`;
  const hours = Math.floor(milliseconds / 3_600_000);
  const minutes = Math.floor((milliseconds % 3_600_000) / 60_000);
  const seconds = `${trim((milliseconds % 60_000) / 1000)}s`;
  if (hours > 0) return `${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${minutes}m${seconds}` : seconds;
}

function trim(amount: number): string {
  return String(Number(amount.toFixed(6)));
}
