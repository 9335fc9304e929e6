// SPDX-License-Identifier: Apache-2.0
import { MediaType, type Digest } from '../../oci/index.ts';
import { fetchedFrom, imageName } from '../../policy/index.ts';
import { BoundedMemory } from './bounded-memory.ts';
import type { NamedImage } from './image-question.ts';
import type { JudgedImage } from './judged-image.ts';
import type { SharedTask } from './shared-task.ts';

/** What a tag names. */
export interface ResolvedTag {
  readonly digest: Digest;
  /** the registry has said that it is no index */
  readonly onePlatform: boolean | undefined;
  /** milliseconds since 1970 */
  readonly until: number;
}

/**
 * Resolves tags, each once however many ask, and remembers what they name for some seconds: without any verdict, and for those alone who may
 * use the same secrets.
 */
export class TagResolver {
  readonly #known: BoundedMemory<ResolvedTag> = new BoundedMemory(4 * 1024 * 1024, () => 200);
  readonly #pending: Map<string, SharedTask<ResolvedTag | undefined>> = new Map();
  readonly #now: () => Date;
  readonly #keptMs: number;

  constructor(now: () => Date, keptMs: number) {
    this.#now = now;
    this.#keptMs = keptMs;
  }

  known(asked: JudgedImage, named: NamedImage): ResolvedTag | undefined {
    const known = this.#known.get(keyOf(asked, named));
    return known !== undefined && this.#now().getTime() < known.until ? known : undefined;
  }

  /**
   * @param share makes of it what waits for its turn, and has only so much time
   * @returns `undefined` where there is no such tag
   * @throws RegistryError; what the task throws
   */
  resolve(
    asked: JudgedImage,
    named: NamedImage,
    share: <T>(work: () => Promise<T>) => SharedTask<T>,
  ): Promise<ResolvedTag | undefined> {
    const known = this.known(asked, named);
    if (known !== undefined) return Promise.resolve(known);
    const key = keyOf(asked, named);
    const pending = this.#pending.get(key) ?? share(() => this.#look(asked, named));
    if (!this.#pending.has(key)) {
      this.#pending.set(key, pending);
      const ended = (): boolean => this.#pending.delete(key);
      pending.result.then(ended, ended);
    }
    pending.ask(asked.namespace);
    return pending.result;
  }

  async #look(asked: JudgedImage, named: NamedImage): Promise<ResolvedTag | undefined> {
    const found = await (await asked.scope.open(placeOf(asked, named))).resolve(named.tag);
    if (found === undefined) return undefined;
    const { digest, mediaType } = found;
    // What a registry calls an index, or nothing at all, may be one.
    const single = mediaType === MediaType.imageManifest || mediaType === MediaType.dockerManifest;
    const until = this.#now().getTime() + this.#keptMs;
    const resolved: ResolvedTag = { digest, onePlatform: single ? true : undefined, until };
    this.#known.set(keyOf(asked, named), resolved);
    return resolved;
  }
}

function keyOf(asked: JudgedImage, named: NamedImage): string {
  return `${asked.scope.key}\n${placeOf(asked, named)}\n${named.tag}`;
}

function placeOf({ set, image }: JudgedImage, { repository }: NamedImage): string {
  return set.mirrors.length === 0 ? repository : fetchedFrom(set.mirrors, imageName(image));
}
