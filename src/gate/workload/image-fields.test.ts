// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CodedError, type Json } from '../../wire/index.ts';
import { imageFields, objectsOf, WORKLOAD_LIMITS } from './image-fields.ts';
import { formatPath, valueAt } from './json-path.ts';
import { podSpecPath } from './pod-spec-path.ts';
import { resourceOf } from './resource-of.ts';

const POD = {
  initContainers: [
    { name: 'init', image: 'init:1' },
    { name: 'sidecar', image: 'sidecar:1', restartPolicy: 'Always' },
  ],
  containers: [{ name: 'app', image: 'app:1' }],
  ephemeralContainers: [{ name: 'debug', image: 'debug:1' }],
  volumes: [
    { name: 'data', image: { reference: 'data:1', pullPolicy: 'Always' } },
    { name: 'block', rbd: { image: 'no-image-of-ours', monitors: [] } },
    { name: 'empty', emptyDir: {} },
  ],
} as const;

const shown = (object: Json): readonly string[] =>
  imageFields(object).map(({ path, image, role, name }) => `${formatPath(path)} ${image} ${role} ${name}`);
const images = (object: Json): readonly string[] => imageFields(object).map(({ image }) => image);

describe('images of Kubernetes kinds', () => {
  it('are those of every container, and of volumes that are images', () => {
    assert.deepEqual(shown({ apiVersion: 'v1', kind: 'Pod', spec: POD }), [
      'spec.initContainers[0].image init:1 init init',
      'spec.initContainers[1].image sidecar:1 init sidecar',
      'spec.containers[0].image app:1 container app',
      'spec.ephemeralContainers[0].image debug:1 ephemeral debug',
      'spec.volumes[0].image.reference data:1 volume data',
    ]);
  });

  const template = { spec: POD };
  const kinds: readonly (readonly [string, string, Json])[] = [
    ['v1', 'PodTemplate', { template }],
    ['v1', 'ReplicationController', { spec: { template } }],
    ...['apps/v1', 'apps/v1beta2', 'extensions/v1beta1'].flatMap((version) =>
      ['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet'].map(
        (kind) => [version, kind, { spec: { template } }] as const,
      ),
    ),
    ['batch/v1', 'Job', { spec: { template } }],
    ['batch/v1', 'CronJob', { spec: { jobTemplate: { spec: { template } } } }],
    ['batch/v1beta1', 'CronJob', { spec: { jobTemplate: { spec: { template } } } }],
    ['v1', 'EphemeralContainers', POD],
  ];
  for (const [apiVersion, kind, rest] of kinds)
    it(`are found in ${apiVersion} ${kind}, at its pod`, () => {
      const object = { apiVersion, kind, ...(rest as object) };
      const fields = imageFields(object);
      assert.deepEqual(
        fields.map(({ image }) => image),
        ['init:1', 'sidecar:1', 'app:1', 'debug:1', 'data:1'],
      );
      const path = podSpecPath(object) ?? [];
      assert.ok(fields.every((field) => formatPath(field.path).startsWith(formatPath(path))));
      for (const { path: at, image } of fields) assert.equal(valueAt(object, at), image);
    });

  it('are those of an ephemeral container in the shape without a pod, which older clusters send', () => {
    const object = {
      apiVersion: 'v1',
      kind: 'EphemeralContainers',
      ephemeralContainers: [{ name: 'd', image: 'busybox' }],
    };
    assert.deepEqual(shown(object), ['ephemeralContainers[0].image busybox ephemeral d']);
  });

  it('are told of where they are missing: a template may have none, a Pod may not', () => {
    const spec = { containers: [{ name: 'a' }, { name: 'b', image: '' }, { name: 'c', image: null }] };
    assert.deepEqual(images({ apiVersion: 'v1', kind: 'Pod', spec }), ['', '', '']);
  });

  it('are nothing where there is no pod', () => {
    for (const spec of [{}, null]) assert.deepEqual(images({ apiVersion: 'v1', kind: 'Pod', spec }), []);
    assert.deepEqual(images({ apiVersion: 'v1', kind: 'ConfigMap', data: { image: 'x:1' } }), []);
    for (const value of [null, true, 1, 'text', [], {}]) assert.deepEqual(images(value), []);
  });
});

