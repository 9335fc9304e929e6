// SPDX-License-Identifier: Apache-2.0
import { canonicalJson, isJsonObject, systemClock, type Clock, type Json } from '../../wire/index.ts';
import { fieldOf, listOf } from '../workload/json-path.ts';
import type { ClusterApi } from './cluster-api.ts';
import { isConflict, isNotFound } from './cluster-error.ts';
import { Collection } from './collection.ts';
import {
  WEBHOOKS_PATH,
  webhookConfigurations,
  type WebhookConfiguration,
  type WebhookSettings,
} from './webhook-configuration.ts';

/** What is guarded. */
export interface WebhookGuardOptions {
  readonly api: ClusterApi;
  readonly settings: WebhookSettings;
  /** One line that somebody must see: somebody else has taken the gate away, or changed it. */
  readonly onAlarm: (message: string) => void;
  readonly onTrouble?: (message: string) => void;
  readonly clock?: Clock;
}

const ROUND_MS = 5000;

/**
 * Keeps both webhook configurations as they must be: `caBundle` follows the certificates, and a configuration that was deleted or edited is put
 * back and told of. Every replica sees it; the elected one writes.
 */
export class WebhookGuard {
  readonly #options: WebhookGuardOptions;
  readonly #clock: Clock;
  readonly #collections: ReadonlyMap<string, Collection>;
  readonly #plurals: readonly WebhookConfiguration['plural'][];
  #bundle = '';
  #leading = false;
  #restoring: Promise<void> | undefined;
  #again = false;
  /** as they were last put in order: what differs from it was somebody else */
  readonly #kept: Map<string, string> = new Map();

  constructor(options: WebhookGuardOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#plurals = webhookConfigurations(options.settings, '').map(({ plural }) => plural);
    this.#collections = new Map(this.#plurals.map((plural) => [plural, this.#collection(plural)]));
  }

  /** The authorities to be believed from now on, PEM. */
  believe(bundle: string): void {
    this.#bundle = bundle;
    void this.restore();
  }

  lead(leading: boolean): void {
    this.#leading = leading;
    void this.restore();
  }

  /** Whether the cluster has both configurations with this `caBundle` (PEM), and as they must be. */
  isInForce(bundle: string): boolean {
    return webhookConfigurations(this.#options.settings, bundle).every((expected) => {
      const found = this.#found(expected);
      return found !== undefined && isSame(found, expected);
    });
  }

  /** Watches until the signal. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const watching = [...this.#collections.values()].map((collection) => collection.run(signal));
    while (!signal.aborted) {
      await this.restore();
      try {
        await this.#clock.sleep(ROUND_MS, signal);
      } catch {
        break;
      }
    }
    await Promise.all(watching);
  }

  /** Puts back what is not as it must be, where this replica is to. */
  async restore(): Promise<void> {
    this.#again = true;
    this.#restoring ??= this.#work();
    await this.#restoring;
  }

  async #work(): Promise<void> {
    // not before `#restoring` is set, which is unset below
    await Promise.resolve();
    try {
      while (this.#again) {
        this.#again = false;
        if (!this.#leading || this.#bundle === '') return;
        for (const expected of webhookConfigurations(this.#options.settings, this.#bundle)) await this.#put(expected);
      }
    } finally {
      this.#restoring = undefined;
    }
  }

  async #put(expected: WebhookConfiguration): Promise<void> {
    const { api, onAlarm, onTrouble, settings } = this.#options;
    const { plural, kind } = expected;
    if (this.#collections.get(plural)?.loaded !== true) return;
    const found = this.#found(expected);
    if (found !== undefined && isSame(found, expected)) {
      this.#kept.set(plural, digestible(expected.object));
      return;
    }
    const path = `${WEBHOOKS_PATH}/${plural}`;
    try {
      if (found === undefined) await api.call({ method: 'POST', path, body: expected.object });
      else
        await api.call({
          method: 'PUT',
          path: `${path}/${settings.name}`,
          body: { ...expected.object, metadata: mergedMetadata(found, expected) },
        });
      const wasKept = this.#kept.get(plural);
      this.#kept.set(plural, digestible(expected.object));
      // That we ourselves bring a new caBundle is nobody's attack.
      if (wasKept === digestible(expected.object))
        onAlarm(
          `the ${kind} ${settings.name} was ${found === undefined ? 'deleted' : 'changed'} by somebody else; it is put back`,
        );
    } catch (error) {
      if (isConflict(error) || isNotFound(error)) return; // what it is now is seen soon
      onTrouble?.(`the ${kind} ${settings.name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  #found({ plural }: WebhookConfiguration): Json | undefined {
    return this.#collections.get(plural)?.items.get(`/${this.#options.settings.name}`);
  }

  #collection(plural: string): Collection {
    const { api, settings, onTrouble } = this.#options;
    return new Collection({
      api,
      path: `${WEBHOOKS_PATH}/${plural}`,
      query: { fieldSelector: `metadata.name=${settings.name}` },
      clock: this.#clock,
      onChange: () => void this.restore(),
      onProblem: (problem) => {
        if (problem !== undefined) onTrouble?.(`${plural}: ${problem.message}`);
      },
    });
  }
}

function digestible(object: Json): string {
  return canonicalJson(fieldOf(object, 'webhooks') ?? null);
}

/** Whether what was found says what is expected and nothing more: a condition or a webhook that somebody added is a change. */
function isSame(found: Json, { object }: WebhookConfiguration): boolean {
  return covers(fieldOf(found, 'webhooks'), fieldOf(object, 'webhooks') ?? null);
}

function covers(found: Json | undefined, expected: Json): boolean {
  if (Array.isArray(expected)) {
    const items = listOf(found);
    return (
      items.length === expected.length && (expected as readonly Json[]).every((item, at) => covers(items[at], item))
    );
  }
  if (!isJsonObject(expected)) return found === expected;
  // An empty selector selects everything: one with anything in it is another.
  if (Object.keys(expected).length === 0)
    return found === undefined || (isJsonObject(found) && Object.keys(found).length === 0);
  if (!isJsonObject(found)) return false;
  const names = Object.entries(expected);
  return Object.keys(found).length === names.length && names.every(([name, value]) => covers(found[name], value));
}

function mergedMetadata(found: Json, { object }: WebhookConfiguration): Json {
  const [before, wanted] = [fieldOf(found, 'metadata'), fieldOf(object, 'metadata')];
  const labels = { ...objectOf(fieldOf(before, 'labels')), ...objectOf(fieldOf(wanted, 'labels')) };
  return { ...objectOf(before), labels };
}

function objectOf(value: Json | undefined): Readonly<Record<string, Json>> {
  return isJsonObject(value) ? value : {};
}
