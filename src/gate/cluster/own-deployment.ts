// SPDX-License-Identifier: Apache-2.0
import { canonicalJson, type Json } from '../../wire/index.ts';
import { fieldOf, textOf } from '../workload/json-path.ts';
import type { ClusterApi } from './cluster-api.ts';
import { isNotFound } from './cluster-error.ts';

/** Which of two gates a webhook configuration is to fit, while one is exchanged for the other. */
export type Standing =
  /** this gate is the one that the cluster asks for */
  | 'wanted'
  /** the Deployment asks for another by now, which writes the configurations when it is there */
  | 'superseded'
  /** the Deployment is gone: the gate is being taken away */
  | 'removed';

/**
 * The Deployment that this gate belongs to. An upgrade writes it first and the webhook configurations after it, while the gate of before still
 * serves: what that would put back is not tampering but its successor's.
 */
export class OwnDeployment {
  readonly #api: ClusterApi;
  readonly #path: string;
  #template: string | undefined;

  constructor(api: ClusterApi, namespace: string, name: string) {
    this.#api = api;
    this.#path = `/apis/apps/v1/namespaces/${namespace}/deployments/${name}`;
  }

  /** How this gate stands now. Where the cluster does not say, or never had such a Deployment, it is wanted: it goes on guarding. */
  async standing(): Promise<Standing> {
    try {
      const found = await this.#api.call({ method: 'GET', path: this.#path });
      const template = canonicalJson(fieldOf(fieldOf(found, 'spec'), 'template') ?? null);
      this.#template ??= template;
      if (isLeaving(found)) return 'removed';
      return template === this.#template ? 'wanted' : 'superseded';
    } catch (error) {
      return this.#template !== undefined && isNotFound(error) ? 'removed' : 'wanted';
    }
  }
}

function isLeaving(object: Json): boolean {
  return textOf(fieldOf(object, 'metadata'), 'deletionTimestamp') !== undefined;
}
