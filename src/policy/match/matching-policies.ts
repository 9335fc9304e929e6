// SPDX-License-Identifier: Apache-2.0
import { repositoryName } from '../../oci/index.ts';
import type { MirrorDocument, SettingsDocument } from '../document/settings.ts';
import type { PolicySet, PreparedPolicy } from '../evaluate/prepared-policy.ts';
import { imageName, matchesGlob, type ImageGlob, type ImageName } from './image-glob.ts';
import { matchesResource, type Resource } from './resource-match.ts';

/** The policies that are about an image, as it is called and as it is called upstream of a mirror; in their order. */
export function matchingPolicies(
  set: Pick<PolicySet, 'policies' | 'mirrors'>,
  image: ImageName,
  resource: Resource | undefined,
): readonly PreparedPolicy[] {
  const index = indexOf(set.policies);
  const found = new Set<number>();
  for (const name of namesOf(set.mirrors, image))
    for (const text of new Set([name.full, name.written]))
      for (const { at, glob } of candidates(index, text)) if (!found.has(at) && matchesGlob(glob, name)) found.add(at);
  return [...found]
    .toSorted((a, b) => a - b)
    .flatMap((at) => set.policies[at] ?? [])
    .filter(({ match }) => matchesResource(match, resource));
}

/** A mirror that lies in what it mirrors has names without end. */
const MAX_UPSTREAM = 64;

interface IndexedGlob {
  readonly at: number;
  readonly glob: ImageGlob;
}

/** Globs by the text that they begin with: of ten thousand policies few begin as an image does. */
interface GlobIndex {
  readonly lengths: readonly number[];
  readonly byPrefix: ReadonlyMap<string, readonly IndexedGlob[]>;
}

const INDEXES: WeakMap<readonly PreparedPolicy[], GlobIndex> = new WeakMap();

function indexOf(policies: readonly PreparedPolicy[]): GlobIndex {
  const known = INDEXES.get(policies);
  if (known !== undefined) return known;
  const globs = policies.flatMap(({ images }, at) => images.map((glob) => ({ at, glob })));
  const byPrefix = Map.groupBy(globs, ({ glob }) => glob.prefix);
  const lengths = [...new Set([...byPrefix.keys()].map((prefix) => prefix.length))];
  const index = { lengths, byPrefix };
  INDEXES.set(policies, index);
  return index;
}

function candidates({ lengths, byPrefix }: GlobIndex, name: string): readonly IndexedGlob[] {
  return lengths.flatMap((length) => (length <= name.length ? (byPrefix.get(name.slice(0, length)) ?? []) : []));
}

/**
 * What an image is called: by its own name, and as it is upstream of a mirror. A mirror must not be a way around the policies of what it
 * mirrors: where one lies in another, or mirrors another, of none of them.
 */
export function namesOf(mirrors: readonly MirrorDocument[], image: ImageName): readonly ImageName[] {
  const own = repositoryName(image.reference);
  const found = new Set([own]);
  for (const repository of found)
    for (const { upstream, mirror } of mirrors) {
      const moved = moveBelow(repository, mirror, upstream);
      if (moved !== undefined && found.size <= MAX_UPSTREAM) found.add(moved);
    }
  found.delete(own);
  return [image, ...[...found].map((repository) => imageName(repository + image.full.slice(own.length)))];
}

/** The mirrors of all settings, the longest name first: of two that hold for a repository the nearer one counts. */
export function mirrorsOf(settings: readonly Pick<SettingsDocument, 'mirrors'>[]): readonly MirrorDocument[] {
  return settings.flatMap(({ mirrors }) => mirrors).toSorted((a, b) => b.upstream.length - a.upstream.length);
}

/** `registry/repository` where the image is fetched: at its mirror, if it has one. */
export function fetchedFrom(mirrors: readonly MirrorDocument[], { reference }: Pick<ImageName, 'reference'>): string {
  return mirrorOf(mirrors, repositoryName(reference));
}

/**
 * Where a repository is read that an image or a policy names.
 *
 * @param repository `registry/repository`
 */
export function mirrorOf(mirrors: readonly MirrorDocument[], repository: string): string {
  for (const { upstream, mirror } of mirrors) {
    const moved = moveBelow(repository, upstream, mirror);
    if (moved !== undefined) return moved;
  }
  return repository;
}

function moveBelow(repository: string, from: string, to: string): string | undefined {
  if (repository === from) return to;
  return repository.startsWith(`${from}/`) ? `${to}${repository.slice(from.length)}` : undefined;
}
