// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import type { Json } from '../../wire/index.ts';
import { fieldOf, listOf, textOf } from '../workload/json-path.ts';
import type { ClusterApi } from './cluster-api.ts';
import type { ObjectStatus } from './compile-policies.ts';
import { objectPath, POLICY_KINDS } from './resource-kinds.ts';
import type { WriteQueue } from './write-queue.ts';

/**
 * Tells in each policy, trusted root, setting and exception what became of it: a condition `Ready`. One replica writes; what stands there
 * already is not written again.
 *
 * @see https://github.com/kubernetes/community/blob/master/contributors/devel/sig-architecture/api-conventions.md#typical-status-properties
 */
export class StatusWriter {
  readonly #api: ClusterApi;
  readonly #queue: WriteQueue;
  readonly #now: () => Date;
  #statuses: readonly ObjectStatus[] = [];
  #leading = false;

  constructor(api: ClusterApi, queue: WriteQueue, now: () => Date) {
    this.#api = api;
    this.#queue = queue;
    this.#now = now;
  }

  /** This replica is the one that writes, or no longer. */
  lead(leading: boolean): void {
    this.#leading = leading;
    this.tell(this.#statuses);
  }

  tell(statuses: readonly ObjectStatus[]): void {
    this.#statuses = statuses;
    if (!this.#leading) return;
    for (const status of statuses) this.#write(status);
  }

  #write(status: ObjectStatus): void {
    const { kind, object } = status;
    const metadata = fieldOf(object, 'metadata');
    const body = statusOf(status, this.#now());
    if (body === undefined) return;
    const name = textOf(metadata, 'name') ?? '';
    const path = `${objectPath(POLICY_KINDS[kind], textOf(metadata, 'namespace') ?? '', name)}/status`;
    this.#queue.add(path, () => this.#api.call({ method: 'PATCH', path, body }));
  }
}

/** What is to be written; `undefined` where it stands there already. */
export function statusOf({ object, problem, remarks }: ObjectStatus, now: Date): Json | undefined {
  const generation = fieldOf(fieldOf(object, 'metadata'), 'generation');
  const before = fieldOf(object, 'status');
  const known = listOf(fieldOf(before, 'conditions')).find((condition) => textOf(condition, 'type') === 'Ready');
  const status = problem === undefined ? 'True' : 'False';
  const reason = problem !== undefined ? 'Unusable' : remarks.length > 0 ? 'InForceWithRemarks' : 'InForce';
  // some API servers take an empty text for none, and none is not allowed
  const message = printable(problem ?? (remarks.length === 0 ? 'in force' : remarks.join('; ')), 1000);
  const same = textOf(known, 'status') === status;
  if (
    same &&
    textOf(known, 'reason') === reason &&
    (textOf(known, 'message') ?? '') === message &&
    fieldOf(before, 'observedGeneration') === generation
  )
    return undefined;
  const time = now.toISOString().replace(/\.\d+Z$/, 'Z');
  const others = listOf(fieldOf(before, 'conditions')).filter((condition) => textOf(condition, 'type') !== 'Ready');
  const ready = {
    type: 'Ready',
    status,
    reason,
    message,
    lastTransitionTime: same ? (textOf(known, 'lastTransitionTime') ?? time) : time,
  };
  return {
    status: { ...(generation === undefined ? {} : { observedGeneration: generation }), conditions: [...others, ready] },
  };
}
