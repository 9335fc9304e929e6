// SPDX-License-Identifier: Apache-2.0
import { digestOf, type Digest } from '../oci/index.ts';
import { canonicalJson, type Json } from '../wire/index.ts';
import type { DecisionInputs } from './decision.ts';
import type { RunContext } from './evaluate/authority-matches.ts';
import type { PolicySet, PreparedPolicy } from './evaluate/prepared-policy.ts';
import { imageName, type ImageName } from './match/image-glob.ts';
import { fetchedFrom, matchingPolicies } from './match/matching-policies.ts';
import type { Resource } from './match/resource-match.ts';

/** What a decision is asked about. */
export interface Question extends RunContext {
  /** as it stands in the manifest */
  readonly image: string;
  /** what runs it; absent where that is not known, and then policies with `match` are not about it */
  readonly resource?: Resource;
}

/** The part of the inputs that is known before anything is asked. */
export type KnownInputs = Pick<DecisionInputs, 'question' | 'name' | 'policyHash' | 'settingsHash' | 'object'>;

/**
 * What names the question that a decision will answer, before anything is asked of a registry: equal ones have the same answer as long as the
 * evidence is the same. Costs no request.
 *
 * @throws ReferenceFault for an image that is none
 */
export function questionOf(asked: Question, set: PolicySet): Digest {
  const image = imageName(asked.image);
  return knownInputs(image, matchingPolicies(set, image, asked.resource), asked, set).question;
}

export function knownInputs(
  image: ImageName,
  matching: readonly PreparedPolicy[],
  context: RunContext,
  set: PolicySet,
): KnownInputs {
  const object = objectHash(matching, context);
  const known = {
    name: image.full,
    policyHash: policyHash(matching),
    settingsHash: set.settingsHash,
    ...(object === undefined ? {} : { object }),
  };
  // Where it is fetched follows from the mirrors; a glob may look at the name as it was written.
  const from = fetchedFrom(set.mirrors, image);
  return { ...known, question: hashOf({ ...known, from, written: image.written }) };
}

/** Of the policies that are about an image, and of what they refer to; in no order. */
function policyHash(matching: readonly PreparedPolicy[]): Digest {
  const policies: Json = matching
    .map(({ name, hash }) => [name, hash])
    .toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1));
  return hashOf({ policies });
}

export function completeInputs(known: KnownInputs, digest: Digest | undefined, read: Iterable<Digest>): DecisionInputs {
  const evidence = [...new Set(read)].toSorted();
  const inputs = { ...known, ...(digest === undefined ? {} : { digest }), evidence };
  return { ...inputs, hash: hashOf(inputs) };
}

/** What is known of something that is no image, or of which nothing could be looked at. */
export function inputsOfNothing(written: string, { settingsHash }: PolicySet): DecisionInputs {
  const known = { name: written, policyHash: policyHash([]), settingsHash };
  return completeInputs({ ...known, question: hashOf({ ...known, written }) }, undefined, []);
}

/** Whether a policy looks at the object that runs the image. */
export function readsObject({ program }: PreparedPolicy): boolean {
  return program !== undefined && (program.includeSpec || program.includeObjectMeta || program.includeTypeMeta);
}

function objectHash(matching: readonly PreparedPolicy[], { spec, metadata, typemeta }: RunContext): Digest | undefined {
  if (!matching.some(readsObject)) return undefined;
  const asks = (part: 'includeSpec' | 'includeObjectMeta' | 'includeTypeMeta'): boolean =>
    matching.some(({ program }) => program?.[part] === true);
  return hashOf({
    spec: asks('includeSpec') ? (spec ?? null) : null,
    metadata: asks('includeObjectMeta') ? (metadata ?? null) : null,
    typemeta: asks('includeTypeMeta') ? (typemeta ?? null) : null,
  });
}

function hashOf(value: Json): Digest {
  return digestOf(new TextEncoder().encode(canonicalJson(value)));
}