describe('images of other kinds', () => {
  const pod = { containers: [{ name: 'a', image: 'app:1' }] };
  const cases: readonly (readonly [string, string, Json, readonly string[]])[] = [
    ['argoproj.io/v1alpha1', 'Rollout', { template: { spec: pod } }, ['app:1']],
    [
      'argoproj.io/v1alpha1',
      'Workflow',
      {
        templates: [
          { container: { image: 'c' }, initContainers: [{ image: 'i' }], sidecars: [{ image: 's' }] },
          { script: { image: 'r', source: 'x' } },
        ],
      },
      ['i', 'c', 'r', 's'],
    ],
    [
      'tekton.dev/v1',
      'Task',
      { steps: [{ image: 's' }], stepTemplate: { image: 't' }, sidecars: [{ image: 'c' }] },
      ['s', 't', 'c'],
    ],
    [
      'tekton.dev/v1',
      'Pipeline',
      { tasks: [{ taskSpec: { steps: [{ image: 's' }, { ref: { name: 'x' } }] } }] },
      ['s'],
    ],
    ['serving.knative.dev/v1', 'Service', { template: { spec: pod } }, ['app:1']],
    [
      'serving.kserve.io/v1beta1',
      'InferenceService',
      { predictor: { sklearn: { image: 'm' }, ...pod } },
      ['app:1', 'm'],
    ],
    [
      'jobset.x-k8s.io/v1alpha2',
      'JobSet',
      { replicatedJobs: [{ template: { spec: { template: { spec: pod } } } }] },
      ['app:1'],
    ],
    ['kubeflow.org/v1', 'PyTorchJob', { pytorchReplicaSpecs: { Master: { template: { spec: pod } } } }, ['app:1']],
    ['ray.io/v1', 'RayCluster', { headGroupSpec: { template: { spec: pod } } }, ['app:1']],
    [
      'leaderworkerset.x-k8s.io/v1',
      'LeaderWorkerSet',
      { leaderWorkerTemplate: { workerTemplate: { spec: pod } } },
      ['app:1'],
    ],
    ['batch.volcano.sh/v1alpha1', 'Job', { tasks: [{ template: { spec: pod } }] }, ['app:1']],
    ['sparkoperator.k8s.io/v1beta2', 'SparkApplication', { image: 's', driver: { image: 'd' } }, ['s', 'd']],
    ['kafka.strimzi.io/v1beta2', 'Kafka', { kafka: { image: 'k' } }, ['k']],
    ['postgresql.cnpg.io/v1', 'Cluster', { imageName: 'pg:16' }, ['pg:16']],
    [
      'example.com/v1',
      'Unheard',
      { deeply: [{ nested: { volumes: [{ name: 'v', image: { reference: 'v:1' } }] } }] },
      ['v:1'],
    ],
  ];
  for (const [apiVersion, kind, spec, expected] of cases)
    it(`are found in ${apiVersion} ${kind}`, () =>
      assert.deepEqual(images({ apiVersion, kind, spec }).toSorted(), expected.toSorted()));

  it('are none of what a schema says of containers', () => {
    const spec = { versions: [{ schema: { containers: [{ image: 'x' }] } }] };
    assert.deepEqual(images({ apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', spec }), []);
  });

  it('may stand in objects of several fields, which are no text and not guessed at', () => {
    const containers = [{ image: { repository: 'a', tag: '1' } }];
    assert.deepEqual(images({ apiVersion: 'example.com/v1', kind: 'X', spec: { containers } }), []);
  });
});

describe('lists', () => {
  const pod = (image: string): Json => ({ spec: { containers: [{ name: 'a', image }] } });
  it('are read item by item, with the type of the list where an item has none', () => {
    const list = { apiVersion: 'v1', kind: 'PodList', items: [pod('a:1'), pod('b:1')] };
    assert.deepEqual(shown(list), [
      'items[0].spec.containers[0].image a:1 container a',
      'items[1].spec.containers[0].image b:1 container a',
    ]);
    assert.equal(resourceOf(objectsOf(list)[0]?.object ?? null)?.resource.resource, 'pods');
  });
  it('may hold lists, of which none is without an end', () => {
    let list: Json = { apiVersion: 'v1', kind: 'List', items: [] };
    for (let depth = 0; depth < 40; depth++) list = { apiVersion: 'v1', kind: 'List', items: [list] };
    assert.throws(() => imageFields(list), { code: 'too-deep' });
  });
});

describe('what is too much or no image', () => {
  const pod = (containers: Json): Json => ({ apiVersion: 'v1', kind: 'Pod', spec: { containers } });
  const many = (count: number): Json => Array.from({ length: count }, () => ({ name: 'a', image: 'a:1' }));
  it('is refused: more images than are judged', () => {
    assert.equal(imageFields(pod(many(WORKLOAD_LIMITS.maxImages))).length, WORKLOAD_LIMITS.maxImages);
    assert.throws(() => imageFields(pod(many(WORKLOAD_LIMITS.maxImages + 1))), { code: 'too-many-images' });
    assert.throws(() => imageFields(pod(many(5000))), { code: 'too-many-images' });
  });
  it('is refused: an object deeper than is read, of a kind that has to be searched', () => {
    let deep: Json = {};
    for (let depth = 0; depth < 200; depth++) deep = { deep };
    assert.throws(() => imageFields({ apiVersion: 'example.com/v1', kind: 'X', spec: deep }), { code: 'too-deep' });
  });
  it('is refused: an image that is no text, by its path', () => {
    for (const image of [1, true, {}, ['a']])
      assert.throws(() => imageFields(pod([{ name: 'a', image }])), {
        code: 'image-malformed',
        message: /^spec\.containers\[0\]\.image is .*, expected a text$/,
      });
    for (const spec of [7, 'x', [], [{ containers: [{ name: 'a', image: 'a:1' }] }]])
      assert.throws(() => imageFields({ apiVersion: 'v1', kind: 'Pod', spec }), {
        code: 'image-malformed',
        message: /^spec is .*, expected an object$/,
      });
    assert.throws(() => imageFields(pod('nginx')), { code: 'image-malformed' });
    assert.throws(() => imageFields(pod(['nginx'])), { code: 'image-malformed' });
  });
  it('never ends otherwise than with fields or a coded error', () => {
    const json = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 6 },
        fc.constantFrom<Json>(null, 1, 'x:1', true, '', '__proto__'),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(
          fc.constantFrom(
            'spec',
            'template',
            'containers',
            'image',
            'items',
            'kind',
            'apiVersion',
            'volumes',
            'reference',
            '__proto__',
            'constructor',
          ),
          tie('value'),
          { maxKeys: 5 },
        ),
      ),
    })).value;
    const kinds = fc.constantFrom('Pod', 'Deployment', 'List', 'PodList', 'Task', 'Whatever', 'constructor');
    fc.assert(
      fc.property(
        json,
        kinds,
        fc.constantFrom('v1', 'apps/v1', 'tekton.dev/v1', '/', '__proto__/x'),
        (value, kind, apiVersion) => {
          const object = { ...(value as object), kind, apiVersion } as Json;
          try {
            for (const { path, image } of imageFields(object))
              if (image !== '') assert.equal(valueAt(object, path), image);
            resourceOf(object);
          } catch (error) {
            assert.ok(error instanceof CodedError, String(error));
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('the resource of an object', () => {
  it('has its group, version, plural and labels, and the parts that policies may see', () => {
    const metadata = { name: 'shop', labels: { app: 'shop', odd: 1 } };
    assert.deepEqual(resourceOf({ apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec: { replicas: 2 } }), {
      resource: { group: 'apps', version: 'v1', resource: 'deployments', labels: { app: 'shop' } },
      spec: { replicas: 2 },
      metadata,
      typemeta: { apiVersion: 'apps/v1', kind: 'Deployment' },
    });
  });
  it('has the plural that Kubernetes would guess', () => {
    const plural = (kind: string): string | undefined => resourceOf({ apiVersion: 'g/v1', kind })?.resource.resource;
    assert.deepEqual(['Pod', 'NetworkPolicy', 'Ingress', 'EphemeralContainers'].map(plural), [
      'pods',
      'networkpolicies',
      'ingresses',
      'pods',
    ]);
  });
  it('is none for what is no Kubernetes object', () => {
    for (const value of [null, 1, [], {}, { kind: 'Pod' }, { apiVersion: 'v1' }, { apiVersion: 1, kind: 2 }])
      assert.equal(resourceOf(value as Json), undefined);
  });
});
