// SPDX-License-Identifier: Apache-2.0
import { bytesBlob, MediaType } from '../../oci/index.ts';
import { loadPolicies, type PolicySet } from '../../policy/index.ts';
import { NAME, Scene } from '../../policy/scene.fixture.ts';
import type { Call, Json, Reply } from '../../wire/index.ts';
import { createAdmissionGate, type AdmissionGate, type AdmissionGateOptions } from './admission-gate.ts';
import type { PatchOperation } from './pin-images.ts';
import type { DecisionRecord, PullScope } from './ports.ts';

// A gate over an image in memory, and reviews as the API server sends them.

/** What a review was answered. */
export interface Answered {
  readonly status: number;
  readonly apiVersion: string;
  readonly kind: string;
  readonly uid: string;
  readonly allowed: boolean;
  readonly code: number | undefined;
  readonly message: string;
  readonly warnings: readonly string[];
  readonly audit: Readonly<Record<string, string>>;
  readonly patch: readonly PatchOperation[];
  readonly body: string;
}

/** A gate, the image that it judges, and a clock that is set by hand. */
export class GateScene {
  readonly scene: Scene;
  readonly records: DecisionRecord[] = [];
  readonly failures: unknown[] = [];
  gate: AdmissionGate;
  set: PolicySet | undefined;
  time: number = Date.parse('2026-06-02T00:00:00Z');
  /** namespace → key of what it may use; `shared` unless told */
  readonly scopes: Map<string, string> = new Map();

  private constructor(scene: Scene, options: Partial<AdmissionGateOptions>) {
    this.scene = scene;
    this.gate = this.#make(options);
  }

  static async create(yaml: string, options: Partial<AdmissionGateOptions> = {}): Promise<GateScene> {
    const made = new GateScene(await Scene.create(), options);
    await made.policies(yaml);
    made.scene.calls.length = 0;
    return made;
  }

  /** Another gate, which knows nothing yet. */
  restart(options: Partial<AdmissionGateOptions> = {}): void {
    this.gate = this.#make(options);
  }

  async policies(yaml: string): Promise<void> {
    this.set = await loadPolicies([{ name: 'p.yaml', bytes: new TextEncoder().encode(yaml) }]);
  }

  /** Lays the image under further names. */
  async tag(name: string, ...tags: readonly string[]): Promise<void> {
    const { calls, repository } = this.scene;
    const image = await repository.manifest('v1');
    const config = new TextEncoder().encode('{"architecture":"amd64","os":"linux"}');
    const at = this.scene.at(name);
    await at.putBlob(bytesBlob(config));
    for (const tag of tags) await at.putManifest(image?.bytes ?? new Uint8Array(), MediaType.imageManifest, { tag });
    calls.length = 0;
  }

  /** `name@digest` of the image */
  get pinned(): string {
    return `${NAME}@${this.scene.digest}`;
  }

  async review(endpoint: 'mutate' | 'validate', request: object, query = '?timeout=10s'): Promise<Answered> {
    return answered(await this.post(`/${endpoint}${query}`, JSON.stringify(reviewOf(request))));
  }

  async post(
    target: string,
    body: string | Uint8Array,
    headers: Record<string, string> = { 'content-type': 'application/json' },
  ): Promise<Reply> {
    const { service } = this.gate;
    const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body;
    const call: Call = { method: 'POST', target, headers, body: chunks(bytes) };
    try {
      return await service.answer(call);
    } catch (error) {
      return service.fault(error);
    }
  }

  #make(options: Partial<AdmissionGateOptions>): AdmissionGate {
    return createAdmissionGate({
      policies: { current: () => (this.set === undefined ? undefined : { set: this.set }) },
      credentials: {
        scopeOf: (namespace): PullScope => ({ key: this.scopes.get(namespace) ?? 'shared', open: this.scene.open }),
      },
      observers: [{ decided: (record) => this.records.push(record) }],
      now: () => new Date(this.time),
      telemetry: {
        began: () => () => undefined,
        cached: () => undefined,
        took: () => undefined,
        failed: (error) => this.failures.push(error),
      },
      ...options,
    });
  }
}

let uids = 0;

/** A review around a request, with what every request has. */
export function reviewOf(request: object): object {
  const {
    object,
    resource = resourceOf(object),
    kind = kindOf(object),
  } = request as Record<string, object | undefined>;
  uids += 1;
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid: `uid-${uids}`,
      namespace: 'default',
      operation: 'CREATE',
      userInfo: { username: 'dev', groups: ['system:authenticated'] },
      oldObject: null,
      dryRun: false,
      options: null,
      ...request,
      resource,
      kind,
    },
  };
}

function resourceOf(object: object | undefined): object {
  const { group, version, kind } = kindOf(object);
  return { group, version, resource: kind === 'EphemeralContainers' ? 'pods' : `${kind.toLowerCase()}s` };
}

function kindOf(object: object | undefined): {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
} {
  const { apiVersion = 'v1', kind = 'Pod' } = (object ?? {}) as { apiVersion?: string; kind?: string };
  const [group = '', version = ''] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  return { group, version, kind };
}

/** A Pod that runs images, one container each. */
export function podOf(images: readonly string[], metadata: object = {}, spec: object = {}): Json {
  const containers = images.map((image, at) => ({ name: `c${at}`, image }));
  return JSON.parse(
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace: 'default', ...metadata },
      spec: { containers, ...spec },
    }),
  ) as Json;
}

/** An object of a kind that makes Pods. */
export function workloadOf(kind: string, images: readonly string[], metadata: object = {}, spec: object = {}): Json {
  const apiVersion = { Job: 'batch/v1', Rollout: 'argoproj.io/v1alpha1' }[kind] ?? 'apps/v1';
  const template = { metadata: { labels: { app: 'a' } }, spec: (podOf(images) as { spec: Json }).spec };
  return JSON.parse(
    JSON.stringify({ apiVersion, kind, metadata: { name: 'w', ...metadata }, spec: { template, ...spec } }),
  ) as Json;
}

export function answered(reply: Reply): Answered {
  const body = textOf(reply);
  const review = (reply.status === 200 ? JSON.parse(body) : {}) as {
    apiVersion?: string;
    kind?: string;
    response?: {
      uid?: string;
      allowed?: boolean;
      status?: { code?: number; message?: string };
      warnings?: string[];
      auditAnnotations?: Record<string, string>;
      patchType?: string;
      patch?: string;
    };
  };
  const { response = {} } = review;
  if ((response.patch === undefined) !== (response.patchType === undefined))
    throw new TypeError('patch and patchType come together');
  return {
    status: reply.status,
    apiVersion: review.apiVersion ?? '',
    kind: review.kind ?? '',
    uid: response.uid ?? '',
    allowed: response.allowed === true,
    code: response.status?.code,
    message: response.status?.message ?? '',
    warnings: response.warnings ?? [],
    audit: response.auditAnnotations ?? {},
    patch:
      response.patch === undefined
        ? []
        : (JSON.parse(Buffer.from(response.patch, 'base64').toString()) as PatchOperation[]),
    body,
  };
}

async function* chunks(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

/** The body of an answer, which the gate always makes as text. */
export function textOf({ body }: Reply): string {
  if (typeof body !== 'string') throw new TypeError('the body is no text');
  return body;
}
