// SPDX-License-Identifier: Apache-2.0
import { formatReference, parseReference, type Reference } from '../../oci/index.ts';

/** A pattern of image names, compiled. */
export interface ImageGlob {
  /** as it was written */
  readonly source: string;
  /** what every name that matches begins with */
  readonly prefix: string;
  /** what comes after it: text, `*` for anything but a slash, `**` for anything */
  readonly rest: readonly string[];
}

const MAX_GLOB = 1024;
const CHARACTERS = /^[a-zA-Z0-9\-_:/*.@]+$/;

/** Why a text is no glob; `undefined` if it is one. */
export function globFault(source: string): string | undefined {
  if (source.length > MAX_GLOB) return `${source.length} characters, at most ${MAX_GLOB} are read`;
  return CHARACTERS.test(source) ? undefined : 'not a glob, expected letters, digits and - _ : / * . @ only';
}

/** Compiles a glob that `globFault` has nothing against. One or two lone stars are about Docker Hub, as policy-controller has it. */
export function compileGlob(source: string): ImageGlob {
  const whole = source === '*' ? 'index.docker.io/library/*' : source === '*/*' ? 'index.docker.io/*/*' : source;
  const [prefix = '', ...rest] = whole.split(/(\*\*|\*)/);
  return { source, prefix, rest: rest.filter((part) => part !== '') };
}

/** An image as policies see it: its full name, and how it was written. */
export interface ImageName {
  readonly reference: Reference;
  /** with registry and with tag or digest: a digest drops the tag, and where there is neither it is `latest` */
  readonly full: string;
  readonly written: string;
}

/** @throws ReferenceFault for what is no reference */
export function imageName(written: string): ImageName {
  const reference = parseReference(written);
  const { registry, repository, tag = 'latest', digest } = reference;
  const full = formatReference({ registry, repository, ...(digest === undefined ? { tag } : { digest }) });
  return { reference, full, written };
}

/**
 * Whether a glob matches an image: the whole of its full name, else the whole of what was written. `:` is no separator. The time is at most
 * the product of both lengths.
 */
export function matchesGlob(glob: ImageGlob, { full, written }: ImageName): boolean {
  return matches(glob, full) || (written !== full && matches(glob, written));
}

function matches({ prefix, rest }: ImageGlob, name: string): boolean {
  if (!name.startsWith(prefix)) return false;
  if (rest.length === 0) return name.length === prefix.length;
  // Where in the name one can be, having read the parts so far: all are followed at once, so that no part is tried twice at a place.
  let reached = new Uint8Array(name.length + 1);
  reached[prefix.length] = 1;
  for (const part of rest) {
    const next = new Uint8Array(name.length + 1);
    if (part.startsWith('*')) {
      let open = false;
      for (let at = 0; at <= name.length; at++) {
        if (at > 0 && part === '*' && name[at - 1] === '/') open = false;
        if (reached[at] === 1) open = true;
        if (open) next[at] = 1;
      }
    } else {
      for (let at = 0; at + part.length <= name.length; at++)
        if (reached[at] === 1 && name.startsWith(part, at)) next[at + part.length] = 1;
    }
    reached = next;
  }
  return reached[name.length] === 1;
}
