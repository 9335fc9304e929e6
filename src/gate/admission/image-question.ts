// SPDX-License-Identifier: Apache-2.0
import { parseReference, repositoryName, type Digest } from '../../oci/index.ts';
import { attachedTag } from '../../image/index.ts';
import {
  fetchedFrom,
  imageName,
  matchingPolicies,
  policiesOfDigests,
  questionOf,
  readsObject,
  type PolicySet,
  type PreparedPolicy,
  type Workload,
} from '../../policy/index.ts';
import { BoundedMemory } from './bounded-memory.ts';

/** An image as the gate asks about it. */
export interface NamedImage {
  /** as it was written, without tag and digest */
  readonly base: string;
  readonly tag: string;
  readonly digest?: Digest;
  readonly repository: string;
}

/** What policies see of the object that runs an image. */
export type RunningObject = Pick<Workload, 'resource' | 'spec' | 'metadata' | 'typemeta'>;

/** The questions that an image poses under a set of policies. */
export interface PosedQuestion {
  /** names them, for what was answered before */
  readonly key: string;
  /** the image's names that policies are to be asked by */
  readonly images: readonly string[];
  /** what will be asked for as soon as the first of its authorities is not satisfied: the legacy signatures */
  readonly ahead?: { readonly repository: string; readonly tag: string };
}

/** @throws ReferenceFault for what is no image */
export function nameImage(written: string): NamedImage {
  const reference = parseReference(written);
  const { tag, digest } = reference;
  const named = digest === undefined ? written : written.slice(0, written.lastIndexOf('@'));
  const base = tag === undefined ? named : named.slice(0, named.length - tag.length - 1);
  return {
    base,
    tag: tag ?? (digest === undefined ? 'latest' : ''),
    ...(digest === undefined ? {} : { digest }),
    repository: repositoryName(reference),
  };
}

/**
 * What an image with a digest asks of policies. With a digest its tag is decoration, which anybody may write: no policy is met, and none
 * avoided, by a tag. So policies are asked by the name without it, and where further ones are about the name with it, they must be met too.
 */
function poseQuestion({ base, tag }: NamedImage, digest: Digest, run: RunningObject, set: PolicySet): PosedQuestion {
  const plain = `${base}@${digest}`;
  const about = (image: string): ReturnType<typeof matchingPolicies> =>
    matchingPolicies(set, imageName(image), run.resource);
  const matching = about(plain);
  const key = questionOf({ image: plain, ...run }, set);
  const tagged = `${base}:${tag}@${digest}`;
  const further = tag === '' ? [] : about(tagged).filter((policy) => !matching.includes(policy));
  const ahead = aheadOf([...matching, ...further], fetchedFrom(set.mirrors, imageName(plain)), digest);
  if (further.length === 0) return { key, images: [plain], ...ahead };
  return { key: `${key} ${questionOf({ image: tagged, ...run }, set)}`, images: [plain, tagged], ...ahead };
}

function aheadOf(
  policies: readonly PreparedPolicy[],
  repository: string,
  digest: Digest,
): Pick<PosedQuestion, 'ahead'> {
  const signed = policies
    .flatMap(({ authorities }) => authorities)
    .filter(
      (authority) =>
        authority.kind !== 'static' &&
        authority.attestations.length === 0 &&
        authority.source === undefined &&
        authority.formats?.includes('legacy') !== false,
    );
  return signed.length < 2 ? {} : { ahead: { repository, tag: attachedTag(digest, 'signature') } };
}

/**
 * Whether any policy is, or may be, about an image of which the digest is not known: one that names a digest may name this one, and no tag is a
 * way around it.
 */
export function isAnyPolicyAbout({ base, tag }: NamedImage, run: RunningObject, set: PolicySet): boolean {
  const names = [`${base}:${tag}`, `${base}@${ANY_DIGEST}`];
  if (names.some((name) => matchingPolicies(set, imageName(name), run.resource).length > 0)) return true;
  return policiesOfDigests(set, imageName(`${base}:${tag}`), run.resource).length > 0;
}

const ANY_DIGEST = `sha256:${'0'.repeat(64)}`;

/** What is remembered of the questions of a set: they follow from image and policies alone where no policy looks at the object. */
export class QuestionMemory {
  readonly #known: BoundedMemory<PosedQuestion> = new BoundedMemory(8 * 1024 * 1024, sizeOf);
  readonly #set: PolicySet;
  readonly #readsObject: boolean;
  readonly #readsResource: boolean;

  constructor(set: PolicySet) {
    this.#set = set;
    this.#readsObject = set.policies.some(readsObject);
    this.#readsResource = set.policies.some(({ match }) => match.length > 0);
  }

  get set(): PolicySet {
    return this.#set;
  }

  pose(image: NamedImage, digest: Digest, run: RunningObject): PosedQuestion {
    if (this.#readsObject) return poseQuestion(image, digest, run, this.#set);
    const key = `${image.base}:${image.tag}@${digest}${this.#readsResource ? resourceKey(run) : ''}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const posed = poseQuestion(image, digest, run, this.#set);
    this.#known.set(key, posed);
    return posed;
  }
}

function resourceKey({ resource: { group, version, resource, labels } }: RunningObject): string {
  return `\n${group}\n${version}\n${resource}\n${JSON.stringify(labels)}`;
}

function sizeOf({ key, images }: PosedQuestion): number {
  return 200 + key.length + images.reduce((sum, image) => sum + image.length, 0);
}
