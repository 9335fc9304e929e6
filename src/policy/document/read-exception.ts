// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../wire/index.ts';
import type { FieldReader } from './field-reader.ts';
import { readMetadata } from './read-metadata.ts';
import type { ExceptionDocument } from './settings.ts';
import type { YamlValue } from './yaml-value.ts';

/** Whether a document is a signed one, a bundle or an envelope, rather than one of Kubernetes. */
export function isSealed(value: YamlValue): boolean {
  if (value.kind !== 'map' || value.fields.has('kind')) return false;
  return value.fields.has('dsseEnvelope') || (value.fields.has('payloadType') && value.fields.has('signatures'));
}

/** A signed exception that is a document of its own. */
export function sealedException(reader: FieldReader, source: string): ExceptionDocument {
  return { place: reader.place(), source, bytes: bytesOf(reader.all()) };
}

/** Reads a resource that carries a signed exception in `spec.bundle`, as JSON or as a text of JSON. */
export function readException(document: FieldReader): ExceptionDocument | undefined {
  const { name, namespace } = readMetadata(document);
  const spec = document.object('spec');
  if (spec === undefined && !document.has('spec')) document.error('field-missing', 'missing', 'spec');
  document.end();
  if (spec === undefined) return undefined;
  const sealed = spec.json('bundle');
  spec.end();
  if (sealed === undefined) {
    spec.error('field-missing', 'missing: the signed exception', 'bundle');
    return undefined;
  }
  const source = `PolicyException ${namespace === '' ? '' : `${namespace}/`}${name}`;
  return { place: spec.place('bundle'), source, bytes: bytesOf(sealed) };
}

// What is signed stands in base64 in it, so that nothing is lost by writing the rest anew.
function bytesOf(sealed: Json): Uint8Array {
  return new TextEncoder().encode(typeof sealed === 'string' ? sealed : JSON.stringify(sealed));
}
