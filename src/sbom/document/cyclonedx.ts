// SPDX-License-Identifier: Apache-2.0
import { distinctFindings } from '../assemble.ts';
import type { Json } from '../../wire/index.ts';
import type { FoundPackage, ImageContents, LayerName } from '../package.ts';
import { contentUuid, documentTime, imagePurl, type DocumentOptions } from './document-context.ts';

type JsonObject = { readonly [key: string]: Json };

const IMAGE_REF = 'image';
const TOOL_REF = 'bulla';

/**
 * The contents of an image as a CycloneDX 1.6 document in JSON. The same contents give the same bytes. What could not be read stands as
 * annotations on the image, whose composition is then `incomplete`.
 *
 * @see https://cyclonedx.org/docs/1.6/json/
 */
export function cycloneDxDocument(contents: ImageContents, options: DocumentOptions): JsonObject {
  const timestamp = documentTime(contents, options);
  const refs = componentRefs(contents.packages);
  const byPurl = new Map(contents.packages.map((one, at) => [one.purl, refs[at] ?? '']));
  const tool = { type: 'application', name: 'bulla', version: options.version };
  const findings = distinctFindings(contents.findings);
  const body = {
    metadata: {
      timestamp,
      tools: { components: [{ ...tool, 'bom-ref': TOOL_REF }] },
      component: imageComponent(contents),
    },
    components: [
      ...systemComponents(contents),
      ...contents.packages.map((one, at) => component(one, refs[at] ?? '', byPurl)),
    ],
    dependencies: [{ ref: IMAGE_REF, dependsOn: refs.toSorted() }],
    ...(findings.length === 0 ? {} : { compositions: [{ aggregate: 'incomplete', assemblies: [IMAGE_REF] }] }),
    ...(findings.length === 0
      ? {}
      : {
          annotations: findings.map(({ code, path, message }) => ({
            subjects: [IMAGE_REF],
            annotator: { component: tool },
            timestamp,
            text: `not read: ${path}: ${message} (${code})`,
          })),
        }),
  };
  const head = { bomFormat: 'CycloneDX', specVersion: '1.6' };
  const serialNumber = `urn:uuid:${contentUuid(JSON.stringify([head, body]))}`;
  return { ...head, serialNumber, version: 1, ...body };
}

function imageComponent(contents: ImageContents): JsonObject {
  const { repository, digest, platform } = contents;
  const [algorithm, content = ''] = digest.split(':');
  return {
    type: 'container',
    'bom-ref': IMAGE_REF,
    name: repository,
    version: digest,
    hashes: [{ alg: algorithm === 'sha512' ? 'SHA-512' : 'SHA-256', content }],
    purl: imagePurl(contents),
    properties: [
      {
        name: 'bulla:platform',
        value: [platform.os, platform.architecture, platform.variant].filter(Boolean).join('/'),
      },
    ],
  };
}

function systemComponents({ system }: ImageContents): readonly JsonObject[] {
  if (system === undefined) return [];
  return [
    {
      type: 'operating-system',
      'bom-ref': 'operating-system',
      name: system.id,
      ...(system.versionId === undefined ? {} : { version: system.versionId }),
      ...(system.prettyName === undefined ? {} : { description: system.prettyName }),
    },
  ];
}

function component(found: FoundPackage, ref: string, byPurl: ReadonlyMap<string, string>): JsonObject {
  const { namespace, name, version, supplier, homepage, purl, locations, source, layer } = found;
  const licences = licencesOf(found);
  const owner = byPurl.get(found.owner ?? '');
  return {
    type: 'library',
    'bom-ref': ref,
    ...(supplier === undefined ? {} : { supplier: { name: supplier } }),
    ...(namespace === undefined ? {} : { group: namespace }),
    name,
    ...(version === undefined ? {} : { version }),
    ...(licences.length === 0 ? {} : { licenses: licences }),
    purl,
    ...(homepage !== undefined && isUrl(homepage) ? { externalReferences: [{ type: 'website', url: homepage }] } : {}),
    properties: [
      ...layerProperties(layer),
      ...(source === undefined
        ? []
        : [{ name: 'bulla:source', value: [source.name, source.version].filter(Boolean).join(' ') }]),
      // the component that brought its files
      ...(owner === undefined ? [] : [{ name: 'bulla:owner', value: owner }]),
    ],
    evidence: { occurrences: locations.map((location) => ({ location })) },
  };
}

function layerProperties({ index, digest }: LayerName): readonly JsonObject[] {
  return [
    { name: 'bulla:layer:index', value: String(index) },
    { name: 'bulla:layer:digest', value: digest },
  ];
}

/** An expression where all of it is one; else the names, of which no identifier may be made up. */
function licencesOf({ licences, licenceExpression }: FoundPackage): readonly JsonObject[] {
  if (licenceExpression !== undefined) return [{ expression: licenceExpression }];
  return licences.map((name) => ({ license: { name } }));
}

/** Purls, unless two packages have the same one. */
function componentRefs(packages: readonly FoundPackage[]): readonly string[] {
  const seen = new Map<string, number>();
  return packages.map(({ purl }) => {
    const count = (seen.get(purl) ?? 0) + 1;
    seen.set(purl, count);
    return count === 1 ? purl : `${purl}#${count}`;
  });
}

/** As the schema's iri-reference wants it. */
function isUrl(text: string): boolean {
  return /^https?:\/\/[A-Za-z0-9]/.test(text) && !/[\s"<>\\^`{|}]/.test(text) && URL.canParse(text);
}
