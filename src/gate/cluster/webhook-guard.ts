// SPDX-License-Identifier: Apache-2.0
import { canonicalJson, isJsonObject, systemClock, type Clock, type Json } from '../../wire/index.ts';
import { fieldOf, listOf, textOf } from '../workload/json-path.ts';
import type { ClusterApi } from './cluster-api.ts';
import { isConflict, isNotFound } from './cluster-error.ts';
import { Collection } from './collection.ts';
import { OwnDeployment, type Standing } from './own-deployment.ts';
import {
  isOurs,
  WEBHOOK_LISTS,
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
  readonly onStep?: (message: string) => void;
  readonly onTrouble?: (message: string) => void;
  readonly clock?: Clock;
}

const ROUND_MS = 5000;
/** How long what was put back goes away with the gate's ClusterRole (ms): by then nobody is taking the gate away. */
const BOUND_MS = 10 * 60_000;
const ROLES = '/apis/rbac.authorization.k8s.io/v1/clusterroles';

/**
 * Keeps the webhook configurations as they must be: `caBundle` follows the certificates, one that was deleted or edited is put back and told of,
 * and one that is no longer wanted goes. Every replica sees it; the elected one writes.
 *
 * It must not stand in the way of who upgrades the gate or takes it away. A gate whose Deployment asks for another by now brings certificates into
 * what it finds and changes nothing else. What takes a gate away deletes the configurations before the gate: what is put back belongs to its
 * ClusterRole for the first minutes, so that it goes when that does, and no cluster is left with webhooks that nobody answers.
 */
export class WebhookGuard {
  readonly #options: WebhookGuardOptions;
  readonly #clock: Clock;
  readonly #collections: ReadonlyMap<string, Collection>;
  readonly #deployment: OwnDeployment | undefined;
  #standing: Standing = 'wanted';
  #bundle = '';
  #leading = false;
  #restoring: Promise<void> | undefined;
  #again = false;
  /** as they were last put in order: what differs from it was somebody else */
  readonly #kept: Map<string, string> = new Map();

