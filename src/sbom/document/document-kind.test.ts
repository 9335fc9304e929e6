// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { documentKind } from './document-kind.ts';

const kindOf = (text: string): string | undefined => documentKind(new TextEncoder().encode(text));

describe('the kind of an SBOM', () => {
  for (const [kind, text] of [
    ['spdx-json', '{"SPDXID":"SPDXRef-DOCUMENT","packages":[{"name":"x"}],"spdxVersion":"SPDX-2.3"}'],
    ['spdx-json', '{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[]}'],
    ['cyclonedx-json', '\ufeff{\n  "bomFormat" : "CycloneDX",\n  "specVersion": "1.6"\n}'],
    [
      'syft-json',
      '{"artifacts":[],"schema":{"version":"16.0.0","url":"https://raw.example/anchore/syft/main/schema.json"}}',
    ],
    ['spdx', '# made by hand\n\nSPDXVersion: SPDX-2.3\nDataLicense: CC0-1.0\n'],
    ['cyclonedx-xml', '<?xml version="1.0"?>\n<bom xmlns="http://cyclonedx.org/schema/bom/1.6"></bom>'],
  ] as const) {
    it(`is ${kind} by its own word`, () => {
      assert.equal(kindOf(text), kind);
    });
  }

  it('is not known of anything else', () => {
    for (const text of [
      '',
      '{}',
      '[]',
      '{"name":"spdxVersion"}',
      'hello',
      '<html></html>',
      'Name: SPDXVersion: SPDX-2.3',
    ])
      assert.equal(kindOf(text), undefined, text);
    assert.equal(documentKind(new Uint8Array([0xff, 0xfe, 0x00])), undefined);
  });

  it('of a large file is found in linear time', () => {
    assert.equal(kindOf(`{"schema":${'{'.repeat(1_000_000)}`), undefined);
    assert.equal(kindOf('#\n'.repeat(500_000)), undefined);
  });
});
