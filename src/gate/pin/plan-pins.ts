// SPDX-License-Identifier: Apache-2.0
import { formatReference, parseReference, ReferenceFault, type Digest } from '../../oci/index.ts';
import type { Decision } from '../../policy/index.ts';
import type { FoundImage, FoundImages, ManifestFile, TextSpan } from '../manifest/found-image.ts';
import { SourceText } from '../manifest/source-text.ts';
import { lockedImage, type LockedImage } from './lock.ts';
import { pinEdits, spansOf } from './pin-edits.ts';
import { PinError } from './pin-error.ts';
import { rewriteSpans, type Edit } from './rewrite-spans.ts';
import type { SettledImage } from './settle-images.ts';

/** What is done about an image where it stands. */
export interface PinnedPlace {
  readonly found: FoundImage;
  /**
   * - `pinned`: the digest is added; `updated`: it becomes another
   * - `kept`: it has its digest, and that is trusted
   * - `left`: it stays as it is, since it is not trusted, or cannot be written where it stands (`why`)
   */
  readonly action: 'pinned' | 'updated' | 'kept' | 'left';
  /** what the file says then */
  readonly image: string;
  readonly decision: Decision;
  /** why what the tag of a pinned image is now was not taken */
  readonly newer?: Decision;
  /** why a trusted image is not written */
  readonly why?: string;
}

/** A file that changes. */
export interface RewrittenFile {
  readonly name: string;
  readonly before: string;
  readonly after: string;
}

/** What is to be written, and why. Nothing is written yet. */
export interface PinPlan {
  /** in the order of the images */
  readonly places: readonly PinnedPlace[];
  /** in the order of the files; those that stay as they are are not among them */
  readonly files: readonly RewrittenFile[];
  /** every image that is pinned and trusted then */
  readonly locked: readonly LockedImage[];
}

/** Looks for images again in what is about to be written. */
export type FindAgain = (files: readonly ManifestFile[]) => Promise<FoundImages>;

/**
 * Plans how trusted images are pinned in their files: only the images change, byte for byte. What would not read back as exactly that, with
 * every other image as it was, is not written: its file is left as it is.
 *
 * @param files those in which the images were found
 * @param before what the lock has: kept of pinned images on which nothing could be found out
 * @throws PinError `rewrite-unsound` where even that does not read back
 */
export async function planPins(
  files: readonly ManifestFile[],
  settled: readonly SettledImage[],
  findAgain: FindAgain,
  before: readonly LockedImage[] = [],
): Promise<PinPlan> {
  const texts = new Map(files.flatMap((file) => textOf(file)));
  const planned = withoutShared(settled.map((one) => planOf(one, texts.get(one.found.place.file))));
  let plan = apply(planned, texts, before);
  const unsound = await misread(plan, files, findAgain);
  if (unsound.size > 0) {
    const why = 'its file would not read back as what was decided';
    plan = apply(
      planned.map((one) => (unsound.has(one.place.found.place.file) ? leave(one, why) : one)),
      texts,
      before,
    );
    const [still] = await misread(plan, files, findAgain);
    if (still !== undefined)
      throw new PinError('rewrite-unsound', `${still} would not read back as what was decided; nothing is written`);
  }
  return plan;
}

/** A place with the changes that make it so. */
interface PlannedPlace {
  readonly place: PinnedPlace;
  readonly edits: readonly Edit[];
}

function textOf(file: ManifestFile): readonly (readonly [string, string])[] {
  const source = SourceText.decode(file);
  return source instanceof SourceText ? [[source.file, source.text]] : [];
}

function planOf({ found, decision, pinned, newer }: SettledImage, text = ''): PlannedPlace {
  const about = { found, decision, ...(newer === undefined ? {} : { newer }), image: found.image };
  if (pinned === undefined) return { place: { ...about, action: 'left' }, edits: [] };
  if (pinned.image === found.image) return { place: { ...about, action: 'kept' }, edits: [] };
  const planned = pinEdits(found, text, pinned.digest);
  if (planned.kind === 'left') return { place: { ...about, action: 'left', why: planned.why }, edits: [] };
  const action = found.image.includes('@') ? 'updated' : 'pinned';
  return { place: { ...about, action, image: pinned.image }, edits: planned.edits };
}

/** The same place as it is, if it was to change. */
function leave(planned: PlannedPlace, why: string): PlannedPlace {
  if (planned.edits.length === 0) return planned;
  const { place } = planned;
  return { place: { ...place, action: 'left', image: place.found.image, why }, edits: [] };
}

