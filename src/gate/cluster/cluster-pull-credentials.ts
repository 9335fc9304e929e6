// SPDX-License-Identifier: Apache-2.0
import {
  digestOf,
  parseReference,
  RemoteRegistry,
  type CredentialsProvider,
  type RemoteOptions,
  type Repository,
} from '../../oci/index.ts';
import type { PolicySet } from '../../policy/index.ts';
import { printable } from '../../trust/index.ts';
import { systemClock, type Clock, type Json } from '../../wire/index.ts';
import type { PullCredentials, PullScope } from '../admission/ports.ts';
import { fieldOf, listOf, textOf } from '../workload/json-path.ts';
import type { ClusterApi } from './cluster-api.ts';
import { ClusterError, isNotFound } from './cluster-error.ts';
import { readPullSecret, type PullSecret } from './pull-secret.ts';

/** Where credentials come from, and how registries are reached. */
export interface ClusterPullCredentialsOptions {
  readonly api: ClusterApi;
  /** all but the credentials */
  readonly remote?: Omit<RemoteOptions, 'credentials'>;
  /** Names of the Secrets that policies name for repositories of seals, in the namespace of whatever workload. */
  readonly signatureSecrets?: () => readonly string[];
  /** Asked where no secret of the workload names the registry: the gate's own; nobody unless told. */
  readonly own?: CredentialsProvider;
  readonly clock?: Clock;
}

/** What was read of a Secret or service account serves for so long (ms): a new secret works soon, and a storm of Pods asks once. */
const KEPT_MS = 30_000;
const MAX_KEPT = 10_000;
/** scopes whose connections are kept */
const MAX_SCOPES = 500;
/** registries of one scope whose connections and tokens are held */
const MAX_REGISTRIES = 100;
const MAX_SECRETS = 64;
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

/**
 * Registry credentials as the kubelet would find them: the pull secrets that the pod names, then those of its service account, from its own
 * namespace. Each goes only to the registries that its secret names. A secret that is missing, or of another type, is passed over as the kubelet
 * does; what cannot be read is an error, so that nothing is decided by half of the secrets.
 *
 * @see https://kubernetes.io/docs/concepts/containers/images/#specifying-imagepullsecrets-on-a-pod
 */
export class ClusterPullCredentials implements PullCredentials {
  readonly #options: ClusterPullCredentialsOptions;
  readonly #clock: Clock;
  readonly #kept: Map<string, { readonly until: number; readonly value: Promise<Json | undefined> }> = new Map();
  readonly #found: Map<string, { readonly until: number; readonly scope: PullScope }> = new Map();
  readonly #scopes: Map<string, PullScope> = new Map();

  constructor(options: ClusterPullCredentialsOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  scopeOf(namespace: string, podSpec: Json | undefined): PullScope | Promise<PullScope> {
    const account = textOf(podSpec, 'serviceAccountName') ?? textOf(podSpec, 'serviceAccount') ?? '';
    const names = namesOf(fieldOf(podSpec, 'imagePullSecrets'));
    const forSeals = this.#options.signatureSecrets?.() ?? [];
    const asked = JSON.stringify([namespace, account, names, forSeals]);
    const found = this.#found.get(asked);
    const now = this.#clock.now();
    if (found !== undefined && found.until > now) return found.scope;
    return this.#find(namespace, account, names, forSeals).then((scope) => {
      remember(this.#found, asked, { until: now + KEPT_MS, scope }, MAX_KEPT);
      return scope;
    });
  }

