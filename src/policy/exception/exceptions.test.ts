// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  encodeBundle,
  encodeEnvelope,
  encodePublicKey,
  encodeStatement,
  IN_TOTO_PAYLOAD_TYPE,
  preAuthEncoding,
  signBundle,
  type Signer,
} from '../../trust/index.ts';
import type { Json } from '../../wire/index.ts';
import {
  decodePolicyDocuments,
  EXCEPTION_PREDICATE_TYPE,
  exceptionStatement,
  makeVsa,
  mayReuse,
  preparePolicies,
  vsaStatement,
  type Decision,
  type ExceptionTerms,
} from '../index.ts';
import { NAME, newSigner, policyOf, Scene, unreachable } from '../scene.fixture.ts';

const NOW = new Date('2026-06-02T00:00:00Z');
const DAY = 24 * 60 * 60 * 1000;
const keyOf = ({ publicKey }: Signer): object => ({ data: encodePublicKey(publicKey) });
const after = (milliseconds: number): Date => new Date(NOW.getTime() + milliseconds);

const TERMS: ExceptionTerms = {
  policies: ['p'],
  reason: 'the registry of the signer burnt down',
  approver: 'alice@example.com',
  issued: after(-DAY),
  expires: after(DAY),
};

function settingsOf(spec: object): string {
  const metadata = { name: 's' };
  return `${JSON.stringify({ apiVersion: 'policy.bulla/v1alpha1', kind: 'PolicySettings', metadata, spec })}\n---\n`;
}

async function bundleOf(payload: Uint8Array, signer: Signer): Promise<string> {
  return Buffer.from(encodeBundle(await signBundle(payload, signer, []))).toString();
}

interface Excepting {
  readonly scene: Scene;
  readonly approver: Signer;
  /** a policy that nobody meets, and who may except */
  readonly policy: string;
  except(terms?: Partial<ExceptionTerms>, by?: Signer, image?: string): Promise<string>;
}

async function excepting(more: object = {}): Promise<Excepting> {
  const scene = await Scene.create();
  const [approver, nobody] = [await newSigner(), await newSigner()];
  const settings = settingsOf({ exceptions: { signers: [{ key: keyOf(approver) }], ...more } });
  return {
    scene,
    approver,
    policy: policyOf([{ key: keyOf(nobody) }]) + settings,
    async except(terms = {}, by = approver, image = `${NAME}@${scene.digest}`) {
      return `---\n${await bundleOf(exceptionStatement(image, { ...TERMS, ...terms }), by)}\n`;
    },
  };
}

function summary({ outcome, code, nearestException }: Decision): string {
  return `${outcome} ${code} ${nearestException?.code ?? ''}`.trim();
}

