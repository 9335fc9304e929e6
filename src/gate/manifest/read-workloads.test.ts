// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readWorkloads } from './read-workloads.ts';
import { MANIFEST_LIMITS } from './source-text.ts';

const read = async (text: string): ReturnType<typeof readWorkloads> =>
  readWorkloads({ name: 'a.yaml', bytes: new TextEncoder().encode(text) });
const resources = async (text: string): Promise<readonly string[]> =>
  (await read(text)).workloads.map(({ resource: { group, version, resource } }) => `${group}/${version} ${resource}`);
const codes = async (text: string): Promise<readonly string[]> =>
  (await read(text)).faults.map(({ code, place: { line, column } }) => `${code} ${line}:${column}`);

describe('objects that run images', () => {
  it('are those of every kind of Kubernetes that makes pods, with images or without', async () => {
    const spec = 'spec: {template: {spec: {}}}';
    assert.deepEqual(await resources('apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n'), ['/v1 pods']);
    assert.deepEqual(await resources(`apiVersion: v1\nkind: ReplicationController\n${spec}`), [
      '/v1 replicationcontrollers',
    ]);
    assert.deepEqual(await resources(`apiVersion: v1\nkind: PodTemplate\n${spec.slice(7, -1)}`), ['/v1 podtemplates']);
    assert.deepEqual(await resources(`apiVersion: batch/v1\nkind: CronJob\nspec: {jobTemplate: {${spec}}}`), [
      'batch/v1 cronjobs',
    ]);
  });
  it('are those of other kinds in which a pod or an image stands', async () => {
    const rollout =
      'apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nspec: {template: {spec: {containers: [{image: app:1}]}}}';
    const cluster = 'apiVersion: postgresql.cnpg.io/v1\nkind: Cluster\nspec: {imageName: pg:1}';
    assert.deepEqual(await resources(`${rollout}\n---\n${cluster}`), [
      'argoproj.io/v1alpha1 rollouts',
      'postgresql.cnpg.io/v1 clusters',
    ]);
  });
  it('are not what stands beside them, and lists are looked into', async () => {
    const list =
      'apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service}\n- {apiVersion: v1, kind: Pod, metadata: {labels: {app: a}}}\n';
    const { workloads, faults } = await read(`apiVersion: v1\nkind: ConfigMap\n---\n${list}`);
    assert.deepEqual(
      [workloads.map(({ resource }) => resource), faults],
      [[{ group: '', version: 'v1', resource: 'pods', labels: { app: 'a' } }], []],
    );
    assert.deepEqual(workloads[0]?.typemeta, { apiVersion: 'v1', kind: 'Pod' });
  });
  it('are none in a file that is empty, or holds something else', async () => {
    for (const text of ['', 'services: {a: {image: app:1}}\n', '- a\n', 'apiVersion: v1\n'])
      assert.deepEqual(await resources(text), [], text);
  });
});

describe('a file that cannot be read', () => {
  it('is told of with its place', async () => {
    assert.deepEqual(await codes('apiVersion: v1\nkind: [Pod\n'), ['manifest-malformed 3:1']);
    assert.deepEqual(await codes('a: {a: 1, a: 2}\n'), ['field-duplicate 1:11']);
    assert.deepEqual(await codes('\uFFFF'.repeat(MANIFEST_LIMITS.maxBytes)), ['manifest-too-large 1:1']);
    const { faults } = await readWorkloads({ name: 'a.yaml', bytes: new Uint8Array([0xff]) });
    assert.deepEqual(
      faults.map(({ message }) => message),
      ['not UTF-8'],
    );
  });
  it('is a list in lists without an end', async () => {
    const deep = '{apiVersion: v1, kind: List, items: ['.repeat(70) + ']}'.repeat(70);
    assert.deepEqual(await codes(deep), ['manifest-too-large 1:1198']);
  });
  it('is not an object with images that are none: it runs some', async () => {
    assert.deepEqual(await resources('apiVersion: v1\nkind: Pod\nspec: {containers: [{image: 1}]}'), ['/v1 pods']);
  });
});
