// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import { CodedError, decodeBase64 } from '../../wire/index.ts';
import type { SourcePlace } from './fault.ts';
import type { FieldReader } from './field-reader.ts';
import { readMetadata } from './read-metadata.ts';

/** A Secret or ConfigMap that policies refer to, given beside them. */
export interface KubernetesObject {
  readonly kind: 'Secret' | 'ConfigMap';
  readonly name: string;
  /** empty where it says none: it is taken for any then */
  readonly namespace: string;
  readonly place: SourcePlace;
  readonly entries: ReadonlyMap<string, string>;
}

const MAX_ENTRIES = 1000;

/** Reads a Secret. A message never shows what is in it. */
export function readSecret(document: FieldReader): KubernetesObject {
  const { name, namespace } = readMetadata(document);
  document.ignore('type', 'immutable');
  const entries = new Map<string, string>();
  for (const [key, encoded] of document.pairs('data', MAX_ENTRIES)) {
    try {
      entries.set(key, new TextDecoder().decode(decodeBase64(encoded.replaceAll(/\s/g, ''), 'it')));
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      document.error('material-malformed', `the entry '${printable(key, 60)}' is not base64`, 'data');
    }
  }
  for (const [key, text] of document.pairs('stringData', MAX_ENTRIES)) entries.set(key, text);
  document.end();
  return { kind: 'Secret', name, namespace, place: document.place(), entries };
}

export function readConfigMap(document: FieldReader): KubernetesObject {
  const { name, namespace } = readMetadata(document);
  document.ignore('immutable', 'binaryData');
  const entries = document.pairs('data', MAX_ENTRIES);
  document.end();
  return { kind: 'ConfigMap', name, namespace, place: document.place(), entries };
}
