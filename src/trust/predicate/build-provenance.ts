// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../wire/index.ts';

/** Pipelines of which is known what their variables say of a build; `generic` for any other. */
export type BuildPlatform = 'github' | 'gitlab' | 'generic';

/** What is said about a build, where its variables do not say it, or otherwise. */
export interface BuildFacts {
  /** a URI of who ran the build */
  readonly builderId?: string;
  /** a URI that says how the parameters are meant */
  readonly buildType?: string;
  /** a URI of what was built, for example `git+https://git.example.com/app@refs/tags/v1` */
  readonly source?: string;
  /** of the source */
  readonly commit?: string;
  readonly invocationId?: string;
  /** what whoever started the build could choose */
  readonly parameters?: Readonly<Record<string, string>>;
}

/** SLSA provenance that is about to be attested. */
export interface BuildProvenance {
  readonly platform: BuildPlatform;
  readonly predicate: Json;
}

/** What would have to be known, and is not. */
export interface MissingFact {
  readonly fact: 'builderId' | 'buildType' | 'source';
  /** the variables that would have said it */
  readonly variables: readonly string[];
}

type Variables = Readonly<Record<string, string | undefined>>;

/** Which pipeline these are the variables of. */
export function detectBuildPlatform(variables: Variables): BuildPlatform {
  if (variables['GITHUB_ACTIONS'] === 'true') return 'github';
  return variables['GITLAB_CI'] === 'true' ? 'gitlab' : 'generic';
}

/**
 * SLSA provenance v1 from what a pipeline says of itself in its variables. Only variables that are named here are read, none of which is a
 * secret. What a pipeline says of itself is as good as whoever can change it: how far that is to be trusted is what the signer stands for.
 *
 * @see https://slsa.dev/spec/v1.0/provenance
 * @see https://actions.github.io/buildtypes/workflow/v1
 */
export function buildProvenance(
  variables: Variables,
  platform: BuildPlatform,
  facts: BuildFacts,
): BuildProvenance | MissingFact {
  const said = SAID[platform]((name) => {
    const value = variables[name];
    return value === '' ? undefined : value;
  });
  const { builderId, buildType, source, commit, invocationId, parameters, startedOn, internal } = {
    ...said,
    ...defined(facts),
  };
  if (builderId === undefined) return { fact: 'builderId', variables: NAMING[platform].builderId };
  if (buildType === undefined) return { fact: 'buildType', variables: [] };
  if (source === undefined) return { fact: 'source', variables: NAMING[platform].source };
  const external = { ...said.external, ...(facts.source === undefined ? {} : { source }), ...parameters };
  const metadata = { ...text('invocationId', invocationId), ...text('startedOn', startedOn) };
  const predicate = {
    buildDefinition: {
      buildType,
      externalParameters: external,
      ...(Object.keys(internal).length === 0 ? {} : { internalParameters: internal }),
      resolvedDependencies: [{ uri: source, ...(commit === undefined ? {} : { digest: { gitCommit: commit } }) }],
    },
    runDetails: { builder: { id: builderId }, ...(Object.keys(metadata).length === 0 ? {} : { metadata }) },
  };
  return { platform, predicate };
}

/** What a platform says of a build. */
interface Said extends BuildFacts {
  readonly startedOn?: string;
  readonly external: { readonly [name: string]: Json };
  readonly internal: { readonly [name: string]: Json };
}

const NAMING: Readonly<Record<BuildPlatform, Readonly<Record<'builderId' | 'source', readonly string[]>>>> = {
  github: {
    builderId: ['GITHUB_SERVER_URL', 'GITHUB_WORKFLOW_REF'],
    source: ['GITHUB_SERVER_URL', 'GITHUB_REPOSITORY'],
  },
  gitlab: { builderId: ['CI_PROJECT_URL', 'CI_RUNNER_ID'], source: ['CI_PROJECT_URL'] },
  generic: { builderId: [], source: [] },
};

