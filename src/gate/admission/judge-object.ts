// SPDX-License-Identifier: Apache-2.0
import { readsObject, type PolicySet } from '../../policy/index.ts';
import { isJsonObject, type Json } from '../../wire/index.ts';
import { fieldOf, textOf, valueAt, type JsonPath } from '../workload/json-path.ts';
import { podSpecPath } from '../workload/pod-spec-path.ts';
import { resourceOf } from '../workload/resource-of.ts';
import type { AdmissionRequest } from './admission-review.ts';
import type { RunningObject } from './image-question.ts';

/** What a request is about, as far as the gate tells kinds apart. */
export interface ReviewedObject {
  /** it runs as it stands: its images must have digests */
  readonly isPod: boolean;
  /** a node reports a Pod that it runs from a file of its own; nothing that is said here keeps it from that */
  readonly isMirrorPod: boolean;
  /** a policy looks at the object itself, so that all of it is held */
  readonly isRead: boolean;
  readonly run: RunningObject;
  /** the part of a pod spec that names pull secrets and a service account */
  readonly podSpec: Json | undefined;
}

/** @see https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-config-mirror */
const MIRROR = 'kubernetes.io/config.mirror';

/** What the policies look at, and nothing more: what is described is held for as long as a registry takes. */
export function describeObject(
  { object, oldObject, resource, kind, user }: AdmissionRequest,
  { policies }: Pick<PolicySet, 'policies'>,
): ReviewedObject {
  const isPod = (resource.group === '' && resource.resource === 'pods') || (kind.group === '' && kind.kind === 'Pod');
  const metadata = fieldOf(object, 'metadata') ?? null;
  const annotations = fieldOf(metadata, 'annotations');
  const isMirrorPod =
    isPod && user.groups.includes('system:nodes') && isJsonObject(annotations) && Object.hasOwn(annotations, MIRROR);
  const seen = resourceOf(object);
  const isRead = policies.some(readsObject);
  return {
    isPod,
    isMirrorPod,
    isRead,
    run: {
      // The API server says what it is; the object need not.
      resource: {
        group: resource.group,
        version: resource.version,
        resource: resource.resource,
        labels: policies.some(({ match }) => match.length > 0) ? (seen?.resource.labels ?? {}) : {},
      },
      spec: isRead ? (fieldOf(object, 'spec') ?? null) : null,
      metadata: isRead ? metadata : null,
      typemeta: seen?.typemeta ?? {
        apiVersion: kind.group === '' ? kind.version : `${kind.group}/${kind.version}`,
        kind: kind.kind,
      },
    },
    podSpec: podSpecOf(object) ?? podSpecOf(oldObject),
  };
}

// Of a kind that is not Kubernetes' own it is looked for where most have it.
const TEMPLATE: JsonPath = ['spec', 'template', 'spec'];

function podSpecOf(object: AdmissionRequest['object']): Json | undefined {
  if (object === null || textOf(object, 'kind') === 'EphemeralContainers') return undefined;
  const spec = valueAt(object, podSpecPath(object) ?? TEMPLATE);
  return isJsonObject(spec)
    ? Object.fromEntries(CREDENTIALS.flatMap((name) => (Object.hasOwn(spec, name) ? [[name, spec[name] ?? null]] : [])))
    : undefined;
}

const CREDENTIALS = ['imagePullSecrets', 'serviceAccountName', 'serviceAccount'];
