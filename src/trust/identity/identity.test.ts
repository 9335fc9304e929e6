// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CertificateIdentity } from '../certificate/certificate-identity.ts';
import { FULCIO_CLAIMS } from '../certificate/fulcio-claims.ts';
import { compileIdentity, matchIdentity, type IdentityPattern } from './identity.ts';

const ISSUER = 'https://token.actions.githubusercontent.com';
const SUBJECT = 'https://github.com/example/app/.github/workflows/release.yml@refs/tags/v1';
const IDENTITY: CertificateIdentity = {
  subject: SUBJECT,
  kind: 'uri',
  claims: { issuer: ISSUER, githubWorkflowRef: 'refs/tags/v1', runnerEnvironment: 'github-hosted' },
};
const EXACT: IdentityPattern = { issuer: { exact: ISSUER }, subject: { exact: SUBJECT } };

async function match(...patterns: readonly IdentityPattern[]): Promise<string> {
  const result = matchIdentity(IDENTITY, await Promise.all(patterns.map((pattern) => compileIdentity(pattern))));
  return result.kind === 'matched'
    ? 'matched'
    : `${result.rejection.code}: ${result.rejection.found}; ${result.rejection.expected}`;
}

describe('an identity is the expected one', () => {
  test('if issuer and subject are exactly so', async () => assert.equal(await match(EXACT), 'matched'));
  test('if they match expressions, anywhere in the text as in cosign', async () =>
    assert.equal(
      await match({ issuer: { expression: 'actions' }, subject: { expression: '^https://github\\.com/example/' } }),
      'matched',
    ));
  test('if it is any of several', async () =>
    assert.equal(await match({ ...EXACT, subject: { exact: 'other' } }, EXACT), 'matched'));
  test('if every claim that is asked for is so', async () =>
    assert.equal(
      await match({
        ...EXACT,
        claims: { githubWorkflowRef: { expression: '^refs/tags/v' }, runnerEnvironment: { exact: 'github-hosted' } },
      }),
      'matched',
    ));
  test('and every claim that Fulcio certifies can be asked for', async () => {
    for (const claim of FULCIO_CLAIMS.keys()) {
      const expected = await compileIdentity({
        ...EXACT,
        claims: claim === 'issuer' ? {} : { [claim]: { exact: 'x' } },
      });
      const claims = { issuer: ISSUER, ...(claim === 'issuer' ? {} : { [claim]: 'x' }) };
      assert.equal(matchIdentity({ ...IDENTITY, claims }, [expected]).kind, 'matched', claim);
    }
  });
});

describe('an identity is refused, and it is said how it differs', () => {
  test('by another issuer, whatever the subject', async () =>
    assert.equal(
      await match({ ...EXACT, issuer: { exact: 'https://issuer.example.com' } }),
      `identity-issuer-mismatch: the issuer '${ISSUER}'; the issuer 'https://issuer.example.com'`,
    ));
  test('with another subject', async () =>
    assert.match(
      await match({ ...EXACT, subject: { expression: '^https://gitlab' } }),
      /^identity-subject-mismatch: .*; the subject one that matches '\^https:\/\/gitlab'$/,
    ));
  test('with another claim, or without it', async () => {
    assert.match(
      await match({ ...EXACT, claims: { runnerEnvironment: { exact: 'self-hosted' } } }),
      /^identity-claim-mismatch: the runnerEnvironment 'github-hosted'/,
    );
    assert.match(
      await match({
        ...EXACT,
        claims: { buildTrigger: { expression: 'p*' }, githubWorkflowRef: { exact: 'refs/tags/v1' } },
        allowAny: true,
      }),
      /^identity-claim-mismatch: no buildTrigger/,
    );
  });
  test('without an issuer at all, even if any would do', async () => {
    const expected = await compileIdentity({
      issuer: { expression: '.*' },
      subject: { exact: SUBJECT },
      allowAny: true,
    });
    assert.equal(matchIdentity({ ...IDENTITY, claims: {} }, [expected]).kind, 'rejected');
  });
  test('if exact and expression are both given and one does not hold', async () => {
    assert.match(await match({ ...EXACT, subject: { exact: SUBJECT, expression: '^x' } }), /subject-mismatch/);
    assert.match(await match({ ...EXACT, subject: { exact: 'x', expression: 'github' } }), /subject-mismatch/);
  });
  test('by the expectation that it comes nearest to', async () =>
    assert.match(
      await match(
        { ...EXACT, issuer: { exact: 'x' } },
        { ...EXACT, subject: { exact: 'y' } },
        { ...EXACT, issuer: { exact: 'z' } },
      ),
      /subject 'y'$/,
    ));
  test('where nobody is expected', async () => assert.match(await match(), /none is given/));
});

describe('an expectation that says too little is refused', () => {
  for (const source of ['.*', '', '.+', '^.*$'])
    test(`an expression that matches everything: '${source}'`, async () => {
      await assert.rejects(compileIdentity({ ...EXACT, subject: { expression: source } }), {
        code: 'identity-unspecific',
      });
      await assert.rejects(compileIdentity({ ...EXACT, issuer: { expression: source } }), {
        code: 'identity-unspecific',
        message: /issuer matches everything/,
      });
      await assert.rejects(compileIdentity({ ...EXACT, claims: { buildTrigger: { expression: source } } }), {
        code: 'identity-unspecific',
      });
    });
  test('… unless it is asked for by name', async () =>
    assert.equal(
      await match({ issuer: { expression: '.*' }, subject: { expression: '.*' }, allowAny: true }),
      'matched',
    ));
  test('… or an exact text stands beside it', async () =>
    assert.equal(await match({ ...EXACT, subject: { exact: SUBJECT, expression: '.*' } }), 'matched'));
  test('no subject, no issuer, a pattern that is empty', async () => {
    for (const pattern of [
      { issuer: { exact: 'x' } },
      { subject: { exact: 'x' } },
      {},
      { ...EXACT, subject: {} },
      { ...EXACT, issuer: { exact: '' } },
    ])
      await assert.rejects(compileIdentity(pattern), { code: 'identity-unspecific' });
  });
  test('a claim that there is not', async () => {
    const claims = { sourceRepositoryURI: { exact: 'x' } } as IdentityPattern['claims'];
    await assert.rejects(compileIdentity({ ...EXACT, ...(claims === undefined ? {} : { claims }) }), {
      code: 'identity-unspecific',
      message: /sourceRepositoryUri/,
    });
  });
  test('an expression that is none', async () =>
    assert.rejects(compileIdentity({ ...EXACT, subject: { expression: '(' } }), {
      code: 'expression-malformed',
      message: /the subject/,
    }));
});
