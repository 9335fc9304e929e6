// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { Json } from '../../wire/index.ts';
import { checkPredicate, describeFault } from './check-predicate.ts';
import { PREDICATE_TYPES } from './predicate-type.ts';

const INPUTS = join(import.meta.dirname, '../../../test/golden/_inputs');
const golden = (name: string): Json => JSON.parse(readFileSync(join(INPUTS, name), 'utf8')) as Json;

const GOOD: Readonly<Record<string, Json>> = {
  [PREDICATE_TYPES.custom]: { Data: 'text', Timestamp: '2026-01-01T00:00:00Z' },
  [PREDICATE_TYPES.slsaprovenance02]: golden('slsa02.json'),
  [PREDICATE_TYPES.slsaprovenance1]: golden('slsa1.json'),
  [PREDICATE_TYPES.link]: golden('link.json'),
  [PREDICATE_TYPES.spdxjson]: golden('spdx.json'),
  [PREDICATE_TYPES.cyclonedx]: golden('cdx.json'),
  [PREDICATE_TYPES.vuln]: golden('vuln.json'),
  [PREDICATE_TYPES.openvex]: golden('openvex.json'),
  [PREDICATE_TYPES['test-result']]: {
    result: 'PASSED',
    configuration: [{ uri: 'git+https://example.com/r', digest: { gitCommit: '01' } }],
    passedTests: ['unit'],
  },
  [PREDICATE_TYPES.vsa]: {
    verifier: { id: 'https://example.com/gate' },
    timeVerified: '2026-01-01T00:00:00Z',
    resourceUri: 'pkg:oci/app',
    policy: { uri: 'https://example.com/policy', digest: { sha256: '00' } },
    verificationResult: 'PASSED',
    verifiedLevels: ['SLSA_BUILD_LEVEL_3'],
  },
};

/** One thing changed for the worse, and the fault that shows it. */
const WORSE: readonly (readonly [type: string, change: (good: Record<string, Json>) => Json, fault: RegExp])[] = [
  [
    PREDICATE_TYPES.slsaprovenance02,
    (good) => Object.fromEntries(Object.entries(good).filter(([name]) => name !== 'builder')),
    /^builder is nothing.*\[predicate-member-missing\]$/,
  ],
  [
    PREDICATE_TYPES.slsaprovenance02,
    (good) => ({ ...good, buildType: 'no uri' }),
    /^buildType is 'no uri', expected a URI \[predicate-member-value\]$/,
  ],
  [
    PREDICATE_TYPES.slsaprovenance1,
    (good) => ({ ...good, runDetails: { builder: {} } }),
    /^runDetails\.builder\.id is nothing/,
  ],
  [
    PREDICATE_TYPES.slsaprovenance1,
    (good) => ({ ...good, buildDefinition: 'x' }),
    /^buildDefinition is 'x', expected an object \[predicate-member-type\]$/,
  ],
  [PREDICATE_TYPES.link, (good) => ({ ...good, _type: 'layout' }), /^_type is 'layout', expected 'link'/],
  [PREDICATE_TYPES.spdxjson, (good) => ({ ...good, spdxVersion: 'SPDX-9' }), /^spdxVersion is 'SPDX-9'/],
  [PREDICATE_TYPES.spdxjson, (good) => ({ ...good, packages: [{ name: 'a' }] }), /^packages\[0\]\.SPDXID is nothing/],
  [
    PREDICATE_TYPES.cyclonedx,
    (good) => ({ ...good, components: [{ type: 'library', name: 'a', components: [{}] }] }),
    /^components\[0\]\.components\[0\]\.type is nothing/,
  ],
  [
    PREDICATE_TYPES.vuln,
    (good) => ({ ...good, metadata: { scanStartedOn: 'today', scanFinishedOn: 'now' } }),
    /^metadata\.scanStartedOn is 'today', expected a time/,
  ],
  [
    PREDICATE_TYPES.openvex,
    (good) => ({ ...good, statements: [{ vulnerability: { name: 'CVE-1' }, status: 'affected' }] }),
    /^statements\[0\]\.action_statement is nothing/,
  ],
  [PREDICATE_TYPES.openvex, (good) => ({ ...good, statements: [] }), /a list of 0, expected a list of at least 1/],
  [
    PREDICATE_TYPES['test-result'],
    (good) => ({ ...good, result: 'GREEN' }),
    /^result is 'GREEN', expected one of PASSED, WARNED, FAILED/,
  ],
  [PREDICATE_TYPES.vsa, (good) => ({ ...good, policy: {} }), /^policy is neither uri, digest nor content/],
  [PREDICATE_TYPES.custom, () => ({}), /^Data is nothing/],
];

describe('checkPredicate', () => {
  for (const [type, predicate] of Object.entries(GOOD)) {
    test(`finds nothing wrong with ${type} as it should be`, () => {
      assert.deepEqual(checkPredicate(type, predicate), []);
    });
    test(`finds fault with ${type} that is missing, null, a number or a list`, () => {
      for (const wrong of [undefined, null, 7, []]) assert.ok(checkPredicate(type, wrong).length > 0);
    });
  }

  for (const [type, change, expected] of WORSE) {
    test(`names the place and the code: ${expected.source}`, () => {
      const faults = checkPredicate(type, change(GOOD[type] as Record<string, Json>));
      assert.match(faults.map(describeFault).join('\n'), new RegExp(expected.source, 'm'));
    });
  }

  test('reads SPDX as a text, and version 3 as a graph', () => {
    assert.deepEqual(checkPredicate(PREDICATE_TYPES.spdx, 'SPDXVersion: SPDX-2.3\n'), []);
    assert.equal(checkPredicate(PREDICATE_TYPES.spdx, 'hello')[0]?.code, 'predicate-member-value');
    assert.deepEqual(checkPredicate('https://spdx.dev/Document/v3', { '@context': 'x', '@graph': [{}] }), []);
  });

  test('says nothing of a kind that is not known, whatever it holds', () => {
    assert.deepEqual(checkPredicate('https://example.com/kind', null), []);
  });

  test('lists 20 faults at most, in lines that are safe to print, of a hundred thousand', () => {
    const packages = Array.from({ length: 100_000 }, () => ({ '\u001b[2J': '\n' }));
    const faults = checkPredicate(PREDICATE_TYPES.spdxjson, {
      ...(GOOD[PREDICATE_TYPES.spdxjson] as object),
      packages,
    });
    assert.equal(faults.length, 20);
    for (const fault of faults) assert.doesNotMatch(describeFault(fault), /[\u0000-\u001f]/);
  });

  test('never throws, whatever the predicate', () => {
    const kinds = fc.constantFrom(...Object.keys(GOOD));
    fc.assert(
      fc.property(kinds, fc.jsonValue({ maxDepth: 4 }), (type, value) => {
        for (const fault of checkPredicate(type, value as Json)) assert.ok(fault.at !== '' && fault.expected !== '');
      }),
    );
  });
});
