// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Json } from '../../wire/index.ts';
import { fieldOf, listOf } from '../workload/json-path.ts';
import { CertificateKeeper } from './certificate-keeper.ts';
import { MemoryCluster, TurnedClock } from './cluster.fixture.ts';
import { isResource, webhookConfigurations, type WebhookSettings } from './webhook-configuration.ts';

const SETTINGS: WebhookSettings = {
  name: 'bulla-gate',
  endpoint: { kind: 'service', namespace: 'bulla-system', name: 'bulla-gate', port: 443 },
  timeoutSeconds: 10,
  mutate: 'pods',
  unasked: ['bulla-system', 'kube-system'],
  resources: [],
};

function webhook(at: number, settings: Partial<WebhookSettings> = {}, bundle = 'PEM'): Json | undefined {
  const found = webhookConfigurations({ ...SETTINGS, ...settings }, bundle)[at];
  return listOf(fieldOf(found?.object, 'webhooks'))[0];
}

suite('webhook configurations', () => {
  test('fail closed, leave no trace of dry runs, and ask about equivalent objects too', () => {
    for (const at of [0, 1])
      for (const [field, value] of Object.entries({
        failurePolicy: 'Fail',
        sideEffects: 'NoneOnDryRun',
        matchPolicy: 'Equivalent',
        timeoutSeconds: 10,
        objectSelector: {},
        admissionReviewVersions: ['v1'],
      }))
        assert.deepEqual(fieldOf(webhook(at), field), value, field);
    assert.equal(fieldOf(webhook(1), 'reinvocationPolicy'), 'IfNeeded');
  });

  test('leave namespaces out by their name alone, and none where the gate is outside of the cluster', () => {
    const expressions = [
      { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['bulla-system', 'kube-system'] },
    ];
    assert.deepEqual(fieldOf(webhook(0), 'namespaceSelector'), { matchExpressions: expressions });
    const endpoint = { kind: 'url', url: 'https://gate.test:8443/' } as const;
    const outside = webhook(0, { endpoint, unasked: [] });
    assert.deepEqual(fieldOf(outside, 'namespaceSelector'), {});
    assert.equal(fieldOf(fieldOf(outside, 'clientConfig'), 'url'), 'https://gate.test:8443/validate');
  });

  test('name every version of what runs images', () => {
    const rules = JSON.stringify(fieldOf(webhook(0), 'rules'));
    for (const part of [
      '"pods/ephemeralcontainers"',
      '"v1beta1"',
      '"cronjobs"',
      '"podtemplates"',
      '"replicationcontrollers"',
      '"rollouts"',
    ])
      assert.ok(rules.includes(part), part);
    assert.ok(!JSON.stringify(fieldOf(webhook(1), 'rules')).includes('deployments'));
    assert.ok(JSON.stringify(fieldOf(webhook(1, { mutate: 'workloads' }), 'rules')).includes('deployments'));
    assert.equal(webhookConfigurations({ ...SETTINGS, mutate: 'none' }, '').length, 1);
    assert.ok(JSON.stringify(webhook(0, { resources: ['example.com/*/trainings'] })).includes('"trainings"'));
  });

  test('look at the own resources before the cluster has them, which no failure of the gate keeps from anybody', () => {
    const told = listOf(fieldOf(webhookConfigurations(SETTINGS, 'PEM')[0]?.object, 'webhooks'))[1];
    for (const [field, value] of Object.entries({
      failurePolicy: 'Ignore',
      sideEffects: 'None',
      timeoutSeconds: 5,
      namespaceSelector: {},
    }))
      assert.deepEqual(fieldOf(told, field), value, field);
    const rules = JSON.stringify(fieldOf(told, 'rules'));
    for (const plural of ['clusterimagepolicies', 'trustroots', 'policysettings', 'policyexceptions'])
      assert.ok(rules.includes(`"${plural}"`), plural);
    assert.ok(!rules.includes('DELETE') && !rules.includes('/status'), rules);
  });

  test('take further resources in one form', () => {
    for (const good of ['/v1/pods', 'example.com/*/trainings', 'example.com/v1beta1/trainings/scale'])
      assert.ok(isResource(good), good);
    for (const bad of ['', 'pods', '*/*/*', 'a/b/c', 'example.com/v1/Pods', 'example.com/v1/', 'a b/v1/c'])
      assert.ok(!isResource(bad), bad);
  });
});

