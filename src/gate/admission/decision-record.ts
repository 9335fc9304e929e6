// SPDX-License-Identifier: Apache-2.0
import { fieldOf, formatPath, textOf } from '../workload/json-path.ts';
import type { AdmissionRequest } from './admission-review.ts';
import type { DecisionRecord } from './ports.ts';
import type { Endpoint, Review } from './reviewer.ts';

/** A review and how it was answered, for those who are told. */
export function decisionRecord(
  request: AdmissionRequest,
  endpoint: Endpoint,
  review: Review,
  at: Date,
  milliseconds: number,
): DecisionRecord {
  const { uid, operation, kind, resource, subResource, namespace, name, user, dryRun } = request;
  const metadata = fieldOf(request.object ?? request.oldObject ?? undefined, 'metadata');
  return {
    at,
    review: uid,
    endpoint,
    dryRun,
    operation,
    group: kind.group,
    version: kind.version,
    kind: kind.kind,
    resource: resource.resource,
    subResource,
    namespace,
    name: name === '' ? (textOf(metadata, 'name') ?? '') : name,
    generateName: textOf(metadata, 'generateName') ?? '',
    objectUid: textOf(metadata, 'uid') ?? '',
    owners: fieldOf(metadata, 'ownerReferences') ?? null,
    user: user.username,
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
