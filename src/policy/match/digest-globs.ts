// SPDX-License-Identifier: Apache-2.0
import { repositoryName, type Digest } from '../../oci/index.ts';
import type { PolicySet, PreparedPolicy } from '../evaluate/prepared-policy.ts';
import { imageName, type ImageName } from './image-glob.ts';
import { fetchedFrom, namesOf } from './matching-policies.ts';
import { matchesResource, type Resource } from './resource-match.ts';

/**
 * The policies that name a digest, or part of one, and may be about an image of which only the tag is known: which of them are, its digest will
 * say. No tag is a way around a policy that blocks a digest.
 */
export function policiesOfDigests(
  set: Pick<PolicySet, 'policies' | 'mirrors'>,
  image: ImageName,
  resource: Resource | undefined,
): readonly PreparedPolicy[] {
  const globs = globsOf(set.policies);
  if (globs.length === 0) return [];
  const upstream = namesOf(set.mirrors, image).map(({ reference }) => repositoryName(reference));
  const called = [...new Set([withoutTag(image), fetchedFrom(set.mirrors, image), ...upstream])];
  const found = new Set(
    globs.flatMap(({ head, policy }) => (called.some((name) => `${name}@`.startsWith(head)) ? [policy] : [])),
  );
  return [...found].filter(({ match }) => matchesResource(match, resource));
}

/** The name of an image that has a tag, by its digest instead. */
export function nameByDigest(image: ImageName, digest: Digest): ImageName {
  return imageName(`${withoutTag(image)}@${digest}`);
}

/** As it was written. */
function withoutTag({ written, reference: { tag } }: ImageName): string {
  return tag === undefined ? written : written.slice(0, -tag.length - 1);
}

interface DigestGlob {
  /** what a name with any digest begins with, if the glob is about it */
  readonly head: string;
  readonly policy: PreparedPolicy;
}

const GLOBS: WeakMap<readonly PreparedPolicy[], readonly DigestGlob[]> = new WeakMap();

/** Few sets have any. */
function globsOf(policies: readonly PreparedPolicy[]): readonly DigestGlob[] {
  const known = GLOBS.get(policies);
  if (known !== undefined) return known;
  const found = policies.flatMap((policy) =>
    policy.images
      .filter(({ source }) => source.includes('@'))
      .map(({ prefix }) => ({
        head: prefix.includes('@') ? prefix.slice(0, prefix.indexOf('@') + 1) : prefix,
        policy,
      })),
  );
  GLOBS.set(policies, found);
  return found;
}