describe('an exception', () => {
  it('admits its digest while the registry is down, without a request, and says so loudly', async () => {
    const { scene, policy, except } = await excepting();
    for (const method of ['resolve', 'manifest', 'referrers', 'blob']) scene.failures.set(method, unreachable());
    const decision = await scene.decide(policy + (await except()));
    assert.equal(summary(decision), 'trusted excepted');
    assert.deepEqual([scene.calls, scene.opened], [[], []]);
    const [applied] = decision.exceptions;
    assert.equal(applied?.approver, 'alice@example.com');
    assert.equal(applied.reason, TERMS.reason);
    assert.deepEqual(applied.expires, TERMS.expires);
    assert.deepEqual(applied.policies, ['p']);
    assert.equal(applied.signer.kind, 'key');
    assert.match(decision.message, /alice@example\.com, until 2026-06-03T00:00:00\.000Z: the registry of the signer/);
    assert.match(decision.warnings.join(), /alice@example\.com/);
    assert.equal(decision.policies[0]?.code, 'excepted');
  });

  it('is needed: without it the policy is not met', async () => {
    const { scene, policy } = await excepting();
    assert.equal(summary(await scene.decide(policy)), 'refused policy-failed');
  });

  it('is taken as an envelope alone, and as a resource, as JSON or text', async () => {
    const { scene, policy, approver } = await excepting();
    const payload = exceptionStatement(`${NAME}@${scene.digest}`, TERMS);
    const { content } = await signBundle(payload, approver, []);
    assert.equal(content.kind, 'dsse');
    const envelope = content.kind === 'dsse' ? Buffer.from(encodeEnvelope(content.envelope)).toString() : '';
    assert.equal(summary(await scene.decide(`${policy}---\n${envelope}`)), 'trusted excepted');
    const bundle = await bundleOf(payload, approver);
    for (const sealed of [JSON.parse(bundle) as Json, bundle]) {
      const metadata = { name: 'fire', namespace: 'bulla' };
      const spec = { bundle: sealed };
      const resource = { apiVersion: 'policy.bulla/v1alpha1', kind: 'PolicyException', metadata, spec };
      const decision = await scene.decide(`${policy}---\n${JSON.stringify(resource)}`);
      assert.equal(summary(decision), 'trusted excepted');
      assert.equal(decision.exceptions[0]?.source, 'PolicyException bulla/fire');
    }
  });

  it('of an image by its tag needs the tag resolved, and nothing more', async () => {
    const { scene, policy, except } = await excepting();
    const decision = await scene.decide(policy + (await except()), { image: `${NAME}:v1` });
    assert.equal(summary(decision), 'trusted excepted');
    assert.deepEqual(
      scene.calls.map(({ method }) => method),
      ['resolve'],
    );
    scene.failures.set('resolve', unreachable());
    const image = `${NAME}:v1`;
    assert.equal(
      summary(await scene.decide(policy + (await except()), { image })),
      'undecided unknown exception-digest',
    );
  });

  it('lifts the policies that it names, or all', async () => {
    const { scene, policy, except } = await excepting();
    const both = policy + policyOf([{ static: { action: 'fail' } }], {}, 'q');
    const decision = await scene.decide(both + (await except()));
    assert.equal(summary(decision), 'refused policy-failed');
    assert.deepEqual(
      decision.policies.map(({ code }) => code),
      ['excepted', 'static-fail'],
    );
    assert.equal(summary(await scene.decide(both + (await except({ policies: ['p', 'q'] })))), 'trusted excepted');
    assert.equal(summary(await scene.decide(both + (await except({ policies: ['*'] })))), 'trusted excepted');
    const other = await scene.decide(both + (await except({ policies: ['other'] })));
    assert.equal(summary(other), 'refused policy-failed exception-policy');
  });

  it('counts until it expires, and so does the decision', async () => {
    const { scene, policy, except } = await excepting();
    const text = policy + (await except());
    const decision = await scene.decide(text);
    assert.deepEqual(decision.validUntil, TERMS.expires);
    assert.ok(mayReuse(decision, after(DAY - 1)) && !mayReuse(decision, after(DAY)));
    assert.equal(summary(await scene.decide(text, { now: after(DAY) })), 'refused policy-failed exception-expired');
    const before = await scene.decide(text, { now: after(-DAY - 1) });
    assert.equal(summary(before), 'refused policy-failed exception-not-yet-valid');
    // a refusal that time turns into an admission is not kept beyond that either
    assert.deepEqual(before.validUntil, TERMS.issued);
  });

  it('is refused where it is by somebody else, over another digest, or for longer than is allowed', async () => {
    const { scene, policy, except } = await excepting({ maxLifetime: '3d' });
    const stranger = await scene.decide(policy + (await except({}, await newSigner())));
    assert.equal(summary(stranger), 'refused policy-failed exception-signer');
    const other = await except({}, undefined, `${NAME}@sha256:${'a'.repeat(64)}`);
    const decision = await scene.decide(policy + other);
    assert.equal(summary(decision), 'refused policy-failed exception-digest');
    assert.match(decision.nearestException?.source ?? '', /^p\.yaml:\d+$/);
    const long = await scene.decide(policy + (await except({ expires: after(3 * DAY) })));
    assert.equal(summary(long), 'refused policy-failed exception-lifetime');
    assert.equal(long.nearestException?.found, 'one for 96 hours');
    assert.equal(summary(await scene.decide(policy + (await except({ expires: after(2 * DAY) })))), 'trusted excepted');
  });

  it('lasts a week at most unless told', async () => {
    const { scene, policy, except } = await excepting();
    assert.equal(summary(await scene.decide(policy + (await except({ expires: after(6 * DAY) })))), 'trusted excepted');
    const long = await scene.decide(policy + (await except({ expires: after(6 * DAY + 1) })));
    assert.equal(summary(long), 'refused policy-failed exception-lifetime');
  });

  it('by a revoked signer counts for nothing', async () => {
    const { scene, policy, except, approver } = await excepting();
    const revoked = settingsOf({ revocations: [{ key: keyOf(approver), reason: 'left' }] });
    const decision = await scene.decide(policy + revoked + (await except()));
    assert.equal(summary(decision), 'refused policy-failed exception-signer-revoked');
    assert.match(decision.nearestException?.found ?? '', /left/);
  });

  it('counts for nothing where the settings name nobody', async () => {
    const { scene, policy, except } = await excepting();
    const [without] = policy.split('---\n');
    const decision = await scene.decide(`${without}${await except()}`);
    assert.equal(summary(decision), 'refused policy-failed exception-signer');
  });

  it('over an index lifts nothing of a platform that is named on its own, nor the other way round', async () => {
    const { scene, policy, except } = await excepting();
    const platform = await scene.image('a');
    const index = await scene.index([['linux/amd64', platform]]);
    for (const [excepted, image] of [
      [platform, index],
      [index, platform],
    ] as const) {
      const text = policy + (await except({}, undefined, `${NAME}@${excepted}`));
      assert.equal((await scene.decide(text, { image: `${NAME}@${image}` })).outcome, 'refused');
      assert.equal((await scene.decide(text, { image: `${NAME}@${excepted}` })).outcome, 'trusted');
    }
  });

  it('is by whom the settings name for that: a gate is no approver, and an approver no gate', async () => {
    const { scene, policy, approver } = await excepting();
    const gate = await newSigner();
    const text = policy + settingsOf({ gates: [{ key: keyOf(gate) }], vsa: { demand: true } });
    const byGate = await bundleOf(exceptionStatement(`${NAME}@${scene.digest}`, TERMS), gate);
    assert.equal(summary(await scene.decide(`${text}---\n${byGate}`)), 'refused summary-missing exception-signer');
    const lenient = policyOf([{ static: { action: 'pass' } }]);
    const passed = await scene.decide(lenient + settingsOf({ gates: [{ key: keyOf(gate) }] }), { summaries: 'ignore' });
    const settings = settingsOf({
      gates: [{ key: keyOf(gate) }],
      vsa: { demand: true },
      exceptions: { signers: [{ key: keyOf(approver) }] },
    });
    const payload = vsaStatement(makeVsa(passed, { verifier: 'urn:gate', now: NOW }));
    for (const [signer, outcome] of [
      [gate, 'trusted'],
      [approver, 'refused'],
    ] as const) {
      const document = encodeBundle(await signBundle(payload, signer, []));
      const decision = await scene.decide(lenient + settings, { summaries: async () => [document] });
      assert.equal(decision.outcome, outcome);
    }
  });

  it('is part of the inputs of a decision', async () => {
    const { scene, policy, except } = await excepting();
    const [with_, without] = [await scene.decide(policy + (await except())), await scene.decide(policy)];
    assert.notEqual(with_.inputs.question, without.inputs.question);
    assert.equal(with_.policyHash, without.policyHash);
    // the same words, signed by nobody who is named
    const stranger = await scene.decide(policy + (await except({}, await newSigner())));
    assert.equal(stranger.outcome, 'refused');
    assert.notEqual(with_.inputs.question, stranger.inputs.question);
  });
});

