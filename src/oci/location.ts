// SPDX-License-Identifier: Apache-2.0
import { isDigest, type Digest } from './digest.ts';
import { ReferenceFault } from './error.ts';
import { quoted } from './quoted.ts';
import { isTag, parseReference, type Reference } from './reference.ts';

/** Where an image is: in a registry, or in an OCI layout on disk. */
export type Location =
  | { readonly kind: 'registry'; readonly reference: Reference }
  | {
      readonly kind: 'layout';
      /** the directory, as it was written */
      readonly path: string;
      readonly tag?: string;
      readonly digest?: Digest;
    };

/**
 * The names that a layout may give a manifest: wider than a tag, so that `docker.io/library/alpine:3` is one.
 * @see https://github.com/opencontainers/image-spec/blob/main/annotations.md#pre-defined-annotation-keys
 */
const REF_NAME = /^[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*(?:\/[A-Za-z0-9]+(?:(?:[-._:@+]|--)[A-Za-z0-9]+)*)*$/;
const MAX_REF_NAME = 1024;

/** True for what `org.opencontainers.image.ref.name` may hold, and for every tag. */
export function isRefName(text: string): boolean {
  return text.length <= MAX_REF_NAME && !isDigest(text) && (REF_NAME.test(text) || isTag(text));
}

/**
 * Parses what a command line takes for an image: `oci-layout:DIR[:TAG][@DIGEST]` or `oci:DIR[:TAG][@DIGEST]` for a layout (a
 * directory's name ends at the first colon, as for skopeo), anything else as a reference.
 *
 * @throws ReferenceFault `reference-malformed`, `tag-malformed`, `digest-malformed`
 * @example parseLocation('oci:./build:v1') // { kind: 'layout', path: './build', tag: 'v1' }
 */
export function parseLocation(text: string): Location {
  const layout = /^(?:oci-layout|oci):(?!\/\/)([^]*)$/.exec(text)?.[1];
  if (layout === undefined) return { kind: 'registry', reference: parseReference(text) };
  const [tagged, digest] = splitDigest(text, layout);
  const colon = tagged.indexOf(':');
  const path = colon === -1 ? tagged : tagged.slice(0, colon);
  const tag = colon === -1 ? undefined : tagged.slice(colon + 1);
  if (path === '' || path.includes('\0')) {
    throw new ReferenceFault(
      'reference-malformed',
      `${quoted(text)} names no directory (expected oci-layout:DIR[:TAG])`,
    );
  }
  if (tag !== undefined && !isRefName(tag)) {
    throw new ReferenceFault(
      'tag-malformed',
      `${quoted(text)} names a layout, but ${quoted(tag)} cannot be a name in it`,
    );
  }
  return { kind: 'layout', path, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) };
}

function splitDigest(text: string, layout: string): readonly [string, Digest | undefined] {
  const at = layout.lastIndexOf('@');
  if (at === -1) return [layout, undefined];
  const digest = layout.slice(at + 1);
  if (isDigest(digest)) return [layout.slice(0, at), digest];
  // Directories and names may hold an '@'; what begins like a digest was meant as one.
  if (!/^sha\d+:/i.test(digest)) return [layout, undefined];
  throw new ReferenceFault('digest-malformed', `${quoted(text)} names a layout, but ${quoted(digest)} is not a digest`);
}
