// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { JWTPayload } from 'jose';
import type { Environment, HttpClient } from '../../../wire/index.ts';
import { findIdentityToken, type FindIdentityTokenOptions, type FoundToken } from '../find-identity-token.ts';
import { NOW, testIssuer } from '../test-issuer.fixture.ts';
import { jsonBody, silentServer, tokenServer, type TokenAnswer } from '../token-transport.fixture.ts';

// What each provider's tokens say, from its own documentation, in full; the issuer signs them anew.
const GITHUB: JWTPayload = {
  jti: 'c3a9a5bd-7e0c-4d0f-9c3d-6a4c8f5b2e11',
  sub: 'repo:octo-org/octo-repo:environment:production',
  environment: 'production',
  ref: 'refs/heads/main',
  sha: '7fd1a60b01f91b314f59955a4e4d4e80d8edf11d',
  repository: 'octo-org/octo-repo',
  repository_owner: 'octo-org',
  actor_id: '12',
  repository_visibility: 'private',
  repository_id: '74',
  repository_owner_id: '65',
  run_id: '9876543210',
  run_number: '10',
  run_attempt: '2',
  runner_environment: 'github-hosted',
  actor: 'octocat',
  workflow: 'release',
  head_ref: '',
  base_ref: '',
  event_name: 'push',
  ref_type: 'branch',
  ref_protected: 'true',
  workflow_ref: 'octo-org/octo-repo/.github/workflows/release.yml@refs/heads/main',
  workflow_sha: '7fd1a60b01f91b314f59955a4e4d4e80d8edf11d',
  job_workflow_ref: 'octo-org/octo-automation/.github/workflows/sign.yml@refs/heads/main',
  job_workflow_sha: '1e2f3a4b5c6d7e8f9a0b1c2d3e4f5a6b7c8d9e0f',
};
const GITLAB: JWTPayload = {
  namespace_id: '72',
  namespace_path: 'my-group',
  project_id: '20',
  project_path: 'my-group/my-project',
  user_id: '1',
  user_login: 'sample-user',
  user_email: 'sample-user@example.com',
  pipeline_id: '574',
  pipeline_source: 'push',
  job_id: '302',
  ref: 'main',
  ref_type: 'branch',
  ref_path: 'refs/heads/main',
  ref_protected: 'true',
  runner_id: 1,
  runner_environment: 'gitlab-hosted',
  sha: '714a629c0b401fdce83e847fc9589983fc6f46bc',
  project_visibility: 'public',
  ci_config_ref_uri: 'gitlab.example.com/my-group/my-project//.gitlab-ci.yml@refs/heads/main',
  ci_config_sha: '714a629c0b401fdce83e847fc9589983fc6f46bc',
  jti: '235b3a54-b797-45c7-ae9a-f72d7bc6ef5b',
  sub: 'project_path:my-group/my-project:ref_type:branch:ref:main',
};
const BUILDKITE: JWTPayload = {
  sub: 'organization:acme-inc:pipeline:super-duper-app:ref:refs/heads/main:commit:9f3182061f1e2cca4702c368cbc039b7dc9d4485:step:build',
  organization_slug: 'acme-inc',
  pipeline_slug: 'super-duper-app',
  build_number: 1,
  build_branch: 'main',
  build_tag: '',
  build_commit: '9f3182061f1e2cca4702c368cbc039b7dc9d4485',
  step_key: 'build',
  job_id: '0184990a-477b-4fa8-9968-496074483cee',
  agent_id: '0184990a-4782-42b5-afc1-16715b10b8ff',
  build_source: 'ui',
  runner_environment: 'buildkite-hosted',
};
const CIRCLECI: JWTPayload = {
  sub: 'org/6ac49ab8-7a3c-4e8b-9d6a-2e0e8c1b7f00/project/35b0d7a5-9c6b-4a27-8c8f-0a4b0d9a9f11/user/93d2d8a0-5d8f-4a0e-8a1f-0c3f3e2d1b22',
  'oidc.circleci.com/project-id': '35b0d7a5-9c6b-4a27-8c8f-0a4b0d9a9f11',
  'oidc.circleci.com/context-ids': ['f8a2d1e0-1111-4222-8333-444455556666'],
  'oidc.circleci.com/vcs-origin': 'github.com/acme/app',
  'oidc.circleci.com/vcs-ref': 'refs/heads/main',
  'oidc.circleci.com/pipeline-definition-id': 'd2f4a5b6-1111-4222-8333-444455556666',
  'oidc.circleci.com/ssh-rerun': false,
};
const GOOGLE: JWTPayload = {
  azp: '102030405060708090100',
  email: 'builder@my-project.iam.gserviceaccount.com',
  email_verified: true,
  google: {
    compute_engine: {
      instance_creation_timestamp: 1_700_000_000,
      instance_id: '152986662232938449',
      instance_name: 'builder-1',
      project_id: 'my-project',
      project_number: 739_419_398_126,
      zone: 'us-west1-a',
    },
  },
  sub: '102030405060708090100',
};
const KUBERNETES: JWTPayload = {
  'kubernetes.io': {
    namespace: 'release',
    node: { name: 'node-1', uid: '646e7c5e-32d6-4d42-9dbd-e504e6cbe6b1' },
    pod: { name: 'signer', uid: '5e0bd49b-f040-43b0-99b7-22765a53f7f3' },
    serviceaccount: { name: 'signer', uid: '14ee3fa4-a7e2-420f-9f9a-dbc4507c3798' },
  },
  jti: '2a3b4c5d-1111-4222-8333-444455556666',
  sub: 'system:serviceaccount:release:signer',
};

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bulla-providers-'));
});
after(() => rm(folder, { recursive: true, force: true }));

