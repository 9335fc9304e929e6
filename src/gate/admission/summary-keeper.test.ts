// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { newSigner, policyOf, unreachable } from '../../policy/scene.fixture.ts';
import { SqliteDatabase } from '../../store/index.ts';
import { encodePublicKey, type Signer } from '../../trust/index.ts';
import { GateScene, podOf } from './gate.fixture.ts';
import { openSummaryKeeper, type SummaryKeeper } from './summary-keeper.ts';

const signer = await newSigner();
const gateSigner = await newSigner();
const VERIFIER = 'https://gate.example.com';
const byKey = ({ publicKey }: Signer): object => ({ key: { data: encodePublicKey(publicKey) } });
const settings = (spec: object = {}): string =>
  `${JSON.stringify({
    apiVersion: 'policy.bulla/v1alpha1',
    kind: 'PolicySettings',
    metadata: { name: 's' },
    spec: { gates: [{ name: 'gate', ...byKey(gateSigner) }], ...spec },
  })}\n`;
const POLICIES = policyOf([byKey(signer)], {}, 'sealed') + settings();

interface Kept {
  readonly gate: GateScene;
  readonly keeper: SummaryKeeper;
  readonly database: SqliteDatabase;
}

async function kept(t: TestContext): Promise<Kept> {
  const path = await mkdtemp(join(tmpdir(), 'bulla-summaries-'));
  const database = await SqliteDatabase.open(join(path, 'gate.sqlite'));
  t.after(async () => {
    await database.close();
    await rm(path, { recursive: true, force: true });
  });
  const keeper = await openSummaryKeeper(database, { signer: gateSigner, verifier: VERIFIER });
  const gate = await GateScene.create(POLICIES);
  await gate.scene.sign(signer);
  gate.restart({ summaries: keeper });
  return { gate, keeper, database };
}

const admits = async (gate: GateScene, more: object = {}): Promise<boolean> =>
  (await gate.review('validate', { object: podOf([gate.pinned]), ...more })).allowed;

async function written(keeper: SummaryKeeper, gate: GateScene, scope = 'shared'): Promise<void> {
  while ((await keeper.find(scope, gate.scene.digest)).length === 0) await new Promise((done) => setTimeout(done, 5));
}

function registryDown(gate: GateScene): void {
  for (const method of ['referrers', 'resolve', 'manifest', 'blob']) gate.scene.failures.set(method, unreachable());
}

describe('a summary of what was verified', () => {
  test('admits it while the registry is down, by a gate that has just started', async (t) => {
    const { gate, keeper } = await kept(t);
    assert.equal(await admits(gate), true);
    await written(keeper, gate);
    registryDown(gate);
    gate.restart({ summaries: keeper });
    assert.equal(await admits(gate), true);
    gate.restart();
    assert.equal(await admits(gate), false);
  });

  test('counts for a day at most', async (t) => {
    const { gate, keeper } = await kept(t);
    await admits(gate);
    await written(keeper, gate);
    registryDown(gate);
    gate.time += 23 * 3600 * 1000;
    assert.equal(await admits(gate), true);
    gate.time += 2 * 3600 * 1000;
    assert.equal(await admits(gate), false);
  });

  test('is none of another policy, and none after the signer was revoked', async (t) => {
    const { gate, keeper } = await kept(t);
    await admits(gate);
    await written(keeper, gate);
    registryDown(gate);
    await gate.policies(policyOf([byKey(signer)], { mode: 'enforce' }, 'another') + settings());
    assert.equal(await admits(gate), false);
    const revocations = [{ ...byKey(signer), reason: 'lost' }];
    await gate.policies(policyOf([byKey(signer)], {}, 'sealed') + settings({ revocations }));
    assert.equal(await admits(gate), false);
    await gate.policies(POLICIES);
    assert.equal(await admits(gate), true);
  });

  test('serves nobody whose secrets are others', async (t) => {
    const { gate, keeper } = await kept(t);
    gate.scopes.set('b', 'other');
    await admits(gate);
    await written(keeper, gate);
    registryDown(gate);
    assert.equal(await admits(gate, { namespace: 'b' }), false);
    assert.equal(await admits(gate), true);
  });

  test('is not written for a dry run, and is for the review that follows it', async (t) => {
    const { gate, keeper, database } = await kept(t);
    assert.equal(await admits(gate, { dryRun: true }), true);
    await new Promise((done) => setTimeout(done, 50));
    assert.deepEqual(await database.all('SELECT digest FROM admission_summaries LIMIT 9'), []);
    gate.time += 11_000;
    assert.equal(await admits(gate), true);
    await written(keeper, gate);
  });

  test('is not made of a refusal, nor of another summary', async (t) => {
    const { gate, keeper, database } = await kept(t);
    await admits(gate);
    await written(keeper, gate);
    const rows = (): Promise<readonly object[]> => database.all('SELECT made FROM admission_summaries LIMIT 9');
    const before = await rows();
    registryDown(gate);
    gate.time += 3_600_000;
    await admits(gate);
    await gate.review('validate', { object: podOf([`${gate.pinned.split('@')[0]}@sha256:${'0'.repeat(64)}`]) });
    await new Promise((done) => setTimeout(done, 50));
    assert.deepEqual(await rows(), before);
  });

  test('that cannot be kept takes nothing from the decision, and is told of', async (t) => {
    const { gate } = await kept(t);
    gate.restart({
      summaries: { find: async () => [], keep: () => Promise.reject(new TypeError('the disk is full')) },
    });
    assert.equal(await admits(gate), true);
    await new Promise((done) => setTimeout(done, 20));
    assert.equal(gate.failures.length, 1);
  });
});
