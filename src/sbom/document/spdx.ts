// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../wire/index.ts';
import { isLicenceExpression } from '../licence.ts';
import type { Finding, FoundPackage, ImageContents } from '../package.ts';
import {
  contentUuid,
  documentTime,
  imagePurl,
  imageTitle,
  shortHash,
  type DocumentOptions,
} from './document-context.ts';

const IMAGE_ID = 'SPDXRef-Image';
const SYSTEM_ID = 'SPDXRef-OperatingSystem';

type JsonObject = { readonly [key: string]: Json };

/**
 * The contents of an image as an SPDX 2.3 document in JSON, indented. The same contents give the same bytes. What could not be read stands
 * as annotations on the image.
 *
 * @see https://spdx.github.io/spdx-spec/v2.3/
 */
export function spdxDocument(contents: ImageContents, options: DocumentOptions): JsonObject {
  const created = documentTime(contents, options);
  const tool = `Tool: bulla-${options.version}`;
  const references = new LicenceReferences();
  const ids = packageIds(contents.packages);
  const byPurl = new Map(contents.packages.map((one, at) => [one.purl, ids[at] ?? '']));
  const body = {
    packages: [
      imagePackage(contents, annotations(contents.findings, created, tool)),
      ...systemPackages(contents),
      ...contents.packages.map((one, at) => packageOf(one, ids[at] ?? '', references, created, tool)),
    ],
    relationships: [
      relationship('SPDXRef-DOCUMENT', 'DESCRIBES', IMAGE_ID),
      ...(contents.system === undefined ? [] : [relationship(IMAGE_ID, 'CONTAINS', SYSTEM_ID)]),
      ...ids.map((id) => relationship(IMAGE_ID, 'CONTAINS', id)),
      ...contents.packages.flatMap(({ owner }, at) => {
        const id = owner === undefined ? undefined : byPurl.get(owner);
        return id === undefined ? [] : [relationship(id, 'CONTAINS', ids[at] ?? '')];
      }),
    ],
    ...(references.isEmpty ? {} : { hasExtractedLicensingInfos: references.infos() }),
  };
  const name = imageTitle(contents);
  const head = {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name,
    creationInfo: { created, creators: [tool] },
  };
  const uuid = contentUuid(JSON.stringify([head, body]));
  // the form that the specification recommends, section 6.5.1
  const documentNamespace = `https://spdx.org/spdxdocs/${contents.digest.replace(':', '-')}-${uuid}`;
  return { ...head, documentNamespace, ...body };
}

function imagePackage(contents: ImageContents, notes: readonly JsonObject[]): JsonObject {
  const { repository, digest } = contents;
  const [algorithm = '', hex = ''] = digest.split(':');
  return {
    name: repository,
    SPDXID: IMAGE_ID,
    versionInfo: digest,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    checksums: [{ algorithm: algorithm.toUpperCase(), checksumValue: hex }],
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: 'NOASSERTION',
    copyrightText: 'NOASSERTION',
    primaryPackagePurpose: 'CONTAINER',
    externalRefs: [purlReference(imagePurl(contents))],
    ...(notes.length === 0 ? {} : { annotations: notes }),
  };
}

function systemPackages({ system }: ImageContents): readonly JsonObject[] {
  if (system === undefined) return [];
  return [
    {
      name: system.id,
      SPDXID: SYSTEM_ID,
      ...(system.versionId === undefined ? {} : { versionInfo: system.versionId }),
      ...(system.prettyName === undefined ? {} : { summary: system.prettyName }),
      downloadLocation: 'NOASSERTION',
      filesAnalyzed: false,
      licenseConcluded: 'NOASSERTION',
      licenseDeclared: 'NOASSERTION',
      copyrightText: 'NOASSERTION',
      primaryPackagePurpose: 'OPERATING-SYSTEM',
    },
  ];
}

function packageOf(
  found: FoundPackage,
  id: string,
  references: LicenceReferences,
  created: string,
  annotator: string,
): JsonObject {
  const { version, supplier, homepage, source, locations, layer } = found;
  const note = (comment: string): JsonObject => ({
    annotationDate: created,
    annotationType: 'OTHER',
    annotator,
    comment,
  });
  return {
    name: found.namespace === undefined ? found.name : fullName(found),
    SPDXID: id,
    ...(version === undefined ? {} : { versionInfo: version }),
    ...(supplier === undefined ? {} : { supplier: agentOf(supplier) }),
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    ...(homepage !== undefined && /^https?:\/\/[^\s]+$/.test(homepage) ? { homepage } : {}),
    sourceInfo: `found in ${locations.join(', ')}${source === undefined ? '' : `; built from ${[source.name, source.version].filter(Boolean).join(' ')}`}`,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: references.expressionOf(found),
    copyrightText: 'NOASSERTION',
    externalRefs: [purlReference(found.purl)],
    annotations: [note(`layer ${layer.index} ${layer.digest}`)],
  };
}

/** `Some One <one@example.org>` as SPDX writes it; whether it is a person does not stand there. Section 7.5 of the specification. */
function agentOf(supplier: string): string {
  return `Organization: ${supplier.replace(/\s*<([^<>]*)>$/, ' ($1)')}`;
}

/** As people write it: `@scope/name`, `group:artifact`, `module/path`. */
function fullName({ kind, namespace = '', name }: FoundPackage): string {
  return kind === 'maven' ? `${namespace}:${name}` : `${namespace}/${name}`;
}

function packageIds(packages: readonly FoundPackage[]): readonly string[] {
  return packages.map(({ kind, name, namespace = '', version = '', architecture = '' }) => {
    const readable = `${kind}-${name}`.replace(/[^A-Za-z0-9.-]+/g, '-').slice(0, 100);
    return `SPDXRef-Package-${readable}-${shortHash([kind, namespace, name, version, architecture].join('\0'))}`;
  });
}

function purlReference(purl: string): JsonObject {
  return { referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl };
}

function relationship(from: string, type: string, to: string): JsonObject {
  return { spdxElementId: from, relationshipType: type, relatedSpdxElement: to };
}

function annotations(findings: readonly Finding[], annotationDate: string, annotator: string): readonly JsonObject[] {
  return findings.map(({ code, path, message }) => ({
    annotationDate,
    annotationType: 'OTHER',
    annotator,
    comment: `not read: ${path}: ${message} (${code})`,
  }));
}

/** Licences that SPDX does not know are listed with what was declared, and referred to. Section 10 of the specification. */
class LicenceReferences {
  readonly #texts = new Map<string, string>();

  get isEmpty(): boolean {
    return this.#texts.size === 0;
  }

  expressionOf({ licences, licenceExpression }: FoundPackage): string {
    if (licenceExpression !== undefined) return licenceExpression;
    if (licences.length === 0) return 'NOASSERTION';
    return licences.map((text) => (isLicenceExpression(text) ? `(${text})` : this.#refer(text))).join(' AND ');
  }

  infos(): readonly JsonObject[] {
    return [...this.#texts]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([licenseId, extractedText]) => ({ licenseId, extractedText, name: extractedText }));
  }

  #refer(text: string): string {
    const readable = text.replace(/[^A-Za-z0-9.-]+/g, '-').slice(0, 60);
    const id = `LicenseRef-${readable}-${shortHash(text)}`;
    this.#texts.set(id, text);
    return id;
  }
}