/** Surroundings in which there is nothing but what a test puts there. */
function search(
  client: HttpClient,
  environment: Environment,
  more: Partial<FindIdentityTokenOptions> = {},
): Promise<FoundToken> {
  const nowhere = join(folder, 'nowhere');
  const paths = { token: nowhere, machine: nowhere, spiffeSocket: nowhere, ...more.paths };
  return findIdentityToken({ client, environment, ...more, paths });
}

describe('GitHub Actions', () => {
  const url = 'https://run-actions-1.example/35//idtoken/5e1a/8c1d?api-version=2.0';
  const environment = {
    GITHUB_ACTIONS: 'true',
    ACTIONS_ID_TOKEN_REQUEST_URL: url,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'request-token',
  };

  test('gives a token for the audience that is asked for, against the request token', async () => {
    const issuer = await testIssuer('https://token.actions.githubusercontent.com');
    const server = tokenServer(async (request): Promise<TokenAnswer> => {
      assert.equal(request.method, 'GET');
      assert.equal(request.url.href, `${url}&audience=sigstore`);
      assert.equal(request.headers['authorization'], 'bearer request-token');
      assert.equal(request.body, undefined);
      const aud = request.url.searchParams.get('audience') ?? '';
      return { body: { count: 1, value: await issuer.sign({ ...GITHUB, aud }) } };
    });
    const found = await search(server.client, environment);
    assert.equal(found.source, 'github-actions');
    assert.equal(found.token.challenge, 'repo:octo-org/octo-repo:environment:production');
    assert.equal(found.token.issuer, 'https://token.actions.githubusercontent.com');
    const { payload } = await issuer.verify(found.token.text, 'sigstore');
    assert.equal(payload['repository'], 'octo-org/octo-repo');
    assert.equal(payload['ref'], 'refs/heads/main');
    assert.equal(payload['job_workflow_ref'], GITHUB['job_workflow_ref']);
    assert.equal(server.asked.length, 1);
  });

  test('is asked for another audience where the authority has one, in an URL without a query too', async () => {
    const issuer = await testIssuer('https://token.actions.githubusercontent.com');
    const server = tokenServer(async (request) => {
      assert.equal(request.url.search, '?audience=my%20authority%26x%3D1');
      return { body: { value: await issuer.sign({ ...GITHUB, aud: 'my authority&x=1' }) } };
    });
    const clientId = 'my authority&x=1';
    const bare = { ...environment, ACTIONS_ID_TOKEN_REQUEST_URL: 'https://run-actions-1.example/idtoken' };
    const found = await search(server.client, bare, { clientId });
    await issuer.verify(found.token.text, clientId);
  });
});

