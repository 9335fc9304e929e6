// SPDX-License-Identifier: Apache-2.0
import type { MessageReader } from '../bundle/proto-json.ts';
import type { ValidityPeriod } from '../certificate/validity-period.ts';

/** A `TimeRange`; without a start it began long ago. `undefined` if unset: at all times. @throws TrustError with the reader's code */
export function readPeriod(range: MessageReader | undefined): ValidityPeriod | undefined {
  if (range === undefined) return undefined;
  const start = range.time('start') ?? new Date(0);
  const end = range.time('end');
  range.end();
  if (end === undefined) return { start };
  if (end < start) throw range.malformed('end', `${end.toISOString()}, before the start ${start.toISOString()}`);
  return { start, end };
}