const SAID: Readonly<Record<BuildPlatform, (variable: (name: string) => string | undefined) => Said>> = {
  github(variable) {
    const [server, repository, ref] = [
      variable('GITHUB_SERVER_URL'),
      variable('GITHUB_REPOSITORY'),
      variable('GITHUB_REF'),
    ];
    const workflow = variable('GITHUB_WORKFLOW_REF');
    const place = server === undefined || repository === undefined ? undefined : `${server}/${repository}`;
    const run = variable('GITHUB_RUN_ID');
    return {
      buildType: 'https://actions.github.io/buildtypes/workflow/v1',
      ...text('builderId', server === undefined || workflow === undefined ? undefined : `${server}/${workflow}`),
      ...text('source', place === undefined ? undefined : `git+${place}${ref === undefined ? '' : `@${ref}`}`),
      ...text('commit', variable('GITHUB_SHA')),
      ...text(
        'invocationId',
        place === undefined || run === undefined
          ? undefined
          : `${place}/actions/runs/${run}/attempts/${variable('GITHUB_RUN_ATTEMPT') ?? '1'}`,
      ),
      external: {
        workflow: {
          ...text('ref', workflowRef(workflow) ?? ref),
          ...text('repository', place),
          ...text('path', workflowPath(workflow, repository)),
        },
      },
      internal: {
        github: {
          ...text('event_name', variable('GITHUB_EVENT_NAME')),
          ...text('repository_id', variable('GITHUB_REPOSITORY_ID')),
          ...text('repository_owner_id', variable('GITHUB_REPOSITORY_OWNER_ID')),
          ...text('runner_environment', variable('RUNNER_ENVIRONMENT')),
        },
      },
    };
  },

  gitlab(variable) {
    const project = variable('CI_PROJECT_URL');
    const runner = variable('CI_RUNNER_ID');
    return {
      buildType: `https://gitlab.com/gitlab-org/gitlab-runner/-/blob/${runnerVersion(variable('CI_RUNNER_VERSION'))}/PROVENANCE.md`,
      ...text(
        'builderId',
        project === undefined || runner === undefined ? undefined : `${project}/-/runners/${runner}`,
      ),
      ...text('source', project === undefined ? undefined : `git+${project}`),
      ...text('commit', variable('CI_COMMIT_SHA')),
      ...text('invocationId', variable('CI_JOB_URL') ?? variable('CI_JOB_ID')),
      ...text('startedOn', variable('CI_JOB_STARTED_AT')),
      external: {
        ...text('source', project),
        ...text('entryPoint', variable('CI_JOB_NAME')),
        ...text('ref', variable('CI_COMMIT_REF_NAME')),
        ...text('configPath', variable('CI_CONFIG_PATH')),
      },
      internal: {
        ...text('pipelineSource', variable('CI_PIPELINE_SOURCE')),
        ...text('pipeline', variable('CI_PIPELINE_URL')),
        ...text('projectId', variable('CI_PROJECT_ID')),
        ...text('architecture', variable('CI_RUNNER_EXECUTABLE_ARCH')),
      },
    };
  },

  generic: () => ({ external: {}, internal: {} }),
};

function runnerVersion(version: string | undefined): string {
  return version === undefined || !/^\d+\.\d+\.\d+$/.test(version) ? 'main' : `v${version}`;
}

// `octo/app/.github/workflows/release.yml@refs/tags/v1`
function workflowPath(workflow: string | undefined, repository: string | undefined): string | undefined {
  const [path = ''] = workflow?.split('@') ?? [];
  if (repository === undefined || !path.startsWith(`${repository}/`)) return undefined;
  return path.slice(repository.length + 1);
}

function workflowRef(workflow: string | undefined): string | undefined {
  const at = workflow?.indexOf('@') ?? -1;
  return at === -1 ? undefined : workflow?.slice(at + 1);
}

function text<Name extends string>(name: Name, value: string | undefined): { readonly [N in Name]?: string } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [N in Name]: string });
}

function defined(facts: BuildFacts): Partial<BuildFacts> {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}
