// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeIssuers } from '../issuers/decode-issuers.ts';
import type { TokenIssuer } from '../issuers/token-issuer.ts';
import { CertificateRefusal } from '../refusal.ts';
import type { Claims } from '../token/token.ts';
import { identify } from './identify.ts';

const URL_OF_ISSUER = 'https://login.example.com';
const BASICS = { iss: URL_OF_ISSUER, sub: 'subject' };

async function issuerOf(lines: Readonly<Record<string, unknown>>, url: string = URL_OF_ISSUER): Promise<TokenIssuer> {
  const file = JSON.stringify({ 'oidc-issuers': { [url]: { 'client-id': 'sigstore', ...lines } } });
  const [issuer] = await decodeIssuers(Buffer.from(file), 'issuers.json');
  assert.ok(issuer);
  return issuer;
}

function refuses(issuer: TokenIssuer, claims: Claims, message: RegExp): void {
  assert.throws(
    () => identify(issuer, claims),
    (error) => {
      assert.ok(error instanceof CertificateRefusal && error.code === 'token-claims', String(error));
      assert.match(error.message, message);
      assert.ok(!/[\n\u001b]/.test(error.message));
      return true;
    },
  );
}

describe('an issuer of e-mail addresses', () => {
  const person = { ...BASICS, email: 'dev@example.com', email_verified: true };

  test('certifies an address that it has verified, also where it says so in words', async () => {
    const issuer = await issuerOf({ type: 'email' });
    for (const verified of [true, 'true', 'True']) {
      assert.deepEqual(identify(issuer, { ...person, email_verified: verified }), {
        name: { kind: 'email', value: 'dev@example.com' },
        challenge: 'dev@example.com',
        claims: { issuer: URL_OF_ISSUER, tokenSubject: 'subject' },
      });
    }
  });

  test('refuses one that it has not verified, unless a setting says that it need not', async () => {
    const issuer = await issuerOf({ type: 'email' });
    const { email_verified: _, ...silent } = person;
    refuses(issuer, silent, /has not verified/);
    for (const verified of [false, 'false', 'yes', 1, null, ['true']])
      refuses(issuer, { ...person, email_verified: verified }, /has not verified/);
    const lenient = await issuerOf({ type: 'email', 'skip-email-verification': true });
    assert.equal(identify(lenient, silent).name.value, 'dev@example.com');
  });

  test('refuses what is no address', async () => {
    const issuer = await issuerOf({ type: 'email' });
    for (const email of [
      '',
      'dev',
      'dev@',
      '@example.com',
      'a b@example.com',
      'dev@example.com\n',
      'Dev <dev@example.com>',
      'dev@exämple.com',
      'a@b@c',
      `${'a'.repeat(300)}@example.com`,
      7,
    ])
      refuses(issuer, { ...person, email }, /'email'/);
  });

  test('names the connector as the issuer where a setting says so, and refuses a token without it', async () => {
    const issuer = await issuerOf({ type: 'email', 'issuer-claim': '$.federated_claims.connector_id' });
    const claims = { ...person, federated_claims: { connector_id: 'https://github.com/login/oauth' } };
    assert.equal(identify(issuer, claims).claims.issuer, 'https://github.com/login/oauth');
    refuses(issuer, person, /federated_claims\.connector_id/);
    refuses(issuer, { ...person, federated_claims: { connector_id: '' } }, /federated_claims\.connector_id/);
  });
});

describe('an issuer of URLs', () => {
  test('certifies a URL of its domain and refuses others', async () => {
    const issuer = await issuerOf({ type: 'uri', 'subject-domain': 'https://example.com' });
    assert.deepEqual(identify(issuer, { ...BASICS, sub: 'https://example.com/user/1' }).name, {
      kind: 'uri',
      value: 'https://example.com/user/1',
    });
    for (const sub of [
      'https://example.org/user/1',
      'http://example.com/user/1',
      'https://example.com.evil.example/',
      'https://example.com@evil.example/',
      'https://evil.example/https://example.com',
      'https:\\\\example.com',
      'example.com/user',
      'https://user:pw@example.com/',
      'https://example.com/a b',
      'https://example.com/\u202e',
    ])
      refuses(issuer, { ...BASICS, sub }, /is about/);
  });
});

describe('an issuer of usernames', () => {
  test('certifies a name with its domain, and refuses one that could be read as another', async () => {
    const issuer = await issuerOf({ type: 'username', 'subject-domain': 'example.com' });
    assert.deepEqual(identify(issuer, { ...BASICS, sub: 'dev' }).name, { kind: 'username', value: 'dev!example.com' });
    refuses(issuer, { ...BASICS, sub: 'dev!example.org' }, /without '!'/);
    refuses(issuer, { ...BASICS, sub: 'dev@example.org' }, /no e-mail address/);
  });
});

