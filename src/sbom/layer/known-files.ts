// SPDX-License-Identifier: Apache-2.0
import type { Evidence } from '../catalog/cataloger.ts';
import type { PackageDraft } from '../package.ts';

/** What one file of the image tells. */
export interface KnownFile {
  readonly evidence: Evidence;
  /** the lowest layer, by index, since which each of the packages has been there */
  readonly since: readonly number[];
}

/** What a layer did to the files that are known from those below it. */
export interface LayerChanges {
  /** what it hides: paths that it replaced or removed */
  readonly hidden: ReadonlySet<string>;
  readonly added: ReadonlyMap<string, Evidence>;
}

/**
 * The files of an image that tell of packages, layer upon layer from the lowest. Only these are kept, so that an image of any size takes
 * the memory of its package databases.
 *
 * @see https://github.com/opencontainers/image-spec/blob/main/layer.md#applying-changesets
 */
export class KnownFiles {
  readonly #files = new Map<string, KnownFile>();
  /** from a folder to the files and folders in it that matter */
  readonly #folders = new Map<string, Set<string>>();
  #weight = 0;

  get files(): ReadonlyMap<string, KnownFile> {
    return this.#files;
  }

  /** bytes that all of it takes, roughly */
  get weight(): number {
    return this.#weight;
  }

  /** The paths that an entry of the next layer hides, if it is no folder: itself, and all below where it takes a folder's place. */
  replacedBy(path: string): readonly string[] {
    const itself = this.#files.has(path) ? [path] : [];
    return this.#folders.has(path) ? [...itself, ...this.below(path)] : itself;
  }

  /** All files in a folder and the folders in it; of the root, all. */
  below(folder: string): readonly string[] {
    const found: string[] = [];
    const queue = [folder];
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      for (const child of this.#folders.get(next) ?? []) {
        if (this.#files.has(child)) found.push(child);
        if (this.#folders.has(child)) queue.push(child);
      }
    }
    return found;
  }

  /** Puts a layer on top. */
  apply(layer: number, { hidden, added }: LayerChanges): void {
    const before = new Map<string, KnownFile>();
    for (const path of hidden) {
      const file = this.#files.get(path);
      if (file === undefined) continue;
      before.set(path, file);
      this.#remove(path, file);
    }
    for (const [path, evidence] of added) {
      const replaced = this.#files.get(path);
      if (replaced !== undefined) this.#remove(path, replaced);
      this.#weight += weightOf(path, evidence);
      this.#files.set(path, { evidence, since: sinceOf(layer, evidence, before.get(path)) });
      this.#enter(path);
    }
  }

  #enter(path: string): void {
    for (let child = path; child !== '';) {
      const folder = folderOf(child);
      const children = this.#folders.get(folder);
      if (children?.has(child) === true) return;
      if (children === undefined) this.#folders.set(folder, new Set([child]));
      else children.add(child);
      child = folder;
    }
  }

  #remove(path: string, file: KnownFile): void {
    this.#files.delete(path);
    this.#weight -= weightOf(path, file.evidence);
    for (let child = path; child !== '' && !this.#files.has(child) && !this.#folders.has(child);) {
      const folder = folderOf(child);
      const children = this.#folders.get(folder);
      children?.delete(child);
      if (children?.size !== 0) return;
      this.#folders.delete(folder);
      child = folder;
    }
  }
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0));
}

/** Bytes that are kept for a file, roughly: what counts against the limit. */
export function weightOf(path: string, evidence: Evidence): number {
  const { packages = [], owned, ownedBy, licences, findings = [] } = evidence;
  const licenceLength = licences?.texts.reduce((sum, text) => sum + text.length, 0) ?? 0;
  // folders on the way may be no other file's
  return (
    300 +
    4 * path.length +
    400 * packages.length +
    (owned?.paths.length ?? 0) +
    (ownedBy?.length ?? 0) +
    licenceLength +
    200 * findings.length
  );
}

/** A database is written anew by each layer that changes it: what stood in the one below came with that one. */
function sinceOf(layer: number, { packages = [] }: Evidence, before: KnownFile | undefined): readonly number[] {
  const earlier = new Map((before?.evidence.packages ?? []).map((one, at) => [identityOf(one), before?.since[at]]));
  return packages.map((one) => earlier.get(identityOf(one)) ?? layer);
}

/** What makes two packages the same one. */
export function identityOf({ kind, namespace = '', name, version = '', architecture = '' }: PackageDraft): string {
  return [kind, namespace, name, version, architecture].join('\0');
}
