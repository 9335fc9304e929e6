// SPDX-License-Identifier: Apache-2.0
import { decodeManifest, openLayout, type LayoutRepository, type Repository } from '../../oci/index.ts';
import { ImageError } from '../error.ts';
import { decodeKitDocument, KIT_DOCUMENT_LIMITS, KIT_TYPE, type KitFileEntry, type KitImage } from './kit-document.ts';
import { KitRepository } from './kit-repository.ts';

/** A file that lies in a kit. This room does not look into it. */
export interface KitFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** The files of a kit. Whoever made the kit chose them: to decide by them is to trust who that was. */
export interface KitFiles {
  readonly policies: readonly KitFile[];
  readonly trustedRoot?: Uint8Array;
  /** of TrustRoot documents that are TUF repositories, by the name of the document */
  readonly trustRoots: ReadonlyMap<string, Uint8Array>;
}

/** A kit that was opened: images, what lies beside them, and the files that came with them. */
export interface Kit {
  readonly path: string;
  readonly images: readonly KitImage[];
  /** all repositories of which something is known: those of the images, and those in which evidence was looked for */
  readonly repositories: readonly string[];
  readonly files: KitFiles;
  /** @param name `registry/repository`. @returns what the kit knows of it; `undefined` where nothing was saved of it */
  repository(name: string): Repository | undefined;
  /**
   * The same for decisions, which must not read "not in the kit" as "not signed".
   * @throws ImageError `kit-incomplete`
   */
  open(name: string): Promise<Repository>;
}

/** Bytes of one file, and of all of them. */
const FILE_LIMITS = { one: 32 * 1024 * 1024, all: 128 * 1024 * 1024 };

/**
 * Opens a kit that `saveKit` wrote. It opens no socket. Nothing in it is trusted: its document is decoded strictly, and whatever is read is
 * checked against its digest.
 *
 * @throws ImageError `kit-malformed` where the folder is a layout and no kit, or its document is wrong; RegistryError as `openLayout`
 * @example
 * const kit = await openKit('./kit');
 * const decision = await decide({ image: 'registry.example.com/app:1', open: kit.open, now }, policies);
 */
export async function openKit(path: string): Promise<Kit> {
  const layout = await openLayout(path);
  const document = decodeKitDocument(await readDocument(layout, path));
  const { images, policies, trustedRoot, trustRoots } = document;
  const read = fileReader(layout);
  const files: KitFiles = {
    policies: await inTurn(policies, async (file) => ({ name: file.name, bytes: await read(file) })),
    trustRoots: new Map(await inTurn(trustRoots, async (file) => [file.name, await read(file)] as const)),
    ...(trustedRoot === undefined ? {} : { trustedRoot: await read(trustedRoot) }),
  };
  const repositories = new Map<string, Repository>(
    document.repositories.map((record) => [record.name, new KitRepository(record, layout)]),
  );
  const stranger = images.find(({ name }) => !repositories.has(name));
  if (stranger !== undefined) {
    throw new ImageError(
      'kit-malformed',
      `the kit's document: it lists an image of ${stranger.name} and not that repository`,
    );
  }
  return {
    path,
    images,
    files,
    repositories: [...repositories.keys()],
    repository: (name) => repositories.get(name),
    open: async (name) => {
      const repository = repositories.get(name);
      if (repository !== undefined) return repository;
      throw new ImageError('kit-incomplete', `the kit ${path} holds nothing of ${name}: it was not saved`);
    },
  };
}

/** True where a layout is a kit, or the beginning of one. */
export async function isKit(layout: LayoutRepository): Promise<boolean> {
  return (await layout.entries()).some(({ artifactType }) => artifactType === KIT_TYPE);
}

async function readDocument(layout: LayoutRepository, path: string): Promise<Uint8Array> {
  const [entry, ...others] = (await layout.entries()).filter(({ artifactType }) => artifactType === KIT_TYPE);
  if (entry === undefined || others.length > 0) {
    const found = entry === undefined ? 'nothing in it says which images it holds' : 'it holds several kits';
    throw new ImageError('kit-malformed', `${path} is a layout and no kit: ${found}`);
  }
  const stored = await layout.manifest(entry.digest);
  const [document] = stored === undefined ? [] : decodeManifest(stored.bytes, stored.descriptor.mediaType).layers;
  const bytes =
    document?.mediaType === KIT_TYPE ? await layout.blob(document.digest, KIT_DOCUMENT_LIMITS.bytes) : undefined;
  if (bytes === undefined) throw new ImageError('kit-malformed', `${path} is a kit without its document`);
  return bytes;
}

function fileReader(layout: LayoutRepository): (file: KitFileEntry) => Promise<Uint8Array> {
  let total = 0;
  return async ({ name, digest, size }) => {
    total += size;
    if (size > FILE_LIMITS.one || total > FILE_LIMITS.all) {
      throw new ImageError(
        'kit-malformed',
        `the kit's file ${JSON.stringify(name)} has ${size} bytes, which is more than is read`,
      );
    }
    const bytes = await layout.blob(digest, size);
    if (bytes?.byteLength === size) return bytes;
    const found = bytes === undefined ? 'is gone' : `has ${bytes.byteLength} bytes, expected ${size}`;
    throw new ImageError('kit-malformed', `the kit's file ${JSON.stringify(name)} ${found}`);
  };
}

async function inTurn<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await act(item));
  return results;
}
