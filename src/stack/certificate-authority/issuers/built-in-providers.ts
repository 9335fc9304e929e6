// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../../wire/index.ts';
import { Settings } from '../settings.ts';
import { decodeCiProvider, type CiProvider } from './ci-provider.ts';

/** A provider that needs no description, and the issuers at which it is where its description says. */
export interface BuiltInProvider {
  readonly provider: CiProvider;
  /** `iss` of the public service; others need their own `default-template-values` */
  readonly home: string;
}

interface Description {
  readonly home: string;
  readonly metadata: Json;
}

// The claims are those that each service documents; the extensions, those that Fulcio's public instance makes of them.
const GITHUB: Description = {
  home: 'https://token.actions.githubusercontent.com',
  metadata: {
    'default-template-values': { url: 'https://github.com', environment: '' },
    'subject-alternative-name-template': '{{ .url }}/{{ .job_workflow_ref }}',
    'extension-templates': {
      'github-workflow-trigger': 'event_name',
      'github-workflow-sha': 'sha',
      'github-workflow-name': 'workflow',
      'github-workflow-repository': 'repository',
      'github-workflow-ref': 'ref',
      'build-signer-uri': '{{ .url }}/{{ .job_workflow_ref }}',
      'build-signer-digest': 'job_workflow_sha',
      'runner-environment': 'runner_environment',
      'source-repository-uri': '{{ .url }}/{{ .repository }}',
      'source-repository-digest': 'sha',
      'source-repository-ref': 'ref',
      'source-repository-identifier': 'repository_id',
      'source-repository-owner-uri': '{{ .url }}/{{ .repository_owner }}',
      'source-repository-owner-identifier': 'repository_owner_id',
      'build-config-uri': '{{ .url }}/{{ .workflow_ref }}',
      'build-config-digest': 'workflow_sha',
      'build-trigger': 'event_name',
      'run-invocation-uri': '{{ .url }}/{{ .repository }}/actions/runs/{{ .run_id }}/attempts/{{ .run_attempt }}',
      'source-repository-visibility-at-signing': 'repository_visibility',
      'deployment-environment': 'environment',
    },
  },
};

const GITLAB: Description = {
  home: 'https://gitlab.com',
  metadata: {
    'default-template-values': { url: 'https://gitlab.com', environment: '' },
    'subject-alternative-name-template': 'https://{{ .ci_config_ref_uri }}',
    'extension-templates': {
      'build-signer-uri': 'https://{{ .ci_config_ref_uri }}',
      'build-signer-digest': 'ci_config_sha',
      'runner-environment': 'runner_environment',
      'source-repository-uri': '{{ .url }}/{{ .project_path }}',
      'source-repository-digest': 'sha',
      'source-repository-ref': 'refs/{{if eq .ref_type "branch"}}heads/{{ else }}tags/{{end}}{{ .ref }}',
      'source-repository-identifier': 'project_id',
      'source-repository-owner-uri': '{{ .url }}/{{ .namespace_path }}',
      'source-repository-owner-identifier': 'namespace_id',
      'build-config-uri': 'https://{{ .ci_config_ref_uri }}',
      'build-config-digest': 'ci_config_sha',
      'build-trigger': 'pipeline_source',
      'run-invocation-uri': '{{ .url }}/{{ .project_path }}/-/jobs/{{ .job_id }}',
      'source-repository-visibility-at-signing': 'project_visibility',
      'deployment-environment': 'environment',
    },
  },
};

const BUILDKITE: Description = {
  home: 'https://agent.buildkite.com',
  metadata: {
    'default-template-values': { url: 'https://buildkite.com' },
    'subject-alternative-name-template': '{{.url}}/{{.organization_slug}}/{{.pipeline_slug}}',
    'extension-templates': {
      'run-invocation-uri': '{{.url}}/{{.organization_slug}}/{{.pipeline_slug}}/builds/{{.build_number}}#{{.job_id}}',
      'runner-environment': 'runner_environment',
      'source-repository-digest': 'build_commit',
      'build-trigger': 'build_source',
    },
  },
};

const CIRCLECI_DEFINITION =
  '{{.api_url}}/projects/{{(index . "oidc.circleci.com/project-id")}}/pipeline-definitions/{{(index . "oidc.circleci.com/pipeline-definition-id")}}';

const CIRCLECI: Description = {
  home: 'https://oidc.circleci.com',
  metadata: {
    'default-template-values': { api_url: 'https://circleci.com/api/v2', platform_url: 'https://app.circleci.com' },
    'subject-alternative-name-template': CIRCLECI_DEFINITION,
    'extension-templates': {
      'build-signer-uri': CIRCLECI_DEFINITION,
      'build-config-uri': '{{.api_url}}/pipeline/{{(index . "oidc.circleci.com/pipeline-id")}}/config',
      'run-invocation-uri':
        '{{.platform_url}}/workflow/{{(index . "oidc.circleci.com/workflow-id")}}/job/{{(index . "oidc.circleci.com/job-id")}}',
      'runner-environment': '{{if eq (index . "oidc.circleci.com/ssh-rerun") "true"}}ssh-rerun{{ else }}{{end}}',
      'source-repository-ref': '{{index . "oidc.circleci.com/vcs-ref"}}',
      'source-repository-uri': '{{index . "oidc.circleci.com/vcs-origin"}}',
    },
  },
};

const CODEFRESH: Description = {
  home: 'https://oidc.codefresh.io',
  metadata: {
    'default-template-values': {
      platform_url: 'https://g.codefresh.io',
      scm_repo_url: '',
      scm_ref: '',
      runner_environment: '',
    },
    'subject-alternative-name-template':
      '{{.platform_url}}/{{.account_name}}/{{.pipeline_name}}:{{.account_id}}/{{.pipeline_id}}',
    'extension-templates': {
      'build-signer-uri': '{{.platform_url}}/build/{{ .workflow_id }}',
      'runner-environment': 'runner_environment',
      'source-repository-uri': 'scm_repo_url',
      'source-repository-ref': 'scm_ref',
      'build-config-uri': '{{.platform_url}}/api/pipelines/{{ .pipeline_id }}',
      'run-invocation-uri': '{{.platform_url}}/build/{{ .workflow_id }}',
    },
  },
};

/** By their short name and by the one that the public instance's file gives them. */
const DESCRIPTIONS: ReadonlyMap<string, Description> = new Map([
  ['github', GITHUB],
  ['github-workflow', GITHUB],
  ['gitlab', GITLAB],
  ['gitlab-pipeline', GITLAB],
  ['buildkite', BUILDKITE],
  ['buildkite-job', BUILDKITE],
  ['circleci', CIRCLECI],
  ['circleci-job', CIRCLECI],
  ['codefresh', CODEFRESH],
  ['codefresh-workflow', CODEFRESH],
]);

/** Types that Fulcio had before it had `ci-provider`. */
export const PROVIDER_TYPES: ReadonlySet<string> = new Set([
  'github-workflow',
  'gitlab-pipeline',
  'buildkite-job',
  'codefresh-workflow',
]);

/** For messages. */
export const BUILT_IN_NAMES: readonly string[] = ['github', 'gitlab', 'buildkite', 'circleci', 'codefresh'];

/** A provider that needs no description. */
export function builtInProvider(name: string): BuiltInProvider | undefined {
  const description = DESCRIPTIONS.get(name);
  if (description === undefined) return undefined;
  const settings = new Settings(description.metadata, `the provider '${name}'`, 'issuers-malformed');
  return { provider: decodeCiProvider(name, settings), home: description.home };
}