suite('a keeper of certificates', () => {
  const PATH = '/api/v1/namespaces/gate/secrets';

  function keeper(
    cluster: MemoryCluster,
    clock: TurnedClock,
  ): {
    readonly keeper: CertificateKeeper;
    readonly steps: string[];
    readonly troubles: string[];
    stop(): Promise<void>;
  } {
    cluster.lists.add(PATH);
    const steps: string[] = [];
    const troubles: string[] = [];
    const made = new CertificateKeeper({
      api: cluster,
      namespace: 'gate',
      name: 'bulla-gate-tls',
      hosts: ['gate.test'],
      clock,
      isInForce: () => true,
      onBundle: () => undefined,
      onStep: (message) => steps.push(message),
      onTrouble: (message) => troubles.push(message),
    });
    const ended = new AbortController();
    const running = made.run(ended.signal);
    return {
      keeper: made,
      steps,
      troubles,
      async stop() {
        ended.abort(new Error('the test ends'));
        await running;
      },
    };
  }

  test('makes a certificate where it leads, which every replica serves', async () => {
    const [cluster, clock] = [new MemoryCluster(), new TurnedClock()];
    const [one, two] = [keeper(cluster, clock), keeper(cluster, clock)];
    await clock.turn(1000);
    assert.equal(cluster.get(PATH, 'bulla-gate-tls'), undefined);
    one.keeper.lead(true);
    await clock.turnUntil(() => two.keeper.bundle !== '' && one.keeper.bundle !== '');
    assert.deepEqual(await one.keeper.current(), await two.keeper.current());
    assert.equal(one.steps.length, 1);
    await one.stop();
    await two.stop();
  });

  test('makes one set of certificates where two believe that they lead', async () => {
    const [cluster, clock] = [new MemoryCluster(), new TurnedClock()];
    const replicas = [keeper(cluster, clock), keeper(cluster, clock)];
    for (const { keeper: one } of replicas) one.lead(true);
    await clock.turnUntil(() => replicas.every(({ keeper: one }) => one.bundle !== ''));
    await clock.turn(60_000);
    const served = await Promise.all(replicas.map(({ keeper: one }) => one.current()));
    assert.deepEqual(served[0], served[1]);
    assert.equal(replicas.flatMap(({ steps }) => steps).length, 1);
    for (const one of replicas) await one.stop();
  });

  test('begins anew where somebody has broken the Secret, and serves what it has until then', async () => {
    const [cluster, clock] = [new MemoryCluster(), new TurnedClock()];
    const { keeper: one, steps, troubles, stop } = keeper(cluster, clock);
    one.lead(true);
    await clock.turnUntil(() => one.bundle !== '');
    const before = await one.current();
    one.lead(false);
    cluster.put(PATH, { ...cluster.get(PATH, 'bulla-gate-tls'), data: { 'tls.crt': 'eA==', 'tls.key': 7 } });
    await clock.turn(1000);
    assert.deepEqual(await one.current(), before);
    const { bundle } = one;
    one.lead(true);
    await clock.turnUntil(() => one.bundle !== bundle);
    assert.notDeepEqual(await one.current(), before);
    assert.equal(steps.length, 2);
    assert.ok(troubles.some((line) => line.includes('holds no certificate with its key')));
    assert.ok(troubles.every((line) => !line.includes('PRIVATE')));
    await stop();
  });

  test('tells who serves of each change', async () => {
    const [cluster, clock] = [new MemoryCluster(), new TurnedClock()];
    const { keeper: one, stop } = keeper(cluster, clock);
    one.lead(true);
    await clock.turnUntil(() => one.bundle !== '');
    const seen: string[] = [];
    const unwatch = one.watch(({ cert }) => seen.push(cert));
    const secret = cluster.get(PATH, 'bulla-gate-tls') ?? {};
    const metadata = secret['metadata'] as { readonly annotations: Json };
    cluster.put(PATH, {
      ...secret,
      metadata: { ...metadata, annotations: { ...(metadata.annotations as object), 'policy.bulla/rotate': '1' } },
    });
    await clock.turnUntil(() => seen.length > 0);
    await clock.turn(10 * 60_000);
    assert.equal(seen.length, 1);
    unwatch();
    await stop();
  });
});
