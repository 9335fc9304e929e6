// SPDX-License-Identifier: Apache-2.0

const TIME = /^(\d{4})-(\d{2})-(\d{2})T([01]\d|2[0-3]):\d{2}:\d{2}(?:\.\d{1,9})?(?:Z|[+-]\d{2}:\d{2})$/;

/**
 * A time as RFC 3339 writes it, to the millisecond; `undefined` for any other text. A day that no month has is none, where `Date` takes the
 * thirtieth of February for the second of March.
 *
 * @see https://www.rfc-editor.org/rfc/rfc3339#section-5.6
 * @example readRfc3339('2026-01-01T00:00:00Z')
 */
export function readRfc3339(text: string): Date | undefined {
  const [, year, month, day] = TIME.exec(text) ?? [];
  if (year === undefined || month === undefined || day === undefined) return undefined;
  const midnight = new Date(`${year}-${month}-${day}T00:00:00Z`);
  const time = new Date(text);
  return midnight.getUTCDate() === Number(day) && !Number.isNaN(time.getTime()) ? time : undefined;
}
