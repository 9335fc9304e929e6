// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import type { ImageContents } from '../package.ts';
import { platformName } from '../platform.ts';

/** What a document says of itself. */
export interface DocumentOptions {
  /** the version of what writes it */
  readonly version: string;
  /**
   * Seconds since 1970 that stand as its time; else the image's own time of creation, else 1970. Never the clock: the same image gives the
   * same document.
   * @see https://reproducible-builds.org/docs/source-date-epoch/
   */
  readonly sourceDateEpoch?: number;
}

/** `2023-11-14T22:13:20Z` */
export function documentTime({ created }: ImageContents, { sourceDateEpoch }: DocumentOptions): string {
  const time = sourceDateEpoch === undefined ? (created ?? new Date(0)) : new Date(sourceDateEpoch * 1000);
  const year = time.getUTCFullYear();
  // the formats know years of four digits only
  const shown = year >= 0 && year <= 9999 ? time : new Date(0);
  return `${shown.toISOString().slice(0, 19)}Z`;
}

/**
 * A UUID made of what the document says, so that equal documents have equal ones, and others have not.
 * @see https://www.rfc-editor.org/rfc/rfc9562#name-uuid-version-8
 */
export function contentUuid(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** A few characters that stand for a text in an identifier. */
export function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}

/** The purl of the image itself. @see https://github.com/package-url/purl-spec/blob/main/types-doc/oci-definition.md */
export function imagePurl({ repository, digest, platform }: ImageContents): string {
  const name = repository.split('/').at(-1)?.toLowerCase() || 'image';
  const remote = repository.includes('/') && /^[^./]/.test(repository);
  const qualifiers = [
    `arch=${encodeURIComponent(platform.architecture)}`,
    ...(remote
      ? [`repository_url=${encodeURIComponent(repository.toLowerCase()).replaceAll('%2F', '/').replaceAll('%3A', ':')}`]
      : []),
  ];
  return `pkg:oci/${encodeURIComponent(name)}@${digest.replace(':', '%3A')}?${qualifiers.join('&')}`;
}

/** What the image is called in a document. */
export function imageTitle({ repository, digest, platform }: ImageContents): string {
  return `${repository}@${digest} (${platformName(platform)})`;
}
