// SPDX-License-Identifier: Apache-2.0
import { decodeManifest, type Descriptor, type Repository } from '../oci/index.ts';
import { ImageError } from './error.ts';

/** What is to be sealed: an image, and what its index lists if that is to be sealed too. */
export type SealSubjects = readonly [image: Descriptor, ...listed: Descriptor[]];

/**
 * What is to be sealed: the image, and with `recursive` all that an index lists, at any depth. Sealing begins with this; who has something to
 * wait for before it, such as a certificate, asks ahead and seals what was found.
 *
 * @param target a tag or a digest of `repository`; what was found is given back
 * @throws ImageError `image-missing`; RegistryError as the repository does
 * @example
 * const [subjects, signer] = await Promise.all([sealSubjects(repository, 'v1'), openKeylessSigner(request)]);
 * await signImage(repository, subjects, { signer, now: new Date() });
 */
export async function sealSubjects(
  repository: Repository,
  target: string | SealSubjects,
  recursive = false,
): Promise<SealSubjects> {
  if (typeof target !== 'string') return target;
  const image = await repository.resolve(target);
  if (image === undefined) throw new ImageError('image-missing', `${repository.name} has no ${describe(target)}`);
  return recursive ? [image, ...(await childrenOf(repository, image))] : [image];
}

function describe(target: string): string {
  return target.includes(':') ? `manifest ${target}` : `tag '${target}'`;
}

async function childrenOf(repository: Repository, image: Descriptor): Promise<readonly Descriptor[]> {
  const stored = await repository.manifest(image.digest);
  if (stored === undefined) return [];
  const manifest = decodeManifest(stored.bytes, stored.descriptor.mediaType);
  if (manifest.kind !== 'index') return [];
  const children: Descriptor[] = [];
  for (const child of manifest.manifests) children.push(child, ...(await childrenOf(repository, child)));
  return children;
}
