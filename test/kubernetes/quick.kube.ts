// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { SINGLE } from '../interop/lab.ts';
import { KubeLab } from './kube-lab.ts';
import { keyPolicy, pod, workload } from './kube-objects.ts';

// What a user sees first: a sealed image runs, an unsealed one does not, and what was there before goes on working.

suite('a cluster with a gate', () => {
  let kube: KubeLab;
  let sealed: string;
  let unsealed: string;
  before(async () => {
    kube = await KubeLab.start();
    sealed = await kube.sealed('shop/sealed');
    unsealed = await kube.image('shop/unsealed');
    await kube.create(workload('Job', 'old', unsealed));
    const gate = kube.gate();
    await gate;
    await kube.apply(keyPolicy('sealed-by-us', ['localhost:*/**']));
    await kube.until('the policy is in force', async () => {
      return (await kube.field('cip/sealed-by-us', '.status.conditions[0].status')) === 'True';
    });
  });
  after(() => kube.close());

  test('runs a sealed image, by the digest that was verified', async () => {
    await kube.create(pod('sealed', sealed));
    assert.equal(await kube.field('pod/sealed', '.spec.containers[0].image'), `${sealed}@${SINGLE}`);
  });

  test('runs a sealed Deployment down to its Pods, and leaves its template as it is', async () => {
    await kube.create(workload('Deployment', 'web', sealed));
    const image = '.items[0].spec.containers[0].image';
    await kube.until('the Pod is there', async () => {
      const pods = await kube.does(['get', 'pods', '--selector', 'app=web', '--output', `jsonpath={${image}}`]);
      return pods === `${sealed}@${SINGLE}`;
    });
    assert.equal(await kube.field('deployment/web', '.spec.template.spec.containers[0].image'), sealed);
  });

  test('refuses an unsealed image, with the reason', async () => {
    const reason = await kube.refused(['create', '--filename', '-'], pod('unsealed', unsealed));
    assert.match(
      reason,
      /denied the request: spec\.containers\[0\]\.image: localhost:\d+\/shop\/unsealed:single \(sha256:4ed3e8.*refused: sealed-by-us/s,
    );
  });

  test('goes on with a Job that was there before, of an image that it would refuse now', async () => {
    await kube.does(['annotate', 'job/old', 'team=shop']);
    await kube.does(['label', 'job/old', 'tier=batch']);
    await kube.does(['patch', 'job/old', '--type', 'merge', '--patch', '{"spec":{"parallelism":0}}']);
    assert.equal(await kube.field('job/old', '.spec.template.spec.containers[0].image'), unsealed);
    await kube.does(['delete', 'job/old', '--wait=false']);
  });
});
