// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Verdict } from '../../image/index.ts';
import { RegistryError } from '../../oci/index.ts';
import { actOfRefusal, actOfVerdict } from './act.ts';

const NOTHING_FOUND: Verdict = { kind: 'refused', reason: 'nothing-found', places: [], rejected: [], weakened: [] };
const UNDECIDED: Verdict = {
  kind: 'undecided',
  cause: new RegistryError('throttled', 'too many requests'),
  places: [],
  rejected: [],
  weakened: [],
};

describe('a line of the play', () => {
  it('is as expected only if the refusal has the right reason', () => {
    assert.equal(actOfVerdict('x', NOTHING_FOUND, 'nothing-found').asExpected, true);
    assert.equal(actOfVerdict('x', NOTHING_FOUND, 'signature-invalid').asExpected, false);
    assert.equal(actOfVerdict('x', NOTHING_FOUND, 'trusted').asExpected, false);
  });

  it('is never as expected when nothing could be found out', () => {
    const act = actOfVerdict('x', UNDECIDED, 'throttled');
    assert.deepEqual([act.happened, act.asExpected], ['undecided', false]);
  });

  it('says what the registry said, and is as expected only if that is why it refused', async () => {
    const denied = Promise.reject(
      new RegistryError('denied', "cannot write r: r answered 403: DENIED 'tag v1 is written once'"),
    );
    const act = await actOfRefusal('x', denied, 'denied');
    assert.deepEqual([act.why, act.asExpected], ['tag v1 is written once [denied]', true]);
    const unreachable = await actOfRefusal('x', Promise.reject(new RegistryError('unreachable', 'no route')), 'denied');
    assert.equal(unreachable.asExpected, false);
  });

  it('is not as expected when what must be refused was taken', async () => {
    const act = await actOfRefusal('x', Promise.resolve(), 'denied');
    assert.deepEqual([act.happened, act.asExpected], ['accepted', false]);
  });
});
