// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../wire/index.ts';
import type { MessageReader } from '../bundle/proto-json.ts';
import type { ValidityPeriod } from '../certificate/validity-period.ts';

/** A `TimeRange`, which must say when it begins. `undefined` if unset. @throws TrustError with the reader's code */
export function readPeriod(range: MessageReader | undefined): ValidityPeriod | undefined {
  if (range === undefined) return undefined;
  const start = range.time('start');
  const end = range.time('end');
  range.end();
  if (start === undefined) throw range.malformed('start', 'missing');
  if (end === undefined) return { start };
  if (end < start) throw range.malformed('end', `${end.toISOString()}, before the start ${start.toISOString()}`);
  return { start, end };
}

/** A `TimeRange` as a field, or no field. Whole seconds are written without a fraction, as Go does. */
export function periodJson(period: ValidityPeriod | undefined): { readonly validFor?: Json } {
  if (period === undefined) return {};
  const { start, end } = period;
  return { validFor: { start: timeJson(start), ...(end === undefined ? {} : { end: timeJson(end) }) } };
}

/** @see https://protobuf.dev/programming-guides/json/ */
function timeJson(time: Date): string {
  return time.toISOString().replace('.000Z', 'Z');
}
