// SPDX-License-Identifier: Apache-2.0
import type { PolicyDocuments, PolicySet, PolicySurroundings } from '../../policy/index.ts';
import { canonicalJson, systemClock, type Clock, type Json } from '../../wire/index.ts';
import { digestOf } from '../../oci/index.ts';
import { fieldOf } from '../workload/json-path.ts';
import type { PoliciesInForce, PolicySource } from '../admission/ports.ts';
import type { ClusterApi } from './cluster-api.ts';
import { ClusterError, isNotFound } from './cluster-error.ts';
import { Collection } from './collection.ts';
import { PolicyCompiler, type ObjectStatus, type PolicyObjects } from './compile-policies.ts';
import type { Examination, PolicyExaminer, ReviewedKind } from './policy-reviews.ts';
import { listPath, POLICY_KINDS, type PolicyKind } from './resource-kinds.ts';

/** What is needed to follow the policies of a cluster. */
export interface PolicyWatchOptions {
  readonly api: ClusterApi;
  /** where Secrets, ConfigMaps and PolicyExceptions are read: the gate's own */
  readonly namespace: string;
  /** The trusted roots and engines that documents need, as they are now. */
  readonly surroundings: (documents: PolicyDocuments) => Promise<PolicySurroundings>;
  /** Told of each set once it is in force, with what became of each object. */
  readonly onCompiled?: (statuses: readonly ObjectStatus[], set: PoliciesInForce) => void;
  /** One line for the log; a person should know. */
  readonly onTrouble?: (message: string) => void;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** milliseconds */
  readonly resyncMs?: number;
}

const KINDS: readonly PolicyKind[] = ['policies', 'trustRoots', 'settings', 'exceptions', 'secrets', 'configMaps'];
/** changes that come together are compiled together (ms) */
const SETTLE_MS = 100;
/** What nobody has changed in the cluster may have changed elsewhere: TUF repositories are asked again, and so is what could not be had (ms). */
const REFRESH_MS = 60 * 60_000;
const LOOK_MS = 60_000;
/** what could not be compiled is tried again (ms) */
const RETRY_MS = 10_000;

/**
 * The policies of a cluster, as it has them now. Nothing counts before all kinds of objects have been listed once; after that, what is in force
 * stays in force while the cluster cannot be asked, and says so.
 */
export class PolicyWatch implements PolicySource, PolicyExaminer {
  readonly #options: PolicyWatchOptions;
  readonly #clock: Clock;
  readonly #collections: Readonly<Record<PolicyKind, Collection>>;
  readonly #compiler = new PolicyCompiler();
  /** as they were when policies were compiled last */
  #surroundings: PolicySurroundings = {};
  #current: PoliciesInForce | undefined;
  #fingerprint = '';
  #compiledAt = 0;
  #unusable = false;
  #problem = 'the cluster has not been asked yet';
  #dirty: PromiseWithResolvers<void> = Promise.withResolvers();

