// SPDX-License-Identifier: Apache-2.0
import { fieldOf, formatPath, listOf, textOf } from '../workload/json-path.ts';
import type { Json } from '../../wire/index.ts';
import type { AdmissionRequest } from './admission-review.ts';
import type { DecisionRecord } from './ports.ts';
import type { Endpoint, Review } from './reviewer.ts';

/** What is told of a request, without the object in it. */
export type RecordedRequest = Pick<
  DecisionRecord,
  | 'review'
  | 'dryRun'
  | 'operation'
  | 'group'
  | 'version'
  | 'kind'
  | 'resource'
  | 'subResource'
  | 'namespace'
  | 'name'
  | 'generateName'
  | 'objectUid'
  | 'owners'
  | 'user'
>;

const MAX_NAME = 512;
const MAX_OWNERS = 16;
const MAX_OWNER = 2048;

export function recordedRequest(request: AdmissionRequest): RecordedRequest {
  const { uid, operation, kind, resource, subResource, namespace, name, user, dryRun } = request;
  const metadata = fieldOf(request.object ?? request.oldObject ?? undefined, 'metadata');
  const text = (field: string): string => (textOf(metadata, field) ?? '').slice(0, MAX_NAME);
  return {
    review: uid,
    dryRun,
    operation,
    group: kind.group,
    version: kind.version,
    kind: kind.kind,
    resource: resource.resource,
    subResource,
    namespace,
    name: name === '' ? text('name') : name,
    generateName: text('generateName'),
    objectUid: text('uid'),
    owners: ownersOf(fieldOf(metadata, 'ownerReferences')),
    user: user.username,
  };
}

/** Those of a sensible size. */
function ownersOf(references: Json | undefined): Json {
  if (references === undefined) return null;
  return listOf(references)
    .slice(0, MAX_OWNERS)
    .filter((owner) => JSON.stringify(owner).length <= MAX_OWNER);
}

/** A review and how it was answered, for those who are told. */
export function decisionRecord(
  request: RecordedRequest,
  endpoint: Endpoint,
  review: Review,
  at: Date,
  milliseconds: number,
): DecisionRecord {
  return {
    ...request,
    at,
    endpoint,
    allowed: review.allowed,
    code: review.code,
    message: review.denial?.message ?? '',
    warnings: review.warnings ?? [],
    images: review.images.flatMap(({ image, fields, verdict }) =>
      fields.map(({ path, name: container }) => ({ field: formatPath(path), container, image, decision: verdict })),
    ),
    milliseconds,
  };
}