  constructor(options: WebhookGuardOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#collections = new Map(WEBHOOK_LISTS.map((plural) => [plural, this.#collection(plural)]));
    const { endpoint, name } = options.settings;
    if (endpoint.kind === 'service') this.#deployment = new OwnDeployment(options.api, endpoint.namespace, name);
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

  /** Whether the cluster has the configurations with this `caBundle` (PEM), and as they must be. */
  isInForce(bundle: string): boolean {
    return webhookConfigurations(this.#options.settings, bundle).every((expected) => {
      const found = this.#found(expected.plural);
      if (this.#standing !== 'wanted') return found === undefined || isSame(found, rebundled(found, expected));
      return found !== undefined && isSame(found, expected);
    });
  }

  /** Watches until the signal. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const watching = [...this.#collections.values()].map((collection) => collection.run(signal));
    // what it asks for now is this gate
    await this.#deployment?.standing();
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
        await this.#order();
      }
    } finally {
      this.#restoring = undefined;
    }
  }

  async #order(): Promise<void> {
    const expected = webhookConfigurations(this.#options.settings, this.#bundle);
    for (const one of expected) await this.#put(one);
    for (const plural of WEBHOOK_LISTS) if (expected.every((one) => one.plural !== plural)) await this.#take(plural);
  }

  async #put(expected: WebhookConfiguration): Promise<void> {
    const { onAlarm, settings } = this.#options;
    const { plural, kind } = expected;
    if (this.#collections.get(plural)?.loaded !== true) return;
    const found = this.#found(plural);
    if (found !== undefined && isSame(found, expected)) {
      this.#kept.set(plural, digestible(expected.object));
      if (this.#isBoundTooLong(found))
        await this.#write(plural, 'PUT', { ...objectOf(found), metadata: unbound(found) });
      return;
    }
    if (!(await this.#isWanted())) {
      if (found === undefined || isSame(found, rebundled(found, expected))) return;
      await this.#write(plural, 'PUT', rebundled(found, expected).object);
      return;
    }
    const metadata = found === undefined ? await this.#bound(expected) : mergedMetadata(found, expected);
    if (!(await this.#write(plural, found === undefined ? 'POST' : 'PUT', { ...expected.object, metadata }))) return;
    const wasKept = this.#kept.get(plural);
    this.#kept.set(plural, digestible(expected.object));
    // That we ourselves bring a new caBundle is nobody's attack.
    if (wasKept === digestible(expected.object))
      onAlarm(
        `the ${kind} ${settings.name} was ${found === undefined ? 'deleted' : 'changed'} by somebody else; it is put back`,
      );
  }

  /** Takes a configuration away that an earlier gate of this name had, and this one is not to have. */
  async #take(plural: WebhookConfiguration['plural']): Promise<void> {
    const found = this.#found(plural);
    if (found === undefined || !isOurs(found) || !(await this.#isWanted())) return;
    if (await this.#write(plural, 'DELETE'))
      this.#options.onStep?.(`took the ${plural} ${this.#options.settings.name} away: this gate mutates nothing`);
  }

  /** @returns whether it was done; what was not is tried again */
  async #write(plural: string, method: 'POST' | 'PUT' | 'DELETE', body?: Json): Promise<boolean> {
    const { api, settings, onTrouble } = this.#options;
    const list = `${WEBHOOKS_PATH}/${plural}`;
    const path = method === 'POST' ? list : `${list}/${settings.name}`;
    try {
      await api.call({ method, path, ...(body === undefined ? {} : { body }) });
      return true;
    } catch (error) {
      // what it is now is seen soon
      if (!isConflict(error) && !isNotFound(error))
        onTrouble?.(`${plural} ${settings.name}: ${error instanceof Error ? error.message : String(error)}`);
      return false;
    }
  }

  async #isWanted(): Promise<boolean> {
    const before = this.#standing;
    this.#standing = (await this.#deployment?.standing()) ?? 'wanted';
    if (this.#standing === 'superseded' && before !== 'superseded')
      this.#options.onStep?.(
        'the Deployment asks for another gate by now, which the webhook configurations are left to',
      );
    return this.#standing === 'wanted';
  }

  /** The metadata of a configuration that goes when the gate's ClusterRole does. */
  async #bound({ object }: WebhookConfiguration): Promise<Json> {
    const { api, settings } = this.#options;
    const metadata = objectOf(fieldOf(object, 'metadata'));
    try {
      const role = await api.call({ method: 'GET', path: `${ROLES}/${settings.name}` });
      const uid = textOf(fieldOf(role, 'metadata'), 'uid') ?? '';
      const owner = { apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', name: settings.name, uid };
      return { ...metadata, ownerReferences: [owner] };
    } catch {
      // a gate whose rights come from elsewhere
      return metadata;
    }
  }

  #isBoundTooLong(found: Json): boolean {
    const metadata = fieldOf(found, 'metadata');
    const since = Date.parse(textOf(metadata, 'creationTimestamp') ?? '');
    return listOf(fieldOf(metadata, 'ownerReferences')).some(isOurRole) && this.#clock.now() - since > BOUND_MS;
  }

  #found(plural: string): Json | undefined {
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

/** What was found, with the `caBundle` that is expected and nothing else of it. */
function rebundled(found: Json, expected: WebhookConfiguration): WebhookConfiguration {
  const bundle = fieldOf(fieldOf(listOf(fieldOf(expected.object, 'webhooks'))[0], 'clientConfig'), 'caBundle') ?? '';
  const webhooks = listOf(fieldOf(found, 'webhooks')).map((webhook) => ({
    ...objectOf(webhook),
    clientConfig: { ...objectOf(fieldOf(webhook, 'clientConfig')), caBundle: bundle },
  }));
  return { ...expected, object: { ...objectOf(found), webhooks } };
}

function unbound(found: Json): Json {
  const metadata = objectOf(fieldOf(found, 'metadata'));
  return {
    ...metadata,
    ownerReferences: listOf(fieldOf(metadata, 'ownerReferences')).filter((owner) => !isOurRole(owner)),
  };
}

function isOurRole(owner: Json): boolean {
  return textOf(owner, 'kind') === 'ClusterRole';
}

function mergedMetadata(found: Json, { object }: WebhookConfiguration): Json {
  const [before, wanted] = [fieldOf(found, 'metadata'), fieldOf(object, 'metadata')];
  const labels = { ...objectOf(fieldOf(before, 'labels')), ...objectOf(fieldOf(wanted, 'labels')) };
  return { ...objectOf(before), labels };
}

function objectOf(value: Json | undefined): Readonly<Record<string, Json>> {
  return isJsonObject(value) ? value : {};
}
