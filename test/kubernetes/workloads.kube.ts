// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { findClient } from '../interop/clients.ts';
import { SINGLE } from '../interop/lab.ts';
import { KubeLab } from './kube-lab.ts';
import { type LabGate } from './lab-gate.ts';
import { keyPolicy, pod, workload, type KubeObject } from './kube-objects.ts';

// Every kind of workload and every image field that Kubernetes 1.20 has, admitted and refused by a real API server.

const KINDS = [
  'Deployment',
  'ReplicaSet',
  'StatefulSet',
  'DaemonSet',
  'Job',
  'CronJob',
  'ReplicationController',
  'PodTemplate',
] as const;

suite('a gate before a real API server', () => {
  let kube: KubeLab;
  let gate: LabGate;
  let sealed: string;
  let unsealed: string;
  before(async () => {
    kube = await KubeLab.start();
    sealed = await kube.sealed('shop/sealed');
    unsealed = await kube.image('shop/unsealed');
    await kube.create(reportDefinition());
    gate = await kube.gate();
    await kube.apply(keyPolicy('sealed-by-us', ['localhost:*/**']));
    await kube.until('the policy is in force', async () => {
      return (await kube.field('cip/sealed-by-us', '.status.conditions[0].status')) === 'True';
    });
  });
  after(() => kube.close());

  for (const kind of KINDS) {
    test(`admits a ${kind} of a sealed image`, async () => {
      await kube.create(workload(kind, `good-${kind.toLowerCase()}`, sealed));
    });
    test(`refuses a ${kind} of an unsealed image`, async () => {
      const reason = await kube.refused(['create', '--filename', '-'], workload(kind, 'bad', unsealed));
      assert.match(reason, /denied the request: .*\.containers\[0\]\.image: localhost:\d+\/shop\/unsealed:single/s);
    });
  }

  for (const name of ['cosign-2', 'cosign-3'] as const)
    test(
      `admits what ${name} has sealed`,
      { skip: findClient(name) === undefined ? `${name} is not here` : false },
      async () => {
        const image = await kube.sealedByCosign(`shop/by-${name}`, name);
        await kube.create(pod(`by-${name}`, image));
        assert.equal(await kube.field(`pod/by-${name}`, '.spec.containers[0].image'), `${image}@${SINGLE}`);
      },
    );

  test('refuses an unsealed init container beside a sealed container', async () => {
    const both = pod('init', sealed, { initContainers: [{ name: 'first', image: unsealed }] });
    assert.match(await kube.refused(['create', '--filename', '-'], both), /initContainers\[0\]\.image/);
  });

  test('refuses a digest behind a tag that is not the sealed one', async () => {
    const other = `${unsealed}@${SINGLE}`;
    assert.match(await kube.refused(['create', '--filename', '-'], pod('decorated', other)), /refused/);
    await kube.create(pod('undecorated', `${sealed.replace(/:single$/, '')}@${SINGLE}`));
  });

  test('judges debug containers in the form that Kubernetes 1.20 has for them', async () => {
    await kube.create(pod('debugged', sealed));
    const debug = (image: string): object => ({
      apiVersion: 'v1',
      kind: 'EphemeralContainers',
      metadata: { name: 'debugged' },
      ephemeralContainers: [{ name: 'debugger', image, terminationMessagePolicy: 'File', imagePullPolicy: 'Always' }],
    });
    const path = '/api/v1/namespaces/default/pods/debugged/ephemeralcontainers';
    const bad = await kube.refused(['replace', '--raw', path, '--filename', '-'], debug(unsealed));
    assert.match(bad, /ephemeralContainers\[0\]\.image/);
    await kube.does(['replace', '--raw', path, '--filename', '-'], debug(sealed));
    assert.equal(await kube.field('pod/debugged', '.spec.ephemeralContainers[0].image'), `${sealed}@${SINGLE}`);
    // and the Pod can be changed ever after
    await kube.does(['label', 'pod/debugged', 'seen=yes']);
  });

  test('refuses the Pods that kubectl debug makes as copies', async () => {
    const copy = ['debug', 'good', '--image', unsealed, '--copy-to', 'copy', '--container', 'spy'];
    await kube.create(pod('good', sealed));
    assert.match(await kube.refused(copy), /denied the request: spec\.containers\[1\]\.image/);
    assert.match((await kube.kubectl(['get', 'pod/copy'])).stderr, /not found/);
  });

  test('writes nothing for a dry run, and judges it all the same', async () => {
    const reason = await kube.refused(['create', '--dry-run=server', '--filename', '-'], pod('dry', unsealed));
    assert.match(reason, /denied the request/);
    await kube.does(['create', '--dry-run=server', '--filename', '-'], pod('dry-good', sealed));
    const refusedAfter = await kube.refused(['create', '--filename', '-'], pod('wet', unsealed));
    assert.match(refusedAfter, /denied/);
    await kube.until('the Event of the wet run is there', async () => (await events(kube)).includes('Pod wet:'));
    assert.doesNotMatch(await events(kube), /dry/);
  });

  test('keeps a PolicyReport beside what it admits, which goes with it', async () => {
    await kube.create(pod('reported', sealed));
    const uid = await kube.field('pod/reported', '.metadata.uid');
    const find = `{.items[?(@.scope.uid=="${uid}")]`;
    const report = async (field: string): Promise<string> =>
      await kube.does(['get', 'policyreports', '--output', `jsonpath=${find}${field}}`]);
    await kube.until('the report is there', async () => (await report('.summary.pass')) === '1');
    assert.equal(await report('.results[0].policy'), 'sealed-by-us');
    assert.equal(await report('.results[0].properties.digest'), SINGLE);
    assert.equal(await report('.metadata.ownerReferences[0].uid'), uid);
    await kube.does(['delete', 'pod/reported', '--wait=false', '--grace-period=0', '--force']);
    // the collector of garbage looks every 30 s which kinds there are, and the reports' kind is new
    await kube.until('the report is gone', async () => (await report('.summary.pass')) === '', 90);
    const names = await kube.does(['get', 'policyreports', '--output', 'jsonpath={.items[*].scope.name}']);
    assert.doesNotMatch(names, /dry|bad/);
  });

  test('tells of a refused Pod on the ReplicaSet that would have made it', async () => {
    // a template that was admitted, whose image is no longer what it was: the tag moved
    const moving = await kube.sealed('shop/moving');
    await kube.create(workload('Deployment', 'moving', moving));
    await kube.until('the Pod is there', async () => (await podsOf(kube, 'moving')) !== '');
    await kube.does(['delete', 'cip/sealed-by-us']);
    try {
      await gate.said(({ message }) => message === 'policies: 0 objects in force');
      await kube.does(['delete', 'pod', '--selector', 'app=moving', '--wait=false']);
      await kube.until('the Event is there', async () => {
        const about = 'jsonpath={range .items[*]}{.involvedObject.kind} {.reason} {.message}{"\\n"}{end}';
        return /^ReplicaSet ImageRefused Pod moving-/m.test(await kube.does(['get', 'events', '--output', about]));
      });
    } finally {
      await kube.apply(keyPolicy('sealed-by-us', ['localhost:*/**']));
      await kube.until('the policy is in force again', async () => {
        return (await kube.kubectl(['create', '--dry-run=server', '--filename', '-'], pod('probe', sealed))).code === 0;
      });
    }
  });

  test('judges every namespace by its name, whatever labels it has', async () => {
    await kube.create({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'sly', labels: { 'kubernetes.io/metadata.name': 'kube-system' } },
    });
    const there = ['create', '--namespace', 'sly', '--filename', '-'];
    assert.match(await kube.refused(there, pod('sly', unsealed)), /denied the request/);
    await kube.does(['create', '--namespace', 'kube-system', '--filename', '-'], pod('system', unsealed));
  });

  test('refuses what claims in its own words to be deleted already', async () => {
    const dead = pod(
      'dead',
      unsealed,
      {},
      { deletionTimestamp: '2020-01-01T00:00:00Z', deletionGracePeriodSeconds: 0 },
    );
    assert.match(await kube.refused(['create', '--filename', '-'], dead), /denied the request/);
  });

  test('refuses 400 containers of unsealed images in one answer', async () => {
    const containers = Array.from({ length: 400 }, (_, at) => ({ name: `c${at}`, image: unsealed }));
    const many = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'many' }, spec: { containers } };
    assert.match(await kube.refused(['create', '--filename', '-'], many), /denied the request/);
  });
});

async function events(kube: KubeLab): Promise<string> {
  return await kube.does(['get', 'events', '--output', 'jsonpath={.items[*].message}']);
}

async function podsOf(kube: KubeLab, app: string): Promise<string> {
  return await kube.does(['get', 'pods', '--selector', `app=${app}`, '--output', 'jsonpath={.items[*].metadata.name}']);
}

/** As much of the PolicyReport of the policy working group as a test needs. */
function reportDefinition(): KubeObject {
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  const versions = [{ name: 'v1alpha2', served: true, storage: true, schema }];
  const names = { kind: 'PolicyReport', plural: 'policyreports', singular: 'policyreport' };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: 'policyreports.wgpolicyk8s.io',
      annotations: { 'api-approved.kubernetes.io': 'unapproved, for a test' },
    },
    spec: { group: 'wgpolicyk8s.io', scope: 'Namespaced', names, versions },
  };
}
