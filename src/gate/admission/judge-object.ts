// SPDX-License-Identifier: Apache-2.0
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
  readonly run: RunningObject;
  /** where pull secrets and service account are named */
  readonly podSpec: Json | undefined;
}

/** @see https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-config-mirror */
const MIRROR = 'kubernetes.io/config.mirror';

export function describeObject({ object, oldObject, resource, kind, user }: AdmissionRequest): ReviewedObject {
  const isPod = resource.group === '' && resource.resource === 'pods';
  const metadata = fieldOf(object, 'metadata') ?? null;
  const annotations = fieldOf(metadata, 'annotations');
  const isMirrorPod =
    isPod && user.groups.includes('system:nodes') && isJsonObject(annotations) && Object.hasOwn(annotations, MIRROR);
  const seen = resourceOf(object);
  return {
    isPod,
    isMirrorPod,
    run: {
      // The API server says what it is; the object need not.
      resource: {
        group: resource.group,
        version: resource.version,
        resource: resource.resource,
        labels: seen?.resource.labels ?? {},
      },
      spec: fieldOf(object, 'spec') ?? null,
      metadata,
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
  return isJsonObject(spec) ? spec : undefined;
}
