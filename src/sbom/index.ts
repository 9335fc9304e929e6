// SPDX-License-Identifier: Apache-2.0
export type { DocumentOptions } from './document/document-context.ts';
export { documentKind, type DocumentKind } from './document/document-kind.ts';
export { spdxDocument } from './document/spdx.ts';
export { SbomError, type SbomErrorCode } from './error.ts';
export { SBOM_LIMITS, type SbomLimits } from './limits.ts';
export type {
  Finding,
  FindingCode,
  FoundPackage,
  ImageContents,
  LayerName,
  PackageKind,
  SystemRelease,
} from './package.ts';
export { platformName } from './platform.ts';
export { readImage, type ReadImageOptions } from './read-image.ts';
export { comparePackages, type ChangedPackage, type ListedPackage, type PackageDifference } from './package-change.ts';
export { listPackages, MAX_DOCUMENT, readDocument, type DocumentPackages } from './document/read-document.ts';
export { cycloneDxDocument } from './document/cyclonedx.ts';
