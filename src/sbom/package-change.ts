// SPDX-License-Identifier: Apache-2.0
/** As much of a package as two lists of packages can be compared by. */
export interface ListedPackage {
  /** the type of its purl; `unknown` where it has none */
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  readonly version?: string;
}

/** A package of which other versions are there than before. */
export interface ChangedPackage {
  readonly kind: string;
  readonly namespace?: string;
  readonly name: string;
  /** versions that are gone, and those that came; several where several are installed */
  readonly from: readonly string[];
  readonly to: readonly string[];
}

/** In what two lists differ; each sorted by kind, namespace and name. */
export interface PackageDifference {
  readonly added: readonly ListedPackage[];
  readonly removed: readonly ListedPackage[];
  readonly changed: readonly ChangedPackage[];
  /** how many packages are in both with the same version */
  readonly unchanged: number;
}

/**
 * Compares two lists of packages by kind, namespace and name. A package that is there in two versions of which one went is one that
 * changed; one with no version left is removed.
 *
 * @example
 * const { added, removed, changed } = comparePackages(before.packages, after.packages);
 */
export function comparePackages(before: readonly ListedPackage[], after: readonly ListedPackage[]): PackageDifference {
  const [old, now] = [byName(before), byName(after)];
  const added: ListedPackage[] = [];
  const removed: ListedPackage[] = [];
  const changed: ChangedPackage[] = [];
  let unchanged = 0;
  for (const key of [...new Set([...old.keys(), ...now.keys()])].toSorted()) {
    const [from = new Set<string>(), to = new Set<string>()] = [old.get(key), now.get(key)];
    const [kind = '', namespace = '', name = ''] = key.split('\0');
    const named = { kind, ...(namespace === '' ? {} : { namespace }), name };
    const [gone, came] = [[...from.difference(to)].toSorted(), [...to.difference(from)].toSorted()];
    unchanged += from.intersection(to).size;
    if (from.size === 0) added.push(...came.map((version) => withVersion(named, version)));
    else if (to.size === 0) removed.push(...gone.map((version) => withVersion(named, version)));
    else if (gone.length > 0 || came.length > 0) changed.push({ ...named, from: gone, to: came });
  }
  return { added, removed, changed, unchanged };
}

function byName(packages: readonly ListedPackage[]): ReadonlyMap<string, Set<string>> {
  const names = new Map<string, Set<string>>();
  for (const { kind, namespace = '', name, version = '' } of packages) {
    const key = [kind, namespace, name].join('\0');
    const versions = names.get(key);
    if (versions === undefined) names.set(key, new Set([version]));
    else versions.add(version);
  }
  return names;
}

function withVersion(named: ListedPackage, version: string): ListedPackage {
  return version === '' ? named : { ...named, version };
}
