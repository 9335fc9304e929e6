// SPDX-License-Identifier: Apache-2.0
import { bytesBlob, decodeManifest, digestOf, RegistryError } from '../oci/index.ts';
import type { Descriptor, Repository, StoredManifest } from '../oci/index.ts';
import { verifySignature, type PublicKey } from '../trust/index.ts';
import { decodeBase64, WireError } from '../wire/index.ts';
import { ImageError } from './error.ts';
import { LegacyAnnotation } from './legacy-signatures.ts';
import { appendSignature, type LegacyLayer, type SignatureManifestOptions } from './signature-manifest.ts';

const ATTEMPTS = 8;

/** What laying a legacy signature beside an image did. */
export interface AttachedLegacy {
  readonly descriptor: Descriptor;
  /** true where the same payload was sealed with the same key before: nothing was written */
  readonly existed: boolean;
}

/** How it is attached. */
export interface AttachLegacyOptions extends Omit<SignatureManifestOptions, 'without'> {
  /** which older layers it takes the place of, by their positions; none unless told */
  readonly replaces?: (layers: readonly Descriptor[]) => Promise<ReadonlySet<number>>;
}

/**
 * Appends a signature to the `.sig` manifest of an image, or an attestation to its `.att` manifest. What others append meanwhile is kept: the tag is written only if it still
 * names what was read, and read again otherwise.
 *
 * @param key whose signature it is: an older one of the same payload is enough. Where that is not known, only the same signature is
 * @throws RegistryError as the repository does; ImageError `seal-conflict` when others win every time, `seal-not-readable`
 */
export async function attachLegacy(
  repository: Repository,
  tag: string,
  layer: LegacyLayer,
  key: PublicKey | undefined,
  options: AttachLegacyOptions = {},
): Promise<AttachedLegacy> {
  await repository.putBlob(bytesBlob(layer.payload));
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (attempt > 0) await jitter(50 * 2 ** attempt);
    const existing = await repository.manifest(tag);
    if (existing !== undefined && (await signedBefore(repository, tag, existing, layer, key))) {
      return { descriptor: existing.descriptor, existed: true };
    }
    const descriptor = await append(repository, tag, existing, layer, options);
    if (descriptor !== undefined && (await readBack(repository, tag, layer))) return { descriptor, existed: false };
  }
  throw new ImageError(
    'seal-conflict',
    `${repository.name}:${tag} changed under every one of ${ATTEMPTS} attempts to add to it; try again`,
  );
}

async function append(
  repository: Repository,
  tag: string,
  existing: StoredManifest | undefined,
  layer: LegacyLayer,
  { replaces, ...options }: AttachLegacyOptions,
): Promise<Descriptor | undefined> {
  const older = existing === undefined ? [] : inPlace(repository, tag, () => layersOf(existing));
  const without = replaces === undefined ? {} : { without: await replaces(older) };
  const manifest = inPlace(repository, tag, () => appendSignature(existing?.bytes, layer, { ...options, ...without }));
  await repository.putBlob(bytesBlob(manifest.config));
  try {
    const expect = existing?.descriptor.digest ?? 'absent';
    return (await repository.putManifest(manifest.bytes, manifest.mediaType, { tag, expect })).descriptor;
  } catch (error) {
    if (error instanceof RegistryError && error.code === 'conflict') return undefined;
    throw error;
  }
}

// A registry without If-Match takes both of two writers; the one that is gone writes again.
async function readBack(repository: Repository, tag: string, layer: LegacyLayer): Promise<boolean> {
  const stored = await repository.manifest(tag);
  return stored !== undefined && layersOf(stored).some((found) => signatureIn(found, layer) === layer.signature);
}

async function signedBefore(
  repository: Repository,
  tag: string,
  existing: StoredManifest,
  layer: LegacyLayer,
  key: PublicKey | undefined,
): Promise<boolean> {
  for (const found of inPlace(repository, tag, () => layersOf(existing))) {
    const encoded = signatureIn(found, layer);
    if (encoded === undefined) continue;
    if (encoded === layer.signature) return true;
    if (key === undefined) continue;
    try {
      const signature = decodeBase64(encoded, LegacyAnnotation.signature);
      if ((await verifySignature(key, layer.payload, signature)) !== undefined) return true;
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
    }
  }
  return false;
}

/** What is wrong with the manifest under the tag, said with its name: what others signed there is not written over. */
function inPlace<T>(repository: Repository, tag: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof ImageError || cause instanceof RegistryError)) throw cause;
    const code = cause instanceof ImageError ? cause.code : 'signature-manifest-malformed';
    throw new ImageError(
      code,
      `no ${tag.endsWith('.att') ? 'attestation' : 'signature'} can be added to ${repository.name}:${tag}: ${cause.message}`,
      { cause },
    );
  }
}

function layersOf(stored: StoredManifest): readonly Descriptor[] {
  const manifest = decodeManifest(stored.bytes, stored.descriptor.mediaType);
  return manifest.kind === 'image' ? manifest.layers : [];
}

function signatureIn(found: Descriptor, layer: LegacyLayer): string | undefined {
  return found.digest === digestOf(layer.payload) ? found.annotations?.[LegacyAnnotation.signature] : undefined;
}

function jitter(maxMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.random() * maxMs));
}
