// SPDX-License-Identifier: Apache-2.0
import type { SbomLimits } from '../limits.ts';
import type { FindingCode, PackageDraft, SystemRelease } from '../package.ts';

/** What one file of an image tells. */
export interface Evidence {
  readonly packages?: readonly PackageDraft[];
  readonly system?: SystemRelease;
  /** licences of a system package, which stand in a file of their own */
  readonly licences?: { readonly package: string; readonly texts: readonly string[] };
  /** the documentation of a system package is that of another */
  readonly sharesLicencesWith?: { readonly package: string; readonly other: string };
  /** paths that belong to a system package, a line each, absolute */
  readonly owned?: { readonly package: string; readonly paths: string };
  /** the same for many packages: `PACKAGE\0PATH`, a line each */
  readonly ownedBy?: string;
  /** what could not be read */
  readonly findings?: readonly { readonly code: FindingCode; readonly message: string }[];
}

/** Reads a file in one piece. Throws a `FileFault` for what is malformed; anything else is an error of ours. */
export interface WholeFileReader {
  readonly kind: 'whole';
  readonly read: (bytes: Uint8Array, path: string, limits: SbomLimits) => Evidence | undefined;
}

/** A file under way. */
export interface OpenedFile {
  chunk(bytes: Uint8Array): void;
  /** @throws FileFault */
  end(): Evidence | undefined;
}

/** Reads a file as it comes, for files that are too large to keep. */
export interface StreamReader {
  readonly kind: 'stream';
  readonly open: (size: number) => OpenedFile | undefined;
}

/** What is to be done with a file. */
export type FileReader = WholeFileReader | StreamReader;

/** Knows the files of one kind of package. */
export interface Cataloger {
  readonly name: string;
  /** @param path without a leading slash. @returns the reader of that file; `undefined` where it tells nothing */
  select(path: string): FileReader | undefined;
  /** What a symbolic link tells, where it stands in the place of such a file. */
  selectLink?(path: string, target: string): Evidence | undefined;
}

/** A file that is not what its name says. It becomes a finding: the rest of the image still counts. */
export class FileFault extends Error {
  readonly code: FindingCode;

  constructor(message: string, code: FindingCode = 'file-malformed') {
    super(message);
    this.code = code;
  }
}
