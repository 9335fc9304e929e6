// SPDX-License-Identifier: Apache-2.0
import { bytesBlob, digestOf, MediaType } from '../oci/index.ts';
import type { Descriptor, Repository, WrittenManifest } from '../oci/index.ts';
import { encodeBundle, type Bundle } from '../trust/index.ts';
import { ImageError } from './error.ts';

const EMPTY = new TextEncoder().encode('{}');

/** A bundle to be laid beside an image. */
export interface BundleToAttach {
  /** the image that it is about */
  readonly subject: Descriptor;
  readonly bundle: Bundle;
  readonly predicateType: string;
  readonly now: Date;
  /** rejects a bundle that must not be attached; asked while its blobs are on their way */
  readonly check?: () => Promise<void>;
}

/**
 * Writes a bundle as a referrer of an image, byte for byte as cosign 3 does, and checks that it is found from there.
 *
 * Blobs alone are nobody's seal: the manifest makes them one, and is not written before `check` has resolved. Those of a bundle that it
 * rejects stay behind, named by nothing, for the registry to collect.
 *
 * @throws RegistryError as the repository does; ImageError `seal-not-readable`; what `check` throws
 */
export async function attachBundle(repository: Repository, attached: BundleToAttach): Promise<WrittenManifest> {
  const bundle = encodeBundle(attached.bundle);
  await Promise.all([
    repository.putBlob(bytesBlob(EMPTY)),
    repository.putBlob(bytesBlob(bundle)),
    ...(attached.check === undefined ? [] : [nextTurn().then(attached.check)]),
  ]);
  const bytes = new TextEncoder().encode(JSON.stringify(manifestOf(attached, bundle)));
  const written = await repository.putManifest(bytes, MediaType.imageManifest);
  // Behind the fallback tag the client has read it back already.
  if (written.listed?.place !== 'fallback-tag') {
    const { descriptors, truncated } = await repository.referrers(attached.subject.digest);
    if (!truncated && !descriptors.some(({ digest }) => digest === written.descriptor.digest)) {
      throw new ImageError(
        'seal-not-readable',
        `${repository.name} took the seal ${written.descriptor.digest} and does not list it as a referrer of ${attached.subject.digest}`,
      );
    }
  }
  return written;
}

/** By then requests that were begun have left: a check keeps the event loop for as long as it takes. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

// `artifactType` inside the config descriptor is odd and is what cosign 3 writes.
function manifestOf({ subject, bundle, predicateType, now }: BundleToAttach, encoded: Uint8Array): object {
  const artifactType = bundle.mediaType;
  return {
    schemaVersion: 2,
    mediaType: MediaType.imageManifest,
    config: { mediaType: MediaType.empty, size: EMPTY.byteLength, digest: digestOf(EMPTY), artifactType },
    layers: [{ mediaType: bundle.mediaType, size: encoded.byteLength, digest: digestOf(encoded) }],
    annotations: {
      'dev.sigstore.bundle.content': bundle.content.kind === 'dsse' ? 'dsse-envelope' : 'message-signature',
      'dev.sigstore.bundle.predicateType': predicateType,
      'org.opencontainers.image.created': `${now.toISOString().slice(0, -'.000Z'.length)}Z`,
    },
    subject: { mediaType: subject.mediaType, size: subject.size, digest: subject.digest },
    artifactType,
  };
}
