// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildProvenance, detectBuildPlatform } from './build-provenance.ts';
import { checkPredicate } from './check-predicate.ts';
import { PREDICATE_TYPES } from './predicate-type.ts';

const GITHUB = {
  GITHUB_ACTIONS: 'true',
  GITHUB_SERVER_URL: 'https://github.com',
  GITHUB_REPOSITORY: 'octo/app',
  GITHUB_REF: 'refs/tags/v1',
  GITHUB_SHA: '0123456789abcdef0123456789abcdef01234567',
  GITHUB_WORKFLOW_REF: 'octo/app/.github/workflows/release.yml@refs/tags/v1',
  GITHUB_RUN_ID: '5',
  GITHUB_RUN_ATTEMPT: '2',
  GITHUB_EVENT_NAME: 'push',
  RUNNER_ENVIRONMENT: 'github-hosted',
  GITHUB_TOKEN: 'secret-token',
};
const GITLAB = {
  GITLAB_CI: 'true',
  CI_PROJECT_URL: 'https://gitlab.com/team/app',
  CI_RUNNER_ID: '7',
  CI_RUNNER_VERSION: '17.5.1',
  CI_COMMIT_SHA: '0123456789abcdef0123456789abcdef01234567',
  CI_JOB_URL: 'https://gitlab.com/team/app/-/jobs/1',
  CI_JOB_NAME: 'release',
  CI_JOB_STARTED_AT: '2026-01-01T00:00:00Z',
  CI_JOB_TOKEN: 'secret-token',
  CI_REPOSITORY_URL: 'https://gitlab-ci-token:secret-token@gitlab.com/team/app.git',
};

describe('buildProvenance', () => {
  test('tells pipelines apart by their variables', () => {
    assert.equal(detectBuildPlatform(GITHUB), 'github');
    assert.equal(detectBuildPlatform(GITLAB), 'gitlab');
    assert.equal(detectBuildPlatform({ CI: 'true' }), 'generic');
  });

  for (const [platform, variables] of [
    ['github', GITHUB],
    ['gitlab', GITLAB],
  ] as const) {
    test(`says in the form of SLSA what ${platform} says, and none of its secrets`, () => {
      const made = buildProvenance(variables, platform, {});
      assert.ok('predicate' in made);
      assert.deepEqual(checkPredicate(PREDICATE_TYPES.slsaprovenance1, made.predicate), []);
      assert.doesNotMatch(JSON.stringify(made), /secret-token/);
      assert.match(JSON.stringify(made), /0123456789abcdef0123456789abcdef01234567/);
    });
  }

  test('names the workflow, its reference and the run of GitHub Actions', () => {
    const made = buildProvenance(GITHUB, 'github', {});
    assert.ok('predicate' in made);
    const { buildDefinition, runDetails } = made.predicate as Record<string, Record<string, unknown>>;
    assert.deepEqual(buildDefinition?.['externalParameters'], {
      workflow: {
        ref: 'refs/tags/v1',
        repository: 'https://github.com/octo/app',
        path: '.github/workflows/release.yml',
      },
    });
    assert.deepEqual(runDetails?.['metadata'], {
      invocationId: 'https://github.com/octo/app/actions/runs/5/attempts/2',
    });
  });

  test('is said by flags where they are given, and of a generic build by nothing else', () => {
    const facts = {
      builderId: 'https://ci.example.com/b',
      buildType: 'https://ci.example.com/t/v1',
      source: 'git+https://git.example.com/app',
      parameters: { target: 'release' },
    };
    const made = buildProvenance({}, 'generic', facts);
    assert.ok('predicate' in made);
    assert.deepEqual(checkPredicate(PREDICATE_TYPES.slsaprovenance1, made.predicate), []);
    const overridden = buildProvenance(GITHUB, 'github', { builderId: facts.builderId });
    assert.match(JSON.stringify(overridden), /"builder":\{"id":"https:\/\/ci\.example\.com\/b"\}/);
  });

  test('names the fact that is missing, and the variables that would have said it', () => {
    assert.deepEqual(buildProvenance({}, 'generic', {}), { fact: 'builderId', variables: [] });
    assert.deepEqual(buildProvenance({}, 'generic', { builderId: 'a:b' }), { fact: 'buildType', variables: [] });
    assert.deepEqual(buildProvenance({ GITLAB_CI: 'true' }, 'gitlab', {}), {
      fact: 'builderId',
      variables: ['CI_PROJECT_URL', 'CI_RUNNER_ID'],
    });
  });
});
