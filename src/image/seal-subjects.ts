// SPDX-License-Identifier: Apache-2.0
import { decodeManifest, type Descriptor, type Repository } from '../oci/index.ts';
import { ImageError } from './error.ts';

/** What is to be sealed: the image, and with `recursive` all that an index lists, at any depth. */
export async function sealSubjects(
  repository: Repository,
  target: string,
  recursive = false,
): Promise<readonly [Descriptor, ...Descriptor[]]> {
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
