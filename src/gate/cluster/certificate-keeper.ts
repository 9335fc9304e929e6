// SPDX-License-Identifier: Apache-2.0
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { decodeBase64, isJsonObject, systemClock, WireError, type Clock, type Json } from '../../wire/index.ts';
import type { TlsMaterial, TlsSource } from '../admission/ports.ts';
import { fieldOf, textOf } from '../workload/json-path.ts';
import { DEFAULT_LIVES, nextCertificates, type CertificateLives, type CertificateState } from './certificate-plan.ts';
import type { ClusterApi } from './cluster-api.ts';
import { isConflict } from './cluster-error.ts';
import { Collection } from './collection.ts';
import { objectPath, POLICY_KINDS } from './resource-kinds.ts';

/** Whose certificates, and where they are kept. */
export interface CertificateKeeperOptions {
  readonly api: ClusterApi;
  readonly namespace: string;
  /** of the Secret */
  readonly name: string;
  /** names and addresses by which the API server calls the gate */
  readonly hosts: readonly string[];
  readonly lives?: Partial<CertificateLives>;
  /** Whether both webhook configurations have this `caBundle` (PEM). */
  readonly isInForce: (bundle: string) => boolean;
  /** Told of the authorities to be believed (PEM), whenever they are others. */
  readonly onBundle: (bundle: string) => void;
  /** one line for the log */
  readonly onStep?: (message: string) => void;
  /** one line that somebody must see */
  readonly onTrouble?: (message: string) => void;
  readonly clock?: Clock;
}

/** Ask for a rotation: `kubectl annotate secret NAME policy.bulla/rotate=TEXT`, with another text each time. */
const ROTATE: string = 'policy.bulla/rotate';
const ROTATED = 'policy.bulla/rotated';
const SINCE = 'policy.bulla/since';
/** Steps are looked for this often (ms), and no slower than the overlap needs. */
const ROUND_MS = 5000;

/**
 * The gate's own authority and certificate, kept in a Secret that all replicas read and the elected one writes. What is served changes when
 * the Secret does; connections that stand are not broken.
 */
export class CertificateKeeper implements TlsSource {
  readonly #options: CertificateKeeperOptions;
  readonly #clock: Clock;
  readonly #lives: CertificateLives;
  readonly #collection: Collection;
  readonly #watchers: Set<(material: TlsMaterial) => void> = new Set();
  readonly #first: PromiseWithResolvers<void> = Promise.withResolvers();
  #served: TlsMaterial | undefined;
  #bundle = '';
  #leading = false;
  #stepping = false;