describe('Buildkite', () => {
  const environment = { BUILDKITE_AGENT_ACCESS_TOKEN: 'agent-token', BUILDKITE_JOB_ID: BUILDKITE['job_id'] as string };
  for (const [where, endpoint, base] of [
    ['at its usual endpoint', undefined, 'https://agent.buildkite.com/v3'],
    ['at another endpoint', 'https://edge.buildkite.example/v3/', 'https://edge.buildkite.example/v3'],
  ] as const) {
    test(`gives the job's token ${where}`, async () => {
      const issuer = await testIssuer('https://agent.buildkite.com');
      const server = tokenServer(async (request): Promise<TokenAnswer> => {
        assert.equal(request.method, 'POST');
        assert.equal(request.url.href, `${base}/jobs/0184990a-477b-4fa8-9968-496074483cee/oidc/tokens`);
        assert.equal(request.headers['authorization'], 'Token agent-token');
        assert.equal(request.headers['content-type'], 'application/json');
        assert.deepEqual(jsonBody(request), { audience: 'sigstore' });
        return { body: { token: await issuer.sign({ ...BUILDKITE, aud: 'sigstore' }) } };
      });
      const found = await search(server.client, { ...environment, BUILDKITE_AGENT_ENDPOINT: endpoint });
      assert.equal(found.source, 'buildkite-agent');
      assert.equal(found.token.challenge, BUILDKITE.sub);
      const { payload } = await issuer.verify(found.token.text, 'sigstore');
      assert.equal(payload['pipeline_slug'], 'super-duper-app');
    });
  }

  test('is not asked about a job id that would lead elsewhere', async () => {
    const job = { ...environment, BUILDKITE_JOB_ID: '../../tokens' };
    await assert.rejects(search(silentServer().client, job), {
      code: 'setting-malformed',
      message: /BUILDKITE_JOB_ID/,
    });
  });
});

describe('GitLab', () => {
  test('gives tokens in SIGSTORE_ID_TOKEN', async () => {
    const issuer = await testIssuer('https://gitlab.example.com');
    const text = await issuer.sign({ ...GITLAB, aud: 'sigstore' });
    const found = await search(silentServer().client, { GITLAB_CI: 'true', SIGSTORE_ID_TOKEN: `${text}\n` });
    assert.equal(found.source, 'envvar');
    const { payload } = await issuer.verify(found.token.text, 'sigstore');
    assert.equal(payload['ci_config_ref_uri'], GITLAB['ci_config_ref_uri']);
    // an e-mail address under another name is none
    assert.equal(found.token.challenge, 'project_path:my-group/my-project:ref_type:branch:ref:main');
  });

  test('gives tokens in its usual variable, and in one that is named', async () => {
    const issuer = await testIssuer('https://gitlab.example.com');
    const text = await issuer.sign({ ...GITLAB, aud: 'sigstore' });
    const usual = await search(silentServer().client, { GITLAB_OIDC_TOKEN: text });
    assert.equal(usual.source, 'gitlab');
    const named = await search(silentServer().client, { RELEASE_TOKEN: text }, { provider: 'gitlab:RELEASE_TOKEN' });
    assert.deepEqual([named.source, named.from], ['gitlab', 'RELEASE_TOKEN']);
    await issuer.verify(named.token.text, 'sigstore');
  });

  test('has none where its token is for somebody else, and the message says how to get one', async () => {
    const issuer = await testIssuer('https://gitlab.example.com');
    const text = await issuer.sign({ ...GITLAB, aud: 'https://vault.example.com' });
    await assert.rejects(search(silentServer().client, { GITLAB_CI: 'true', GITLAB_OIDC_TOKEN: text }), {
      code: 'token-not-found',
      message:
        /gitlab \(GITLAB_OIDC_TOKEN is for 'https:\/\/vault\.example\.com', not for 'sigstore'\).*id_tokens: \{ SIGSTORE_ID_TOKEN: \{ aud: sigstore \} \}/,
    });
  });
});