  async #find(
    namespace: string,
    account: string,
    named: readonly string[],
    forSeals: readonly string[],
  ): Promise<PullScope> {
    const own = namespace === '' ? [] : await this.#secrets(namespace, await this.#names(namespace, account, named));
    const seals = namespace === '' ? [] : await this.#secrets(namespace, forSeals);
    const versions = (secrets: readonly PullSecret[]): Json => secrets.map(({ name, version }) => [name, version]);
    // Another order is another key: of two secrets for one registry the first counts.
    const key = digestOf(Buffer.from(JSON.stringify([versions(own), versions(seals)])));
    const scope = this.#scopes.get(key) ?? { key, open: this.#opener(own, seals) };
    remember(this.#scopes, key, scope, MAX_SCOPES);
    return scope;
  }

  async #names(namespace: string, account: string, named: readonly string[]): Promise<readonly string[]> {
    const found = await this.#read(namespace, 'serviceaccounts', account === '' ? 'default' : account);
    return [...new Set([...named, ...namesOf(fieldOf(found, 'imagePullSecrets'))])];
  }

  async #secrets(namespace: string, names: readonly string[]): Promise<readonly PullSecret[]> {
    if (names.length > MAX_SECRETS)
      throw new ClusterError('credentials-malformed', `${names.length} pull secrets, at most ${MAX_SECRETS} are read`);
    const read = await Promise.all(names.map((name) => this.#read(namespace, 'secrets', name)));
    return read.flatMap((secret) => (secret === undefined ? [] : (readPullSecret(secret) ?? [])));
  }

  /** One object, or `undefined` where there is none. Who asks for the same while it is read waits for the same answer. */
  #read(namespace: string, plural: 'secrets' | 'serviceaccounts', name: string): Promise<Json | undefined> {
    if (!NAME.test(name) || !NAME.test(namespace)) {
      const shown = `${printable(namespace, 60)}/${printable(name, 60)}`;
      return Promise.reject(new ClusterError('credentials-malformed', `'${shown}' is no name of one of ${plural}`));
    }
    const path = `/api/v1/namespaces/${namespace}/${plural}/${name}`;
    const now = this.#clock.now();
    const known = this.#kept.get(path);
    if (known !== undefined && known.until > now) return known.value;
    const value = this.#get(path);
    remember(this.#kept, path, { until: now + KEPT_MS, value }, MAX_KEPT);
    value.catch(() => {
      // A failure is asked again.
      if (this.#kept.get(path)?.value === value) this.#kept.delete(path);
    });
    return value;
  }

  async #get(path: string): Promise<Json | undefined> {
    try {
      return await this.#options.api.call({ method: 'GET', path, maxBytes: 4 * 1024 * 1024 });
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  #opener(own: readonly PullSecret[], seals: readonly PullSecret[]): PullScope['open'] {
    const registries = new Map<string, RemoteRegistry>();
    return async (name, { pullSecrets = [] } = {}): Promise<Repository> => {
      const { registry, repository } = parseReference(name);
      const further = seals.filter((secret) => pullSecrets.some((one) => secret.name.endsWith(`/${one}`)));
      const key = JSON.stringify([registry, further.map((secret) => secret.name)]);
      const known = registries.get(key) ?? this.#registry(registry, [...further, ...own]);
      remember(registries, key, known, MAX_REGISTRIES);
      return known.repository(repository);
    };
  }

  #registry(registry: string, secrets: readonly PullSecret[]): RemoteRegistry {
    const { remote, own } = this.#options;
    const credentials: CredentialsProvider = async (host, repository) => {
      for (const secret of secrets) {
        const found = secret.find(host, repository);
        if (found !== undefined) return found;
      }
      return own?.(host, repository);
    };
    return new RemoteRegistry(registry, { ...remote, credentials });
  }
}

/** The Secrets that policies name for repositories of seals (`signaturePullSecrets`). */
export function signatureSecretsOf(set: PolicySet | undefined): readonly string[] {
  if (set === undefined) return [];
  const known = SIGNATURE_SECRETS.get(set);
  if (known !== undefined) return known;
  const names = set.policies.flatMap(({ authorities }) =>
    authorities.flatMap((authority) => (authority.kind === 'static' ? [] : (authority.source?.pullSecrets ?? []))),
  );
  const distinct = [...new Set(names)].toSorted();
  SIGNATURE_SECRETS.set(set, distinct);
  return distinct;
}

const SIGNATURE_SECRETS: WeakMap<PolicySet, readonly string[]> = new WeakMap();

function namesOf(references: Json | undefined): readonly string[] {
  return listOf(references)
    .flatMap((reference) => textOf(reference, 'name') ?? [])
    .filter((name) => name !== '');
}

/** Keeps a value as the newest, and lets the oldest go. */
function remember<T>(map: Map<string, T>, key: string, value: T, max: number): void {
  map.delete(key);
  if (map.size >= max) map.delete(map.keys().next().value ?? '');
  map.set(key, value);
}