  constructor(options: CertificateKeeperOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#lives = { ...DEFAULT_LIVES, ...options.lives };
    this.#collection = new Collection({
      api: options.api,
      path: objectPath(POLICY_KINDS.secrets, options.namespace, '').replace(/\/$/, ''),
      query: { fieldSelector: `metadata.name=${options.name}` },
      clock: this.#clock,
      onChange: () => this.#read(),
      onProblem: (problem) => {
        if (problem !== undefined) options.onTrouble?.(`the Secret ${options.name}: ${problem.message}`);
      },
    });
  }

  /** The authorities to be believed, PEM; empty before they are known. */
  get bundle(): string {
    return this.#bundle;
  }

  /** Waits for the first certificate: the elected replica makes it. */
  async current(): Promise<TlsMaterial> {
    await this.#first.promise;
    if (this.#served === undefined) throw new WireError('tls-malformed', 'the gate has no certificate');
    return this.#served;
  }

  watch(changed: (material: TlsMaterial) => void): () => void {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  }

  /** This replica is the one that writes, or no longer. */
  lead(leading: boolean): void {
    this.#leading = leading;
  }

  /** Watches the Secret, and where this replica leads, takes the steps that are due. Never throws. */
  async run(signal: AbortSignal): Promise<void> {
    const watching = this.#collection.run(signal);
    const pause = Math.min(ROUND_MS, Math.max(200, this.#lives.overlap / 4));
    while (!signal.aborted) {
      await this.step();
      try {
        await this.#clock.sleep(this.#served === undefined ? 200 : pause, signal);
      } catch {
        break;
      }
    }
    this.#first.resolve();
    await watching;
  }

  /** Takes the next step, where one is due and this replica is to take it. */
  async step(): Promise<void> {
    if (!this.#leading || !this.#collection.loaded || this.#stepping) return;
    this.#stepping = true;
    try {
      await this.#step();
    } catch (error) {
      // Another was faster; what it wrote is read first.
      if (!isConflict(error)) this.#trouble(error);
    } finally {
      this.#stepping = false;
    }
  }

  async #step(): Promise<void> {
    const { hosts, isInForce, onStep } = this.#options;
    const secret = this.#secret();
    const state = secret === undefined ? undefined : stateOf(secret);
    const rotate = textOf(fieldOf(fieldOf(secret, 'metadata'), 'annotations'), ROTATE) ?? '';
    const situation = {
      now: new Date(this.#clock.now()),
      hosts,
      lives: this.#lives,
      rotate,
      bundleInForce: state !== undefined && isInForce(state.authorities),
    };
    let step;
    try {
      step = await nextCertificates(state, situation);
    } catch (error) {
      this.#trouble(error);
      step = await nextCertificates(undefined, situation);
    }
    if (step.done === undefined) return;
    await this.#write(secret, step.state);
    onStep?.(`certificates: ${step.done}`);
  }

  async #write(before: Json | undefined, state: CertificateState): Promise<void> {
    const { api, namespace, name } = this.#options;
    const metadata = fieldOf(before, 'metadata');
    const body: Json = {
      apiVersion: 'v1',
      kind: 'Secret',
      type: 'Opaque',
      metadata: {
        ...(isJsonObject(metadata) ? metadata : { name, namespace }),
        annotations: {
          ...((fieldOf(metadata, 'annotations') ?? {}) as Readonly<Record<string, Json>>),
          [SINCE]: state.since.toISOString(),
          [ROTATED]: state.rotated,
        },
      },
      data: {
        'ca.crt': encode(state.authorities),
        'ca.key': encode(state.authorityKey),
        'tls.crt': encode(state.certificate),
        'tls.key': encode(state.key),
      },
    };
    const path = objectPath(POLICY_KINDS.secrets, namespace, name);
    const list = path.slice(0, path.lastIndexOf('/'));
    await api.call(before === undefined ? { method: 'POST', path: list, body } : { method: 'PUT', path, body });
  }

  #secret(): Json | undefined {
    return this.#collection.items.get(`${this.#options.namespace}/${this.#options.name}`);
  }

  #read(): void {
    const secret = this.#secret();
    const state = secret === undefined ? undefined : stateOf(secret);
    if (state === undefined || !isPair(state)) {
      // What is served goes on being served: without the Secret there is nothing better.
      if (secret !== undefined)
        this.#options.onTrouble?.(`the Secret ${this.#options.name} holds no certificate with its key`);
      return;
    }
    if (state.authorities !== this.#bundle) {
      this.#bundle = state.authorities;
      this.#options.onBundle(state.authorities);
    }
    if (this.#served?.cert === state.certificate && this.#served.key === state.key) return;
    this.#served = { cert: state.certificate, key: state.key };
    this.#first.resolve();
    for (const changed of this.#watchers) changed(this.#served);
  }

  #trouble(error: unknown): void {
    this.#options.onTrouble?.(`certificates: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** What the Secret holds; what is missing is empty, and then of no use. */
function stateOf(secret: Json): CertificateState {
  const entry = (name: string): string => {
    try {
      return new TextDecoder().decode(decodeBase64(textOf(fieldOf(secret, 'data'), name) ?? '', name));
    } catch {
      return '';
    }
  };
  const annotations = fieldOf(fieldOf(secret, 'metadata'), 'annotations');
  const since = new Date(textOf(annotations, SINCE) ?? '');
  return {
    authorities: entry('ca.crt'),
    authorityKey: entry('ca.key'),
    certificate: entry('tls.crt'),
    key: entry('tls.key'),
    since: Number.isNaN(since.getTime()) ? new Date(0) : since,
    rotated: textOf(annotations, ROTATED) ?? '',
  };
}

function isPair({ certificate, key }: CertificateState): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}

function encode(pem: string): string {
  return Buffer.from(pem).toString('base64');
}
