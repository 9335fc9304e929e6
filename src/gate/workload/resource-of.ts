// SPDX-License-Identifier: Apache-2.0
import type { Workload } from '../../policy/index.ts';
import { isJsonObject, type Json } from '../../wire/index.ts';
import { fieldOf } from './json-path.ts';
import { objectType } from './pod-spec-path.ts';

/**
 * What policies may see of an object: what it is, with its labels, and its parts. A review of the API server names the resource itself, which
 * is to be preferred; from a file there is only the kind.
 *
 * @returns `undefined` for what is no Kubernetes object
 */
export function resourceOf(object: Json): Workload | undefined {
  const type = objectType(object);
  if (type === undefined) return undefined;
  const { group, version, kind } = type;
  const metadata = fieldOf(object, 'metadata') ?? null;
  return {
    resource: { group, version, resource: pluralOf(kind), labels: labelsOf(metadata) },
    spec: fieldOf(object, 'spec') ?? null,
    metadata,
    typemeta: { apiVersion: group === '' ? version : `${group}/${version}`, kind },
  };
}

/** The labels of an object, from its metadata; what is no text is none. */
function labelsOf(metadata: Json): Readonly<Record<string, string>> {
  const labels = fieldOf(metadata, 'labels');
  if (!isJsonObject(labels)) return {};
  return Object.fromEntries(
    Object.entries(labels).filter((label): label is [string, string] => typeof label[1] === 'string'),
  );
}

/**
 * The plural by which policies name a kind, guessed as Kubernetes guesses it.
 *
 * @see https://pkg.go.dev/k8s.io/apimachinery/pkg/api/meta#UnsafeGuessKindToResource
 */
function pluralOf(kind: string): string {
  // a subresource of pods that has a kind of its own
  if (kind === 'EphemeralContainers') return 'pods';
  const singular = kind.toLowerCase();
  if (singular.endsWith('s')) return `${singular}es`;
  return singular.endsWith('y') ? `${singular.slice(0, -1)}ies` : `${singular}s`;
}
