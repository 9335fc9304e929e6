// SPDX-License-Identifier: Apache-2.0
import type { Descriptor, Repository } from '../../oci/index.ts';
import type { Evidence } from '../catalog/cataloger.ts';
import { SbomError } from '../error.ts';
import type { SbomLimits } from '../limits.ts';
import { entryPath } from './entry-path.ts';
import { linkEvidence, openFileSink, readerOf } from './file-sink.ts';
import { weightOf, type KnownFiles, type LayerChanges } from './known-files.ts';
import { openLayer } from './open-layer.ts';
import { TarReader, type EntrySink } from './tar-reader.ts';
import type { TarEntry } from './tar-header.ts';

/** What is still allowed for the image that a layer belongs to. */
export interface Budget {
  readonly limits: SbomLimits;
  bytes: number;
  entries: number;
}

const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
/** aufs kept its own records under names like these; they are no files of the image */
const AUFS = '.wh..wh.';

/**
 * Reads one layer: what it tells, and what it hides of the layers below. A second time only for hard links to files whose own name did
 * not say that they matter.
 *
 * @param below what the lower layers tell
 * @throws SbomError `layer-malformed`, `layer-unsupported`, `path-climbs`, `too-large`; RegistryError
 */
export async function readLayer(
  repository: Repository,
  layer: Descriptor,
  below: KnownFiles,
  budget: Budget,
  where: string,
  signal?: AbortSignal,
): Promise<LayerChanges> {
  const pass = new LayerPass(below, budget, where);
  await readEntries(repository, layer, budget, where, signal, (entry) => pass.entry(entry));
  if (pass.wanted.size > 0) {
    await readEntries(repository, layer, budget, where, signal, (entry) => pass.wantedEntry(entry));
    pass.settleWanted();
  }
  return pass;
}

async function readEntries(
  repository: Repository,
  layer: Descriptor,
  budget: Budget,
  where: string,
  signal: AbortSignal | undefined,
  onEntry: (entry: TarEntry) => EntrySink | undefined,
): Promise<void> {
  const { limits } = budget;
  const tar = new TarReader(where, limits.nameBytes, onEntry);
  let bytes = 0;
  for await (const chunk of openLayer(repository, layer, where)) {
    signal?.throwIfAborted();
    bytes += chunk.byteLength;
    budget.bytes += chunk.byteLength;
    if (bytes > limits.layerBytes) throw tooLarge(where, `unpacks to more than ${limits.layerBytes} bytes`);
    if (budget.bytes > limits.imageBytes) {
      throw tooLarge(where, `and those below unpack to more than ${limits.imageBytes} bytes`);
    }
    tar.push(chunk);
  }
  tar.end();
}

class LayerPass implements LayerChanges {
  readonly hidden = new Set<string>();
  readonly added = new Map<string, Evidence>();
  /** hard links whose contents passed unread: from the path that holds them to the links */
  readonly wanted = new Map<string, string[]>();
  readonly #below: KnownFiles;
  readonly #budget: Budget;
  readonly #where: string;
  /** of the wanted files those that were found */
  readonly #found = new Set<string>();
  /** folders of which all that is below is hidden already */
  readonly #cleared = new Set<string>();
  #weight = 0;

  constructor(below: KnownFiles, budget: Budget, where: string) {
    this.#below = below;
    this.#budget = budget;
    this.#where = where;
  }

  entry(entry: TarEntry): EntrySink | undefined {
    const { limits } = this.#budget;
    if (++this.#budget.entries > limits.entries) throw tooLarge(this.#where, `has entry ${limits.entries + 1}`);
    const path = entryPath(entry.name, this.#where, limits.depth);
    const slash = path.lastIndexOf('/');
    const name = path.slice(slash + 1);
    if (name.startsWith(WHITEOUT)) return this.#whiteout(slash === -1 ? '' : path.slice(0, slash), name);
    if (entry.kind === 'directory') {
      if (this.#below.files.has(path)) this.hidden.add(path);
      return undefined;
    }
    this.#hide(this.#below.replacedBy(path));
    // of two entries of one name the last counts
    this.added.delete(path);
    if (entry.kind === 'file') return this.#sink(path, entry);
    if (entry.kind === 'hard-link') this.#link(path, entryPath(entry.target, this.#where, limits.depth));
    else if (entry.kind === 'symlink') this.#add(path, linkEvidence(path, entry.target));
    return undefined;
  }

  /** In the second reading: the contents of what hard links lead to. */
  wantedEntry(entry: TarEntry): EntrySink | undefined {
    if (entry.kind !== 'file') return undefined;
    const path = entryPath(entry.name, this.#where, this.#budget.limits.depth);
    const [link] = this.wanted.get(path) ?? [];
    if (link !== undefined) this.#found.add(path);
    return link === undefined ? undefined : this.#sink(link, entry);
  }

  /** What the first link to a file tells, the others tell too. */
  settleWanted(): void {
    for (const [target, [first = '', ...others]] of this.wanted) {
      const evidence = this.added.get(first);
      for (const link of others) this.#add(link, evidence);
      if (this.#found.has(target)) continue;
      const message = `it is a hard link to /${target}, which is not in the layer`;
      this.#add(first, { findings: [{ code: 'link-not-followed', message }] });
    }
  }

  #sink(path: string, entry: TarEntry): EntrySink | undefined {
    const reader = readerOf(path);
    if (reader === undefined) return undefined;
    return openFileSink(reader, path, entry, this.#budget.limits, (evidence) => this.#add(path, evidence));
  }

  #link(path: string, target: string): void {
    const kind = readerOf(path)?.kind;
    const lower = this.hidden.has(target) ? undefined : this.#below.files.get(target)?.evidence;
    const evidence = this.added.get(target) ?? lower;
    if (evidence !== undefined && readerOf(target)?.kind === kind) this.#add(path, evidence);
    else if (kind === 'whole') {
      const links = this.wanted.get(target);
      if (links === undefined) this.wanted.set(target, [path]);
      else links.push(path);
    }
  }

  #whiteout(folder: string, name: string): undefined {
    if (name === OPAQUE) {
      if (!this.#cleared.has(folder)) this.#hide(this.#below.below(folder));
      this.#cleared.add(folder);
    }
    if (!name.startsWith(AUFS) && name !== WHITEOUT) {
      const hidden = name.slice(WHITEOUT.length);
      this.#hide(this.#below.replacedBy(folder === '' ? hidden : `${folder}/${hidden}`));
    }
  }

  #hide(paths: readonly string[]): void {
    for (const path of paths) this.hidden.add(path);
  }

  #add(path: string, evidence: Evidence | undefined): void {
    if (evidence === undefined) return;
    this.added.set(path, evidence);
    this.#weight += weightOf(path, evidence);
    const limit = this.#budget.limits.keptBytes;
    if (this.#below.weight + this.#weight > limit) {
      throw tooLarge(this.#where, `and those below tell of packages in more than ${limit} bytes`);
    }
  }
}

function tooLarge(where: string, problem: string): SbomError {
  return new SbomError('too-large', `${where} ${problem}, which is more than is read of an image`);
}
