// SPDX-License-Identifier: Apache-2.0
import { goJson, isJsonObject, type Json } from '../../wire/index.ts';
import { TrustError } from '../error.ts';
import { encodeGoMap } from './go-map.ts';
import { parseStrictObject, type JsonObject } from './strict-json.ts';

/** What cosign's older signatures are over. @see https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md#simple-signing */
export interface SimpleSigning {
  /** which image the signer called it; nobody checks it */
  readonly dockerReference: string;
  /** the digest of the manifest that was signed, as it stands there: not checked to be one */
  readonly manifestDigest: string;
  /** `cosign container image signature`, if cosign made it */
  readonly type: string;
  /** annotations */
  readonly optional: Readonly<Record<string, Json>> | null;
}

const MAX_BYTES = 1024 * 1024;

/**
 * Writes a payload byte for byte as cosign does: annotations sorted, `<`, `>` and `&` escaped, `null` if there are none.
 *
 * @throws TrustError `payload-malformed` if a text is no Unicode
 */
export function encodeSimpleSigning({ dockerReference, manifestDigest, type, optional }: SimpleSigning): Uint8Array {
  const identity = `{"docker-reference":${encodeGoMap(dockerReference, goJson)}}`;
  const image = `{"docker-manifest-digest":${encodeGoMap(manifestDigest, goJson)}}`;
  const critical = `{"identity":${identity},"image":${image},"type":${encodeGoMap(type, goJson)}}`;
  return new TextEncoder().encode(`{"critical":${critical},"optional":${encodeGoMap(optional, goJson)}}`);
}

/**
 * Reads a payload. Members that are not known are skipped.
 *
 * @throws TrustError `payload-malformed`; WireError `too-large`, `json-too-deep`, `json-malformed`
 */
export function decodeSimpleSigning(bytes: Uint8Array): SimpleSigning {
  const value = parseStrictObject(bytes, 'the payload', 'payload-malformed', MAX_BYTES);
  const critical = member(value, 'critical');
  const optional = value['optional'] ?? null;
  if (optional !== null && !isJsonObject(optional)) throw malformed("an 'optional' that is neither null nor an object");
  return {
    dockerReference: text(member(critical, 'identity'), 'docker-reference'),
    manifestDigest: text(member(critical, 'image'), 'docker-manifest-digest'),
    type: text(critical, 'type'),
    optional,
  };
}

function member(value: JsonObject, name: string): JsonObject {
  const found = value[name];
  if (!isJsonObject(found)) throw malformed(`no object '${name}'`);
  return found;
}

function text(value: JsonObject, name: string): string {
  const found = value[name];
  if (typeof found !== 'string') throw malformed(`no text '${name}'`);
  return found;
}

function malformed(found: string): TrustError {
  return new TrustError('payload-malformed', `the payload is no simple-signing document: it has ${found}`);
}
