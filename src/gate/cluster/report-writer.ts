// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import { digestHex, digestOf } from '../../oci/index.ts';
import type { Json } from '../../wire/index.ts';
import type { DecisionObserver, DecisionRecord, ImageDecision, PolicyVerdict } from '../admission/ports.ts';
import type { ClusterApi } from './cluster-api.ts';
import { isConflict, isNotFound } from './cluster-error.ts';
import type { WriteQueue } from './write-queue.ts';

/** The version of PolicyReport that is written, where the cluster serves it. */
const REPORTS = 'wgpolicyk8s.io/v1alpha2';
/** whether the cluster serves reports is asked again after (ms) */
const ASK_MS = 10 * 60_000;
const MAX_RESULTS = 200;
const MAX_MESSAGE = 500;

/**
 * Keeps a PolicyReport beside each object that was admitted: which policies its images meet. It belongs to the object and goes with it. Every
 * replica gives it the same name, so that the last decision counts. A refused object is not there, and its refusal is told in an Event.
 *
 * @see https://github.com/kubernetes-sigs/wg-policy-prototypes/tree/master/policy-report
 */
export class ReportWriter implements DecisionObserver {
  readonly #api: ClusterApi;
  readonly #queue: WriteQueue;
  #served: Promise<boolean> | undefined;
  #askedAt = 0;

  constructor(api: ClusterApi, queue: WriteQueue) {
    this.#api = api;
    this.#queue = queue;
  }

  decided(record: DecisionRecord): void {
    const report = reportOf(record);
    if (report === undefined) return;
    const { name, namespace, body } = report;
    this.#queue.add(`report ${namespace}/${name}`, () => this.#write(namespace, name, body));
  }

  async #write(namespace: string, name: string, body: Readonly<Record<string, Json>>): Promise<void> {
    if (!(await this.#isServed())) return;
    const path = `/apis/${REPORTS}/namespaces/${namespace}/policyreports`;
    try {
      await this.#api.call({ method: 'PATCH', path: `${path}/${name}`, body });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      try {
        await this.#api.call({ method: 'POST', path, body });
      } catch (failure) {
        // another replica made it in between
        if (!isConflict(failure)) throw failure;
        await this.#api.call({ method: 'PATCH', path: `${path}/${name}`, body });
      }
    }
  }

  #isServed(): Promise<boolean> {
    const now = performance.now();
    if (this.#served === undefined || now - this.#askedAt > ASK_MS) {
      this.#askedAt = now;
      this.#served = this.#ask();
    }
    return this.#served;
  }

  async #ask(): Promise<boolean> {
    try {
      await this.#api.call({ method: 'GET', path: `/apis/${REPORTS}` });
      return true;
    } catch (error) {
      if (isNotFound(error)) return false;
      this.#served = undefined;
      throw error;
    }
  }
}

/** The report of a decision; `undefined` where there is none to write. */
export function reportOf(
  record: DecisionRecord,
): { readonly name: string; readonly namespace: string; readonly body: Readonly<Record<string, Json>> } | undefined {
  const { dryRun, allowed, endpoint, namespace, name, objectUid, images, subResource } = record;
  if (dryRun || !allowed || endpoint !== 'validate' || images.length === 0) return undefined;
  // Without its uid nothing would take the report away again.
  if (namespace === '' || name === '' || objectUid === '' || subResource !== '') return undefined;
  const { group, version, kind } = record;
  const apiVersion = group === '' ? version : `${group}/${version}`;
  const reportName = `bulla-${digestHex(digestOf(Buffer.from(`${group} ${kind} ${name}`))).slice(0, 32)}`;
  const results = images.flatMap((image) => resultsOf(image, record.at)).slice(0, MAX_RESULTS);
  const count = (result: string): number => results.filter((one) => one.result === result).length;
  return {
    name: reportName,
    namespace,
    body: {
      apiVersion: REPORTS,
      kind: 'PolicyReport',
      metadata: {
        name: reportName,
        namespace,
        labels: { 'app.kubernetes.io/managed-by': 'bulla' },
        ownerReferences: [{ apiVersion, kind, name, uid: objectUid }],
      },
      scope: { apiVersion, kind, namespace, name, uid: objectUid },
      summary: {
        pass: count('pass'),
        warn: count('warn'),
        fail: count('fail'),
        error: count('error'),
        skip: count('skip'),
      },
      results,
    },
  };
}

type Result = { readonly [key: string]: Json; readonly result: string };

function resultsOf({ field, image, decision }: ImageDecision, at: Date): readonly Result[] {
  const { digest, policies } = decision;
  const about = {
    source: 'bulla',
    category: 'Image provenance',
    scored: true,
    timestamp: { seconds: Math.floor(at.getTime() / 1000), nanos: 0 },
    properties: {
      image: printable(image, 300),
      field: printable(field, 200),
      ...(digest === undefined ? {} : { digest }),
    },
  };
  if (policies.length === 0)
    return [
      {
        ...about,
        policy: 'no-policy-matches',
        result: decision.warnings.length > 0 ? 'warn' : 'skip',
        message: decision.message,
      },
    ];
  return policies.map((policy) => ({
    ...about,
    policy: policy.policy,
    result: resultOf(policy),
    message: printable(policy.message, MAX_MESSAGE),
  }));
}

/** An admitted object fails a policy only where that policy does not enforce. */
function resultOf({ outcome, mode }: PolicyVerdict): string {
  if (outcome === 'trusted') return 'pass';
  if (outcome === 'undecided') return 'error';
  return mode === 'enforce' ? 'fail' : 'warn';
}
