// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { SINGLE } from '../interop/lab.ts';
import { KubeLab } from './kube-lab.ts';
import { keyPolicy, pod, workload } from './kube-objects.ts';

// What was in the cluster before the gate, of images by tag that it would refuse, goes on working: each hazard that Kubernetes 1.20 can show.

const KINDS = [
  'Deployment',
  'ReplicaSet',
  'StatefulSet',
  'DaemonSet',
  'Job',
  'CronJob',
  'ReplicationController',
] as const;

for (const mutate of ['pods', 'workloads'] as const)
  suite(`objects that are older than a gate with --mutate ${mutate}`, () => {
    let kube: KubeLab;
    let sealed: string;
    let unsealed: string;
    before(async () => {
      kube = await KubeLab.start();
      sealed = await kube.sealed('shop/sealed');
      unsealed = await kube.image('shop/unsealed');
      for (const kind of KINDS) await kube.create(workload(kind, `old-${kind.toLowerCase()}`, unsealed));
      await kube.create(pod('old', unsealed));
      await kube.create(pod('held', unsealed, {}, { finalizers: ['example.com/held'] }));
      await kube.create({
        ...workload('Deployment', 'held', unsealed),
        metadata: { name: 'held', finalizers: ['example.com/held'] },
      });
      await kube.create(pod('debugged', unsealed));
      const path = '/api/v1/namespaces/default/pods/debugged/ephemeralcontainers';
      const container = {
        name: 'debugger',
        image: unsealed,
        terminationMessagePolicy: 'File',
        imagePullPolicy: 'Always',
      };
      const debug = {
        apiVersion: 'v1',
        kind: 'EphemeralContainers',
        metadata: { name: 'debugged' },
        ephemeralContainers: [container],
      };
      await kube.does(['replace', '--raw', path, '--filename', '-'], debug);
      await kube.gate([`--mutate=${mutate}`]);
      await kube.apply(keyPolicy('sealed-by-us', ['localhost:*/**']));
      await kube.until('the policy is in force', async () => {
        return (await kube.field('cip/sealed-by-us', '.status.conditions[0].status')) === 'True';
      });
    });
    after(() => kube.close());

    for (const kind of KINDS)
      test(`a ${kind} can be annotated, and its images stay what they were`, async () => {
        const object = `${kind.toLowerCase()}/old-${kind.toLowerCase()}`;
        const template = kind === 'CronJob' ? '.spec.jobTemplate.spec.template' : '.spec.template';
        const specification = await kube.field(object, '.spec');
        await kube.does(['annotate', object, 'team=shop']);
        assert.equal(await kube.field(object, `${template}.spec.containers[0].image`), unsealed);
        assert.equal(await kube.field(object, '.spec'), specification);
      });

    test('a Job can be suspended, which its immutable template would not survive being pinned', async () => {
      await kube.does(['patch', 'job/old-job', '--type', 'merge', '--patch', '{"spec":{"parallelism":0}}']);
    });

    test('a Deployment can be scaled, though the Pods that it would make are refused', async () => {
      await kube.does(['scale', 'deployment/old-deployment', '--replicas', '3']);
      assert.equal(await kube.field('deployment/old-deployment', '.spec.replicas'), '3');
      await kube.does(['scale', 'deployment/old-deployment', '--replicas', '0']);
      await kube.until('it is scaled down', async () => {
        const pods = [
          'get',
          'pods',
          '--selector',
          'app=old-deployment',
          '--output',
          'jsonpath={.items[*].metadata.deletionTimestamp}',
        ];
        return (
          (await kube.does(['get', 'deployment/old-deployment', '--output', 'jsonpath={.status.replicas}'])) === '' &&
          (await kube.does(pods)) === ''
        );
      });
    });

    test('a Pod can be labelled, and its image is not changed in place', async () => {
      await kube.does(['label', 'pod/old', 'tier=web']);
      assert.equal(await kube.field('pod/old', '.spec.containers[0].image'), unsealed);
    });

    test('a Pod with a debug container by tag can be changed ever after', async () => {
      await kube.does(['label', 'pod/debugged', 'tier=web']);
      await kube.does(['annotate', 'pod/debugged', 'team=shop']);
      assert.equal(await kube.field('pod/debugged', '.spec.ephemeralContainers[0].image'), unsealed);
    });

    test('what is held by a finalizer can be let go: nothing stays Terminating', async () => {
      for (const object of ['pod/held', 'deployment/held']) {
        await kube.does(['delete', object, '--wait=false', '--grace-period=0', '--force']);
        await kube.does([
          'patch',
          object,
          '--type',
          'json',
          '--patch',
          '[{"op":"remove","path":"/metadata/finalizers"}]',
        ]);
        await kube.until('it is gone', async () => /not found/.test((await kube.kubectl(['get', object])).stderr));
      }
    });

    test('an image that changes is judged: refused where it is not sealed, and pinned where it is', async () => {
      const other = await kube.image('shop/other');
      const set = (image: string): readonly string[] => ['set', 'image', 'deployment/old-deployment', `main=${image}`];
      assert.match(await kube.refused(set(other)), /denied the request: .*shop\/other/s);
      await kube.does(set(sealed));
      const expected = mutate === 'workloads' ? `${sealed}@${SINGLE}` : sealed;
      assert.equal(await kube.field('deployment/old-deployment', '.spec.template.spec.containers[0].image'), expected);
      assert.match(await kube.refused(['set', 'image', 'pod/old', `main=${other}`]), /denied the request/);
      await kube.does(['set', 'image', 'pod/old', `main=${sealed}`]);
      assert.equal(await kube.field('pod/old', '.spec.containers[0].image'), `${sealed}@${SINGLE}`);
    });

    test('a container that is added is judged, and the old one beside it is not', async () => {
      const add = (image: string): readonly string[] => {
        const patch = { spec: { template: { spec: { containers: [{ name: 'more', image }] } } } };
        return ['patch', 'deployment/old-deployment', '--patch', JSON.stringify(patch)];
      };
      assert.match(await kube.refused(add(unsealed)), /denied the request/);
      await kube.does(add(sealed));
    });
  });
