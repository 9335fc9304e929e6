// SPDX-License-Identifier: Apache-2.0
import type { Decision, Outcome, ReasonCode } from '../../policy/index.ts';
import type { FoundImage, ImagePlace, ManifestFault } from '../manifest/found-image.ts';
import { shown } from './shown.ts';

/** An image that was decided on, and all places where it stands. */
export interface CheckedImage {
  readonly decision: Decision;
  /** empty for an image that was named on the command line */
  readonly found: readonly FoundImage[];
}

/** What came of a check. */
export interface CheckReport {
  /** refused if anything is; else undecided if anything is, or could not be read; else trusted */
  readonly outcome: Outcome;
  /** in the order in which they were first met */
  readonly images: readonly CheckedImage[];
  readonly faults: readonly ManifestFault[];
  /** files that were met and are no manifests */
  readonly passedOver: readonly string[];
}

/** Codes of what is told of: the reason of a decision, of a policy that is not met, or of a fault. */
export type FindingCode = ReasonCode | ManifestFault['code'] | 'policy-warning' | 'no-image';

/** Something that a pipeline must be told of, at one place. */
export interface CheckFinding {
  readonly level: 'error' | 'warning';
  readonly outcome: Outcome | 'unread';
  readonly code: FindingCode;
  /** one line, fit for the log of a pipeline, as are the other texts */
  readonly message: string;
  /** as it is written; absent for what is no image */
  readonly image?: string;
  readonly place?: ImagePlace;
  /** where the text of the image ends, on the same line */
  readonly endColumn?: number;
}

/** All that is wrong, once for each place: refused, undecided, unread, and what policies only warn of. */
export function findingsOf({ images, faults, outcome }: CheckReport): readonly CheckFinding[] {
  const findings = images.flatMap(({ decision, found }) => {
    const [first, ...others] = found.map(spotOf);
    const spots = first === undefined ? [{}] : [first, ...others];
    return aboutDecision(decision).flatMap((about) => spots.map((spot) => ({ ...about, ...spot })));
  });
  const unread = faults.map(({ severity, code, place, message }): CheckFinding => ({
    level: severity,
    outcome: 'unread',
    code,
    message: shown(place.field === '' ? message : `${place.field}: ${message}`),
    place: shownPlace(place),
  }));
  return [...findings, ...unread, ...(images.length === 0 && outcome !== 'trusted' ? [NO_IMAGE] : [])];
}

const NO_IMAGE: CheckFinding = {
  level: 'error',
  outcome: 'undecided',
  code: 'no-image',
  message: 'no image was found: nothing is judged',
};

function spotOf({ place, span, image }: FoundImage): Pick<CheckFinding, 'place' | 'endColumn'> {
  // an image of several lines or fields ends nowhere in particular
  const isOnLine = span.end - span.start <= image.length;
  return { place: shownPlace(place), ...(isOnLine ? { endColumn: place.column + span.end - span.start } : {}) };
}

function shownPlace(place: ImagePlace): ImagePlace {
  return { ...place, file: shown(place.file), field: shown(place.field) };
}

function aboutDecision(decision: Decision): readonly CheckFinding[] {
  const image = shown(decision.image, 300);
  const warnings = decision.warnings.map((warning): CheckFinding => ({
    level: 'warning',
    outcome: decision.outcome,
    code: 'policy-warning',
    message: shown(`${image}: ${warning}`),
    image,
  }));
  if (decision.outcome === 'trusted') return warnings;
  const { outcome } = decision;
  return [{ level: 'error', outcome, code: reasonOf(decision), message: messageOf(decision), image }, ...warnings];
}

/** The reason that says most: of the policy that is not met. */
export function reasonOf({ code, outcome, policies }: Decision): ReasonCode {
  if (code !== 'policy-failed') return code;
  return policies.find((policy) => policy.outcome === outcome && policy.mode === 'enforce')?.code ?? code;
}

/** What is wrong with an image in one line: what was found, what was expected, and the cause where it could not be found out. */
export function messageOf({ image, digest, outcome, message, nearest, cause }: Decision): string {
  const which = digest === undefined || image.endsWith(digest) ? image : `${image} (${digest})`;
  const miss =
    nearest === undefined
      ? ''
      : `; nearest miss [${nearest.code}]: found ${shown(nearest.found, 200)}, expected ${shown(nearest.expected, 200)}`;
  const why = cause === undefined || message.includes(cause.message) ? '' : `: ${cause.message}`;
  return shown(`${shown(which, 400)} is ${outcome}: ${shown(message, 400)}${shown(why, 200)}${miss}`, 1500);
}

/** How many images there are of each outcome. */
export function countOutcomes(images: readonly CheckedImage[]): Readonly<Record<Outcome, number>> {
  const counts = { trusted: 0, refused: 0, undecided: 0 };
  for (const { decision } of images) counts[decision.outcome]++;
  return counts;
}
