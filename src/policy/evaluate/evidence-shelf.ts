// SPDX-License-Identifier: Apache-2.0
import { GatheredEvidence, ImageError, type SealChecks } from '../../image/index.ts';
import { isDigest, type Digest, type Repository } from '../../oci/index.ts';
import type { Json } from '../../wire/index.ts';
import { readConfigs } from './image-configs.ts';
import { readPlatforms, saysImage, type IndexedPlatform } from './index-platforms.ts';
import type { PreparedSealAuthority } from './prepared-policy.ts';

/** With which credentials a repository is opened, beside those that are used for the image. */
export interface OpenOptions {
  /** names of Secrets of type dockerconfigjson, in the namespace of the workload, that the policy names for this repository */
  readonly pullSecrets?: readonly string[];
}

/** Opens a repository by its name, `registry/repository`. Nothing needs to be asked of it yet. */
export type OpenRepository = (name: string, options?: OpenOptions) => Promise<Repository>;

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
  readonly #checks: SealChecks | undefined;
  readonly #gathered: Map<string, Promise<GatheredEvidence>> = new Map();
  readonly #opened: Map<string, Promise<Repository>> = new Map();
  readonly #configs: Map<string, Promise<Json>> = new Map();
  #repository: Promise<Repository> | undefined;
  #digest: Promise<Digest> | undefined;
  #known: Digest | undefined;
  /** what the registry said that the tag is */
  #mediaType: string | undefined;
  #platforms: Promise<readonly IndexedPlatform[] | undefined> | undefined;

  /**
   * @param attestations whether any policy will ask for some
   * @param checks what verifying other images gave
   */
  constructor(open: OpenRepository, image: ShelvedImage, attestations: boolean, checks?: SealChecks) {
    this.#open = open;
    this.#image = image;
    this.#attestations = attestations;
    this.#checks = checks;
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

  /**
   * The evidence in the place that an authority names.
   *
   * @param platform of which platform of the index; of the image itself unless told
   */
  at(source: PreparedSealAuthority['source'], platform?: Digest): Promise<GatheredEvidence> {
    const { repository = '', tagPrefix = '', pullSecrets = [] } = source ?? {};
    const key = JSON.stringify([repository, tagPrefix, pullSecrets, platform ?? '']);
    const known = this.#gathered.get(key);
    if (known !== undefined) return known;
    const gathered = this.#gather({ repository, tagPrefix, pullSecrets }, platform);
    this.#gathered.set(key, gathered);
    return gathered;
  }

  /**
   * The platforms that the image lists and that can be run; `undefined` where it is no index. One request more, unless the registry has said
   * already that it is none.
   *
   * @throws RegistryError, also `too-large` for an index of more, or deeper, than is read
   */
  platforms(): Promise<readonly IndexedPlatform[] | undefined> {
    this.#platforms ??= this.#readPlatforms();
    return this.#platforms;
  }

  /**
   * The configurations of the image by platform, those of an index's platforms all.
   *
   * @param platform only of this one
   * @throws RegistryError
   */
  async configs(platform?: IndexedPlatform): Promise<Json> {
    const key = platform?.digest ?? '';
    const known = this.#configs.get(key);
    if (known !== undefined) return known;
    const images =
      platform === undefined ? ((await this.platforms()) ?? [{ digest: await this.digest() }]) : [platform];
    const configs = readConfigs(await this.#own(), images);
    this.#configs.set(key, configs);
    return configs;
  }

  async #readPlatforms(): Promise<readonly IndexedPlatform[] | undefined> {
    const digest = await this.digest();
    return saysImage(this.#mediaType) ? undefined : readPlatforms(await this.#own(), digest);
  }

  async #gather(
    { repository, tagPrefix, pullSecrets }: Required<NonNullable<PreparedSealAuthority['source']>>,
    platform: Digest | undefined,
  ): Promise<GatheredEvidence> {
    const digest = platform ?? (await this.digest());
    const options = pullSecrets.length === 0 ? undefined : { pullSecrets };
    const evidence = repository === '' ? undefined : await this.#elsewhere(repository, options);
    return new GatheredEvidence(await this.#own(), digest, {
      attestations: this.#attestations,
      ...(this.#checks === undefined ? {} : { checks: this.#checks }),
      ...(evidence === undefined ? {} : { evidence }),
      ...(tagPrefix === '' ? {} : { tagPrefix }),
    });
  }

  #own(): Promise<Repository> {
    const { opened, repository } = this.#image;
    this.#repository ??= opened === undefined ? this.#open(repository) : Promise.resolve(opened);
    return this.#repository;
  }

  // the platforms of an index have one place between them
  #elsewhere(repository: string, options: OpenOptions | undefined): Promise<Repository> {
    const key = JSON.stringify([repository, options?.pullSecrets ?? []]);
    const known = this.#opened.get(key);
    if (known !== undefined) return known;
    const opened = options === undefined ? this.#open(repository) : this.#open(repository, options);
    this.#opened.set(key, opened);
    return opened;
  }

  async #resolve(): Promise<Digest> {
    const { repository, target } = this.#image;
    if (isDigest(target)) return (this.#known = target);
    const descriptor = await (await this.#own()).resolve(target);
    if (descriptor === undefined) throw new ImageError('image-missing', `${repository} has no tag '${target}'`);
    this.#mediaType = descriptor.mediaType;
    this.#known = descriptor.digest;
    return descriptor.digest;
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