describe('an issuer of SPIFFE IDs', () => {
  test('certifies those of its trust domain alone', async () => {
    const issuer = await issuerOf({ type: 'spiffe', 'spiffe-trust-domain': 'example.com' });
    assert.deepEqual(identify(issuer, { ...BASICS, sub: 'spiffe://example.com/ns/prod/app' }).name, {
      kind: 'uri',
      value: 'spiffe://example.com/ns/prod/app',
    });
    for (const sub of [
      'spiffe://other.example/x',
      'spiffe://example.com.evil/x',
      'spiffe://example.com/../x',
      'spiffe://example.com/x/',
      'spiffe://EXAMPLE.com/x',
      'https://example.com/x',
      'spiffe://example.com:80/x',
      'spiffe://example.com/x?y',
    ])
      refuses(issuer, { ...BASICS, sub }, /SPIFFE ID of example\.com/);
  });
});

describe('a cluster', () => {
  const account = (namespace: unknown, name: unknown): Claims => ({
    ...BASICS,
    'kubernetes.io': { namespace, serviceaccount: { name, uid: '1' } } as never,
  });

  test('certifies a service account', async () => {
    const issuer = await issuerOf({ type: 'kubernetes' });
    assert.deepEqual(identify(issuer, account('prod', 'builder')).name, {
      kind: 'uri',
      value: 'https://kubernetes.io/namespaces/prod/serviceaccounts/builder',
    });
  });

  test('refuses an empty namespace or account, which Fulcio certifies', async () => {
    const issuer = await issuerOf({ type: 'kubernetes' });
    refuses(issuer, BASICS, /namespace/);
    for (const namespace of ['', undefined, 'a/b', '..', 7])
      refuses(issuer, account(namespace, 'builder'), /namespace/);
    for (const name of ['', undefined, 'a/b', '../../x', 7])
      refuses(issuer, account('prod', name), /name of a service account/);
  });
});

const GITHUB: Claims = {
  iss: 'https://token.actions.githubusercontent.com',
  sub: 'repo:example/app:environment:production',
  event_name: 'push',
  sha: 'c0ffee',
  workflow: 'release',
  repository: 'example/app',
  ref: 'refs/heads/main',
  job_workflow_ref: 'example/app/.github/workflows/release.yml@refs/heads/main',
  job_workflow_sha: 'c0ffee',
  runner_environment: 'github-hosted',
  repository_id: 123456,
  repository_owner: 'example',
  repository_owner_id: '42',
  workflow_ref: 'example/app/.github/workflows/release.yml@refs/heads/main',
  workflow_sha: 'c0ffee',
  run_id: 7,
  run_attempt: '1',
  repository_visibility: 'private',
  environment: 'production',
};

describe('a build of GitHub', () => {
  const github = (): Promise<TokenIssuer> =>
    issuerOf({ type: 'ci-provider', 'ci-provider': 'github' }, 'https://token.actions.githubusercontent.com');

  test('is certified with all that its token says', async () => {
    assert.deepEqual(identify(await github(), GITHUB), {
      name: { kind: 'uri', value: 'https://github.com/example/app/.github/workflows/release.yml@refs/heads/main' },
      challenge: 'repo:example/app:environment:production',
      claims: {
        issuer: 'https://token.actions.githubusercontent.com',
        githubWorkflowTrigger: 'push',
        githubWorkflowSha: 'c0ffee',
        githubWorkflowName: 'release',
        githubWorkflowRepository: 'example/app',
        githubWorkflowRef: 'refs/heads/main',
        buildSignerUri: 'https://github.com/example/app/.github/workflows/release.yml@refs/heads/main',
        buildSignerDigest: 'c0ffee',
        runnerEnvironment: 'github-hosted',
        sourceRepositoryUri: 'https://github.com/example/app',
        sourceRepositoryDigest: 'c0ffee',
        sourceRepositoryRef: 'refs/heads/main',
        sourceRepositoryIdentifier: '123456',
        sourceRepositoryOwnerUri: 'https://github.com/example',
        sourceRepositoryOwnerIdentifier: '42',
        buildConfigUri: 'https://github.com/example/app/.github/workflows/release.yml@refs/heads/main',
        buildConfigDigest: 'c0ffee',
        buildTrigger: 'push',
        runInvocationUri: 'https://github.com/example/app/actions/runs/7/attempts/1',
        sourceRepositoryVisibilityAtSigning: 'private',
        deploymentEnvironment: 'production',
        tokenSubject: 'repo:example/app:environment:production',
      },
    });
  });

  test('cannot say that it comes from elsewhere: a claim does not override a default', async () => {
    const identity = identify(await github(), { ...GITHUB, url: 'https://evil.example' });
    assert.ok(identity.name.value.startsWith('https://github.com/'));
    assert.equal(identity.claims.sourceRepositoryUri, 'https://github.com/example/app');
  });

  test('needs no environment, and has one only where its token says so', async () => {
    const { environment: _, ...without } = GITHUB;
    assert.equal(identify(await github(), without).claims.deploymentEnvironment, undefined);
  });

  test('is refused without a claim that its certificate is made of', async () => {
    const { job_workflow_ref: _, ...without } = GITHUB;
    refuses(await github(), without, /has no 'job_workflow_ref'/);
    refuses(await github(), { ...GITHUB, job_workflow_ref: '' }, /has an empty claim that its name is made of/);
    refuses(await github(), { ...GITHUB, job_workflow_ref: ['a', 'b'] }, /has no 'job_workflow_ref'/);
    refuses(await github(), { ...GITHUB, run_id: 1e21 }, /has no 'run_id'/);
    refuses(await github(), { ...GITHUB, job_workflow_ref: 'a b' }, /expected a URL/);
  });

  test('is refused with a claim that would break a line or fill the log', async () => {
    refuses(await github(), { ...GITHUB, workflow: 'a\nb' }, /control characters/);
    refuses(await github(), { ...GITHUB, workflow: 'a'.repeat(3000) }, /3000 characters in githubWorkflowName/);
  });

  test('never has half an extension: one of an empty claim is left out', async () => {
    assert.equal(
      identify(await github(), { ...GITHUB, repository_owner: '' }).claims.sourceRepositoryOwnerUri,
      undefined,
    );
  });
});

