// SPDX-License-Identifier: Apache-2.0
import { systemClock, type Clock, type Json } from '../../wire/index.ts';
import { fieldOf, textOf } from '../workload/json-path.ts';
import type { ClusterApi } from './cluster-api.ts';
import { isConflict, isNotFound } from './cluster-error.ts';

/** Which lease, and for whom. */
export interface LeaseOptions {
  readonly api: ClusterApi;
  readonly namespace: string;
  readonly name: string;
  /** of this replica: its Pod's name, say */
  readonly identity: string;
  /** Told when this replica becomes the one that writes, and when it no longer is. */
  readonly onChange: (leading: boolean) => void;
  readonly onTrouble?: (message: string) => void;
  readonly clock?: Clock;
}

/** A lease that was not renewed for so long is free (s). */
const LIFE_SECONDS = 15;
const RENEW_MS = 4000;
/** A leader that could not renew gives up before another takes over (ms). */
const GIVE_UP_MS = 10_000;

/**
 * Elects one replica by a Lease, as Kubernetes' own controllers do. When another took over is judged by our own clock, from when we saw the
 * lease change: clocks of machines may differ. A leader that cannot renew stops before its lease can be taken.
 *
 * @see https://kubernetes.io/docs/concepts/architecture/leases/
 */
export class LeaseElection {
  readonly #options: LeaseOptions;
  readonly #clock: Clock;
  #leading = false;
  #renewedAt = 0;
  #seen = '';
  #seenAt = 0;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  get leading(): boolean {
    return this.#leading;
  }

  /** Runs for election until the signal, then gives the lease back. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.round(signal);
      try {
        await this.#clock.sleep(RENEW_MS, signal);
      } catch {
        break;
      }
    }
    if (this.#leading) await this.#giveBack();
    this.#become(false);
  }

  /** One attempt to take or keep the lease. */
  async round(signal?: AbortSignal): Promise<void> {
    const began = this.#clock.now();
    try {
      const leading = await this.#attempt(signal);
      if (leading) this.#renewedAt = began;
      this.#become(leading);
    } catch (error) {
      if (signal?.aborted === true) return;
      if (!isConflict(error))
        this.#options.onTrouble?.(
          `the Lease ${this.#options.name}: ${error instanceof Error ? error.message : String(error)}`,
        );
      if (this.#clock.now() - this.#renewedAt > GIVE_UP_MS) this.#become(false);
    }
  }

  async #attempt(signal: AbortSignal | undefined): Promise<boolean> {
    const { api, identity } = this.#options;
    const lease = await this.#read(signal);
    if (lease === undefined) {
      await api.call({ method: 'POST', path: this.#path(''), body: this.#lease(undefined), ...sent(signal) });
      return true;
    }
    const spec = fieldOf(lease, 'spec');
    const holder = textOf(spec, 'holderIdentity') ?? '';
    const mark = `${holder} ${textOf(spec, 'renewTime') ?? ''}`;
    if (mark !== this.#seen) [this.#seen, this.#seenAt] = [mark, this.#clock.now()];
    const expired = this.#clock.now() - this.#seenAt > LIFE_SECONDS * 1000;
    if (holder !== '' && holder !== identity && !expired) return false;
    // The version in it makes this fail where another was faster.
    await api.call({ method: 'PUT', path: this.#path(this.#options.name), body: this.#lease(lease), ...sent(signal) });
    return true;
  }

  async #read(signal: AbortSignal | undefined): Promise<Json | undefined> {
    try {
      return await this.#options.api.call({ method: 'GET', path: this.#path(this.#options.name), ...sent(signal) });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  #lease(before: Json | undefined, holderIdentity: string = this.#options.identity): Json {
    const now = `${new Date(this.#clock.now()).toISOString().slice(0, -1)}000Z`;
    const spec = fieldOf(before, 'spec');
    const same = textOf(spec, 'holderIdentity') === holderIdentity;
    const transitions = fieldOf(spec, 'leaseTransitions');
    const count = typeof transitions === 'number' ? transitions : 0;
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: fieldOf(before, 'metadata') ?? { name: this.#options.name, namespace: this.#options.namespace },
      spec: {
        holderIdentity,
        leaseDurationSeconds: holderIdentity === '' ? 1 : LIFE_SECONDS,
        acquireTime: same ? (textOf(spec, 'acquireTime') ?? now) : now,
        renewTime: now,
        leaseTransitions: before === undefined || same ? count : count + 1,
      },
    };
  }

  async #giveBack(): Promise<void> {
    try {
      const lease = await this.#read(undefined);
      if (textOf(fieldOf(lease, 'spec'), 'holderIdentity') !== this.#options.identity || lease === undefined) return;
      const body = this.#lease(lease, '');
      await this.#options.api.call({ method: 'PUT', path: this.#path(this.#options.name), body });
    } catch {
      // it ends by itself
    }
  }

  #path(name: string): string {
    const base = `/apis/coordination.k8s.io/v1/namespaces/${this.#options.namespace}/leases`;
    return name === '' ? base : `${base}/${name}`;
  }

  #become(leading: boolean): void {
    if (leading === this.#leading) return;
    this.#leading = leading;
    this.#options.onChange(leading);
  }
}

function sent(signal: AbortSignal | undefined): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}
