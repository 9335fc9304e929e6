// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { purlOf } from './purl.ts';

test('a package has a purl whatever it is called', () => {
  assert.equal(purlOf({ kind: 'deb', name: 'zlib1g', version: '1.2+x' }, undefined), 'pkg:deb/debian/zlib1g@1.2%2Bx');
  // Maven demands a group
  assert.equal(purlOf({ kind: 'maven', name: 'app' }, undefined), 'pkg:generic/app');
  assert.equal(purlOf({ kind: 'deb', name: '\t' }, undefined), 'pkg:generic/%09');
  assert.equal(purlOf({ kind: 'npm', name: ' \ud800' }, undefined), 'pkg:generic/%20%EF%BF%BD');
});
