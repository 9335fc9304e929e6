// SPDX-License-Identifier: Apache-2.0

/** What is read of one image at most. Layers are written by strangers: a kilobyte can unpack to terabytes. */
export interface SbomLimits {
  /** bytes of one layer, unpacked */
  readonly layerBytes: number;
  /** bytes of all layers, unpacked */
  readonly imageBytes: number;
  /** entries of all layers */
  readonly entries: number;
  /** bytes of the name of an entry; also of the target of a link */
  readonly nameBytes: number;
  /** folders within folders */
  readonly depth: number;
  /** bytes of a package database or manifest that is kept while it is read; larger ones are a finding */
  readonly fileBytes: number;
  /** bytes of all that is kept of one image */
  readonly keptBytes: number;
  /** packages of one image */
  readonly packages: number;
  /** archives within archives */
  readonly archiveDepth: number;
}

/** The limits unless told otherwise. */
export const SBOM_LIMITS: SbomLimits = {
  layerBytes: 32 * 1024 ** 3,
  imageBytes: 64 * 1024 ** 3,
  entries: 5_000_000,
  nameBytes: 4096,
  depth: 256,
  fileBytes: 96 * 1024 ** 2,
  keptBytes: 96 * 1024 ** 2,
  packages: 200_000,
  archiveDepth: 4,
};
