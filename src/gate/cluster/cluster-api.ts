// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../wire/index.ts';

/** One call of the Kubernetes API. */
export interface ApiCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** without a query, for example `/api/v1/namespaces/default/secrets/pull` */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** of PATCH it is a merge patch (RFC 7396) */
  readonly body?: Json;
  readonly signal?: AbortSignal;
  /** bytes of the answer; 16 MiB unless told */
  readonly maxBytes?: number;
}

/** A cluster's API server, as far as the gate needs one. @see https://kubernetes.io/docs/reference/using-api/api-concepts/ */
export interface ClusterApi {
  /** `https://host:port`, for messages */
  readonly server: string;
  /** the namespace of the kubeconfig's context, or of the Pod that this runs in */
  readonly namespace: string;
  /**
   * Calls, and reads the answer.
   *
   * @throws ClusterError by what the API server says; WireError where it could not be asked
   */
  call(call: ApiCall): Promise<Json>;
  /**
   * The events of a watch, until the API server ends it, which it does after some minutes.
   *
   * @throws as {@link ClusterApi.call}
   */
  watch(path: string, query: Readonly<Record<string, string>>, signal: AbortSignal): AsyncIterable<Json>;
  /** Ends idle connections. */
  close(): void;
}
