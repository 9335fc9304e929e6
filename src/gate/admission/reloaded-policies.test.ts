// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { loadPolicies, type PolicySet } from '../../policy/index.ts';
import { policyOf } from '../../policy/scene.fixture.ts';
import { reloadedPolicies } from './reloaded-policies.ts';

const read = (name: string): Promise<PolicySet> =>
  loadPolicies([{ name: 'p', bytes: new TextEncoder().encode(policyOf([{ static: { action: 'pass' } }], {}, name)) }]);

describe('policies that change while they are in force', () => {
  test('are none until they were read, and then the newest that can be used', async () => {
    const [first, second] = [await read('first'), await read('second')];
    const answers: (PolicySet | undefined | Error)[] = [first, undefined, new TypeError('a fault'), second];
    const heard: string[] = [];
    const policies = reloadedPolicies({
      async load() {
        const next = answers.shift();
        if (next instanceof Error) throw next;
        return next;
      },
      everyMs: 5,
      onChange: () => heard.push('changed'),
      onTrouble: (error) => heard.push(String(error)),
    });
    assert.equal(policies.current(), undefined);
    await policies.reload();
    const before = policies.current();
    assert.equal(before?.set, first);
    while (policies.current()?.set !== second) {
      assert.equal(policies.current(), before);
      await new Promise((done) => setTimeout(done, 1));
    }
    policies.close();
    assert.deepEqual(heard, ['TypeError: a fault', 'changed']);
  });

  test('that cannot be read at first are told to who asks for them', async () => {
    const policies = reloadedPolicies({ load: () => Promise.reject(new TypeError('no')), everyMs: 60_000 });
    await assert.rejects(policies.reload(), TypeError);
    assert.equal(policies.current(), undefined);
    policies.close();
  });
});
