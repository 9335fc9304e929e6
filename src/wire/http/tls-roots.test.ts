// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rootCertificates } from 'node:tls';
import { TEST_ROOT } from './certificates.fixture.ts';
import { chooseRoots, mayAddMachineRoots, splitPem } from './tls-roots.ts';

test("nothing said means the runtime's own roots, which are not even read", () => {
  assert.equal(chooseRoots({}, {}, false), undefined);
});

test('given roots stand alone, extra ones beside the others', () => {
  assert.deepEqual(chooseRoots({ ca: [TEST_ROOT] }, {}, true), [TEST_ROOT]);
  assert.deepEqual(chooseRoots({ extraCa: [TEST_ROOT] }, {}, false), [...rootCertificates, TEST_ROOT]);
});

test("the machine's roots come beside the runtime's, unless a choice was made", () => {
  const roots = chooseRoots({}, {}, true) ?? [];
  assert.deepEqual(roots.slice(0, rootCertificates.length), [...rootCertificates]);
  assert.ok(roots.every((root) => root.startsWith('-----BEGIN CERTIFICATE-----')));
  assert.equal(mayAddMachineRoots({}, {}), true);
  assert.equal(mayAddMachineRoots({ ca: [TEST_ROOT] }, {}), false);
  assert.equal(mayAddMachineRoots({ insecure: true }, {}), false);
  assert.equal(mayAddMachineRoots({}, { SSL_CERT_FILE: '/x' }), false);
});

test('a PEM file may hold several certificates and other text', () => {
  assert.equal(splitPem(`# a\n${TEST_ROOT}\n# b\n${TEST_ROOT}`).length, 2);
  assert.deepEqual(splitPem('nothing'), []);
});
