// SPDX-License-Identifier: Apache-2.0
import { GatheredEvidence, ImageError } from '../../image/index.ts';
import type { Digest, Repository } from '../../oci/index.ts';
import type { PreparedSealAuthority } from './prepared-policy.ts';

/** Opens a repository by its name, `registry/repository`. Nothing needs to be asked of it yet. */
export type OpenRepository = (name: string) => Promise<Repository>;

/** Where an image is. */
export interface ShelvedImage {
  readonly repository: string;
  readonly target: string;
  /** its repository, where that is open already */
  readonly opened?: Repository;
}

/** The evidence of one image, for all policies and authorities: each place is opened once, and the image's tag resolved once. */
export class EvidenceShelf {
  readonly #open: OpenRepository;
  readonly #image: ShelvedImage;
  readonly #attestations: boolean;
  readonly #gathered: Map<string, Promise<GatheredEvidence>> = new Map();
  #repository: Promise<Repository> | undefined;
  #digest: Promise<Digest> | undefined;
  #known: Digest | undefined;

  /** @param attestations whether any policy will ask for some */
  constructor(open: OpenRepository, image: ShelvedImage, attestations: boolean) {
    this.#open = open;
    this.#image = image;
    this.#attestations = attestations;
  }

  /** The digest, once it was looked up. */
  get known(): Digest | undefined {
    return this.#known;
  }

  /** @throws ImageError `image-missing`; RegistryError */
  digest(): Promise<Digest> {
    this.#digest ??= this.#resolve();
    return this.#digest;
  }

  /** The evidence in the place that an authority names. */
  at(source: PreparedSealAuthority['source']): Promise<GatheredEvidence> {
    const { repository = '', tagPrefix = '' } = source ?? {};
    const key = `${repository} ${tagPrefix}`;
    const known = this.#gathered.get(key);
    if (known !== undefined) return known;
    const gathered = this.#gather(repository, tagPrefix);
    this.#gathered.set(key, gathered);
    return gathered;
  }

  async #gather(repository: string, tagPrefix: string): Promise<GatheredEvidence> {
    const digest = await this.digest();
    const evidence = repository === '' ? undefined : await this.#open(repository);
    return new GatheredEvidence(await this.#own(), digest, {
      attestations: this.#attestations,
      ...(evidence === undefined ? {} : { evidence }),
      ...(tagPrefix === '' ? {} : { tagPrefix }),
    });
  }

  #own(): Promise<Repository> {
    const { opened, repository } = this.#image;
    this.#repository ??= opened === undefined ? this.#open(repository) : Promise.resolve(opened);
    return this.#repository;
  }

  async #resolve(): Promise<Digest> {
    const { repository, target } = this.#image;
    const digest = await new GatheredEvidence(await this.#own(), target).digest();
    if (digest === undefined) throw new ImageError('image-missing', `${repository} has no tag '${target}'`);
    this.#known = digest;
    return digest;
  }
}

/** more images are not kept at a time */
const MAX_SHELVES = 1000;

/**
 * The evidence of several images, for several decisions: of what is at hand nothing is asked again. A tag is not resolved again either, so
 * that it is for who holds the cache to say how long that may be.
 */
export class EvidenceCache {
  readonly #shelves: Map<string, EvidenceShelf> = new Map();

  /** @param open as in the decision that asks first */
  shelf(open: OpenRepository, image: ShelvedImage): EvidenceShelf {
    const key = `${image.repository} ${image.target}`;
    const known = this.#shelves.get(key);
    if (known !== undefined) return known;
    const shelf = new EvidenceShelf(open, image, true);
    if (this.#shelves.size >= MAX_SHELVES) this.#shelves.delete(this.#shelves.keys().next().value ?? '');
    this.#shelves.set(key, shelf);
    return shelf;
  }

  /** Forgets an image, so that the next decision asks again. */
  forget(image: Pick<ShelvedImage, 'repository' | 'target'>): void {
    this.#shelves.delete(`${image.repository} ${image.target}`);
  }
}
