// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { Ajv } from 'ajv';
import { Ajv2019 } from 'ajv/dist/2019.js';
import addFormats from 'ajv-formats';
import addFormats2019 from 'ajv-formats-draft2019';
import fc from 'fast-check';
import { contentsOf, layerOf, recordedLayer } from '../image.fixture.ts';
import type { FoundPackage, ImageContents } from '../package.ts';
import { comparePackages } from '../package-change.ts';
import { purlOf } from '../purl.ts';
import { cycloneDxDocument } from './cyclonedx.ts';
import { listPackages, readDocument } from './read-document.ts';
import { spdxDocument } from './spdx.ts';

const root = join(import.meta.dirname, '../../..');
const schemaFile = (path: string): object => JSON.parse(readFileSync(join(root, path), 'utf8')) as object;
const CYCLONEDX = 'node_modules/@cyclonedx/cyclonedx-library/res/schema';

const spdxAjv = new Ajv2019({ strict: false });
const isSpdx = spdxAjv.compile(schemaFile('test/golden/_sbom/spdx-2.3.schema.json'));
const cycloneDxAjv = new Ajv({ strict: false, logger: false });
addFormats.default(cycloneDxAjv);
addFormats2019(cycloneDxAjv);
for (const name of ['spdx', 'jsf-0.82']) {
  const file = `${name}.SNAPSHOT.schema.json`;
  cycloneDxAjv.addSchema(schemaFile(`${CYCLONEDX}/${file}`), `http://cyclonedx.org/schema/${file}`);
}
const isCycloneDx = cycloneDxAjv.compile(schemaFile(`${CYCLONEDX}/bom-1.6.SNAPSHOT.schema.json`));

const options = { version: '1.2.3' };
const FORMATS = [
  ['SPDX 2.3', spdxDocument, isSpdx],
  ['CycloneDX 1.6', cycloneDxDocument, isCycloneDx],
] as const;

const RECORDED = [
  'debian/layer',
  'rpm/sqlite',
  'npm/layer',
  'python/layer',
  'go/layer',
  'java/layer',
  'gem/layer',
  'composer/layer',
  'rust/layer',
];
let contents: ImageContents;
before(async () => {
  const layers = RECORDED.map((name) => recordedLayer(`${name}.tar.gz`));
  const broken = await layerOf(['srv/node_modules/broken/package.json', '{'], ['var/lib/rpm/Packages', 'x']);
  contents = await contentsOf([...layers, broken], { config: { created: '2024-02-03T04:05:06.789Z' } });
  assert.ok(contents.packages.length > 200);
  assert.equal(contents.findings.length, 2);
});

for (const [format, write, isValid] of FORMATS) {
  describe(`a document of ${format}`, () => {
    it('is valid for real packages of every kind', () => {
      assert.ok(isValid(write(contents, options)), JSON.stringify(isValid.errors?.slice(0, 3)));
    });

    it('is refused by the schema where it has one member more, so that the schema is one', () => {
      assert.ok(!isValid({ ...write(contents, options), surplus: 1 }));
    });

    it('is valid for any names, versions, licences and findings', () => {
      fc.assert(
        fc.property(anyContents(), (any) => {
          const document = JSON.parse(JSON.stringify(write(any, options))) as object;
          assert.ok(isValid(document), JSON.stringify(isValid.errors?.slice(0, 3)));
        }),
        { numRuns: 200 },
      );
    });

    it('is the same, byte for byte, for the same image', async () => {
      const layers = RECORDED.map((name) => recordedLayer(`${name}.tar.gz`));
      const again = await contentsOf(layers);
      const once = await contentsOf(layers);
      assert.equal(JSON.stringify(write(again, options)), JSON.stringify(write(once, options)));
    });

    it("bears the image's time, and SOURCE_DATE_EPOCH where it is set, and never the clock", () => {
      assert.match(JSON.stringify(write(contents, options)), /"2024-02-03T04:05:06Z"/);
      const epoch = JSON.stringify(write(contents, { ...options, sourceDateEpoch: 1_700_000_000 }));
      assert.match(epoch, /"2023-11-14T22:13:20Z"/);
      assert.doesNotMatch(epoch, /2024-02-03/);
      const { created: _, ...timeless } = contents;
      assert.match(JSON.stringify(write(timeless, options)), /"1970-01-01T00:00:00Z"/);
    });

    it('has another identity where anything in it is another', () => {
      const identity = (any: ImageContents): unknown => {
        const document = write(any, options) as Record<string, unknown>;
        return document['documentNamespace'] ?? document['serialNumber'];
      };
      assert.equal(identity(contents), identity({ ...contents }));
      assert.notEqual(identity(contents), identity({ ...contents, packages: contents.packages.slice(1) }));
    });

    it('says what could not be read', () => {
      const text = JSON.stringify(write(contents, options));
      assert.match(text, /not read: \/var\/lib\/rpm\/Packages: .*Berkeley DB.*\(database-unsupported\)/);
      assert.match(text, /not read: \/srv\/node_modules\/broken\/package\.json/);
    });

    it('says of each package its purl, its layer and where it was found', () => {
      const text = JSON.stringify(write(contents, options));
      for (const { purl, layer, locations } of contents.packages) {
        assert.ok(text.includes(JSON.stringify(purl)));
        assert.ok(text.includes(layer.digest));
        for (const location of locations) assert.ok(text.includes(JSON.stringify(location).slice(1, -1)));
      }
    });

    it('lists, when it is read again, the packages of the image', () => {
      const read = readDocument(Buffer.from(JSON.stringify(write(contents, options))), 'the document');
      const difference = comparePackages(listPackages(contents), read.packages);
      assert.deepEqual([difference.added, difference.removed, difference.changed], [[], [], []]);
      assert.ok(difference.unchanged > 200);
      assert.equal(read.withoutPurl, 0);
    });
  });
}

