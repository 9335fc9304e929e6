// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { Json } from '../../wire/index.ts';
import { fieldOf, listOf } from '../workload/json-path.ts';
import { ClusterError } from './cluster-error.ts';
import { MemoryCluster, settle, TurnedClock } from './cluster.fixture.ts';
import { WEBHOOKS_PATH, webhookConfigurations, type WebhookSettings } from './webhook-configuration.ts';
import { WebhookGuard } from './webhook-guard.ts';

const SETTINGS: WebhookSettings = {
  name: 'bulla-gate',
  endpoint: { kind: 'service', namespace: 'bulla-system', name: 'bulla-gate', port: 443 },
  timeoutSeconds: 10,
  mutate: 'pods',
  unasked: ['bulla-system', 'kube-system'],
  resources: [],
};
const VALIDATING = `${WEBHOOKS_PATH}/validatingwebhookconfigurations`;
const MUTATING = `${WEBHOOKS_PATH}/mutatingwebhookconfigurations`;
const DEPLOYMENTS = '/apis/apps/v1/namespaces/bulla-system/deployments';
const ROLES = '/apis/rbac.authorization.k8s.io/v1/clusterroles';

function deployment(...args: readonly string[]): { readonly [key: string]: Json } {
  const template = { spec: { containers: [{ name: 'gate', args: [...args] }] } };
  return { metadata: { name: 'bulla-gate' }, spec: { replicas: 2, template } };
}

