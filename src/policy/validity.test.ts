// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodePublicKey, type Signer } from '../trust/index.ts';
import { newTestSigstore, ISSUER, SUBJECT } from '../trust/keyless-seal.fixture.ts';
import { loadPolicies, mayReuse, questionOf, type PolicySet, type Question } from './index.ts';
import { NAME, newSigner, policyOf, Scene, unreachable } from './scene.fixture.ts';

const NOW = new Date('2026-06-02T00:00:00Z');
const SIGN = 'https://sigstore.dev/cosign/sign/v1';
const OTHER = 'https://example.com/predicate';
const sigstore = await newTestSigstore();
const fallback = sigstore.trustedRoot;
const byKey = ({ publicKey }: Signer, more: object = {}): object => ({
  key: { data: encodePublicKey(publicKey) },
  ...more,
});
const keyless = (more: object = {}): string =>
  policyOf([{ keyless: { identities: [{ issuer: ISSUER, subject: SUBJECT }] }, ...more }]);

async function sealed(): Promise<Scene> {
  const scene = await Scene.create();
  await scene.lay(await sigstore.seal({ payload: scene.statement(SIGN) }));
  return scene;
}

function settings(...revocations: readonly object[]): string {
  const metadata = { name: 's' };
  return JSON.stringify({
    apiVersion: 'policy.bulla/v1alpha1',
    kind: 'PolicySettings',
    metadata,
    spec: { revocations },
  });
}

describe('a decision may stand for the next', () => {
  it('for ever where no time can change it', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.sign(signer);
    const decision = await scene.decide(policyOf([byKey(signer)]));
    assert.equal(decision.validUntil, undefined);
    assert.equal(decision.readsClock, false);
    assert.ok(mayReuse(decision, new Date('2099-01-01T00:00:00Z')));
  });

  it('until the seal that counts is too old, and then it is refused', async () => {
    const scene = await sealed();
    const policy = keyless({ maxAge: '7d' });
    const decision = await scene.decide(policy, { fallback, now: NOW });
    assert.equal(decision.outcome, 'trusted');
    const { validUntil } = decision;
    assert.ok(validUntil !== undefined && mayReuse(decision, new Date(validUntil.getTime() - 1)));
    assert.ok(!mayReuse(decision, validUntil));
    assert.equal(
      (await scene.decide(policy, { fallback, now: new Date(validUntil.getTime() - 1) })).outcome,
      'trusted',
    );
    const refused = await scene.decide(policy, { fallback, now: validUntil });
    assert.equal(refused.outcome, 'refused');
    // what is too old does not grow younger
    assert.equal(refused.validUntil, undefined);
  });

  it('until a revocation that is yet to come', async () => {
    const scene = await sealed();
    const since = '2026-07-01T00:00:00Z';
    const revoking = keyless() + settings({ identity: { subject: SUBJECT }, since });
    const decision = await scene.decide(revoking, { fallback, now: NOW });
    assert.equal(decision.outcome, 'trusted');
    assert.deepEqual(decision.validUntil, new Date(since));
  });

  it('never where a policy that was evaluated reads the clock', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.attest(signer, OTHER, { level: 3 });
    const of = async (data: string): Promise<boolean> => {
      const policy = { type: 'cel', data };
      const attestations = [{ name: 'a', predicateType: OTHER, policy }];
      const decision = await scene.decide(policyOf([byKey(signer, { attestations })]));
      assert.equal(decision.outcome, 'trusted');
      assert.equal(mayReuse(decision, NOW), !decision.readsClock);
      return decision.readsClock;
    };
    assert.equal(await of('predicate.level == 3'), false);
    assert.equal(await of('now > timestamp("2020-01-01T00:00:00Z")'), true);
    const whole = { policy: { type: 'cel', data: 'now > timestamp("2020-01-01T00:00:00Z")' } };
    assert.equal((await scene.decide(policyOf([{ static: { action: 'pass' } }], whole))).readsClock, true);
  });

  it('never where something could not be found out', async () => {
    const scene = await Scene.create();
    scene.failures.set('referrers', unreachable());
    const decision = await scene.decide(policyOf([byKey(await newSigner())]));
    assert.equal(decision.outcome, 'undecided');
    assert.ok(!mayReuse(decision, NOW));
  });
});