describe('builds of others', () => {
  test('of GitLab', async () => {
    const issuer = await issuerOf({
      type: 'ci-provider',
      'ci-provider': 'gitlab-pipeline',
      'default-template-values': { url: URL_OF_ISSUER },
    });
    const { name, claims } = identify(issuer, {
      ...BASICS,
      ci_config_ref_uri: 'login.example.com/group/app//.gitlab-ci.yml@refs/tags/v1',
      ci_config_sha: 'abc',
      runner_environment: 'self-hosted',
      project_path: 'group/app',
      sha: 'abc',
      ref_type: 'tag',
      ref: 'v1',
      project_id: '9',
      namespace_path: 'group',
      namespace_id: '8',
      pipeline_source: 'push',
      job_id: '77',
      project_visibility: 'internal',
    });
    assert.equal(name.value, 'https://login.example.com/group/app//.gitlab-ci.yml@refs/tags/v1');
    assert.equal(claims.sourceRepositoryRef, 'refs/tags/v1');
    assert.equal(claims.sourceRepositoryUri, 'https://login.example.com/group/app');
    assert.equal(claims.runInvocationUri, 'https://login.example.com/group/app/-/jobs/77');
  });

  test('of Buildkite', async () => {
    const issuer = await issuerOf({ type: 'buildkite-job' }, 'https://agent.buildkite.com');
    const { name, claims } = identify(issuer, {
      ...BASICS,
      organization_slug: 'acme',
      pipeline_slug: 'app',
      build_number: 5,
      job_id: 'j1',
      runner_environment: 'self-hosted',
      build_commit: 'abc',
      build_source: 'webhook',
    });
    assert.equal(name.value, 'https://buildkite.com/acme/app');
    assert.equal(claims.runInvocationUri, 'https://buildkite.com/acme/app/builds/5#j1');
  });

  test('of CircleCI', async () => {
    const issuer = await issuerOf(
      { type: 'ci-provider', 'ci-provider': 'circleci' },
      'https://oidc.circleci.com/org/1',
    );
    const { name, claims } = identify(issuer, {
      ...BASICS,
      'oidc.circleci.com/project-id': 'p',
      'oidc.circleci.com/pipeline-definition-id': 'd',
      'oidc.circleci.com/pipeline-id': 'l',
      'oidc.circleci.com/workflow-id': 'w',
      'oidc.circleci.com/job-id': 'j',
      'oidc.circleci.com/ssh-rerun': true,
      'oidc.circleci.com/vcs-ref': 'refs/heads/main',
    });
    assert.equal(name.value, 'https://circleci.com/api/v2/projects/p/pipeline-definitions/d');
    assert.equal(claims.runnerEnvironment, 'ssh-rerun');
    assert.equal(claims.sourceRepositoryRef, 'refs/heads/main');
    assert.equal(claims.sourceRepositoryUri, undefined);
    refuses(issuer, { ...BASICS, 'oidc.circleci.com/project-id': 'p' }, /empty claim that its name is made of/);
  });
});

describe("the stack's own issuer", () => {
  const issuer: TokenIssuer = { url: URL_OF_ISSUER, many: false, audience: 'sigstore', type: 'workload' };

  test('certifies a person by the address, a workload by its URI, and what they say of a build', () => {
    assert.deepEqual(identify(issuer, { ...BASICS, email: 'dev@example.com', email_verified: true }).name, {
      kind: 'email',
      value: 'dev@example.com',
    });
    const { name, challenge, claims } = identify(issuer, {
      ...BASICS,
      sub: 'https://ci.example.com/app/release',
      repository: 'example/app',
      ref: 'refs/heads/main',
      environment: 'production',
    });
    assert.deepEqual(name, { kind: 'uri', value: 'https://ci.example.com/app/release' });
    assert.equal(challenge, 'https://ci.example.com/app/release');
    assert.equal(claims.githubWorkflowRepository, 'example/app');
    assert.equal(claims.sourceRepositoryRef, 'refs/heads/main');
    assert.equal(claims.deploymentEnvironment, 'production');
  });

  test('refuses an address that is not verified, and a subject that is no URI', () => {
    refuses(issuer, { ...BASICS, email: 'dev@example.com' }, /has not verified/);
    refuses(issuer, { ...BASICS, sub: 'somebody' }, /expected a URI/);
  });
});
