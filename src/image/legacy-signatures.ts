// SPDX-License-Identifier: Apache-2.0
import { decodeManifest, RegistryError } from '../oci/index.ts';
import type { Descriptor, Repository, StoredManifest } from '../oci/index.ts';
import type { Bundle } from '../trust/index.ts';
import { decodeBase64, WireError } from '../wire/index.ts';
import type { LegacyEvidence } from './legacy-evidence.ts';
import type { EvidenceLimits, Finding, LeadListing } from './finding.ts';
import type { Place, PlaceName } from './place.ts';
import type { RejectionCode } from './verdict.ts';

/** Annotations of a layer in a `.sig` or `.att` manifest, as cosign 2 writes them. */
export const LegacyAnnotation = {
  signature: 'dev.cosignproject.cosign/signature',
  certificate: 'dev.sigstore.cosign/certificate',
  chain: 'dev.sigstore.cosign/chain',
  bundle: 'dev.sigstore.cosign/bundle',
  timestamp: 'dev.sigstore.cosign/rfc3161timestamp',
} as const;

/** Media type of a simple-signing payload. Not looked at when reading: anyone may write it. */
export const SIMPLE_SIGNING_MEDIA_TYPE = 'application/vnd.dev.cosign.simplesigning.v1+json';

// Never written anywhere: it marks, inside the process, a bundle that was made from annotations.
const LEGACY_BUNDLE = 'application/vnd.dev.cosign.simplesigning.v1+json';

/** A manifest that cosign 2 keeps under a tag, and how its layers are read. */
export interface LegacyManifest {
  readonly tag: string;
  readonly name: PlaceName;
  readonly read: (repository: Repository, place: Place, layer: Descriptor, limits: EvidenceLimits) => Promise<Finding>;
}

/**
 * The layers of a `.sig` or `.att` manifest as leads, each turned into a bundle.
 *
 * @see https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md
 */
export async function legacyLeads(
  repository: Repository,
  { tag, name, read: readOne }: LegacyManifest,
  limits: EvidenceLimits,
): Promise<LeadListing> {
  const stored = await repository.manifest(tag);
  if (stored === undefined) return { exists: false, leads: [], total: 0, truncated: false };
  let layers: readonly Descriptor[];
  try {
    layers = layersOf(stored);
  } catch (error) {
    if (!(error instanceof RegistryError)) throw error;
    // more layers than are read: one of those may be the seal that is expected
    if (error.code === 'too-large') {
      throw new RegistryError('evidence-capped', `${repository.name}:${tag}: ${error.message}`, { cause: error });
    }
    const place: Place = { name, repository: repository.name, manifest: stored.descriptor.digest };
    const finding = rejected(place, 'manifest-malformed', error.message, 'an image manifest');
    return {
      exists: true,
      leads: [{ key: `${name} ${stored.descriptor.digest}`, load: async () => [finding] }],
      total: 1,
      truncated: false,
    };
  }
  const read = layers.slice(0, limits.maxCandidates);
  return {
    exists: true,
    leads: read.map((layer, index) => {
      const place = {
        name,
        repository: repository.name,
        manifest: stored.descriptor.digest,
        layer: layer.digest,
        index,
      };
      return {
        key: `${name} ${stored.descriptor.digest} ${index}`,
        load: async () => [await readOne(repository, place, layer, limits)],
      };
    }),
    total: layers.length,
    truncated: read.length < layers.length,
  };
}

function layersOf(stored: StoredManifest): readonly Descriptor[] {
  const manifest = decodeManifest(stored.bytes, stored.descriptor.mediaType);
  if (manifest.kind === 'image') return manifest.layers;
  throw new RegistryError('manifest-malformed', 'it is an index, expected an image manifest');
}

/** One layer with a signature annotation, read: the payload is what was signed. */
export async function readLegacyLayer(
  repository: Repository,
  place: Place,
  layer: Descriptor,
  limits: EvidenceLimits,
): Promise<Finding> {
  const encoded = layer.annotations?.[LegacyAnnotation.signature];
  if (encoded === undefined || encoded === '') {
    return rejected(
      place,
      'signature-count',
      'no signature annotation',
      `the annotation ${LegacyAnnotation.signature}`,
    );
  }
  let signature: Uint8Array;
  try {
    signature = decodeBase64(encoded, `annotation ${LegacyAnnotation.signature}`);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    return rejected(place, 'bundle-malformed', error.message, 'a signature in base64');
  }
  if (layer.size > limits.maxSealBytes) {
    return rejected(place, 'too-large', `${layer.size} bytes`, `a payload of at most ${limits.maxSealBytes} bytes`);
  }
  const payload = await repository.blob(layer.digest, limits.maxSealBytes);
  if (payload === undefined) return rejected(place, 'evidence-missing', 'no such blob', 'the payload that was signed');
  return candidate(place, payload, signature, layer);
}

// Whoever expects a key tries it on the signature, whatever certificate was laid beside it: the annotation can be written by anyone.
function candidate(
  place: Place,
  payload: Uint8Array,
  signature: Uint8Array,
  { annotations = {} }: Descriptor,
): Finding {
  const bundle = legacyBundle(signature);
  const beside = evidenceBeside(annotations);
  return { kind: 'candidate', format: 'legacy', place, bundle, beside, artifact: { kind: 'bytes', bytes: payload } };
}

/** A legacy signature alone, as the bundle that it would be. */
export function legacyBundle(signature: Uint8Array): Bundle {
  return {
    mediaType: LEGACY_BUNDLE,
    material: { kind: 'public-key' },
    content: { kind: 'message', signature },
    logEntries: [],
    timestamps: [],
  };
}

/** What the annotations of a layer say of its signature. */
export function evidenceBeside(annotations: Readonly<Record<string, string>>): LegacyEvidence {
  const named = (name: keyof LegacyEvidence): Partial<LegacyEvidence> => {
    const text = annotations[LegacyAnnotation[name]] ?? '';
    return text === '' ? {} : { [name]: text };
  };
  return { ...named('certificate'), ...named('chain'), ...named('bundle'), ...named('timestamp') };
}

/** A legacy layer that is no evidence. */
export function rejected(place: Place, code: RejectionCode, found: string, expected: string): Finding {
  return { kind: 'rejected', rejection: { place, format: 'legacy', code, found, expected } };
}
