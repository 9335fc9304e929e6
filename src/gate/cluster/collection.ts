// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import { isJsonObject, systemClock, type Clock, type Json } from '../../wire/index.ts';
import { fieldOf, textOf } from '../workload/json-path.ts';
import type { ClusterApi } from './cluster-api.ts';
import { ClusterError } from './cluster-error.ts';
import { listPages } from './list-pages.ts';

/** What is watched, and who is told. */
export interface CollectionOptions {
  readonly api: ClusterApi;
  /** of the list, for example `/apis/policy.sigstore.dev/v1beta1/clusterimagepolicies` */
  readonly path: string;
  /** selectors */
  readonly query?: Readonly<Record<string, string>>;
  /** Called after each change of the items, once the first list is in. */
  readonly onChange: () => void;
  /** Called where the cluster cannot be watched, and with `undefined` once it can again. */
  readonly onProblem?: (problem: Error | undefined) => void;
  readonly clock?: Clock;
  /** from 0 up to 1 */
  readonly random?: () => number;
  /** milliseconds after which everything is listed anew, whatever the watch has said */
  readonly resyncMs?: number;
}

const RESYNC_MS = 10 * 60_000;
/** seconds, up to twice as long; the API server's own limit is between 30 and 60 minutes */
const WATCH_SECONDS = 240;
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 30_000;
const MAX_ITEMS = 50_000;

/**
 * The objects of one kind as the cluster has them now: listed in pages, then watched. When the watch ends it goes on from where it was; where
 * that is too old to be known (410) everything is listed anew. What was read stays until something newer is read: a cluster that cannot be
 * asked takes nothing away.
 *
 * @see https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
 */
export class Collection {
  readonly #options: CollectionOptions;
  readonly #clock: Clock;
  #items: Map<string, Json> = new Map();
  #version = '';
  #loaded = false;
  #problem: Error | undefined;
  #pause = FIRST_PAUSE;

  constructor(options: CollectionOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** By namespace and name (`ns/name`; `/name` where there is no namespace). */
  get items(): ReadonlyMap<string, Json> {
    return this.#items;
  }

  /** A list has been read. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** Why the cluster cannot be watched at present. */
  get problem(): Error | undefined {
    return this.#problem;
  }

  /** Lists and watches until the signal. Never throws: what fails is told, and tried again after a pause. */
  async run(signal: AbortSignal): Promise<void> {
    let listedAt = 0;
    while (!signal.aborted) {
      try {
        const resync = this.#clock.now() - listedAt >= (this.#options.resyncMs ?? RESYNC_MS);
        if (this.#version === '' || resync) {
          await this.#list(signal);
          listedAt = this.#clock.now();
        }
        this.#tell(undefined);
        await this.#watch(signal);
        // A server that ends each watch at once is not asked in a loop.
        await this.#wait(FIRST_PAUSE, signal);
      } catch (error) {
        if (signal.aborted) return;
        const gone = error instanceof ClusterError && error.code === 'gone';
        if (gone) this.#version = '';
        else {
          this.#tell(error instanceof Error ? error : new Error(String(error)));
          // whether anything was missed is not known
          this.#version = '';
        }
        await this.#wait(gone ? FIRST_PAUSE : this.#nextPause(), signal);
      }
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { api, path, query } = this.#options;
    const items = new Map<string, Json>();
    const version = await listPages(api, { path, signal, ...(query === undefined ? {} : { query }) }, (item) => {
      if (items.size >= MAX_ITEMS)
        throw new ClusterError('answer-unusable', `more than ${MAX_ITEMS} objects in ${path}`);
      const key = keyOf(item);
      if (key !== undefined) items.set(key, item);
    });
    if (version === '') throw new ClusterError('answer-unusable', `the list of ${path} has no resourceVersion`);
    const changed = !this.#loaded || !isSame(this.#items, items);
    [this.#items, this.#version, this.#loaded] = [items, version, true];
    this.#pause = FIRST_PAUSE;
    if (changed) this.#options.onChange();
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { api, path, query, random = Math.random } = this.#options;
    const seconds = Math.round(WATCH_SECONDS * (1 + random()));
    const events = api.watch(
      path,
      { ...query, allowWatchBookmarks: 'true', resourceVersion: this.#version, timeoutSeconds: String(seconds) },
      signal,
    );
    for await (const event of events) this.#take(event);
  }

  #take(event: Json): void {
    const type = textOf(event, 'type');
    const object = fieldOf(event, 'object') ?? null;
    if (type === 'ERROR') throw watchError(object, this.#options.path);
    const version = textOf(fieldOf(object, 'metadata'), 'resourceVersion');
    if (version === undefined)
      throw new ClusterError('answer-unusable', `an event of ${this.#options.path} without a version`);
    const key = keyOf(object);
    if (type !== 'BOOKMARK' && key !== undefined) {
      if (type === 'DELETED') this.#items.delete(key);
      else this.#items.set(key, object);
      if (this.#items.size > MAX_ITEMS)
        throw new ClusterError('answer-unusable', `more than ${MAX_ITEMS} objects in ${this.#options.path}`);
      this.#options.onChange();
    }
    this.#version = version;
  }

  #tell(problem: Error | undefined): void {
    if (problem?.message === this.#problem?.message) return;
    this.#problem = problem;
    this.#options.onProblem?.(problem);
  }

  #nextPause(): number {
    const pause = this.#pause * (0.5 + (this.#options.random ?? Math.random)());
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
    return pause;
  }

  async #wait(milliseconds: number, signal: AbortSignal): Promise<void> {
    try {
      await this.#clock.sleep(milliseconds, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

/** `ns/name` of an object. */
function keyOf(object: Json): string | undefined {
  const metadata = fieldOf(object, 'metadata');
  const name = textOf(metadata, 'name');
  return name === undefined || name === '' ? undefined : `${textOf(metadata, 'namespace') ?? ''}/${name}`;
}

function versionOf(object: Json | undefined): string | undefined {
  return textOf(fieldOf(object, 'metadata'), 'resourceVersion');
}

function isSame(before: ReadonlyMap<string, Json>, after: ReadonlyMap<string, Json>): boolean {
  if (before.size !== after.size) return false;
  for (const [key, item] of after) if (versionOf(before.get(key)) !== versionOf(item)) return false;
  return true;
}

function watchError(status: Json, path: string): ClusterError {
  const message = `the watch of ${path} ended: ${printable(textOf(status, 'message') ?? 'no reason given', 200)}`;
  const code = isJsonObject(status) ? status['code'] : undefined;
  return new ClusterError(code === 410 ? 'gone' : 'service-unavailable', message);
}
