// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AuthorityError } from '../error.ts';
import { CertificateRefusal } from '../refusal.ts';
import type { Claims } from '../token/token.ts';
import { admit } from './admit.ts';
import { decodeRules, firstRules } from './decode-rules.ts';
import { describeRule, type Rule } from './rule.ts';

const ISSUER = 'https://token.actions.githubusercontent.com';
const RULES = `
rules:
  - name: production
    issuer: ${ISSUER}
    claims:
      repository: example/app
      ref: [refs/heads/main, { expression: '^refs/tags/v[0-9]' }]
      environment: production
      run_attempt: 1
  - name: nightly
    issuer: ${ISSUER}
    claims: { repository: example/app, workflow: nightly }
  - name: cluster
    issuer: https://oidc.eks.*.amazonaws.com/id/*
    claims: { /kubernetes.io/namespace: prod, groups: builders }
`;
const GOOD: Claims = { repository: 'example/app', ref: 'refs/tags/v1', environment: 'production', run_attempt: '1' };

async function decode(text: string = RULES): Promise<readonly Rule[]> {
  return decodeRules(Buffer.from(text), 'rules.yaml');
}

function refusal(rules: readonly Rule[], claims: Claims, issuer = ISSUER): string {
  try {
    admit(rules, { issuer, configured: issuer, claims });
  } catch (error) {
    assert.ok(error instanceof CertificateRefusal && error.code === 'rule-refused', String(error));
    return error.message;
  }
  return assert.fail('it was admitted');
}

describe('a rule', () => {
  test('admits a token that has every claim: as a text, as one of several, by an expression, as a number', async () => {
    const rules = await decode();
    const by = (claims: Claims): string => admit(rules, { issuer: ISSUER, configured: ISSUER, claims }).name;
    assert.equal(by(GOOD), 'production');
    assert.equal(by({ ...GOOD, ref: 'refs/heads/main', run_attempt: 1 }), 'production');
    assert.equal(by({ repository: 'example/app', workflow: 'nightly' }), 'nightly');
  });

  test('speaks of a claim within a claim, and of lists', async () => {
    const rules = await decode();
    const asker = {
      issuer: 'https://oidc.eks.eu.amazonaws.com/id/1',
      configured: 'https://oidc.eks.*.amazonaws.com/id/*',
    };
    const claims = { 'kubernetes.io': { namespace: 'prod' }, groups: ['people', 'builders'] };
    assert.equal(admit(rules, { ...asker, claims }).name, 'cluster');
    assert.throws(
      () => admit(rules, { ...asker, claims: { ...claims, 'kubernetes.io': { namespace: 'dev' } } }),
      /'\/kubernetes\.io\/namespace' is 'dev'/,
    );
    assert.throws(
      () => admit(rules, { ...asker, claims: { ...claims, groups: ['people'] } }),
      /'groups' is 'people', expected 'builders'/,
    );
  });

  test('does not admit a text that merely begins, ends or is spelled otherwise', async () => {
    const rules = await decode();
    for (const repository of [
      'example/app2',
      'xexample/app',
      'Example/app',
      'example/app ',
      '',
      ['example'],
      { a: 'example/app' },
    ])
      refusal(rules, { ...GOOD, repository });
  });

  test('never reads what every object has', async () => {
    const rules = await decode(
      `rules: [{ name: a, issuer: ${ISSUER}, claims: { constructor: { expression: Object }, /x/length: '1' } }]`,
    );
    refusal(rules, { x: ['1'] });
  });
});

