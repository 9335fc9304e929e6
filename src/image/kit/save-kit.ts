// SPDX-License-Identifier: Apache-2.0
import {
  bytesBlob,
  digestOf,
  isDigest,
  MediaType,
  openLayout,
  putBlobs,
  type BlobToPut,
  type Descriptor,
  type Digest,
  type LayoutRepository,
  type Progress,
  type Repository,
} from '../../oci/index.ts';
import { ImageError } from '../error.ts';
import { collectImage, type CollectedImage } from './collect-image.ts';
import {
  decodeKitDocument,
  encodeKitDocument,
  KIT_TYPE,
  type KitDocument,
  type KitFileEntry,
  type KitImage,
} from './kit-document.ts';
import { KitInventory } from './kit-inventory.ts';
import { layoutEntries } from './layout-entries.ts';
import type { KitFile } from './open-kit.ts';
import { isStrange, type EvidencePlaceOf } from './subject-evidence.ts';

/** An image to be saved. */
export interface ImageToSave {
  readonly repository: Repository;
  /** tag or digest */
  readonly target: string;
  /** `registry/repository`, as policies call it; the repository's own name unless told */
  readonly name?: string;
  /** the tag that it has in the kit; the target, if that is a tag, unless told */
  readonly tag?: string;
  /** where its evidence lies, besides its own repository */
  readonly evidence?: readonly EvidencePlaceOf[];
}

/** What goes into a kit besides images. */
export interface SaveKitOptions {
  /** `os/arch[/variant]`: of each index only the layers of this platform; evidence is saved for all of them */
  readonly platform?: string;
  readonly policies?: readonly KitFile[];
  readonly trustedRoot?: Uint8Array;
  readonly trustRoots?: readonly KitFile[];
  /** what stands before the tags of signatures, attestations and SBOMs */
  readonly tagPrefix?: string;
  /** over the blobs of all images */
  readonly progress?: Progress;
}

/** A kit that was written. */
export interface SavedKit {
  readonly images: readonly SavedImage[];
  /** what could not be taken, for people: somebody wrote it wrongly */
  readonly faults: readonly string[];
}

/** An image in a kit, and how much lies beside it. */
export interface SavedImage extends KitImage {
  /** manifests of evidence of the image and of what it lists */
  readonly evidence: number;
}

// 1. what there is to save, in memory           a crash here: nothing happened
// 2. blobs and manifests, each whole or absent  a crash here: the layout is as it was; the next save finds what is there
// 3. index.json, replaced in one step           the commit point
// 4. blobs of the kit before, removed           a crash here: they lie there, and nothing names them
/**
 * Saves images with everything that lies beside them, and with files that say whom to trust, as an OCI layout on disk: a kit. What was in
 * a kit at this place is replaced; so is what `cosign save` wrote.
 *
 * @throws ImageError `image-missing`, `platform-missing`, `evidence-capped`, `kit-occupied` where the folder holds a layout that is no kit;
 *   RegistryError where something could not be read or written
 * @example
 * await saveKit('./kit', [{ repository, target: '1.4' }], { policies: [{ name: 'policies.yaml', bytes }] });
 */
export async function saveKit(
  path: string,
  images: readonly ImageToSave[],
  options: SaveKitOptions = {},
): Promise<SavedKit> {
  const layout = await openLayout(path, { create: true });
  refuseForeign(path, await layout.entries());
  const collected: { readonly image: KitImage; readonly content: CollectedImage }[] = [];
  for (const wanted of images) collected.push(await collect(wanted, options));
  const inventory = new KitInventory();
  for (const { image, content } of collected) inventory.add(image, content);
  const faults = [...inventory.faults];

  const parts = collected.flatMap(({ content }) => content.parts.blobs);
  await putBlobs(layout, parts, options.progress);
  faults.push(...(await putEvidence(layout, inventory.evidenceBlobs)));
  await putBlobs(
    layout,
    inventory.manifests.map(({ bytes }) => bytesBlob(bytes)),
  );
  const files = await putFiles(layout, options);
  const document = { images: collected.map(({ image }) => image), repositories: inventory.records(), ...files };
  const kit = await putDocument(layout, document);
  const entries = [...layoutEntries(collected), kit.entry];
  await layout.replaceEntries(entries, (listed) => refuseForeign(path, listed));
  const named = [...parts, ...inventory.evidenceBlobs].map(({ digest }) => digest);
  const manifests = inventory.manifests.map(({ descriptor }) => descriptor.digest);
  await layout.keepOnly(new Set([...named, ...manifests, ...digestsOf(files), ...kit.digests]));
  return {
    images: collected.map(({ image, content }) => ({ ...image, evidence: countOf(content) })),
    faults: [...new Set(faults)],
  };
}

