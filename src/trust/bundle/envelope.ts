// SPDX-License-Identifier: Apache-2.0
import { encodeBase64, isJsonObject, type Json } from '../../wire/index.ts';
import { TrustError } from '../error.ts';
import { decodeAnyBase64 } from './any-base64.ts';
import { parseStrictObject } from './strict-json.ts';

/** A DSSE envelope: a payload of a named type, and who signed it. @see https://github.com/secure-systems-lab/dsse/blob/v1.0.0/envelope.md */
export interface Envelope {
  readonly payloadType: string;
  readonly payload: Uint8Array;
  readonly signatures: readonly EnvelopeSignature[];
}

/** A signature over the pre-authentication encoding of an envelope. */
export interface EnvelopeSignature {
  /** a hint that nobody has signed; left out if empty */
  readonly keyid?: string;
  readonly sig: Uint8Array;
}

/** The payload type of in-toto statements. */
export const IN_TOTO_PAYLOAD_TYPE = 'application/vnd.in-toto+json';

/** bytes of an envelope, unless the caller allows more */
const MAX_BYTES = 4 * 1024 * 1024;
/** An envelope with more is read by nobody; one with more than one is rejected when it is verified. */
export const MAX_SIGNATURES = 32;

/**
 * What an envelope's signatures are over: `DSSEv1 <length> <type> <length> <payload>`, lengths in bytes.
 *
 * @see https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md#signature-definition
 */
export function preAuthEncoding(payloadType: string, payload: Uint8Array): Uint8Array {
  const type = Buffer.from(payloadType);
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${type.byteLength} `),
    type,
    Buffer.from(` ${payload.byteLength} `),
    payload,
  ]);
}

/**
 * Reads an envelope on its own, as it lies in a `.att` manifest. Members that the specification does not name are skipped, because it
 * says so; the payload is not looked at.
 *
 * @param what names the envelope in errors
 * @throws TrustError `envelope-malformed`; WireError `too-large`, `json-too-deep`, `json-malformed`, `base64-malformed`
 */
export function decodeEnvelope(
  bytes: Uint8Array,
  what: string,
  options: { readonly maxBytes?: number } = {},
): Envelope {
  const value = parseStrictObject(bytes, what, 'envelope-malformed', options.maxBytes ?? MAX_BYTES);
  const { payloadType, signatures } = value;
  if (typeof payloadType !== 'string') throw malformed(what, "no text 'payloadType'");
  if (!Array.isArray(signatures)) throw malformed(what, "no list 'signatures'");
  if (signatures.length > MAX_SIGNATURES) {
    throw malformed(what, `${signatures.length} signatures, at most ${MAX_SIGNATURES} are read`);
  }
  return {
    payloadType,
    payload: octets(value['payload'], what, 'payload'),
    signatures: signatures.map((signature: Json, index) => decodeSignature(signature, what, index)),
  };
}

/** Writes an envelope as cosign does for a `.att` manifest: members in this order, `keyid` always there. */
export function encodeEnvelope({ payloadType, payload, signatures }: Envelope): Uint8Array {
  const envelope = {
    payloadType,
    payload: encodeBase64(payload),
    signatures: signatures.map(({ keyid = '', sig }) => ({ keyid, sig: encodeBase64(sig) })),
  };
  return new TextEncoder().encode(JSON.stringify(envelope));
}

function decodeSignature(value: Json, what: string, index: number): EnvelopeSignature {
  if (!isJsonObject(value)) throw malformed(what, `a signature ${index} that is no object`);
  const keyid = value['keyid'] ?? '';
  if (typeof keyid !== 'string') throw malformed(what, `a signature ${index} whose 'keyid' is no text`);
  const sig = octets(value['sig'], what, `signatures[${index}].sig`);
  return keyid === '' ? { sig } : { keyid, sig };
}

function octets(value: Json | undefined, what: string, name: string): Uint8Array {
  if (typeof value !== 'string') throw malformed(what, `no text '${name}'`);
  return decodeAnyBase64(value, `${what}, '${name}',`);
}

function malformed(what: string, found: string): TrustError {
  return new TrustError('envelope-malformed', `${what} is no DSSE envelope: it has ${found}`);
}
