// SPDX-License-Identifier: Apache-2.0
import { parseReference, ReferenceFault, type Digest } from '../../oci/index.ts';
import type { FoundImage, ImagePart, ImageParts, TextSpan } from '../manifest/found-image.ts';
import type { Edit } from './rewrite-spans.ts';

/** How an image is pinned where it stands, or why it is not. */
export type PinEdits =
  | { readonly kind: 'edits'; readonly edits: readonly Edit[] }
  | { readonly kind: 'left'; readonly why: string };

/** An image at a digest, in the writer's own spelling: `nginx` becomes `nginx:latest@sha256:…`, which is what it meant. */
export function pinnedImage(image: string, digest: Digest): string {
  return `${taggedImage(image)}@${digest}`;
}

/** The image by its tag alone, in the writer's own spelling; by none where only a digest says which it is. */
export function taggedImage(image: string): string {
  const { tag, digest } = parseReference(image);
  const name = digest === undefined ? image : image.slice(0, image.indexOf('@'));
  return tag === undefined && digest === undefined ? `${name}:latest` : name;
}

/**
 * The changes that pin an image where it stands. Text that is not the image itself (variables, escapes) is never touched. Of an image in
 * several fields the digest goes where its reader looks for one: into the field that has it already; in a kustomization into `digest`, which
 * every version heeds, and `newTag` stays for people; in values of Helm into the tag, where it has no field of its own: charts put the tag behind the name as it stands.
 *
 * @param text of the file
 * @see https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/images/
 */
export function pinEdits(found: FoundImage, text: string, digest: Digest): PinEdits {
  try {
    const pinned = pinnedImage(found.image, digest);
    const { parts } = found;
    if (parts === undefined) {
      if (textOf(text, found.span) !== found.image) return left('its text has variables or escapes');
      return edits({ ...found.span, text: pinned });
    }
    return pinParts(found.source, parts, text, digest);
  } catch (error) {
    if (error instanceof ReferenceFault) return left(error.message);
    throw error;
  }
}

/** The parts of a file that an image is read from. What two images share cannot be changed for one of them. */
export function spansOf({ span, parts }: FoundImage): readonly TextSpan[] {
  if (parts === undefined) return [span];
  return [parts.registry, parts.repository, parts.tag, parts.digest, parts.emptyDigest].flatMap(
    (part) => part?.span ?? [],
  );
}

function pinParts(source: FoundImage['source'], parts: ImageParts, text: string, digest: Digest): PinEdits {
  const { repository, tag, digest: old, emptyDigest } = parts;
  if (old !== undefined) {
    if (textOf(text, old.span) !== old.text) return left('the text of its digest has escapes');
    // Some charts have a field for the hexadecimal digits alone.
    const bare = /^[0-9a-f]{64}$/.test(old.text);
    if (bare && !digest.startsWith('sha256:')) return left(`its field takes sha256 only`);
    return edits({ ...old.span, text: bare ? digest.slice('sha256:'.length) : digest });
  }
  if (emptyDigest !== undefined && (tag ?? repository)?.text.includes('@') !== true)
    return edits(filled(emptyDigest, text, digest));
  const target = tag ?? repository;
  if (target === undefined || textOf(text, target.span) !== target.text)
    return left('its text has variables or escapes');
  const at = target.text.indexOf('@');
  if (at !== -1) return edits({ start: target.span.start + at + 1, end: target.span.end, text: digest });
  if (source === 'kustomize') return edits(newDigestField(parts, text, digest));
  // a tag that is written as a number is a text from here on, without quotes too
  return edits({ start: target.span.end, end: target.span.end, text: `@${digest}` });
}

/** A field that has nothing in it: between its quotes, in the place of its null, or behind its colon. */
function filled({ span: { start, end }, quoted }: ImagePart, text: string, digest: Digest): Edit {
  if (quoted || end > start) return { start, end, text: digest };
  const lead = text[start - 1] === ':' ? ' ' : '';
  const trail = text[start] === '#' ? ' ' : '';
  return { start, end, text: `${lead}${digest}${trail}` };
}

function newDigestField({ newField, repository, tag }: ImageParts, text: string, digest: Digest): Edit {
  const { offset, indent } = newField;
  if (indent === undefined) {
    const ends = [repository, tag].map((part) => (part === undefined ? 0 : part.span.end + (part.quoted ? 1 : 0)));
    const end = Math.max(...ends);
    return { start: end, end, text: `, digest: "${digest}"` };
  }
  return { start: offset, end: offset, text: `${lineBreakAt(text, offset)}${indent}digest: ${digest}` };
}

/** The line break of a line; at the end of the text, that of the lines before it. */
function lineBreakAt(text: string, offset: number): string {
  if (text.startsWith('\r\n', offset)) return '\r\n';
  if (text[offset] === '\n') return '\n';
  return /\r?\n/.exec(text)?.[0] ?? '\n';
}

function textOf(text: string, { start, end }: TextSpan): string {
  return text.slice(start, end);
}

function edits(edit: Edit): PinEdits {
  return { kind: 'edits', edits: [edit] };
}

function left(why: string): PinEdits {
  return { kind: 'left', why };
}