async function collect(
  wanted: ImageToSave,
  { platform, tagPrefix }: SaveKitOptions,
): Promise<{ readonly image: KitImage; readonly content: CollectedImage }> {
  const { repository, target, evidence, name = repository.name } = wanted;
  const tag = wanted.tag ?? (isDigest(target) ? undefined : target);
  const content = await collectImage(repository, target, {
    ...(platform === undefined ? {} : { platform }),
    ...(tagPrefix === undefined ? {} : { tagPrefix }),
    ...(evidence === undefined ? {} : { evidence }),
  });
  const image = {
    name,
    ...(tag === undefined ? {} : { tag }),
    digest: content.parts.root.digest,
    ...(platform !== undefined && content.parts.unwanted.size > 0 ? { platform } : {}),
  };
  return { image, content };
}

/** What somebody else laid there is not written over. */
function refuseForeign(path: string, listed: readonly Descriptor[]): void {
  const saved = ({ artifactType, annotations }: Descriptor): boolean =>
    artifactType === KIT_TYPE || annotations?.['kind']?.startsWith('dev.cosignproject.cosign/') === true;
  if (listed.length === 0 || listed.some(saved)) return;
  throw new ImageError('kit-occupied', `${path} holds an OCI layout that was not saved here, and would be replaced`);
}

/** Evidence that is not what it says, or not there, is left out: a verifier is told so. */
async function putEvidence(layout: Repository, blobs: readonly BlobToPut[]): Promise<readonly string[]> {
  const faults: string[] = [];
  for (const blob of blobs) {
    try {
      await layout.putBlob(blob);
    } catch (error) {
      if (!isStrange(error)) throw error;
      faults.push(error.message);
    }
  }
  return faults;
}

async function putFiles(
  layout: Repository,
  { policies = [], trustedRoot, trustRoots = [] }: SaveKitOptions,
): Promise<Pick<KitDocument, 'policies' | 'trustedRoot' | 'trustRoots'>> {
  const put = async ({ name, bytes }: KitFile): Promise<KitFileEntry> => {
    await layout.putBlob(bytesBlob(bytes));
    return { name, digest: digestOf(bytes), size: bytes.byteLength };
  };
  return {
    policies: await Promise.all(policies.map(put)),
    trustRoots: await Promise.all(trustRoots.map(put)),
    ...(trustedRoot === undefined ? {} : { trustedRoot: await put({ name: 'trusted_root.json', bytes: trustedRoot }) }),
  };
}

function digestsOf({
  policies,
  trustRoots,
  trustedRoot,
}: Pick<KitDocument, 'policies' | 'trustedRoot' | 'trustRoots'>): readonly Digest[] {
  return [...policies, ...trustRoots, ...(trustedRoot === undefined ? [] : [trustedRoot])].map(({ digest }) => digest);
}

/** The document and its files as an artifact of the layout, so that one entry of index.json says what the kit is. */
async function putDocument(
  layout: LayoutRepository,
  document: KitDocument,
): Promise<{ readonly entry: Descriptor; readonly digests: readonly Digest[] }> {
  const bytes = encodeKitDocument(document);
  decodeKitDocument(bytes); // what could not be read again is not written
  const empty = new TextEncoder().encode('{}');
  const { policies, trustRoots, trustedRoot } = document;
  const files = [...policies, ...trustRoots, ...(trustedRoot === undefined ? [] : [trustedRoot])];
  const manifest = new TextEncoder().encode(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MediaType.imageManifest,
      artifactType: KIT_TYPE,
      config: { mediaType: MediaType.empty, size: empty.byteLength, digest: digestOf(empty) },
      layers: [
        { mediaType: KIT_TYPE, size: bytes.byteLength, digest: digestOf(bytes) },
        ...files.map(({ name, digest, size }) => ({
          mediaType: 'application/octet-stream',
          size,
          digest,
          annotations: { 'org.opencontainers.image.title': name },
        })),
      ],
    }),
  );
  await putBlobs(layout, [bytes, empty, manifest].map(bytesBlob));
  const digest = digestOf(manifest);
  return {
    entry: { mediaType: MediaType.imageManifest, size: manifest.byteLength, digest, artifactType: KIT_TYPE },
    digests: [digest, digestOf(bytes), digestOf(empty)],
  };
}

function countOf({ evidence }: CollectedImage): number {
  const manifests = evidence.flatMap((one) => [...one.tags.values(), ...one.manifests]);
  return new Set(manifests.map((stored) => stored?.descriptor.digest).filter((digest) => digest !== undefined)).size;
}
