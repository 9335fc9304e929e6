// SPDX-License-Identifier: Apache-2.0
import type { FieldReader } from './field-reader.ts';

/** What the API server writes into `metadata`, and `kubectl get --output yaml` shows. */
const KEPT_BY_KUBERNETES = [
  'annotations',
  'creationTimestamp',
  'deletionGracePeriodSeconds',
  'deletionTimestamp',
  'finalizers',
  'generateName',
  'generation',
  'labels',
  'managedFields',
  'ownerReferences',
  'resourceVersion',
  'selfLink',
  'uid',
] as const;

export interface Metadata {
  /** empty where it is missing, which is a fault already */
  readonly name: string;
  readonly namespace: string;
}

/** A name as Kubernetes has it. @see https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names */
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/;

/** Reads `apiVersion`, `kind`, `metadata` and passes over `status`: all but `spec`. */
export function readMetadata(document: FieldReader): Metadata {
  document.ignore('apiVersion', 'kind', 'status');
  const metadata = document.object('metadata');
  if (metadata === undefined) {
    if (!document.has('metadata')) document.error('field-missing', 'missing: it has no name', 'metadata');
    return { name: '', namespace: '' };
  }
  const name = metadata.required('name');
  if (name !== '' && !NAME.test(name))
    metadata.error('field-value', 'not a name: expected lower-case letters, digits, dashes and dots', 'name');
  const namespace = metadata.filled('namespace') ?? '';
  metadata.ignore(...KEPT_BY_KUBERNETES);
  metadata.end();
  return { name, namespace };
}