describe('CircleCI', () => {
  test('gives tokens for the organization, where that is the client', async () => {
    const organization = '6ac49ab8-7a3c-4e8b-9d6a-2e0e8c1b7f00';
    const issuer = await testIssuer(`https://oidc.circleci.com/org/${organization}`);
    const text = await issuer.sign({ ...CIRCLECI, aud: organization });
    const environment = { CIRCLECI: 'true', CIRCLE_OIDC_TOKEN_V2: text };
    const found = await search(silentServer().client, environment, { clientId: organization });
    assert.equal(found.source, 'circleci');
    const { payload } = await issuer.verify(found.token.text, organization);
    assert.equal(payload['oidc.circleci.com/vcs-ref'], 'refs/heads/main');
    await assert.rejects(search(silentServer().client, environment), {
      code: 'token-not-found',
      message: new RegExp(`CIRCLE_OIDC_TOKEN_V2 is for '${organization}'.*circleci run oidc get`),
    });
  });
});

describe('Google', () => {
  const identity =
    'http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/identity?audience=sigstore&format=full';
  const access = 'http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token';
  const flavor = { 'metadata-flavor': 'Google' };
  let machine = '';
  before(async () => {
    machine = join(folder, 'product_name');
    await writeFile(machine, 'Google Compute Engine\n');
  });

  test("gives the token of the machine's account from the metadata server", async () => {
    const issuer = await testIssuer('https://accounts.google.com');
    const server = tokenServer(async (request) => {
      assert.equal(`${request.method} ${request.url.href}`, `GET ${identity}`);
      assert.equal(request.headers['metadata-flavor'], 'Google');
      return { headers: flavor, body: await issuer.sign({ ...GOOGLE, aud: 'sigstore' }) };
    });
    const found = await search(server.client, {}, { paths: { machine } });
    assert.equal(found.source, 'google-workload-identity');
    assert.equal(found.token.challenge, 'builder@my-project.iam.gserviceaccount.com');
    await issuer.verify(found.token.text, 'sigstore');
  });

  test('is not asked on a machine that is not its own, unless it was chosen', async () => {
    const other = join(folder, 'other-product');
    await writeFile(other, 'Standard PC (Q35 + ICH9, 2009)\n');
    await assert.rejects(search(silentServer().client, {}, { paths: { machine: other } }), { code: 'token-not-found' });
    const issuer = await testIssuer('https://accounts.google.com');
    const server = tokenServer(async () => ({
      headers: flavor,
      body: await issuer.sign({ ...GOOGLE, aud: 'sigstore' }),
    }));
    for (const provider of ['google', 'google-workload-identity']) {
      const found = await search(server.client, {}, { provider, paths: { machine: other } });
      assert.equal(found.source, 'google-workload-identity');
    }
  });

  test('is not believed when something else answers at that address', async () => {
    const issuer = await testIssuer('https://accounts.google.com');
    const server = tokenServer(async () => ({ body: await issuer.sign({ ...GOOGLE, aud: 'sigstore' }) }));
    await assert.rejects(search(server.client, {}, { provider: 'google', paths: { machine } }), {
      code: 'token-unavailable',
      message: /not Google's metadata server/,
    });
  });

  test('has no token for a machine without an account: others are asked then', async () => {
    const server = tokenServer(() => ({ status: 404, headers: flavor, body: 'not found' }));
    await assert.rejects(search(server.client, {}, { paths: { machine } }), {
      code: 'token-not-found',
      message: /google-workload-identity \(.*404.*google-impersonate/,
    });
  });

  test('gives the token of another account, which the machine may act as', async () => {
    const issuer = await testIssuer('https://accounts.google.com');
    const account = 'signer@my-project.iam.gserviceaccount.com';
    const claims = { ...GOOGLE, email: account, sub: '111', azp: '111', google: undefined };
    const server = tokenServer(async (request): Promise<TokenAnswer> => {
      if (request.url.href === access) {
        assert.equal(request.method, 'GET');
        assert.equal(request.headers['metadata-flavor'], 'Google');
        return { headers: flavor, body: { access_token: 'ya29.access', expires_in: 3599, token_type: 'Bearer' } };
      }
      assert.equal(
        `${request.method} ${request.url.href}`,
        'POST https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/signer%40my-project.iam.gserviceaccount.com:generateIdToken',
      );
      assert.equal(request.headers['authorization'], 'Bearer ya29.access');
      assert.deepEqual(jsonBody(request), { audience: 'sigstore', includeEmail: true });
      return { body: { token: await issuer.sign({ ...claims, aud: 'sigstore' }) } };
    });
    const found = await search(server.client, { GOOGLE_SERVICE_ACCOUNT_NAME: account });
    assert.equal(found.source, 'google-impersonate');
    assert.equal(found.token.challenge, account);
    await issuer.verify(found.token.text, 'sigstore');
    const chosen = await search(server.client, { GOOGLE_SERVICE_ACCOUNT_NAME: account }, { provider: 'google' });
    assert.equal(chosen.source, 'google-impersonate');
  });

  test('says why the other account may not be used, and what helps', async () => {
    const server = tokenServer(({ url }) =>
      url.href === access
        ? { headers: flavor, body: { access_token: 'ya29.access' } }
        : {
            status: 403,
            body: { error: { code: 403, message: "Permission 'iam.serviceAccounts.getOpenIdToken' denied" } },
          },
    );
    await assert.rejects(search(server.client, { GOOGLE_SERVICE_ACCOUNT_NAME: 'signer@x.example' }), {
      code: 'token-refused',
      message:
        /status 403, Permission 'iam.serviceAccounts.getOpenIdToken' denied \(.*serviceAccountOpenIdTokenCreator/,
    });
  });

  test('is not asked about an account whose name would lead elsewhere', async () => {
    for (const account of ['../../x', '..', 'a/b', 'a?b']) {
      await assert.rejects(search(silentServer().client, { GOOGLE_SERVICE_ACCOUNT_NAME: account }), {
        code: 'setting-malformed',
      });
    }
  });
});

describe('a file', () => {
  test('gives the token that Kubernetes projects into a pod, before all others', async () => {
    const issuer = await testIssuer('https://kubernetes.default.svc');
    const token = join(folder, 'oidc-token');
    await writeFile(token, await issuer.sign({ ...KUBERNETES, aud: ['sigstore'] }));
    const environment = { SIGSTORE_ID_TOKEN: 'not looked at', ACTIONS_ID_TOKEN_REQUEST_URL: 'not looked at' };
    const found = await search(silentServer().client, environment, { paths: { token } });
    assert.deepEqual([found.source, found.from], ['filesystem', `the file ${token}`]);
    assert.equal(found.token.challenge, 'system:serviceaccount:release:signer');
    const { payload } = await issuer.verify(found.token.text, 'sigstore');
    assert.deepEqual(payload['kubernetes.io'], KUBERNETES['kubernetes.io']);
  });

  test('that is empty, a folder or endless ends the search, and its name is said', async () => {
    const empty = join(folder, 'empty');
    await writeFile(empty, '\n');
    const large = join(folder, 'large');
    await writeFile(large, 'x'.repeat(70_000));
    for (const token of [empty, folder, large]) {
      await assert.rejects(search(silentServer().client, { SIGSTORE_ID_TOKEN: 'x' }, { paths: { token } }), {
        code: 'token-unreadable',
        message: new RegExp(token),
      });
    }
  });
});

test('an expired token names its source and both times', async () => {
  const issuer = await testIssuer('https://issuer.example', () => NOW - 3_600_000);
  const text = await issuer.sign({ sub: 'x', aud: 'sigstore' });
  await assert.rejects(search(silentServer().client, { SIGSTORE_ID_TOKEN: text }), {
    code: 'token-expired',
    message: /https:\/\/issuer\.example expired at 2026-10-20T11:10:00\.000Z .*12:00:00.*SIGSTORE_ID_TOKEN/,
  });
});
