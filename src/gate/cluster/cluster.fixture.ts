// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, type Clock, type Json } from '../../wire/index.ts';
import { fieldOf, textOf } from '../workload/json-path.ts';
import type { ApiCall, ClusterApi } from './cluster-api.ts';
import { ClusterError } from './cluster-error.ts';

type JsonObject = { readonly [key: string]: Json };

interface Watcher {
  readonly path: string;
  push(event: Json): void;
  end(error?: Error): void;
}

/** A cluster in memory that keeps objects with versions and tells watchers; what a real API server does is tried in test/kubernetes. */
export class MemoryCluster implements ClusterApi {
  readonly server: string = 'https://cluster.test';
  readonly namespace: string = 'gate';
  /** every call, `METHOD path` */
  readonly calls: string[] = [];
  readonly bodies: Json[] = [];
  /** called before each call; what it throws, the call throws */
  before: (call: ApiCall) => void = () => undefined;
  readonly #objects: Map<string, JsonObject> = new Map();
  readonly #watchers: Set<Watcher> = new Set();
  #version = 0;

  /** Puts an object, as anybody would. @param path of its list */
  put(path: string, object: JsonObject): void {
    const metadata = fieldOf(object, 'metadata');
    const key = `${path}/${textOf(metadata, 'name') ?? ''}`;
    const before = this.#objects.get(key);
    const uid = textOf(fieldOf(before, 'metadata'), 'uid') ?? `uid-${this.#version + 1}`;
    const kept: JsonObject = {
      ...object,
      metadata: { uid, ...(isJsonObject(metadata) ? metadata : {}), resourceVersion: String(++this.#version) },
    };
    this.#objects.set(key, kept);
    this.#tell(path, { type: before === undefined ? 'ADDED' : 'MODIFIED', object: kept });
  }

  remove(path: string, name: string): void {
    const object = this.#objects.get(`${path}/${name}`);
    this.#objects.delete(`${path}/${name}`);
    if (object !== undefined)
      this.#tell(path, {
        type: 'DELETED',
        object: {
          ...object,
          metadata: { ...(object['metadata'] as JsonObject), resourceVersion: String(++this.#version) },
        },
      });
  }

  get(path: string, name: string): JsonObject | undefined {
    return this.#objects.get(`${path}/${name}`);
  }

  /** Ends all watches, as an API server does now and then. */
  endWatches(error?: Error): void {
    for (const watcher of this.#watchers) watcher.end(error);
  }

  /** Sends an event to who watches a path. */
  send(path: string, event: Json): void {
    this.#tell(path, event);
  }

  get watches(): number {
    return this.#watchers.size;
  }

  async call(call: ApiCall): Promise<Json> {
    await Promise.resolve();
    this.calls.push(`${call.method} ${call.path}`);
    if (call.body !== undefined) this.bodies.push(call.body);
    this.before(call);
    const { path, method, body } = call;
    const at = path.lastIndexOf('/');
    const [list, name] = [path.slice(0, at), decodeURIComponent(path.slice(at + 1))];
    if (method === 'POST') {
      const made = textOf(fieldOf(body, 'metadata'), 'name') ?? `made-${this.#version}`;
      if (this.#objects.has(`${path}/${made}`)) throw new ClusterError('conflict', `${made} is there already`);
      this.put(path, {
        ...(body as JsonObject),
        metadata: { ...(fieldOf(body, 'metadata') as JsonObject), name: made },
      });
      return this.get(path, made) ?? null;
    }
    const found = this.#objects.get(path);
    if (method === 'GET' && found !== undefined) return found;
    if (
      method === 'GET' &&
      [...this.#objects.keys()].every((key) => !key.startsWith(`${path}/`)) &&
      !this.lists.has(path)
    )
      throw new ClusterError('not-found', `there is no ${path}`);
    if (method === 'GET') return this.#list(call);
    const target = path.endsWith('/status') ? list : path;
    const before = this.#objects.get(target);
    if (before === undefined) throw new ClusterError('not-found', `there is no ${target}`);
    if (method === 'DELETE') {
      this.remove(list, name);
      return before;
    }
    const sent = textOf(fieldOf(body, 'metadata'), 'resourceVersion');
    if (method === 'PUT' && sent !== undefined && sent !== textOf(fieldOf(before, 'metadata'), 'resourceVersion'))
      throw new ClusterError('conflict', `${target} has changed`);
    const next =
      method === 'PUT'
        ? (body as JsonObject)
        : { ...before, ...(body as JsonObject), metadata: before['metadata'] ?? {} };
    this.put(target.slice(0, target.lastIndexOf('/')), next);
    return this.#objects.get(target) ?? name;
  }

  /** lists that are served though they are empty */
  readonly lists: Set<string> = new Set();

  async *watch(
    path: string,
    query: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): AsyncGenerator<Json, void, undefined> {
    this.calls.push(`WATCH ${path}`);
    this.before({ method: 'GET', path, query });
    const waiting: Json[] = [];
    let ended: { readonly error?: Error } | undefined;
    let wake = Promise.withResolvers<void>();
    const watcher: Watcher = {
      path,
      push(event) {
        waiting.push(event);
        wake.resolve();
      },
      end(error) {
        ended = error === undefined ? {} : { error };
        wake.resolve();
      },
    };
    this.#watchers.add(watcher);
    const stop = (): void => watcher.end(signal.reason as Error);
    signal.addEventListener('abort', stop, { once: true });
    try {
      while (true) {
        for (let event = waiting.shift(); event !== undefined; event = waiting.shift()) yield event;
        if (ended !== undefined) {
          if (ended.error !== undefined) throw ended.error;
          return;
        }
        await wake.promise;
        wake = Promise.withResolvers();
      }
    } finally {
      this.#watchers.delete(watcher);
    }
  }

  close(): void {
    this.endWatches();
  }

  #list({ path, query = {} }: ApiCall): Json {
    const limit = Number(query['limit'] ?? '500');
    const all = [...this.#objects]
      .filter(([key]) => key.slice(0, key.lastIndexOf('/')) === path)
      .map(([, object]) => object);
    const named = /^metadata\.name=(.*)$/.exec(query['fieldSelector'] ?? '')?.[1];
    const chosen =
      named === undefined ? all : all.filter((object) => textOf(fieldOf(object, 'metadata'), 'name') === named);
    const from = Number(query['continue'] ?? '0');
    const more = from + limit < chosen.length ? { continue: String(from + limit) } : {};
    return { metadata: { resourceVersion: String(this.#version), ...more }, items: chosen.slice(from, from + limit) };
  }

  #tell(path: string, event: Json): void {
    for (const watcher of this.#watchers) if (watcher.path === path) watcher.push(event);
  }
}

/** A clock that a test turns. */
export class TurnedClock implements Clock {
  #now = Date.parse('2030-01-01T00:00:00Z');
  readonly #sleepers: Set<{ readonly until: number; wake(): void }> = new Set();

  now(): number {
    return this.#now;
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error);
        return;
      }
      const sleeper = {
        until: this.#now + milliseconds,
        wake: (): void => {
          this.#sleepers.delete(sleeper);
          resolve();
        },
      };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason as Error);
      });
    });
  }

  /** Lets time go by until something holds that takes real time as well: keys that are made, for example. */
  async turnUntil(holds: () => boolean): Promise<void> {
    for (let turns = 0; turns < 1000 && !holds(); turns++) {
      await this.turn(500);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    if (!holds()) throw new Error('it never came to hold');
  }

  /** Lets time go by, and everything that waits for it happen. */
  async turn(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds;
    await settle();
    for (;;) {
      const next = [...this.#sleepers].toSorted((a, b) => a.until - b.until)[0];
      if (next === undefined || next.until > end) break;
      this.#now = Math.max(this.#now, next.until);
      next.wake();
      await settle();
    }
    this.#now = end;
    await settle();
  }
}

/** Lets everything happen that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let turns = 0; turns < 20; turns++) await new Promise((resolve) => setImmediate(resolve));
}