describe('a refusal', () => {
  test('names the rule that comes nearest, the claim, what was found and what was expected', async () => {
    assert.equal(
      refusal(await decode(), { ...GOOD, ref: 'refs/heads/dev' }),
      "rule 'production' does not admit this token: its 'ref' is 'refs/heads/dev', expected 'refs/heads/main' or ~'^refs/tags/v[0-9]' (2 rules name this issuer, this one comes nearest)",
    );
    const { environment: _, ...without } = GOOD;
    assert.match(
      refusal(await decode(), without),
      /^rule 'production' .* its 'environment' is missing, expected 'production'/,
    );
    assert.match(
      refusal(await decode(), { repository: 'example/app', workflow: 'x' }),
      /^rule 'nightly' .* its 'workflow' is 'x'/,
    );
  });

  test('says so where no rule names the issuer', async () => {
    assert.equal(
      refusal(await decode(), GOOD, 'https://gitlab.com'),
      "no rule names the issuer 'https://gitlab.com': its tokens admit nobody",
    );
    assert.match(refusal([], GOOD), /no rule names the issuer/);
  });

  test('is one line, whatever a claim says', async () => {
    const message = refusal(await decode(), { ...GOOD, ref: `refs/heads/\n\u001b[2J${'x'.repeat(5000)}` });
    assert.ok(!/[\n\u001b]/.test(message));
    assert.ok(message.length < 1000);
  });
});

test('the rules in force are told in a line each', async () => {
  assert.deepEqual(
    (await decode()).map((rule) => describeRule(rule)),
    [
      `production: whoever has repository 'example/app' and ref 'refs/heads/main' or ~'^refs/tags/v[0-9]' and environment 'production' and run_attempt '1', by a token of ${ISSUER}`,
      `nightly: whoever has repository 'example/app' and workflow 'nightly', by a token of ${ISSUER}`,
      "cluster: whoever has /kubernetes.io/namespace 'prod' and groups 'builders', by a token of https://oidc.eks.*.amazonaws.com/id/*",
    ],
  );
});

test('the first start has one rule, for its own issuer', async () => {
  const rules = await decode(firstRules('http://127.0.0.1:5000/oidc'));
  assert.deepEqual(rules, [{ name: 'built-in issuer', issuer: 'http://127.0.0.1:5000/oidc', demands: [] }]);
});

describe('a file is refused', () => {
  const rule = (rest: string): string => `rules: [{ name: a, issuer: ${ISSUER}, ${rest} }]`;
  for (const [why, text, message] of [
    ['with a rule that demands nothing', `rules: [{ name: a, issuer: ${ISSUER} }]`, /everyone: true/],
    ['with a rule that demands an empty set of claims', rule('claims: {}'), /everyone: true/],
    ['with a rule that demands and admits everyone', rule('everyone: true, claims: { a: b }'), /one of both/],
    ['with an expression that matches everything', rule("claims: { ref: { expression: '.*' } }"), /matches everything/],
    ['with an expression that is none', rule("claims: { ref: { expression: '(' } }"), /expression that is none/],
    [
      'with an expression that RE2 does not have',
      rule("claims: { ref: { expression: '(?=x)' } }"),
      /expression that is none/,
    ],
    ['with a claim of no text', rule('claims: { ref: { a: b } }'), /'a', expected one of expression/],
    ['with an empty text', rule("claims: { ref: '' }"), /is no text/],
    ['with an empty list', rule('claims: { ref: [] }'), /0 texts/],
    ['with a rule without name', `rules: [{ issuer: ${ISSUER}, everyone: true }]`, /no 'name'/],
    ['with a rule without issuer', 'rules: [{ name: a, everyone: true }]', /no 'issuer'/],
    [
      'with two rules of one name',
      `rules: [{ name: a, issuer: x, everyone: true }, { name: a, issuer: y, everyone: true }]`,
      /two rules with the name 'a'/,
    ],
    ['with a key that nobody knows', rule('everyone: true, clams: {}'), /'clams'/],
    ['that is no list', 'rules: { a: b }', /no list/],
  ] as const) {
    test(why, async () => {
      await assert.rejects(decode(text), (error) => {
        assert.ok(error instanceof AuthorityError && error.code === 'rules-malformed', String(error));
        assert.match(error.message, message);
        return true;
      });
    });
  }
});
