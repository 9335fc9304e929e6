// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { loadPolicies, type PolicySet } from '../../../policy/index.ts';
import type { Json } from '../../../wire/index.ts';
import { ClusterError } from '../cluster-error.ts';
import { MemoryCluster } from '../cluster.fixture.ts';
import { listRunning } from './list-running.ts';
import { runningImages } from './running-image.ts';
import { scanImages } from './scan-images.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

function pod(image: string, status: Json = {}, more: Readonly<Record<string, Json>> = {}): Json {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'shop', resourceVersion: '7', managedFields: [] },
    spec: { containers: [{ name: 'main', image }], ...more },
    status,
  };
}

const statuses = (imageID: string): Json => ({ phase: 'Running', containerStatuses: [{ name: 'main', imageID }] });

suite('the images that run', () => {
  test('are of a Pod the digests that the kubelet says', () => {
    for (const id of [`docker-pullable://r.test/app@${DIGEST}`, `r.test/app@${DIGEST}`]) {
      const [image] = runningImages(pod('r.test/app:1', statuses(id)));
      assert.deepEqual(
        [image?.image, image?.written, image?.field],
        [`r.test/app:1@${DIGEST}`, 'r.test/app:1', 'spec.containers[0].image'],
      );
    }
  });

  test('are what is written where the kubelet says nothing of use', () => {
    for (const id of ['', `sha256:${'b'.repeat(64)}`, 'docker://x', `r.test/app@sha256:${'b'.repeat(10)}`])
      assert.deepEqual(
        runningImages(pod('r.test/app:1', statuses(id))).map(({ image }) => image),
        ['r.test/app:1'],
      );
    const pinned = `r.test/app@sha256:${'c'.repeat(64)}`;
    assert.deepEqual(
      runningImages(pod(pinned, statuses(`r.test/app@${DIGEST}`))).map(({ image }) => image),
      [pinned],
    );
  });

  test('are of init containers their own, and not those of a container of the same name', () => {
    const init = { initContainerStatuses: [{ name: 'main', imageID: `r.test/init@${DIGEST}` }] };
    const found = runningImages(
      pod('r.test/app:1', init, { initContainers: [{ name: 'main', image: 'r.test/init:1' }] }),
    );
    assert.deepEqual(found.map(({ image }) => image).toSorted(), ['r.test/app:1', `r.test/init:1@${DIGEST}`]);
  });

  test('are none of a Pod that has ended, and of a ReplicaSet without replicas', () => {
    for (const phase of ['Succeeded', 'Failed']) assert.deepEqual(runningImages(pod('a:1', { phase })), []);
    const replicas = (count: number): Json => ({
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: 'r' },
      spec: { replicas: count, template: { spec: { containers: [{ image: 'a:1' }] } } },
    });
    assert.equal(runningImages(replicas(0)).length, 0);
    assert.equal(runningImages(replicas(1)).length, 1);
  });

  test('ask the same of policies from one heartbeat to the next', () => {
    const [first, second] = ['1', '2'].map((resourceVersion) => {
      const object = pod('a:1') as {
        readonly [key: string]: Json;
        readonly metadata: { readonly [key: string]: Json };
      };
      const beating: Json = { ...object, metadata: { ...object.metadata, resourceVersion } };
      return runningImages(beating)[0]?.workload;
    });
    assert.deepEqual(first, second);
  });
});

suite('everything that runs in a cluster', () => {
  const LISTS = [
    '/api/v1/pods',
    '/api/v1/replicationcontrollers',
    '/api/v1/podtemplates',
    '/apis/apps/v1/deployments',
    '/apis/apps/v1/replicasets',
    '/apis/apps/v1/statefulsets',
    '/apis/apps/v1/daemonsets',
    '/apis/batch/v1/jobs',
    '/apis/batch/v1/cronjobs',
  ];

  test('is listed kind by kind, each object with its type', async () => {
    const cluster = new MemoryCluster();
    for (const path of LISTS) cluster.lists.add(path);
    for (let at = 0; at < 700; at++) cluster.put('/api/v1/pods', { metadata: { name: `p${at}` } });
    const kinds: string[] = [];
    await listRunning(cluster, '', (object) => kinds.push((object as { readonly kind: string }).kind));
    assert.equal(kinds.filter((kind) => kind === 'Pod').length, 700);
    assert.equal(cluster.calls.length, LISTS.length + 1);
  });

  test('is listed in an older version where the cluster has no newer, and in no other case', async () => {
    const cluster = new MemoryCluster();
    for (const path of LISTS.slice(0, -1)) cluster.lists.add(path);
    cluster.lists.add('/apis/batch/v1beta1/cronjobs');
    cluster.put('/apis/batch/v1beta1/cronjobs', { metadata: { name: 'nightly' } });
    const found: Json[] = [];
    await listRunning(cluster, '', (object) => found.push(object));
    assert.equal((found[0] as { readonly apiVersion: string }).apiVersion, 'batch/v1beta1');
    cluster.lists.delete('/apis/apps/v1/daemonsets');
    await assert.rejects(
      listRunning(cluster, '', () => undefined),
      { code: 'not-found' },
    );
    cluster.before = () => {
      throw new ClusterError('forbidden', 'no');
    };
    await assert.rejects(
      listRunning(cluster, '', () => undefined),
      { code: 'forbidden' },
    );
  });
});

suite('a scan', () => {
  const policies = async (): Promise<PolicySet> => {
    const one = (name: string, glob: string, action: string): object => ({
      apiVersion: 'policy.sigstore.dev/v1beta1',
      kind: 'ClusterImagePolicy',
      metadata: { name },
      spec: { images: [{ glob }], authorities: [{ static: { action } }] },
    });
    const list = {
      apiVersion: 'v1',
      kind: 'List',
      items: [one('good', 'good.test/**', 'pass'), one('bad', 'bad.test/**', 'fail')],
    };
    return await loadPolicies([{ name: 'p', bytes: Buffer.from(JSON.stringify(list)) }]);
  };
  const open = (): Promise<never> => Promise.reject(new Error('no registry is asked'));

  test('decides each image once, and says who runs it, what is refused first', async () => {
    const images = ['good.test/a', 'bad.test/b', 'good.test/a'].flatMap((name) =>
      runningImages(pod(`${name}@${DIGEST}`)),
    );
    const { outcome, images: found } = await scanImages(images, {
      set: await policies(),
      credentials: { open },
      now: new Date(),
    });
    assert.equal(outcome, 'refused');
    assert.deepEqual(
      found.map(({ decision, run }) => [decision.outcome, run.length]),
      [
        ['refused', 1],
        ['trusted', 2],
      ],
    );
  });

  test('is content with nothing, since nothing runs', async () => {
    assert.equal(
      (await scanImages([], { set: await policies(), credentials: { open }, now: new Date() })).outcome,
      'trusted',
    );
  });

  test('asks registries by the secrets of each workload, and shows what one may read to no other', async () => {
    const asked: string[] = [];
    const credentials = {
      scopeOf: async (namespace: string) => {
        asked.push(namespace);
        return { key: namespace, open };
      },
    };
    const images = ['a', 'b'].flatMap((namespace) =>
      runningImages(pod(`good.test/a@${DIGEST}`)).map((image) => ({ ...image, namespace })),
    );
    const { images: found } = await scanImages(images, { set: await policies(), credentials, now: new Date() });
    assert.deepEqual(asked, ['a', 'b']);
    assert.equal(found.length, 2);
  });
});
