// SPDX-License-Identifier: Apache-2.0
import { encodeBase64, type Json } from '../../wire/index.ts';
import {
  BUNDLE_MEDIA_TYPES,
  HASH_ALGORITHMS,
  type Bundle,
  type BundleContent,
  type KeyMaterial,
  type MessageDigest,
} from './bundle.ts';
import type { Envelope } from './envelope.ts';
import { logEntryJson } from './log-entry.ts';

/**
 * Writes a bundle byte for byte as cosign 3.1.1 does: ProtoJSON in the order of the schema, without white space, unset fields left out.
 */
export function encodeBundle(bundle: Bundle): Uint8Array {
  const { mediaType, logEntries, timestamps } = bundle;
  const json: Json = {
    mediaType,
    verificationMaterial: {
      ...materialJson(bundle.material, BUNDLE_MEDIA_TYPES.get(mediaType)),
      ...(logEntries.length === 0 ? {} : { tlogEntries: logEntries.map((entry) => logEntryJson(entry)) }),
      ...(timestamps.length === 0
        ? {}
        : {
            timestampVerificationData: {
              rfc3161Timestamps: timestamps.map((der) => ({ signedTimestamp: encodeBase64(der) })),
            },
          }),
    },
    ...contentJson(bundle.content),
  };
  return new TextEncoder().encode(JSON.stringify(json));
}

function materialJson(material: KeyMaterial, version: string | undefined): Record<string, Json> {
  if (material.kind === 'public-key') return { publicKey: material.hint === undefined ? {} : { hint: material.hint } };
  const certificates = material.chain.map((der) => ({ rawBytes: encodeBase64(der) }));
  const [leaf] = certificates;
  // Version 0.3 has the leaf only: what it chains to is for the verifier to know.
  if (version !== '0.1' && version !== '0.2' && leaf !== undefined) return { certificate: leaf };
  return { x509CertificateChain: { certificates } };
}

function contentJson(content: BundleContent): Record<string, Json> {
  if (content.kind === 'dsse') return { dsseEnvelope: envelopeJson(content.envelope) };
  const { digest, signature } = content;
  return {
    messageSignature: {
      ...(digest === undefined ? {} : { messageDigest: digestJson(digest) }),
      signature: encodeBase64(signature),
    },
  };
}

function digestJson({ algorithm, bytes }: MessageDigest): Json {
  const [name] = HASH_ALGORITHMS.find(([, , known]) => known === algorithm) ?? [];
  return { ...(name === undefined ? {} : { algorithm: name }), digest: encodeBase64(bytes) };
}

function envelopeJson({ payload, payloadType, signatures }: Envelope): Json {
  return {
    payload: encodeBase64(payload),
    payloadType,
    signatures: signatures.map(({ sig, keyid = '' }) => ({
      sig: encodeBase64(sig),
      ...(keyid === '' ? {} : { keyid }),
    })),
  };
}
