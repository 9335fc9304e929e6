// SPDX-License-Identifier: Apache-2.0
import { decodeManifest, digestOf, MediaType, type Digest } from '../oci/index.ts';
import { canonicalJson, isJsonObject, parseJson, type Json } from '../wire/index.ts';
import { ImageError } from './error.ts';
import { LegacyAnnotation, SIMPLE_SIGNING_MEDIA_TYPE } from './legacy-signatures.ts';

const EPOCH = '0001-01-01T00:00:00Z';
/** cosign refuses to read more layers than this. */
const MAX_LAYERS = 1000;

/** A legacy signature or attestation to be appended. */
export interface LegacyLayer {
  /** that of a simple-signing payload unless told */
  readonly mediaType?: string;
  readonly payload: Uint8Array;
  /** base64; empty where the payload is an envelope, which has it inside */
  readonly signature: string;
  /** what is written beside the signature, in this order */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** How the manifest is written. */
export interface SignatureManifestOptions {
  /** `COSIGN_DOCKER_MEDIA_TYPES`: Docker's media types instead of OCI's */
  readonly dockerMediaTypes?: boolean;
  /** `--record-creation-timestamp`: RFC 3339, kept in the config */
  readonly created?: string;
  /** positions of older layers that it takes the place of */
  readonly without?: ReadonlySet<number>;
}

/** A `.sig` or `.att` manifest and the config blob that it names. */
export interface SignatureManifest {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
  readonly config: Uint8Array;
}

/**
 * The `.sig` or `.att` manifest with one layer more, byte for byte as cosign 2 writes it. Every older layer stays as it was, unknown fields
 * included: other signers' seals are theirs.
 *
 * @param existing the manifest that is there, if any
 * @throws ImageError `signature-manifest-malformed`, `signature-manifest-full`
 * @see https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
 */
export function appendSignature(
  existing: Uint8Array | undefined,
  layer: LegacyLayer,
  options: SignatureManifestOptions = {},
): SignatureManifest {
  const before = existing === undefined ? undefined : readManifest(existing);
  const kept = layersOf(before).filter((_, at) => options.without?.has(at) !== true);
  // what takes the place of others stands first, as cosign writes it
  const layers = options.without === undefined ? [...kept, layerDescriptor(layer)] : [layerDescriptor(layer), ...kept];
  return encodeManifest(before, layers, options);
}

function encodeManifest(
  before: { readonly [key: string]: Json } | undefined,
  layers: readonly Json[],
  options: SignatureManifestOptions = {},
): SignatureManifest {
  const mediaType =
    typeof before?.['mediaType'] === 'string'
      ? before['mediaType']
      : options.dockerMediaTypes === true
        ? MediaType.dockerManifest
        : MediaType.imageManifest;
  if (layers.length > MAX_LAYERS) {
    throw new ImageError(
      'signature-manifest-full',
      `the signature manifest has ${MAX_LAYERS} layers already, more are not read by anyone`,
    );
  }
  const config = configFor(layers, options.created);
  const configType =
    mediaType === MediaType.dockerManifest ? 'application/vnd.docker.container.image.v1+json' : MediaType.imageConfig;
  const manifest = {
    ...before,
    schemaVersion: 2,
    mediaType,
    config: { mediaType: configType, size: config.byteLength, digest: digestOf(config) },
    layers,
  };
  return { mediaType, bytes: new TextEncoder().encode(JSON.stringify(manifest)), config };
}

/**
 * The `.sig` or `.att` manifest with the layers of another that it does not have: nobody's seal is lost.
 *
 * @returns `undefined` where there is nothing to add
 * @throws ImageError `signature-manifest-malformed`, `signature-manifest-full`
 */
export function mergeSignatures(existing: Uint8Array, other: Uint8Array): SignatureManifest | undefined {
  const before = readManifest(existing);
  const own = layersOf(before);
  const known = new Set(own.map((layer) => canonicalJson(layer)));
  const added = layersOf(readManifest(other)).filter((layer) => !known.has(canonicalJson(layer)));
  if (added.length === 0) return undefined;
  return encodeManifest(before, [...own, ...added]);
}

function layerDescriptor(layer: LegacyLayer): { readonly [key: string]: Json } {
  return {
    mediaType: layer.mediaType ?? SIMPLE_SIGNING_MEDIA_TYPE,
    size: layer.payload.byteLength,
    digest: digestOf(layer.payload),
    annotations: { [LegacyAnnotation.signature]: layer.signature, ...layer.annotations },
  };
}

function readManifest(bytes: Uint8Array): { readonly [key: string]: Json } {
  decodeManifest(bytes);
  const value = parseJson(bytes, { what: 'signature manifest' });
  if (isJsonObject(value)) return value;
  throw new ImageError('signature-manifest-malformed', 'the signature manifest is not a JSON object');
}

function layersOf(manifest: { readonly [key: string]: Json } | undefined): readonly Json[] {
  if (manifest === undefined) return [];
  const layers = manifest['layers'];
  if (Array.isArray(layers)) return layers as readonly Json[];
  throw new ImageError(
    'signature-manifest-malformed',
    'what lies under the signature tag is not an image manifest: it has no layers',
  );
}

/** The config beside layers, as cosign builds it with go-containerregistry: one history entry and one diff ID a layer, everything else empty. */
export function configFor(layers: readonly Json[], created: string = EPOCH): Uint8Array {
  const digests = layers.map((layer) => (isJsonObject(layer) ? (layer['digest'] as Digest) : ''));
  const config = {
    architecture: '',
    created,
    history: digests.map(() => ({ created: EPOCH })),
    os: '',
    rootfs: { type: 'layers', diff_ids: digests },
    config: {},
  };
  return new TextEncoder().encode(JSON.stringify(config));
}
