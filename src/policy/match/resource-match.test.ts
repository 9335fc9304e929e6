// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LabelExpression } from './label-selector.ts';
import { matchesResource, type ResourceMatch } from './resource-match.ts';

const DEPLOYMENT = { group: 'apps', version: 'v1', resource: 'deployments', labels: { app: 'shop', tier: 'web' } };

function entry(change: Partial<ResourceMatch> = {}): ResourceMatch {
  return { group: 'apps', version: 'v1', resource: 'deployments', ...change };
}

function labelled(...expressions: readonly LabelExpression[]): ResourceMatch {
  return entry({ selector: { labels: new Map(), expressions } });
}

describe('matching resources', () => {
  const expectations: readonly (readonly [string, ResourceMatch, boolean])[] = [
    ['the same group, version and resource', entry(), true],
    ['any version', entry({ version: '*' }), true],
    ['another version', entry({ version: 'v1beta1' }), false],
    ['another group', entry({ group: '' }), false],
    ['a star for a group, which is a group of that name', entry({ group: '*' }), false],
    ['another resource', entry({ resource: 'pods' }), false],
    ['a label', entry({ selector: { labels: new Map([['app', 'shop']]), expressions: [] } }), true],
    ['a label with another value', entry({ selector: { labels: new Map([['app', 'x']]), expressions: [] } }), false],
    ['a label of the prototype', labelled({ key: 'constructor', operator: 'Exists', values: [] }), false],
    ['In', labelled({ key: 'app', operator: 'In', values: ['a', 'shop'] }), true],
    ['In, of a label that is not there', labelled({ key: 'no', operator: 'In', values: ['a'] }), false],
    ['NotIn', labelled({ key: 'app', operator: 'NotIn', values: ['shop'] }), false],
    ['NotIn, of a label that is not there', labelled({ key: 'no', operator: 'NotIn', values: ['a'] }), true],
    ['Exists', labelled({ key: 'app', operator: 'Exists', values: [] }), true],
    ['DoesNotExist', labelled({ key: 'app', operator: 'DoesNotExist', values: [] }), false],
    [
      'two expressions, of which one does not hold',
      labelled({ key: 'app', operator: 'Exists', values: [] }, { key: 'tier', operator: 'In', values: ['db'] }),
      false,
    ],
  ];
  for (const [what, match, expected] of expectations)
    it(`${what}: ${expected}`, () => assert.equal(matchesResource([match], DEPLOYMENT), expected));

  it('matches any resource, and none, where no entry is given', () => {
    assert.equal(matchesResource([], DEPLOYMENT), true);
    assert.equal(matchesResource([], undefined), true);
  });
  it('matches if one of several entries does', () => {
    assert.equal(matchesResource([entry({ resource: 'pods' }), entry()], DEPLOYMENT), true);
  });
  it('does not match what is no resource, where entries are given', () => {
    assert.equal(matchesResource([entry()], undefined), false);
  });
});