it('every identifier in an SPDX document is unique, and every relationship leads to one', () => {
  const document = spdxDocument(contents, options) as unknown as {
    packages: { SPDXID: string }[];
    relationships: { spdxElementId: string; relatedSpdxElement: string }[];
  };
  const ids = new Set(['SPDXRef-DOCUMENT', ...document.packages.map(({ SPDXID }) => SPDXID)]);
  assert.equal(ids.size, document.packages.length + 1);
  for (const { spdxElementId, relatedSpdxElement } of document.relationships) {
    assert.ok(ids.has(spdxElementId) && ids.has(relatedSpdxElement), `${spdxElementId} ${relatedSpdxElement}`);
  }
});

it('every licence that an SPDX document refers to is declared in it', () => {
  const document = spdxDocument(contents, options) as unknown as {
    packages: { licenseDeclared: string }[];
    hasExtractedLicensingInfos: { licenseId: string }[];
  };
  const declared = new Set(document.hasExtractedLicensingInfos.map(({ licenseId }) => licenseId));
  const used = document.packages.flatMap(
    ({ licenseDeclared }) => licenseDeclared.match(/LicenseRef-[A-Za-z0-9.-]+/g) ?? [],
  );
  assert.ok(used.length > 0);
  assert.deepEqual([...new Set(used)].toSorted(), [...declared].toSorted());
});

it('every reference in a CycloneDX document is unique', () => {
  const document = cycloneDxDocument(contents, options) as unknown as { components: { 'bom-ref': string }[] };
  assert.equal(new Set(document.components.map((one) => one['bom-ref'])).size, document.components.length);
});

describe('a document that cannot be read is refused:', () => {
  for (const [what, text] of [
    ['no JSON', 'x'],
    ['a list', '[]'],
    ['SPDX 3', '{"spdxVersion":"SPDX-3.0"}'],
    ['packages that are none', '{"spdxVersion":"SPDX-2.3","packages":[1]}'],
    ['components that are none', '{"bomFormat":"CycloneDX","components":{}}'],
    [
      'components without end',
      `{"bomFormat":"CycloneDX","components":${'[{"components":'.repeat(40)}[]${'}]'.repeat(40)}}`,
    ],
  ] as const) {
    it(what, () =>
      assert.throws(() => readDocument(Buffer.from(text), 'a.json'), {
        code: 'document-malformed',
        message: /a\.json/,
      }),
    );
  }

  it('and anything else gives packages or such an error', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom('spdxVersion', 'bomFormat'), (json, member) => {
        const value: unknown = JSON.parse(json);
        const head = member === 'bomFormat' ? { bomFormat: 'CycloneDX' } : { spdxVersion: 'SPDX-2.3' };
        const document = JSON.stringify({ ...head, packages: value, components: value });
        try {
          readDocument(Buffer.from(document), 'a.json');
        } catch (error) {
          assert.equal((error as { code?: string }).code, 'document-malformed');
        }
      }),
    );
  });
});

function anyContents(): fc.Arbitrary<ImageContents> {
  const digest = `sha256:${'a'.repeat(64)}` as ImageContents['digest'];
  const text = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.constantFrom('MIT', '../x', 'a b', 'GPL-2.0-or-later OR MIT', '(', 'é'),
  );
  const found = fc
    .record(
      {
        kind: fc.constantFrom('deb' as const, 'npm' as const, 'golang' as const, 'maven' as const, 'pypi' as const),
        namespace: text,
        name: text,
        version: text,
        architecture: text,
        supplier: text,
        homepage: fc.oneof(text, fc.webUrl()),
        licences: fc.array(text, { maxLength: 3 }),
      },
      { requiredKeys: ['kind', 'name', 'licences'] },
    )
    .map((draft): FoundPackage => ({
      ...draft,
      purl: purlOf(draft, undefined),
      locations: ['/a'],
      layer: { index: 0, digest },
    }));
  return fc.record({
    repository: fc.constantFrom('registry.example.com/team/app', './layout', 'x'),
    digest: fc.constant(digest),
    platform: fc.constant({ os: 'linux', architecture: 'amd64' }),
    created: fc.date({ noInvalidDate: true }),
    layers: fc.constant([{ index: 0, digest }]),
    packages: fc.uniqueArray(found, { selector: ({ purl }) => purl, maxLength: 5 }),
    findings: fc.array(fc.record({ code: fc.constant('file-malformed' as const), path: text, message: text }), {
      maxLength: 2,
    }),
  });
}