describe('the inputs of a decision', () => {
  it('name all evidence that was read, whether it counts or not', async () => {
    const scene = await Scene.create();
    const [one, two] = [await newSigner(), await newSigner()];
    const policy = policyOf([byKey(await newSigner())]);
    await scene.sign(one);
    const first = await scene.decide(policy);
    assert.deepEqual(first.evidence, []);
    assert.equal(first.inputs.evidence.length, 2);
    await scene.sign(two);
    const second = await scene.decide(policy);
    assert.equal(second.inputs.question, first.inputs.question);
    assert.notEqual(second.inputs.hash, first.inputs.hash);
    assert.equal((await scene.decide(policy)).inputs.hash, second.inputs.hash);
  });

  it('follow from policies, trusted roots, settings, name and the fields that a policy reads', async () => {
    const signer = await newSigner();
    const set = async (text: string, root = fallback): Promise<PolicySet> =>
      loadPolicies([{ name: 'p.yaml', bytes: new TextEncoder().encode(text) }], { fallback: root });
    const asked: Question = { image: `${NAME}:v1`, metadata: { name: 'a' }, spec: { a: 1 } };
    const plain = await set(policyOf([byKey(signer)]));
    const question = questionOf(asked, plain);
    assert.equal(questionOf({ ...asked, metadata: { name: 'b' } }, plain), question);
    assert.notEqual(questionOf({ ...asked, image: `${NAME}:v2` }, plain), question);
    const revoking = await set(
      `${policyOf([byKey(signer)])}${settings({ key: { data: encodePublicKey(signer.publicKey) } })}`,
    );
    assert.notEqual(questionOf(asked, revoking), question);
    const policy = { type: 'cel', data: 'metadata.name == "a"', includeObjectMeta: true };
    const looking = await set(policyOf([byKey(signer)], { policy }));
    const seen = questionOf(asked, looking);
    assert.notEqual(questionOf({ ...asked, metadata: { name: 'b' } }, looking), seen);
    assert.equal(questionOf({ ...asked, spec: { a: 2 } }, looking), seen);
    const [here, there] = [await set(keyless()), await set(keyless(), (await newTestSigstore()).trustedRoot)];
    assert.notEqual(questionOf(asked, here), questionOf(asked, there));
    assert.throws(() => questionOf({ image: 'Not An Image' }, plain), { name: 'ReferenceFault' });
  });
});

describe('signaturePullSecrets', () => {
  it('are handed on to who opens the place, once for all authorities', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    const place = 'registry.example.com/signatures';
    await scene.sign(signer, ['legacy'], scene.at(place));
    const source = [{ oci: place, signaturePullSecrets: [{ name: 'one' }, { name: 'two' }] }];
    const opened: unknown[] = [];
    const policy = policyOf([byKey(await newSigner(), { source }), byKey(signer, { source })]);
    const decision = await scene.decide(policy, {
      open: async (name, options) => {
        opened.push([name, options?.pullSecrets]);
        return scene.at(name);
      },
    });
    assert.equal(decision.outcome, 'trusted');
    assert.deepEqual(
      opened.map((one) => JSON.stringify(one)).toSorted(),
      [JSON.stringify([NAME, undefined]), JSON.stringify([place, ['one', 'two']])].toSorted(),
    );
  });
});

describe('a verification summary that lists an identity', () => {
  it('is touched by its revocation, by the time that a log has signed', async () => {
    const { makeVsa, vsaStatement } = await import('./index.ts');
    const { encodeBundle, signBundle } = await import('../trust/index.ts');
    const scene = await sealed();
    const gate = await newSigner();
    const decision = await scene.decide(keyless(), { fallback, now: NOW });
    const payload = vsaStatement(makeVsa(decision, { verifier: 'https://gate.example', now: NOW }));
    const document = encodeBundle(await signBundle(payload, gate, []));
    const of = async (revocation: object): Promise<string> => {
      const spec = { gates: [byKey(gate)], revocations: [revocation] };
      const text = JSON.stringify({
        apiVersion: 'policy.bulla/v1alpha1',
        kind: 'PolicySettings',
        metadata: { name: 's' },
        spec,
      });
      for (const method of ['referrers', 'manifest', 'blob']) scene.failures.set(method, unreachable());
      const change = { fallback, now: NOW, summaries: async () => [document] };
      const { code, nearestSummary } = await scene.decide(keyless() + text, change);
      return nearestSummary?.code ?? code;
    };
    const identity = { subject: SUBJECT };
    assert.equal(await of({ identity, since: '2026-06-01T01:00:00Z' }), 'summary-accepted');
    assert.equal(await of({ identity, since: '2026-06-01T00:00:00Z' }), 'signer-revoked');
    assert.equal(await of({ identity }), 'signer-revoked');
    assert.equal(await of({ identity: { issuerRegExp: 'issuer' } }), 'signer-revoked');
    assert.equal(await of({ identity: { subject: 'other@example.com' } }), 'summary-accepted');
  });
});
