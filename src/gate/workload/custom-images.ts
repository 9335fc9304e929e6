// SPDX-License-Identifier: Apache-2.0
import type { ObjectType } from './pod-spec-path.ts';

/** A group of custom resources, and where in its kinds images stand that no pod is around. */
interface CustomGroup {
  readonly group: string;
  readonly kinds: readonly string[];
  /** from the object; `*` stands for every item of a list or field of an object */
  readonly paths: readonly string[];
}

const TASK = ['steps.*.image', 'stepTemplate.image', 'sidecars.*.image'];
const WORKFLOW = ['container.image', 'script.image', 'sidecars.*.image', 'containerSet.containers.*.image'];
const below = (prefixes: readonly string[], paths: readonly string[]): readonly string[] =>
  prefixes.flatMap((prefix) => paths.map((path) => `${prefix}.${path}`));

/** What is known of widely used custom resources. Pods in them are found by their shape and need no entry here. */
const GROUPS: readonly CustomGroup[] = [
  {
    group: 'argoproj.io',
    kinds: ['Workflow', 'WorkflowTemplate', 'ClusterWorkflowTemplate', 'CronWorkflow'],
    paths: below(
      [
        'spec.templates.*',
        'spec.templateDefaults',
        'spec.workflowSpec.templates.*',
        'spec.workflowSpec.templateDefaults',
      ],
      WORKFLOW,
    ),
  },
  {
    group: 'tekton.dev',
    kinds: ['Task', 'ClusterTask', 'TaskRun', 'Pipeline', 'PipelineRun', 'StepAction'],
    paths: [
      'spec.image',
      ...below(
        [
          'spec',
          'spec.taskSpec',
          'spec.tasks.*.taskSpec',
          'spec.finally.*.taskSpec',
          'spec.pipelineSpec.tasks.*.taskSpec',
          'spec.pipelineSpec.finally.*.taskSpec',
        ],
        TASK,
      ),
    ],
  },
  { group: 'serving.kserve.io', kinds: ['InferenceService'], paths: ['spec.*.image', 'spec.*.*.image'] },
  {
    group: 'sparkoperator.k8s.io',
    kinds: ['SparkApplication', 'ScheduledSparkApplication'],
    paths: below(['spec', 'spec.template'], ['image', 'driver.image', 'executor.image', 'initContainerImage']),
  },
  {
    group: 'kafka.strimzi.io',
    kinds: ['Kafka', 'KafkaConnect', 'KafkaMirrorMaker', 'KafkaMirrorMaker2', 'KafkaBridge', 'KafkaNodePool'],
    paths: [
      'spec.image',
      'spec.*.image',
      'spec.*.*.image',
      'spec.clientRackInitImage',
      'spec.kafka.brokerRackInitImage',
    ],
  },
  {
    group: 'postgresql.cnpg.io',
    kinds: ['Cluster', 'ImageCatalog', 'ClusterImageCatalog'],
    paths: ['spec.imageName', 'spec.images.*.image', 'spec.postgresql.extensions.*.image.reference'],
  },
  {
    group: 'monitoring.coreos.com',
    kinds: ['Prometheus', 'PrometheusAgent', 'Alertmanager', 'ThanosRuler'],
    paths: ['spec.image', 'spec.thanos.image'],
  },
  {
    group: 'opentelemetry.io',
    kinds: ['OpenTelemetryCollector', 'Instrumentation', 'TargetAllocator', 'OpAMPBridge'],
    paths: ['spec.image', 'spec.*.image'],
  },
  ...['elasticsearch', 'kibana', 'beat', 'logstash', 'agent', 'apm', 'enterprisesearch', 'maps'].map((product) => ({
    group: `${product}.k8s.elastic.co`,
    kinds: [
      'Elasticsearch',
      'Kibana',
      'Beat',
      'Logstash',
      'Agent',
      'ApmServer',
      'EnterpriseSearch',
      'ElasticMapsServer',
    ],
    paths: ['spec.image'],
  })),
];

const PATHS: ReadonlyMap<string, readonly (readonly string[])[]> = new Map(
  GROUPS.flatMap(({ group, kinds, paths }) =>
    kinds.map((kind) => [`${group} ${kind}`, paths.map((path) => path.split('.'))] as const),
  ),
);

/** Where images stand in a custom resource beside its pods; nothing for kinds that are not known. */
export function customImagePaths({ group, kind }: ObjectType): readonly (readonly string[])[] {
  return PATHS.get(`${group} ${kind}`) ?? [];
}
