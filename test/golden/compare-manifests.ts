// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import type { Digest } from '../../src/oci/index.ts';
import { onStage, type Stage } from './play.ts';
import type { Recording, RepositoryState } from './recording.ts';
import { withoutSignatures } from './seal-shape.ts';
import { getBlob, getManifest, getReferrers } from './stage.ts';
import type { RecordedCommand } from './transcript.ts';

/** Reads a manifest or blob by its digest. */
type Read = (digest: Digest) => Promise<Uint8Array | undefined>;

/**
 * Holds that bulla wrote the manifests, configs, payloads and bundles that cosign wrote, byte for byte but for signatures and the time
 * in an annotation (and what follows from them: digests and sizes).
 *
 * @param reached the first command that is not compared any more
 */
export async function compareManifests(
  recording: Recording,
  reached: RecordedCommand,
  stage: Stage,
  origin: string,
  kind: string,
): Promise<void> {
  for (const state of recording.before(reached)) {
    const path = stage.prefix + state.path;
    const cosign = await shapesOf(
      state,
      (digest) => Promise.resolve(recording.layout.blob(digest)),
      (tag) => {
        const digest = state.tags.get(tag);
        return Promise.resolve(digest === undefined ? undefined : recording.layout.blob(digest));
      },
    );
    const readOurs: Read = async (digest) =>
      (await getManifest(origin, path, digest)) ?? (await getBlob(origin, path, digest));
    const referrers = state.referrers.length === 0 ? [] : await subjectReferrers(recording, state, origin, path);
    const ours = await shapesOf({ ...state, referrers }, readOurs, (tag) => getManifest(origin, path, tag));
    // what was made elsewhere and attached names the recorder's registry
    const bulla = ours.map((shape) => onStage(shape, stage));
    const expected = cosign.map((shape) => onStage(shape, stage));
    assert.deepEqual(bulla, expected, `${recording.name}, ${state.path}, on a registry ${kind}`);
  }
}

async function subjectReferrers(
  recording: Recording,
  state: RepositoryState,
  origin: string,
  path: string,
): Promise<readonly Digest[]> {
  const subjects = state.referrers.flatMap((digest) => recording.layout.manifest(digest).subject?.digest ?? []);
  const lists = await Promise.all([...new Set(subjects)].map((subject) => getReferrers(origin, path, subject)));
  return lists.flat();
}

/** The shape of everything beside the images of a repository, place by place. */
async function shapesOf(
  state: Pick<RepositoryState, 'tags' | 'referrers'>,
  read: Read,
  readTag: (tag: string) => Promise<Uint8Array | undefined>,
): Promise<readonly string[]> {
  const shapes: string[] = [];
  for (const tag of [...state.tags.keys()].toSorted()) {
    if (tag === 'single' || tag === 'multi') continue;
    const bytes = await readTag(tag);
    assert.ok(bytes !== undefined, `there is no tag ${tag}`);
    shapes.push(`${tag}: ${tag.includes('.') ? await shapeOf(bytes, read) : await listedIn(bytes, read)}`);
  }
  const referrers = await Promise.all(
    state.referrers.map(async (digest) => shapeOf(await present(read, digest), read)),
  );
  return [...shapes, ...referrers.toSorted()];
}

// The entries of the index are bulla's own: cosign writes a wrong artifactType and no annotations. What they name is the same.
async function listedIn(index: Uint8Array, read: Read): Promise<string> {
  const { manifests } = JSON.parse(new TextDecoder().decode(index)) as {
    readonly manifests: readonly { readonly digest: Digest }[];
  };
  const shapes = await Promise.all(manifests.map(async ({ digest }) => shapeOf(await present(read, digest), read)));
  return shapes.toSorted().join('\n');
}

/**
 * The text of a manifest with each size and digest replaced by the text that they stand for, and without signatures and times. Whatever
 * else differs, be it the order of two members, shows.
 */
async function shapeOf(bytes: Uint8Array, read: Read): Promise<string> {
  // its subject may lie in another repository, and is what was sealed anyway
  const text = new TextDecoder()
    .decode(bytes)
    .replace(/"subject":\{[^}]*\}/, (subject) => subject.replace('"size":', '"bytes":'));
  const contents = new Map<string, string>();
  for (const [, size = '', digest = ''] of text.matchAll(/"size":(\d+),"digest":"(sha256:[0-9a-f]{64})"/g)) {
    const content = await present(read, digest as Digest);
    assert.equal(content.byteLength, Number(size), `size of ${digest}`);
    contents.set(digest, withoutSignatures(new TextDecoder().decode(content)));
  }
  const shape = withoutSignatures(text).replaceAll(
    /"size":\d+,"digest":"(sha256:[0-9a-f]{64})"/g,
    (_, digest: string) => {
      return `<${named(contents.get(digest) ?? '', contents)}>`;
    },
  );
  return shape;
}

// A config names its layers by digest
function named(text: string, contents: ReadonlyMap<string, string>): string {
  return text.replaceAll(/sha256:[0-9a-f]{64}/g, (digest) => contents.get(digest) ?? digest);
}

async function present(read: Read, digest: Digest): Promise<Uint8Array> {
  const bytes = await read(digest);
  assert.ok(bytes !== undefined, `there is no ${digest}`);
  return bytes;
}