suite('a guard of webhook configurations', () => {
  interface Scene {
    readonly cluster: MemoryCluster;
    readonly guard: WebhookGuard;
    readonly clock: TurnedClock;
    readonly alarms: string[];
    readonly steps: string[];
    stop(): Promise<void>;
  }
  async function scene(settings: Partial<WebhookSettings> = {}, cluster = new MemoryCluster()): Promise<Scene> {
    const clock = new TurnedClock();
    for (const path of [VALIDATING, MUTATING]) cluster.lists.add(path);
    cluster.put(DEPLOYMENTS, deployment('--webhook-timeout=10s'));
    cluster.put(ROLES, { metadata: { name: 'bulla-gate', uid: 'role' } });
    const [alarms, steps]: [string[], string[]] = [[], []];
    const guard = new WebhookGuard({
      api: cluster,
      settings: { ...SETTINGS, ...settings },
      clock,
      onAlarm: (message) => alarms.push(message),
      onStep: (message) => steps.push(message),
    });
    const ended = new AbortController();
    const running = guard.run(ended.signal);
    await settle();
    return {
      cluster,
      guard,
      clock,
      alarms,
      steps,
      async stop() {
        ended.abort(new Error('the test ends'));
        await running;
      },
    };
  }
  const bundleOf = (cluster: MemoryCluster, path: string): unknown =>
    fieldOf(fieldOf(listOf(fieldOf(cluster.get(path, 'bulla-gate'), 'webhooks'))[0], 'clientConfig'), 'caBundle');

  test('makes both where there are none, without an alarm', async () => {
    const { cluster, guard, alarms, stop } = await scene();
    guard.believe('PEM');
    await settle();
    assert.equal(cluster.get(VALIDATING, 'bulla-gate'), undefined);
    guard.lead(true);
    await settle();
    assert.ok(guard.isInForce('PEM'));
    assert.ok(!guard.isInForce('OTHER'));
    assert.equal(bundleOf(cluster, MUTATING), Buffer.from('PEM').toString('base64'));
    assert.deepEqual(alarms, []);
    await stop();
  });

  test('brings a new bundle into both, which is no alarm', async () => {
    const { cluster, guard, alarms, stop } = await scene();
    guard.lead(true);
    guard.believe('PEM');
    await settle();
    guard.believe('PEM2');
    await settle();
    assert.ok(guard.isInForce('PEM2'));
    assert.equal(bundleOf(cluster, VALIDATING), Buffer.from('PEM2').toString('base64'));
    assert.deepEqual(alarms, []);
    await stop();
  });

  test('puts back what is deleted, and raises an alarm', async () => {
    const { cluster, guard, alarms, stop } = await scene();
    guard.lead(true);
    guard.believe('PEM');
    await settle();
    cluster.remove(VALIDATING, 'bulla-gate');
    await settle();
    assert.ok(guard.isInForce('PEM'));
    assert.deepEqual(alarms, [
      'the ValidatingWebhookConfiguration bulla-gate was deleted by somebody else; it is put back',
    ]);
    await stop();
  });

  const CHANGES: Readonly<Record<string, Readonly<Record<string, Json>>>> = {
    'lets failures pass': { failurePolicy: 'Ignore' },
    'leaves objects out by a label': { objectSelector: { matchLabels: { judge: 'me' } } },
    'leaves namespaces out by a label': { namespaceSelector: { matchLabels: { gated: 'yes' } } },
    'asks about less': { rules: [] },
    'asks only under a condition': { matchConditions: [{ name: 'never', expression: 'false' }] },
    'waits less long': { timeoutSeconds: 1 },
    'asks about one version alone': { matchPolicy: 'Exact' },
    'asks somebody else': { clientConfig: { url: 'https://evil.test/validate' } },
  };
  for (const [what, change] of Object.entries(CHANGES))
    test(`puts back a configuration that ${what}`, async () => {
      const { cluster, guard, alarms, stop } = await scene();
      guard.lead(true);
      guard.believe('PEM');
      await settle();
      const found = cluster.get(VALIDATING, 'bulla-gate') ?? {};
      const [first, ...others] = listOf(fieldOf(found, 'webhooks'));
      cluster.put(VALIDATING, { ...found, webhooks: [{ ...(first as object), ...change }, ...others] });
      await settle();
      assert.ok(guard.isInForce('PEM'));
      assert.equal(alarms.length, 1);
      await stop();
    });

  test('leaves what an upgrade writes to its successor, but for the certificate', async () => {
    const { cluster, guard, alarms, steps, stop } = await scene();
    guard.lead(true);
    guard.believe('PEM');
    await settle();
    cluster.put(DEPLOYMENTS, deployment('--webhook-timeout=7s'));
    const found = cluster.get(VALIDATING, 'bulla-gate') ?? {};
    const [first] = listOf(fieldOf(found, 'webhooks'));
    cluster.put(VALIDATING, { ...found, webhooks: [{ ...(first as object), timeoutSeconds: 7 }] });
    cluster.remove(MUTATING, 'bulla-gate');
    await settle();
    guard.believe('PEM2');
    await settle();
    assert.equal(fieldOf(listOf(fieldOf(cluster.get(VALIDATING, 'bulla-gate'), 'webhooks'))[0], 'timeoutSeconds'), 7);
    assert.equal(bundleOf(cluster, VALIDATING), Buffer.from('PEM2').toString('base64'));
    assert.equal(cluster.get(MUTATING, 'bulla-gate'), undefined);
    assert.ok(guard.isInForce('PEM2'), 'the certificate can be exchanged');
    assert.deepEqual(alarms, []);
    assert.equal(steps.length, 1);
    await stop();
  });

  test('goes on guarding where replicas are added and the Deployment asks for the same gate', async () => {
    const { cluster, guard, alarms, stop } = await scene();
    guard.lead(true);
    guard.believe('PEM');
    await settle();
    const found = deployment('--webhook-timeout=10s');
    cluster.put(DEPLOYMENTS, { ...found, spec: { ...(found['spec'] as object), replicas: 5 } });
    cluster.remove(VALIDATING, 'bulla-gate');
    await settle();
    assert.ok(guard.isInForce('PEM'));
    assert.equal(alarms.length, 1);
    await stop();
  });

  test('goes on guarding where the cluster does not say what its Deployment asks for', async () => {
    const { cluster, guard, stop } = await scene();
    guard.lead(true);
    guard.believe('PEM');
    await settle();
    cluster.before = ({ path }) => {
      if (path.includes('/deployments/')) throw new ClusterError('forbidden', 'no');
    };
    cluster.remove(VALIDATING, 'bulla-gate');
    await settle();
    assert.ok(guard.isInForce('PEM'));
    await stop();
  });

  test('puts nothing back once its Deployment is gone', async () => {
    const { cluster, guard, stop } = await scene();
    guard.lead(true);
    guard.believe('PEM');
    await settle();
    cluster.remove(DEPLOYMENTS, 'bulla-gate');
    cluster.remove(VALIDATING, 'bulla-gate');
    await settle();
    assert.equal(cluster.get(VALIDATING, 'bulla-gate'), undefined);
    await stop();
  });

  test('puts back what goes with its role, for as long as the gate may be being taken away', async () => {
    const { cluster, guard, clock, stop } = await scene();
    const owners = (): Json =>
      fieldOf(fieldOf(cluster.get(VALIDATING, 'bulla-gate'), 'metadata'), 'ownerReferences') ?? [];
    guard.lead(true);
    guard.believe('PEM');
    await settle();
    cluster.remove(VALIDATING, 'bulla-gate');
    await settle();
    const apiVersion = 'rbac.authorization.k8s.io/v1';
    assert.deepEqual(owners(), [{ apiVersion, kind: 'ClusterRole', name: 'bulla-gate', uid: 'role' }]);
    const found = cluster.get(VALIDATING, 'bulla-gate') ?? {};
    const creationTimestamp = new Date(clock.now()).toISOString();
    cluster.put(VALIDATING, { ...found, metadata: { ...(found['metadata'] as object), creationTimestamp } });
    await clock.turn(9 * 60_000);
    assert.equal(listOf(owners()).length, 1);
    await clock.turn(2 * 60_000);
    assert.deepEqual(owners(), []);
    assert.ok(guard.isInForce('PEM'));
    await stop();
  });

  test('takes the mutating configuration of an earlier gate away where it mutates nothing', async () => {
    const cluster = new MemoryCluster();
    for (const { plural, object } of webhookConfigurations(SETTINGS, 'OLD'))
      cluster.put(`${WEBHOOKS_PATH}/${plural}`, object);
    const { guard, alarms, steps, stop } = await scene({ mutate: 'none' }, cluster);
    guard.believe('PEM');
    await settle();
    assert.ok(cluster.get(MUTATING, 'bulla-gate') !== undefined, 'it does not lead');
    guard.lead(true);
    await settle();
    assert.equal(cluster.get(MUTATING, 'bulla-gate'), undefined);
    assert.ok(guard.isInForce('PEM'));
    assert.deepEqual(alarms, []);
    assert.match(steps.join(), /took the mutatingwebhookconfigurations bulla-gate away/);
    await stop();
  });

  test("takes nobody else's configuration away, whatever its name", async () => {
    const cluster = new MemoryCluster();
    cluster.put(MUTATING, { metadata: { name: 'bulla-gate' }, webhooks: [{ name: 'inject.sidecars.example.com' }] });
    const { guard, stop } = await scene({ mutate: 'none' }, cluster);
    guard.lead(true);
    guard.believe('PEM');
    await settle();
    assert.ok(cluster.get(MUTATING, 'bulla-gate') !== undefined);
    await stop();
  });

  test('only looks on where another replica writes', async () => {
    const { cluster, guard, stop } = await scene();
    guard.believe('PEM');
    guard.lead(true);
    await settle();
    guard.lead(false);
    cluster.remove(MUTATING, 'bulla-gate');
    await settle();
    assert.ok(!guard.isInForce('PEM'));
    await stop();
  });
});