describe('a statement that is no exception', () => {
  const image = (scene: Scene): string => `${NAME}@${scene.digest}`;

  it('is never made: for a tag, without reason or approver, or that ends before it begins', async () => {
    const scene = await Scene.create();
    assert.throws(() => exceptionStatement(`${NAME}:v1`, TERMS), { code: 'statement-unusable', message: /tag/ });
    for (const wrong of [
      { reason: ' ' },
      { approver: '' },
      { policies: [] },
      { policies: ['*', 'p'] },
      { policies: ['Not A Name'] },
      { expires: TERMS.issued },
      { reason: 'x'.repeat(2001) },
    ])
      assert.throws(() => exceptionStatement(image(scene), { ...TERMS, ...wrong }), { code: 'statement-unusable' });
  });

  it('is warned of and lifts nothing, while the policies are loaded', async () => {
    const { scene, policy, approver } = await excepting();
    const hex = scene.digest.slice(7);
    const good = {
      policies: ['*'],
      reason: 'r',
      approver: 'a',
      issued: TERMS.issued.toISOString(),
      expires: TERMS.expires.toISOString(),
    };
    const statement = (predicate: Json, predicateType = EXCEPTION_PREDICATE_TYPE, algorithm = 'sha256'): Uint8Array =>
      encodeStatement({ subjects: [{ digest: { algorithm, hex } }], predicateType, predicate });
    const wrong = [
      statement(good, 'https://example.com/other'),
      statement(null),
      statement({ ...good, policies: 'p' }),
      statement({ ...good, expires: 'tomorrow' }),
      statement({ ...good, expires: '2026-06-31T00:00:00Z9' }),
      statement({ ...good, reason: 7 }),
      statement(good, EXCEPTION_PREDICATE_TYPE, 'gitCommit'),
      new TextEncoder().encode('{"subject":[]}'),
      new TextEncoder().encode('no JSON'),
    ];
    for (const payload of wrong) {
      const text = `${policy}---\n${await bundleOf(payload, approver)}`;
      const documents = await decodePolicyDocuments([{ name: 'p.yaml', bytes: new TextEncoder().encode(text) }]);
      const { set, faults } = await preparePolicies(documents);
      assert.notEqual(set, undefined);
      assert.deepEqual(
        faults.map(({ code, severity }) => `${severity} ${code}`),
        ['warning exception-unusable'],
      );
      assert.equal(summary(await scene.decide(text)), 'refused policy-failed');
    }
    assert.equal(
      summary(await scene.decide(`${policy}---\n${await bundleOf(statement(good), approver)}`)),
      'trusted excepted',
    );
  });

  it('is one of the right words under another type, or in which a member stands twice', async () => {
    const { scene, policy, approver } = await excepting();
    const payload = exceptionStatement(`${NAME}@${scene.digest}`, TERMS);
    const text = new TextDecoder().decode(payload);
    const envelope = async (bytes: Uint8Array, payloadType: string): Promise<string> => {
      const sig = await approver.sign(preAuthEncoding(payloadType, bytes));
      return Buffer.from(encodeEnvelope({ payloadType, payload: bytes, signatures: [{ sig }] })).toString();
    };
    const right = await envelope(payload, IN_TOTO_PAYLOAD_TYPE);
    assert.equal((await scene.decide(`${policy}---\n${right}`)).outcome, 'trusted');
    const twice = text.replace('"policies":["p"]', '"policies":["x"],"policies":["p"]');
    assert.notEqual(twice, text);
    const wrong = [
      await envelope(payload, 'application/vnd.dev.cosign.simplesigning.v1+json'),
      await envelope(payload, 'application/json'),
      // signed as one thing and shown as another
      (await envelope(payload, 'application/json')).replace('application/json', IN_TOTO_PAYLOAD_TYPE),
      await envelope(new TextEncoder().encode(twice), IN_TOTO_PAYLOAD_TYPE),
      await envelope(
        new TextEncoder().encode(text.replace('in-toto.io/Statement/v1', 'x.io/v1')),
        IN_TOTO_PAYLOAD_TYPE,
      ),
    ];
    for (const one of wrong) assert.equal((await scene.decide(`${policy}---\n${one}`)).outcome, 'refused', one);
    const doubled = right.replace('"payload":', '"payload":"","payload":');
    await assert.rejects(scene.decide(`${policy}---\n${doubled}`), { code: 'policy-malformed' });
    const metadata = { name: 'x' };
    const resource = {
      apiVersion: 'policy.bulla/v1alpha1',
      kind: 'PolicyException',
      metadata,
      spec: { bundle: doubled },
    };
    assert.equal((await scene.decide(`${policy}---\n${JSON.stringify(resource)}`)).outcome, 'refused');
  });

  it('is a resource without a bundle, or with a field too many: the document is refused', async () => {
    const { scene, policy } = await excepting();
    const head = 'apiVersion: policy.bulla/v1alpha1\nkind: PolicyException\nmetadata: {name: x}\n';
    for (const spec of ['spec: {}', 'spec: {bundle: null}', 'spec: {bundle: "{}", reason: x}', ''])
      await assert.rejects(scene.decide(`${policy}---\n${head}${spec}\n`), { code: 'policy-malformed' });
    // a bundle that is none counts for nothing
    const decision = await scene.decide(`${policy}---\n${head}spec: {bundle: "[]"}\n`);
    assert.equal(decision.outcome, 'refused');
  });
});