/** Leaves what stands in text that another image is read from as well (an anchor in YAML), unless both are to become the same. */
function withoutShared(planned: readonly PlannedPlace[]): readonly PlannedPlace[] {
  const wanted = new Map(planned.map((one) => [one, JSON.stringify(one.edits)]));
  const key = ({ place }: PlannedPlace, { start, end }: TextSpan): string =>
    `${start} ${end} ${place.found.place.file}`;
  const readers = Map.groupBy(
    planned.flatMap((one) => spansOf(one.place.found).map((span) => ({ one, span }))),
    ({ one, span }) => key(one, span),
  );
  return planned.map((one) => {
    const changed = spansOf(one.place.found).filter((span) =>
      one.edits.some(({ start, end }) => span.start <= start && end <= span.end),
    );
    const other = changed
      .flatMap((span) => readers.get(key(one, span)) ?? [])
      .find((reader) => wanted.get(reader.one) !== wanted.get(one));
    if (other === undefined) return one;
    const { line, field } = other.one.place.found.place;
    return leave(one, `shares its text with ${field} at line ${line}, which is not to become the same`);
  });
}

function apply(
  planned: readonly PlannedPlace[],
  texts: ReadonlyMap<string, string>,
  before: readonly LockedImage[],
): PinPlan {
  const edits = Map.groupBy(
    planned.flatMap(({ place, edits: own }) => own.map((edit) => ({ edit, file: place.found.place.file }))),
    ({ file }) => file,
  );
  const files = [...texts].flatMap(([name, text]): RewrittenFile[] => {
    const own = edits.get(name)?.map(({ edit }) => edit) ?? [];
    const after = own.length === 0 ? text : rewriteSpans(text, own);
    return after === text ? [] : [{ name, before: text, after }];
  });
  const places = planned.map(({ place }) => place);
  return { places, files, locked: lockedImages(places, before) };
}

/** The files in which other images would be found than are planned. */
async function misread(
  { places, files: rewritten }: PinPlan,
  files: readonly ManifestFile[],
  findAgain: FindAgain,
): Promise<ReadonlySet<string>> {
  if (rewritten.length === 0) return new Set();
  const after = new Map(rewritten.map((file) => [file.name, new TextEncoder().encode(file.after)]));
  const again = await findAgain(
    files.map((file) => {
      const bytes = after.get(file.name);
      return bytes === undefined ? file : { ...file, bytes };
    }),
  );
  const byFile = (images: readonly { readonly file: string; readonly image: string }[]): Map<string, string> =>
    new Map([...Map.groupBy(images, ({ file }) => file)].map(([file, all]) => [file, all.map(one).join('\n')]));
  const one = ({ image }: { readonly image: string }): string => image;
  const expected = byFile(places.map(({ found, image }) => ({ file: found.place.file, image })));
  const read = byFile(again.images.map(({ place, image }) => ({ file: place.file, image })));
  return new Set(rewritten.map(({ name }) => name).filter((name) => expected.get(name) !== read.get(name)));
}

/** One entry for each image and digest, however often and by whatever it is run. */
function lockedImages(places: readonly PinnedPlace[], before: readonly LockedImage[]): readonly LockedImage[] {
  const entries = new Map(before.map((entry) => [keyOf(entry.image, entry.digest), entry]));
  const kept = new Map<string, LockedImage>();
  const pinned: {
    readonly key: string;
    readonly name: string;
    readonly digest: Digest;
    readonly decision: Decision;
  }[] = [];
  for (const { action, image, decision } of places) {
    const read = action === 'left' && decision.outcome !== 'undecided' ? undefined : pinnedName(image);
    if (read === undefined) continue;
    const key = keyOf(read.name, read.digest);
    const known = entries.get(key);
    if (action !== 'left') pinned.push({ key, ...read, decision });
    // that nothing could be found out is no reason to forget what was
    else if (known !== undefined) kept.set(key, known);
  }
  for (const [key, same] of Map.groupBy(pinned, (one) => one.key)) {
    const [first] = same;
    if (first === undefined || kept.has(key)) continue;
    const decisions = same.map(({ decision }) => decision);
    kept.set(key, lockedImage(first.name, first.digest, decisions));
  }
  return [...kept.values()];
}

function keyOf(name: string, digest: Digest): string {
  return `${name}@${digest}`;
}

/** The full name of a pinned image, and its digest. */
function pinnedName(image: string): { readonly name: string; readonly digest: Digest } | undefined {
  try {
    const { digest, ...name } = parseReference(image);
    return digest === undefined ? undefined : { name: formatReference(name), digest };
  } catch (error) {
    if (error instanceof ReferenceFault) return undefined;
    throw error;
  }
}