  constructor(options: PolicyWatchOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const watched = (kind: PolicyKind): Collection => this.#collection(kind);
    this.#collections = {
      policies: watched('policies'),
      trustRoots: watched('trustRoots'),
      settings: watched('settings'),
      exceptions: watched('exceptions'),
      secrets: watched('secrets'),
      configMaps: watched('configMaps'),
    };
  }

  current(): PoliciesInForce | undefined {
    return this.#current;
  }

  pending(): string {
    return this.#problem;
  }

  /** What keeps the cluster from being watched at present, one line each. */
  problems(): readonly string[] {
    return KINDS.flatMap((kind) => this.#collections[kind].problem?.message ?? []);
  }

  /** What would become of an object, beside what the cluster has and by what was had for it: nothing is fetched. */
  async examine(kind: ReviewedKind, object: Json): Promise<Examination> {
    return await new PolicyCompiler().examine(this.#objects(), kind, object, this.#surroundings);
  }

  /** Watches and compiles until the signal. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const stop = (): void => this.#dirty.resolve();
    signal.addEventListener('abort', stop, { once: true });
    const watching = [this.#look(signal), ...KINDS.map((kind) => this.#collections[kind].run(signal))];
    while (!signal.aborted) {
      await this.#dirty.promise;
      try {
        await this.#clock.sleep(SETTLE_MS, signal);
      } catch {
        break;
      }
      this.#dirty = Promise.withResolvers();
      // an abort in between must still be seen
      if (signal.aborted) break;
      if (KINDS.every((kind) => this.#collections[kind].loaded)) await this.#compile(signal);
    }
    await Promise.all(watching);
  }

  async #look(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#clock.sleep(LOOK_MS, signal);
      } catch {
        return;
      }
      if (this.#unusable || this.#clock.now() - this.#compiledAt >= REFRESH_MS) {
        this.#fingerprint = '';
        this.#dirty.resolve();
      }
    }
  }

  async #compile(signal: AbortSignal): Promise<void> {
    const objects = this.#objects();
    const fingerprint = fingerprintOf(objects);
    const fresh = this.#clock.now() - this.#compiledAt < REFRESH_MS;
    if (fingerprint === this.#fingerprint && fresh) return;
    try {
      const compiled = await this.#compiler.compile(objects, async (documents) => {
        this.#surroundings = await this.#options.surroundings(documents);
        return this.#surroundings;
      });
      [this.#fingerprint, this.#compiledAt] = [fingerprint, this.#clock.now()];
      // The same set stays the same object: what was decided by it stays decided.
      if (this.#current === undefined || !isSameSet(this.#current.set, compiled.set))
        this.#current = { set: compiled.set };
      this.#problem = '';
      this.#unusable = compiled.statuses.some(({ problem }) => problem !== undefined);
      this.#options.onCompiled?.(compiled.statuses, this.#current);
    } catch (error) {
      // Nobody knows what the new objects say: nothing is admitted by the old ones either.
      this.#current = undefined;
      this.#problem = `the policies of the cluster cannot be used: ${messageOf(error)}`;
      this.#options.onTrouble?.(this.#problem);
      void this.#clock.sleep(RETRY_MS, signal).then(this.#dirty.resolve, () => {});
    }
  }

  #objects(): PolicyObjects {
    const of = (kind: PolicyKind): readonly Json[] =>
      [...this.#collections[kind].items].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
    return {
      policies: of('policies'),
      trustRoots: of('trustRoots'),
      settings: of('settings'),
      exceptions: of('exceptions'),
      secrets: of('secrets'),
      configMaps: of('configMaps'),
    };
  }

  #collection(kind: PolicyKind): Collection {
    const { api, namespace, onTrouble, clock, random, resyncMs } = this.#options;
    return new Collection({
      api,
      path: listPath(POLICY_KINDS[kind], namespace),
      onChange: () => this.#dirty.resolve(),
      onProblem: (problem) => {
        const told = problem === undefined ? 'the cluster answers' : explain(problem, kind);
        if (this.#current === undefined) this.#problem = problem === undefined ? 'not all objects are read yet' : told;
        onTrouble?.(`${POLICY_KINDS[kind].kind}: ${told}`);
      },
      ...(clock === undefined ? {} : { clock }),
      ...(random === undefined ? {} : { random }),
      ...(resyncMs === undefined ? {} : { resyncMs }),
    });
  }
}

/** Whether two sets decide alike: the hashes are of all that they refer to. */
function isSameSet(before: PolicySet, after: PolicySet): boolean {
  const all = ({ policies, settingsHash, mirrors }: PolicySet): string =>
    JSON.stringify([settingsHash, mirrors, policies.map(({ name, hash }) => [name, hash])]);
  return all(before) === all(after);
}

/** Of what counts in objects: a status that we wrote, or somebody's annotation, is no change. */
function fingerprintOf(objects: PolicyObjects): string {
  const parts: Record<string, Json> = {};
  for (const kind of KINDS)
    parts[kind] = objects[kind].map((object) => [
      fieldOf(fieldOf(object, 'metadata'), 'name') ?? '',
      fieldOf(fieldOf(object, 'metadata'), 'uid') ?? '',
      fieldOf(object, 'spec') ?? null,
      fieldOf(object, 'data') ?? null,
    ]);
  return digestOf(new TextEncoder().encode(canonicalJson(parts)));
}

/** What a person can do about it. */
function explain(problem: Error, kind: PolicyKind): string {
  const { apiVersion, plural } = POLICY_KINDS[kind];
  if (isNotFound(problem))
    return `the cluster has no ${plural} of ${apiVersion}: apply what 'bulla admission install' prints`;
  const forbidden = problem instanceof ClusterError && problem.code === 'forbidden';
  return forbidden ? `${problem.message}: apply the roles that 'bulla admission install' prints` : problem.message;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
