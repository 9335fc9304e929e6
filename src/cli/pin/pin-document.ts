// SPDX-License-Identifier: Apache-2.0
import type { Drift } from '../../gate/index.ts';
import { decisionDocument } from '../output/decision-json.ts';
import type { PinSummary } from './pin-summary.ts';

/** What was done about an image, in JSON. The shape is documented in docs/cli.md and kept. */
export function pinDocument({ image, becomes, action, decision, newer, why, found }: PinSummary): object {
  return {
    image,
    action,
    becomes,
    why: why ?? null,
    places: found.map(({ place, source }) => ({ ...place, source })),
    decision: decisionDocument(decision),
    newer: newer === undefined ? null : decisionDocument(newer),
  };
}

/** A difference between files, lock and policies, in JSON. */
export function driftDocument({ code, image, place, message }: Drift): object {
  return { code, image, place: place ?? null, message };
}
