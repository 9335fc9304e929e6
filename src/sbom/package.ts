// SPDX-License-Identifier: Apache-2.0
import type { Digest, Platform } from '../oci/index.ts';

/** Whose package it is; also the type in its purl. */
export type PackageKind = 'apk' | 'cargo' | 'composer' | 'deb' | 'gem' | 'golang' | 'maven' | 'npm' | 'pypi' | 'rpm';

/** A package as one file of an image tells of it. */
export interface PackageDraft {
  readonly kind: PackageKind;
  /** the scope of an npm package, the group of a Maven artifact; without slashes at its ends */
  readonly namespace?: string;
  readonly name: string;
  readonly version?: string;
  readonly architecture?: string;
  /** what it was built from, where that has another name or version */
  readonly source?: { readonly name: string; readonly version?: string };
  /** licences as the package declares them; several count together */
  readonly licences?: readonly string[];
  /** who maintains or made it, as the package says */
  readonly supplier?: string;
  readonly homepage?: string;
  /** where in an archive it lies: `!/BOOT-INF/lib/a.jar` */
  readonly inside?: string;
  /** more of its purl, for example `epoch` */
  readonly qualifiers?: Readonly<Record<string, string>>;
}

/** A layer of an image. */
export interface LayerName {
  /** 0 is the lowest */
  readonly index: number;
  readonly digest: Digest;
}

/** A package in an image. */
export interface FoundPackage {
  readonly kind: PackageKind;
  readonly namespace?: string;
  readonly name: string;
  readonly version?: string;
  readonly architecture?: string;
  readonly source?: { readonly name: string; readonly version?: string };
  readonly supplier?: string;
  readonly homepage?: string;
  /** @see https://github.com/package-url/purl-spec */
  readonly purl: string;
  /** as declared */
  readonly licences: readonly string[];
  /** all of them as one SPDX expression; missing where one of them is none */
  readonly licenceExpression?: string;
  /** the files that tell of it, absolute in the image, sorted */
  readonly locations: readonly string[];
  /** the lowest layer since which it has been there without a gap */
  readonly layer: LayerName;
  /** the purl of the system package that brought its files, where one did */
  readonly owner?: string;
}

/** What an image says it is. @see https://www.freedesktop.org/software/systemd/man/latest/os-release.html */
export interface SystemRelease {
  /** `debian` */
  readonly id: string;
  /** `12` */
  readonly versionId?: string;
  readonly prettyName?: string;
}

/** Why a file that tells of packages was not read, or not wholly. */
export type FindingCode =
  | 'database-unsupported'
  | 'file-malformed'
  | 'file-sparse'
  | 'file-too-large'
  | 'link-not-followed'
  | 'too-many';

/** Something that could not be read, so that packages may be missing. It stands in every document. */
export interface Finding {
  readonly code: FindingCode;
  /** absolute in the image */
  readonly path: string;
  readonly message: string;
}

/** What is inside one image. */
export interface ImageContents {
  /** `registry/repository`, or the folder of a layout */
  readonly repository: string;
  /** of the image manifest */
  readonly digest: Digest;
  readonly platform: Platform;
  /** when it was made, as it says itself */
  readonly created?: Date;
  readonly system?: SystemRelease;
  readonly layers: readonly LayerName[];
  /** by kind, name, version, architecture */
  readonly packages: readonly FoundPackage[];
  readonly findings: readonly Finding[];
}
