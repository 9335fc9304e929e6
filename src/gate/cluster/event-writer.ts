// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import type { Json } from '../../wire/index.ts';
import { fieldOf, listOf, textOf } from '../workload/json-path.ts';
import type { DecisionObserver, DecisionRecord } from '../admission/ports.ts';
import type { ClusterApi } from './cluster-api.ts';
import type { WriteQueue } from './write-queue.ts';

/** the same is not told again within (ms) */
const QUIET_MS = 5 * 60_000;
const MAX_TOLD = 5000;
/** the API server takes 1024 */
const MAX_MESSAGE = 1000;

/**
 * Tells of refusals and warnings in Events: on the object where it exists, on what made it where it does not (a Pod that was refused is told of
 * on its ReplicaSet, where people look), else on the namespace. What a dry run asked leaves none, and an object without a namespace has none.
 */
export class EventWriter implements DecisionObserver {
  readonly #api: ClusterApi;
  readonly #queue: WriteQueue;
  readonly #reporter: string;
  readonly #told: Map<string, number> = new Map();

  /** @param reporter this replica's name */
  constructor(api: ClusterApi, queue: WriteQueue, reporter: string) {
    this.#api = api;
    this.#queue = queue;
    this.#reporter = reporter;
  }

  decided(record: DecisionRecord): void {
    const told = eventOf(record, this.#reporter);
    if (told === undefined) return;
    const { event, key } = told;
    if (this.#isQuiet(key, record.at.getTime())) return;
    const path = `/api/v1/namespaces/${record.namespace}/events`;
    this.#queue.add(`event ${key}`, () => this.#api.call({ method: 'POST', path, body: event }));
  }

  #isQuiet(key: string, now: number): boolean {
    const before = this.#told.get(key);
    if (before !== undefined && now - before < QUIET_MS) return true;
    this.#told.delete(key);
    if (this.#told.size >= MAX_TOLD) this.#told.delete(this.#told.keys().next().value ?? '');
    this.#told.set(key, now);
    return false;
  }
}

/** The Event of a decision; `undefined` where there is nothing to tell, or nobody may be told. */
export function eventOf(
  record: DecisionRecord,
  reporter: string,
): { readonly event: Json; readonly key: string } | undefined {
  const { allowed, dryRun, namespace, warnings, endpoint, at } = record;
  // Both endpoints judge each object: what is allowed in the end is for the second to say.
  if (dryRun || namespace === '' || (allowed && (warnings.length === 0 || endpoint === 'mutate'))) return undefined;
  const about = involved(record);
  const text = allowed ? warnings.join('; ') : record.message;
  const reason = allowed ? 'ImageWarning' : record.code === 'refused' ? 'ImageRefused' : 'ImageUndecided';
  // what cannot be printed takes several characters when it is written out
  const message = printable(`${subjectOf(record)}${text}`, MAX_MESSAGE).slice(0, MAX_MESSAGE);
  const time = at.toISOString().replace(/\.\d+Z$/, 'Z');
  const event: Json = {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { generateName: 'bulla-', namespace },
    involvedObject: about,
    type: 'Warning',
    reason,
    message,
    source: { component: 'bulla-gate' },
    reportingComponent: 'policy.bulla/gate',
    reportingInstance: reporter,
    action: record.operation === 'CREATE' ? 'Create' : 'Update',
    firstTimestamp: time,
    lastTimestamp: time,
    count: 1,
  };
  return { event, key: JSON.stringify([about, reason, text]) };
}

/** Whom the Event stands with: who will look there. */
function involved(record: DecisionRecord): Json {
  const { group, version, kind, namespace, name, objectUid, owners, operation } = record;
  if (operation !== 'CREATE' && name !== '') {
    const apiVersion = group === '' ? version : `${group}/${version}`;
    return { apiVersion, kind, namespace, name, ...(objectUid === '' ? {} : { uid: objectUid }) };
  }
  const owner = listOf(owners).find((one) => fieldOf(one, 'controller') === true) ?? listOf(owners)[0];
  const [apiVersion, ownerKind, ownerName, uid] = ['apiVersion', 'kind', 'name', 'uid'].map((part) =>
    textOf(owner, part),
  );
  if (apiVersion !== undefined && ownerKind !== undefined && ownerName !== undefined)
    return { apiVersion, kind: ownerKind, namespace, name: ownerName, ...(uid === undefined ? {} : { uid }) };
  if (name !== '') return { apiVersion: group === '' ? version : `${group}/${version}`, kind, namespace, name };
  return { apiVersion: 'v1', kind: 'Namespace', name: namespace, namespace };
}

function subjectOf({ kind, name, generateName }: DecisionRecord): string {
  const shown = name === '' ? (generateName === '' ? '' : ` ${generateName}…`) : ` ${name}`;
  return `${kind}${shown}: `;
}
