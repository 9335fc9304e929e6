// SPDX-License-Identifier: Apache-2.0
import { isDigest } from '../../../oci/index.ts';
import type { Workload } from '../../../policy/index.ts';
import { isJsonObject, type Json } from '../../../wire/index.ts';
import { imageFields } from '../../workload/image-fields.ts';
import { fieldOf, formatPath, listOf, textOf, valueAt } from '../../workload/json-path.ts';
import { objectType, podSpecPath } from '../../workload/pod-spec-path.ts';
import { resourceOf } from '../../workload/resource-of.ts';

/** An image that an object of a cluster runs, or would run. */
export interface RunningImage {
  /** what is decided on: of a Pod, the digest that runs where the kubelet says which */
  readonly image: string;
  readonly workload?: Workload;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** for example `spec.containers[0].image` */
  readonly field: string;
  /** as it stands there, where that is not what is decided on */
  readonly written?: string;
  /** for pull secrets */
  readonly podSpec?: Json;
}

/** Phases in which a Pod runs nothing any more. */
const ENDED: ReadonlySet<string> = new Set(['Succeeded', 'Failed']);

/**
 * The images of one object. A Pod that has ended runs none, and neither does a ReplicaSet of no replicas, of which a Deployment keeps ten.
 *
 * @throws GateError as `imageFields`
 */
export function runningImages(object: Json): readonly RunningImage[] {
  const kind = objectType(object)?.kind ?? '';
  if (kind === 'Pod' && ENDED.has(textOf(fieldOf(object, 'status'), 'phase') ?? '')) return [];
  if (kind === 'ReplicaSet' && fieldOf(fieldOf(object, 'spec'), 'replicas') === 0) return [];
  const metadata = fieldOf(object, 'metadata');
  const workload = resourceOf(withoutBookkeeping(object));
  const path = podSpecPath(object);
  const podSpec = path === undefined ? undefined : valueAt(object, path);
  const about = {
    kind,
    namespace: textOf(metadata, 'namespace') ?? '',
    name: textOf(metadata, 'name') ?? '',
    ...(workload === undefined ? {} : { workload }),
    ...(podSpec === undefined ? {} : { podSpec }),
  };
  const digests = kind === 'Pod' ? runningDigests(object) : new Map<string, string>();
  return imageFields(object).flatMap(({ path: at, image, name, role }) => {
    if (image === '') return [];
    const digest = digests.get(`${role === 'init' || role === 'ephemeral' ? role : 'container'} ${name}`);
    const field = formatPath(at);
    if (digest === undefined || image.includes('@')) return [{ ...about, image, field }];
    return [{ ...about, image: `${image}@${digest}`, field, written: image }];
  });
}

/** What the kubelet says that containers run: `repository@digest`; what it made of a local image has no digest of a registry. */
function runningDigests(pod: Json): Map<string, string> {
  const digests = new Map<string, string>();
  const lists = {
    containerStatuses: 'container',
    initContainerStatuses: 'init',
    ephemeralContainerStatuses: 'ephemeral',
  };
  for (const [list, role] of Object.entries(lists))
    for (const status of listOf(fieldOf(fieldOf(pod, 'status'), list))) {
      const id = textOf(status, 'imageID') ?? '';
      const at = id.lastIndexOf('@');
      const digest = at < 0 ? '' : id.slice(at + 1);
      if (isDigest(digest)) digests.set(`${role} ${textOf(status, 'name') ?? ''}`, digest);
    }
  return digests;
}

/** What changes with each heartbeat would make each question another. */
function withoutBookkeeping(object: Json): Json {
  const metadata = fieldOf(object, 'metadata');
  if (!isJsonObject(object) || !isJsonObject(metadata)) return object;
  const { managedFields: _fields, resourceVersion: _version, generation: _generation, ...kept } = metadata;
  const { status: _status, ...rest } = object;
  return { ...rest, metadata: kept };
}
