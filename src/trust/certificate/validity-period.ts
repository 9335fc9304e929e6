// SPDX-License-Identifier: Apache-2.0

/** From when to when a key or an authority is trusted; both ends belong to it. Without an end, for as long as it is listed. */
export interface ValidityPeriod {
  readonly start: Date;
  readonly end?: Date;
}

export function isWithin({ start, end }: ValidityPeriod, time: Date): boolean {
  // Comparisons with a time that is none are false: written so that such a time is within nothing.
  return start <= time && (end === undefined || time <= end);
}

/** For messages: `from 2026-01-01T00:00:00.000Z to 2027-01-01T00:00:00.000Z`. */
export function describePeriod({ start, end }: ValidityPeriod): string {
  return `from ${describeTime(start)}${end === undefined ? '' : ` to ${describeTime(end)}`}`;
}

/** For messages; never fails. */
export function describeTime(time: Date): string {
  return Number.isNaN(time.getTime()) ? 'a time that is none' : time.toISOString();
}
