// SPDX-License-Identifier: Apache-2.0
import type { Drift, FoundImage, ManifestFault, PinnedPlace } from '../../gate/index.ts';
import type { Decision } from '../../policy/index.ts';
import { EXIT } from '../exit-code.ts';

/** Equal things about one image, in all places where it stands. */
export interface PinSummary {
  readonly image: string;
  readonly becomes: string;
  readonly action: PinnedPlace['action'];
  readonly decision: Decision;
  readonly newer?: Decision;
  readonly why?: string;
  readonly found: readonly FoundImage[];
}

/** What is said of each image once, in the order in which they are met. */
export function summarise(places: readonly PinnedPlace[]): readonly PinSummary[] {
  const decisions = new Map<Decision, number>();
  const numberOf = (decision: Decision | undefined): number => {
    if (decision === undefined) return -1;
    const number = decisions.get(decision) ?? decisions.size;
    decisions.set(decision, number);
    return number;
  };
  const groups = Map.groupBy(places, ({ found, image, action, decision, newer, why }) =>
    JSON.stringify([found.image, image, action, why ?? '', numberOf(decision), numberOf(newer)]),
  );
  return [...groups.values()].flatMap((same) => {
    const [first] = same;
    if (first === undefined) return [];
    const { found, image: becomes, ...rest } = first;
    return [{ ...rest, image: found.image, becomes, found: same.map((place) => place.found) }];
  });
}

/** What a run ends with: 1 if anything was refused or has drifted, else 2 if anything is not known, or nothing was found. */
export function exitCodeOfPins(
  decisions: readonly Decision[],
  drifts: readonly Drift[],
  faults: readonly ManifestFault[],
  isEmpty: boolean,
): number {
  if (drifts.length > 0 || decisions.some(({ outcome }) => outcome === 'refused')) return EXIT.failure;
  const unread = faults.some(({ severity }) => severity === 'error');
  if (isEmpty || unread || decisions.some(({ outcome }) => outcome === 'undecided')) return EXIT.undecided;
  return EXIT.ok;
}
