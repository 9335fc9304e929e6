// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { missing, NOW, PLACES } from '../engine/engine-place.fixture.ts';
import { findEngines, isPredicatePolicy, readPredicatePolicies } from '../index.ts';

const noCue = await missing('cue');
const noRego = await missing('rego');
const engines = findEngines({ ...PLACES, deadlineMs: 5000 });
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const statement = (predicate: object): Uint8Array =>
  utf8(JSON.stringify({ _type: 'https://in-toto.io/Statement/v1', predicateType: 'x', subject: [], predicate }));

describe('policies over predicates, in files', () => {
  it('are known by the ending of their name', () => {
    for (const name of ['a.cue', 'b/c.rego', '.cue']) assert.ok(isPredicatePolicy(name), name);
    for (const name of ['', 'cue', 'a.CUE', 'a.cue ', 'a.json', '-']) assert.ok(!isPredicatePolicy(name), name);
  });

  it('approve of everything where there are none', async () => {
    const policies = await readPredicatePolicies([], { engines, now: NOW });
    assert.equal(await policies.refuses(statement({})), undefined);
    await policies.end();
  });

  it('are not known to approve where one of them does not end, and answer again after', { skip: noRego }, async () => {
    const text =
      'package signature\nallow { input.predicate.n == 1 }\nallow { input.predicate.n == 2; s := numbers.range(1, 3000); s[a]; s[b]; s[c]; a * b * c == -1 }\n';
    const policies = await readPredicatePolicies([{ name: 'p.rego', bytes: utf8(text) }], { engines, now: NOW });
    await assert.rejects(policies.refuses(statement({ n: 2 })), { code: 'program-unfinished' });
    assert.equal(await policies.refuses(statement({ n: 1 })), undefined);
    assert.equal((await policies.refuses(statement({ n: 3 })))?.code, 'predicate-refused');
    await policies.end();
  });

  it('are not handed more than their engine takes', { skip: noCue }, async () => {
    const policies = await readPredicatePolicies([{ name: 'p.cue', bytes: utf8('predicate: n: 1') }], {
      engines,
      now: NOW,
    });
    await assert.rejects(policies.refuses(statement({ n: 1, text: 'x'.repeat(4 * 1024 * 1024) })), {
      code: 'program-unfinished',
      message: /the attestation has \d+ bytes, at most 4194304 are handed to a policy in CUE/,
    });
    await policies.end();
  });
});
