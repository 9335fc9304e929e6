// SPDX-License-Identifier: Apache-2.0
import { formatPath, type JsonPath } from '../workload/json-path.ts';
import type { ImageVerdict } from './ports.ts';
import { cut } from './review-answer.ts';

const MAX_FIELDS = 3;
const MAX_POLICIES = 5;
/** characters on one image, so that the next is told of too */
const MAX_IMAGE = 1500;
const MAX_FOUND = 300;

/** An image that several fields may name, and what was decided on it. */
export interface ExplainedImage {
  readonly paths: readonly JsonPath[];
  readonly image: string;
  readonly verdict: ImageVerdict;
}

const OUTCOMES = { trusted: 'trusted', refused: 'refused', undecided: 'undecided' } as const;

/**
 * Why an object is not let in, for who wanted it in: each image with its digest, what was found and by whom, which policy failed, what came
 * closest, and where something could not be found out, the cause.
 */
export function explainDenial(images: readonly ExplainedImage[]): string {
  return images.map(explainImage).join('; ');
}

function explainImage({ paths, image, verdict }: ExplainedImage): string {
  const { outcome, digest, message } = verdict;
  const shown = digest === undefined || image.includes(digest) ? image : `${image} (${digest})`;
  const parts = [`${fieldsOf(paths)}: ${shown} is ${OUTCOMES[outcome]}: ${message}`, ...findings(verdict)];
  return cut(parts.join('; '), MAX_IMAGE);
}

function fieldsOf(paths: readonly JsonPath[]): string {
  const shown = paths.slice(0, MAX_FIELDS).map(formatPath).join(', ');
  return paths.length > MAX_FIELDS ? `${shown} and ${paths.length - MAX_FIELDS} more` : shown;
}

function* findings({ message, policies, signers, nearest, cause, code }: ImageVerdict): Generator<string> {
  const others = policies.filter(
    (policy) => policy.mode === 'enforce' && policy.outcome !== 'trusted' && !message.includes(policy.message),
  );
  for (const { policy, message: why } of others.slice(0, MAX_POLICIES)) yield `${policy}: ${why}`;
  if (others.length > MAX_POLICIES) yield `and ${others.length - MAX_POLICIES} policies more`;
  if (nearest !== undefined)
    yield `closest was ${cut(nearest.found, MAX_FOUND)}, expected ${cut(nearest.expected, MAX_FOUND)} (${nearest.code})`;
  if (signers.length > 0) yield `seals that count are by ${signers.join(', ')}`;
  if (cause !== undefined && code !== 'deadline') yield `cause: ${cause.code}`;
  if (cause !== undefined) yield 'nothing is wrong with the image as far as is known: try again';
}

/** The same for an audit log: short, and without what a person would do about it. */
export function auditLine({
  image,
  verdict: { outcome, code, digest },
}: Pick<ExplainedImage, 'image' | 'verdict'>): string {
  return `${image}${digest === undefined || image.includes(digest) ? '' : `@${digest}`} ${outcome} ${code}`;
}
