// SPDX-License-Identifier: Apache-2.0
import { PackageURL } from 'packageurl-js';
import { isJsonObject, parseJson, WireError, type Json } from '../../wire/index.ts';
import { SbomError } from '../error.ts';
import type { ImageContents } from '../package.ts';
import type { ListedPackage } from '../package-change.ts';

/** bytes of a document that are read */
export const MAX_DOCUMENT: number = 256 * 1024 * 1024;
const MAX_VALUES = 20_000_000;
const MAX_NESTING = 32;

/** The packages of an image as its documents would list them, to be compared with those of others. */
export function listPackages({ packages }: ImageContents): readonly ListedPackage[] {
  return packages.flatMap(({ purl, name, version }) => listedBy(purl, name, version) ?? []);
}

/** What a document lists. */
export interface DocumentPackages {
  readonly format: 'spdx' | 'cyclonedx';
  readonly packages: readonly ListedPackage[];
  /** packages without a purl: they are compared by name and version under the kind `unknown` */
  readonly withoutPurl: number;
}

/**
 * Reads which packages an SBOM lists: SPDX 2 or CycloneDX, in JSON, by whatever program. The image itself, its system and its files are
 * no packages.
 *
 * @param what names the document in errors
 * @throws SbomError `document-malformed`, `too-large`
 */
export function readDocument(bytes: Uint8Array, what: string): DocumentPackages {
  const json = decode(bytes, what);
  if (isJsonObject(json)) {
    if (typeof json.spdxVersion === 'string' && json.spdxVersion.startsWith('SPDX-2')) return spdxPackages(json, what);
    if (json.bomFormat === 'CycloneDX') return cycloneDxPackages(json, what);
  }
  throw malformed(what, 'is neither an SPDX 2 document nor a CycloneDX document in JSON');
}

type JsonObject = { readonly [key: string]: Json };

function decode(bytes: Uint8Array, what: string): Json {
  try {
    return parseJson(bytes, { what, maxBytes: MAX_DOCUMENT, maxDepth: 128, maxValues: MAX_VALUES });
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause;
    throw new SbomError(cause.code === 'too-large' ? 'too-large' : 'document-malformed', cause.message, { cause });
  }
}

function spdxPackages(json: JsonObject, what: string): DocumentPackages {
  const listed = listOf(json.packages, what, 'packages').flatMap((one) => {
    const purpose = one.primaryPackagePurpose;
    if (purpose === 'CONTAINER' || purpose === 'OPERATING-SYSTEM') return [];
    const references = Array.isArray(one.externalRefs) ? one.externalRefs.filter((ref: Json) => isJsonObject(ref)) : [];
    const purl = (references as readonly JsonObject[]).find((reference) => reference.referenceType === 'purl');
    const found = listedBy(purl?.referenceLocator, one.name, one.versionInfo);
    return found === undefined || found.kind === 'oci' ? [] : [found];
  });
  return counted('spdx', listed);
}

function cycloneDxPackages(json: JsonObject, what: string): DocumentPackages {
  const listed: ListedPackage[] = [];
  const visit = (components: Json | undefined, depth: number): void => {
    if (depth > MAX_NESTING) throw malformed(what, `has components nested deeper than ${MAX_NESTING} levels`);
    for (const component of listOf(components, what, 'components')) {
      const skipped =
        component.type === 'operating-system' || component.type === 'container' || component.type === 'file';
      const found = skipped ? undefined : listedBy(component.purl, fullName(component), component.version);
      if (found !== undefined) listed.push(found);
      if (component.components !== undefined) visit(component.components, depth + 1);
    }
  };
  visit(json.components, 0);
  return counted('cyclonedx', listed);
}

function fullName({ group, name }: JsonObject): Json | undefined {
  return typeof group === 'string' && group !== '' && typeof name === 'string' ? `${group}/${name}` : name;
}

function listedBy(
  purl: Json | undefined,
  name: Json | undefined,
  version: Json | undefined,
): ListedPackage | undefined {
  if (typeof purl === 'string') {
    try {
      const { type, namespace, name: named, version: at } = PackageURL.fromString(purl);
      return {
        kind: type,
        ...(namespace === undefined || namespace === '' ? {} : { namespace }),
        name: named,
        ...(at === undefined || at === '' ? {} : { version: at }),
      };
    } catch {
      // not a purl: what stands beside it counts
    }
  }
  if (typeof name !== 'string' || name === '') return undefined;
  return { kind: 'unknown', name, ...(typeof version === 'string' && version !== '' ? { version } : {}) };
}

function listOf(json: Json | undefined, what: string, member: string): readonly JsonObject[] {
  if (json === undefined || json === null) return [];
  if (Array.isArray(json) && json.every((one: Json) => isJsonObject(one))) return json;
  throw malformed(what, `has ${member} that are no list of objects`);
}

function counted(format: DocumentPackages['format'], packages: readonly ListedPackage[]): DocumentPackages {
  return { format, packages, withoutPurl: packages.filter(({ kind }) => kind === 'unknown').length };
}

function malformed(what: string, problem: string): SbomError {
  return new SbomError('document-malformed', `${what} ${problem}`);
}
