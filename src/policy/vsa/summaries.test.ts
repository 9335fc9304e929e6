// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  checkPredicate,
  decodeStatement,
  encodeBundle,
  encodePublicKey,
  encodeStatement,
  signBundle,
  type Signer,
} from '../../trust/index.ts';
import type { Json } from '../../wire/index.ts';
import {
  attachVsa,
  makeVsa,
  mayReuse,
  SUMMARY_PREDICATE_TYPE,
  vsaStatement,
  type Decision,
  type ImageContext,
} from '../index.ts';
import { NAME, newSigner, policyOf, Scene, unreachable } from '../scene.fixture.ts';

const NOW = new Date('2026-06-02T00:00:00Z');
const HOUR = 60 * 60 * 1000;
const EXTENSION = 'https://bulla.dev/summary/v1';
const VERIFIER = 'https://ci.example.com/gate';
const keyOf = ({ publicKey }: Signer): object => ({ data: encodePublicKey(publicKey) });
const after = (milliseconds: number): Date => new Date(NOW.getTime() + milliseconds);

function settingsOf(spec: object, name = 's'): string {
  return `${JSON.stringify({ apiVersion: 'policy.bulla/v1alpha1', kind: 'PolicySettings', metadata: { name }, spec })}\n---\n`;
}

function summary({ outcome, code, nearestSummary }: Decision): string {
  return `${outcome} ${code} ${nearestSummary?.code ?? ''}`.trim();
}

type Change = Parameters<Scene['decide']>[1];

/** A sealed image, a policy that it meets, a gate that says so, and a cluster that cannot ask for the seals. */
class Gate {
  readonly scene: Scene;
  readonly gate: Signer;
  readonly signer: Signer;
  readonly policy: string;

  private constructor(scene: Scene, gate: Signer, signer: Signer) {
    this.scene = scene;
    this.gate = gate;
    this.signer = signer;
    this.policy = policyOf([{ key: keyOf(signer) }]);
  }

  static async create(): Promise<Gate> {
    const gate = new Gate(await Scene.create(), await newSigner(), await newSigner());
    await gate.scene.sign(gate.signer);
    return gate;
  }

  settings(more: object = {}): string {
    return settingsOf({ gates: [{ key: keyOf(this.gate) }], ...more });
  }

  async verified(text: string = this.policy, change: Change = {}): Promise<Decision> {
    const decision = await this.scene.decide(text, { summaries: 'ignore', ...change });
    assert.notEqual(decision.outcome, 'undecided');
    return decision;
  }

  /** A signed summary, as it is kept. */
  async made(decision: Decision, now = NOW, by = this.gate): Promise<Uint8Array> {
    return this.sealed(vsaStatement(makeVsa(decision, { verifier: VERIFIER, now })), by);
  }

  async sealed(payload: Uint8Array, by = this.gate): Promise<Uint8Array> {
    return encodeBundle(await signBundle(payload, by, []));
  }

  /** A statement like that of a summary, with something else in it. */
  async changed(change: (predicate: Record<string, Json>) => Record<string, Json>): Promise<Uint8Array> {
    const { predicate } = makeVsa(await this.verified(), { verifier: VERIFIER, now: NOW });
    return this.sealed(
      encodeStatement({
        subjects: [{ digest: { algorithm: 'sha256', hex: this.scene.digest.slice(7) } }],
        predicateType: SUMMARY_PREDICATE_TYPE,
        predicate: change({ ...predicate }),
      }),
    );
  }

  /** Decides by summaries that are at hand, with the registry down. */
  async offline(documents: readonly Uint8Array[], text: string, change: Partial<ImageContext> = {}): Promise<Decision> {
    for (const method of ['resolve', 'manifest', 'referrers', 'blob']) this.scene.failures.set(method, unreachable());
    const decision = await this.scene.decide(text, { summaries: async () => documents, ...change });
    this.scene.failures.clear();
    return decision;
  }
}

describe('a verification summary', () => {
  it('says what was decided, in the form that SLSA gives it', async () => {
    const gate = await Gate.create();
    const decision = await gate.verified();
    const { type, subjects, predicateType, predicate } = decodeStatement(
      vsaStatement(makeVsa(decision, { verifier: VERIFIER, versions: { bulla: '1' }, now: NOW })),
    );
    assert.equal(type, 'https://in-toto.io/Statement/v1');
    assert.equal(predicateType, 'https://slsa.dev/verification_summary/v1');
    assert.deepEqual(subjects, [{ name: NAME, digest: { sha256: gate.scene.digest.slice(7) } }]);
    assert.deepEqual(checkPredicate(predicateType, predicate), []);
    const hex = decision.policyHash.slice(7);
    assert.deepEqual(predicate, {
      verifier: { id: VERIFIER, version: { bulla: '1' } },
      timeVerified: '2026-06-02T00:00:00.000Z',
      resourceUri: `pkg:oci/app@sha256%3A${gate.scene.digest.slice(7)}?repository_url=registry.example.com%2Fprod%2Fapp`,
      policy: { uri: `urn:bulla:policies:${hex}`, digest: { sha256: hex } },
      inputAttestations: decision.evidence.map((digest) => ({ digest: { sha256: digest.slice(7) } })),
      verificationResult: 'PASSED',
      verifiedLevels: [],
      [EXTENSION]: {
        policies: ['p'],
        signers: [{ kind: 'key', key: gate.signer.publicKey.hint }],
      },
    });
  });

  it('admits while the registry is down, without a request, and the decision says by whom and until when', async () => {
    const gate = await Gate.create();
    const document = await gate.made(await gate.verified());
    const decision = await gate.offline([document], gate.policy + gate.settings());
    assert.equal(summary(decision), 'trusted summary-accepted');
    assert.deepEqual([gate.scene.calls, gate.scene.opened], [[], []]);
    assert.equal(decision.summary?.verifier, VERIFIER);
    assert.deepEqual(decision.summary.signer, { kind: 'key', key: gate.gate.publicKey.hint });
    assert.deepEqual(decision.evidence, [decision.summary.digest]);
    assert.deepEqual(decision.validUntil, after(24 * HOUR));
    assert.ok(!mayReuse(decision, after(24 * HOUR)));
    assert.equal(decision.digest, gate.scene.digest);
    assert.match(decision.message, /ci\.example\.com/);
  });

  it('is found beside the image, laid there by attachVsa', async () => {
    const gate = await Gate.create();
    const { attested } = await attachVsa(gate.scene.repository, await gate.verified(), {
      verifier: VERIFIER,
      signer: gate.gate,
      now: NOW,
    });
    assert.equal(attested.predicateType, SUMMARY_PREDICATE_TYPE);
    const demanded = await gate.scene.decide(gate.policy + gate.settings({ vsa: { demand: true } }));
    assert.equal(summary(demanded), 'trusted summary-accepted');
  });

  it('that lies beside the image admits what the policies would refuse by now', async () => {
    const gate = await Gate.create();
    const source = [{ oci: 'registry.example.com/signatures' }];
    const policy = policyOf([{ key: keyOf(gate.signer), source }]);
    const signatures = gate.scene.at('registry.example.com/signatures');
    await gate.scene.sign(gate.signer, ['legacy'], signatures);
    const options = { verifier: VERIFIER, signer: gate.gate, now: NOW };
    await attachVsa(gate.scene.repository, await gate.verified(policy), options);
    await signatures.deleteManifest(`${gate.scene.digest.replace(':', '-')}.sig`);
    assert.equal(summary(await gate.scene.decide(policy)), 'refused policy-failed');
    assert.equal(summary(await gate.scene.decide(policy + gate.settings())), 'trusted summary-accepted');
  });

  it('is not needed where the policies are met, unless it is demanded', async () => {
    const gate = await Gate.create();
    assert.equal(summary(await gate.scene.decide(gate.policy + gate.settings())), 'trusted met');
    const demanding = gate.policy + gate.settings({ vsa: { demand: true } });
    assert.equal(summary(await gate.scene.decide(demanding)), 'refused summary-missing');
    assert.equal((await gate.offline([], demanding)).outcome, 'undecided');
    assert.equal(summary(await gate.scene.decide(demanding, { image: `${NAME}:v2` })), 'refused image-missing');
    assert.equal(summary(await gate.scene.decide(demanding, { summaries: 'ignore' })), 'trusted met');
    await assert.rejects(gate.scene.decide(gate.policy + settingsOf({ vsa: { demand: true } })), {
      code: 'policy-malformed',
      message: /nobody could make it/,
    });
  });

  it('counts only by a gate that the settings name', async () => {
    const gate = await Gate.create();
    const decision = await gate.verified();
    const document = await gate.made(decision);
    assert.equal((await gate.offline([document], gate.policy)).outcome, 'undecided');
    const stranger = await gate.made(decision, NOW, await newSigner());
    // who has sealed the image is no gate for that
    const signer = await gate.made(decision, NOW, gate.signer);
    const text = gate.policy + gate.settings();
    assert.equal((await gate.offline([stranger, signer], text)).outcome, 'undecided');
    assert.equal((await gate.offline([stranger, signer, document], text)).outcome, 'trusted');
  });

  it('counts only for the digest and the repository that it names', async () => {
    const gate = await Gate.create();
    const document = await gate.made(await gate.verified());
    const text = gate.policy + gate.settings();
    const other = await gate.offline([document], text, { image: `${NAME}@sha256:${'a'.repeat(64)}` });
    assert.equal(other.outcome, 'undecided');
    const moved = await gate.offline([document], text, { image: `registry.example.com/other@${gate.scene.digest}` });
    assert.equal(summary(moved), 'undecided unknown summary-resource');
  });

  it('counts only under all policies that match now', async () => {
    const gate = await Gate.create();
    const document = await gate.made(await gate.verified());
    const more = gate.policy + policyOf([{ static: { action: 'pass' } }], {}, 'more') + gate.settings();
    assert.equal(summary(await gate.offline([document], more)), 'undecided unknown summary-policies');
    const changed = policyOf([{ key: keyOf(gate.signer), threshold: 1 }]) + gate.settings();
    assert.equal(summary(await gate.offline([document], changed)), 'undecided unknown summary-policies');
    const unrelated = policyOf([{ static: { action: 'pass' } }], { images: [{ glob: 'ghcr.io/**' }] }, 'more');
    assert.equal((await gate.offline([document], gate.policy + unrelated + gate.settings())).outcome, 'trusted');
  });

  it('counts for a day unless told, and not before its time', async () => {
    const gate = await Gate.create();
    const document = await gate.made(await gate.verified());
    const at = async (hours: number, more: object = {}): Promise<string> =>
      summary(await gate.offline([document], gate.policy + gate.settings(more), { now: after(hours * HOUR) }));
    assert.equal(await at(23.9), 'trusted summary-accepted');
    assert.equal(await at(24), 'undecided unknown summary-age');
    assert.equal(await at(24, { vsa: { maxAge: '2d' } }), 'trusted summary-accepted');
    assert.equal(await at(1, { vsa: { maxAge: '1h' } }), 'undecided unknown summary-age');
    assert.equal(await at(-1), 'undecided unknown summary-age');
    assert.equal(await at(-0.05), 'trusted summary-accepted');
  });

  it('of several settings has the strictest limit', async () => {
    const gate = await Gate.create();
    const document = await gate.made(await gate.verified());
    const both = gate.settings({ vsa: { maxAge: '2d' } }) + settingsOf({ vsa: { maxAge: '2h' } }, 't');
    const decision = await gate.offline([document], gate.policy + both);
    assert.deepEqual(decision.validUntil, after(2 * HOUR));
  });

  it('of a refusal never admits', async () => {
    const gate = await Gate.create();
    const policy = policyOf([{ key: keyOf(await newSigner()) }]);
    const decision = await gate.verified(policy);
    assert.equal(decision.outcome, 'refused');
    const made = makeVsa(decision, { verifier: VERIFIER, now: NOW });
    assert.equal(made.predicate['verificationResult'], 'FAILED');
    const document = await gate.sealed(vsaStatement(made));
    assert.equal(summary(await gate.offline([document], policy + gate.settings())), 'undecided unknown summary-failed');
  });

  it('does not count once a signer that it lists is revoked, and no other', async () => {
    const gate = await Gate.create();
    const document = await gate.made(await gate.verified());
    const revoking = async (revocation: object): Promise<string> =>
      summary(await gate.offline([document], gate.policy + gate.settings({ revocations: [revocation] })));
    assert.equal(await revoking({ key: keyOf(gate.signer) }), 'undecided unknown signer-revoked');
    // nobody who is believed says when the seal was made
    const since = '2027-01-01T00:00:00Z';
    assert.equal(await revoking({ key: keyOf(gate.signer), since }), 'undecided unknown signer-revoked');
    assert.equal(await revoking({ key: keyOf(await newSigner()) }), 'trusted summary-accepted');
    assert.equal(await revoking({ identity: { subject: 'dev@example.com' } }), 'trusted summary-accepted');
    assert.equal(await revoking({ key: keyOf(gate.gate) }), 'undecided unknown signer-revoked');
  });

  it('that does not list its signers does not count where anybody is revoked', async () => {
    const gate = await Gate.create();
    const revocations = [{ key: keyOf(await newSigner()) }];
    const document = await gate.changed((predicate) =>
      Object.fromEntries(Object.entries(predicate).filter(([name]) => name !== EXTENSION)),
    );
    const decision = await gate.offline([document], gate.policy + gate.settings({ revocations }));
    assert.equal(summary(decision), 'undecided unknown summary-signers');
    assert.equal((await gate.offline([document], gate.policy + gate.settings())).outcome, 'trusted');
  });

  it('whose list of signers, or end, is not understood does not count: it may be a limit', async () => {
    const gate = await Gate.create();
    for (const extension of [
      null,
      {},
      { signers: 'x' },
      { signers: [{}] },
      { signers: [{ key: 'a', kind: 'identity' }] },
      { signers: [], validUntil: 'soon' },
      { signers: [{ kind: 'key', key: 'a', time: 'then' }], validUntil: '2026-06-01T00:00:00Z' },
    ]) {
      const document = await gate.changed((predicate) => ({ ...predicate, [EXTENSION]: extension }));
      const decision = await gate.offline([document], gate.policy + gate.settings());
      assert.equal(summary(decision), 'undecided unknown summary-signers', JSON.stringify(extension));
    }
  });

  it('that was looked at is part of the inputs: the same inputs have the same answer', async () => {
    const gate = await Gate.create();
    const text = gate.policy + gate.settings({ vsa: { demand: true } });
    const document = await gate.made(await gate.verified());
    const old = await gate.made(await gate.verified(), after(-25 * HOUR));
    const decided: Decision[] = [];
    for (const documents of [[], [document], [old]])
      decided.push(await gate.scene.decide(text, { summaries: async () => documents }));
    assert.deepEqual(
      decided.map(({ outcome }) => outcome),
      ['refused', 'trusted', 'refused'],
    );
    assert.equal(new Set(decided.map(({ inputs }) => inputs.hash)).size, 3);
    assert.equal(new Set(decided.map(({ inputs }) => inputs.question)).size, 1);
  });

  it('about several images counts for the one that its resourceUri names', async () => {
    const gate = await Gate.create();
    const { predicate } = makeVsa(await gate.verified(), { verifier: VERIFIER, now: NOW });
    const other = 'a'.repeat(64);
    const subjects = [other, gate.scene.digest.slice(7)].map((hex) => ({
      digest: { algorithm: 'sha256', hex } as const,
    }));
    const document = await gate.sealed(encodeStatement({ subjects, predicateType: SUMMARY_PREDICATE_TYPE, predicate }));
    const text = gate.policy + gate.settings();
    assert.equal((await gate.offline([document], text)).outcome, 'trusted');
    const moved = await gate.offline([document], text, { image: `${NAME}@sha256:${other}` });
    assert.equal(summary(moved), 'undecided unknown summary-resource');
  });

  it('for the name of a mirror does not count for the name upstream, nor the other way round', async () => {
    const gate = await Gate.create();
    const mirrors = [{ upstream: 'docker.io/library', mirror: 'registry.example.com/prod' }];
    const policy = policyOf([{ key: keyOf(gate.signer) }], { images: [{ glob: '**' }] });
    const text = policy + gate.settings({ mirrors });
    const names = [`${NAME}@${gate.scene.digest}`, `app@${gate.scene.digest}`];
    const documents: Uint8Array[] = [];
    for (const image of names) documents.push(await gate.made(await gate.verified(text, { image })));
    for (const [at, image] of names.entries())
      for (const [by, document] of documents.entries())
        assert.equal((await gate.offline([document], text, { image })).outcome, at === by ? 'trusted' : 'undecided');
  });

  it('that a stranger lays beside the image, or an older one laid there again, counts for nothing', async () => {
    const gate = await Gate.create();
    const decision = await gate.verified();
    const text = gate.policy + gate.settings({ vsa: { demand: true } });
    for (const signer of [await newSigner(), gate.signer])
      await attachVsa(gate.scene.repository, decision, { verifier: VERIFIER, signer, now: NOW });
    assert.equal(summary(await gate.scene.decide(text)), 'refused summary-missing signature-invalid');
    const old = { verifier: VERIFIER, signer: gate.gate, now: after(-25 * HOUR) };
    await attachVsa(gate.scene.repository, decision, old);
    assert.equal(summary(await gate.scene.decide(text)), 'refused summary-missing summary-age');
    // under the other summaries the good one is still found
    await attachVsa(gate.scene.repository, decision, { ...old, now: NOW });
    assert.equal(summary(await gate.scene.decide(text)), 'trusted summary-accepted');
  });

  it('that cannot be looked for leaves a refusal undecided: it might have admitted', async () => {
    const gate = await Gate.create();
    gate.scene.failures.set(`referrers ${gate.scene.digest}`, unreachable());
    const policy = policyOf([{ static: { action: 'fail' } }]);
    assert.equal(summary(await gate.scene.decide(policy)), 'refused policy-failed');
    const decision = await gate.scene.decide(policy + gate.settings());
    assert.deepEqual([decision.outcome, decision.cause?.code], ['undecided', 'unreachable']);
  });

  it('does not stand for a policy that looks at the object', async () => {
    const gate = await Gate.create();
    const program = { type: 'cel', data: 'metadata.name == "good"', includeObjectMeta: true };
    const policy = policyOf([{ key: keyOf(gate.signer) }], { policy: program });
    const document = await gate.made(await gate.verified(policy, { metadata: { name: 'good' } }));
    const decision = await gate.offline([document], policy + gate.settings(), { metadata: { name: 'bad' } });
    assert.equal(summary(decision), 'undecided unknown summary-object');
  });

  it('that says something else than a summary counts for nothing', async () => {
    const gate = await Gate.create();
    const text = gate.policy + gate.settings();
    const wrong = [
      await gate.changed((predicate) => ({ ...predicate, verificationResult: 'passed' })),
      await gate.changed((predicate) => ({ ...predicate, resourceUri: 7 })),
      await gate.changed((predicate) => ({ ...predicate, policy: null })),
      await gate.changed((predicate) => ({ ...predicate, timeVerified: 'yesterday' })),
      await gate.changed((predicate) => ({ ...predicate, verifier: 'me' })),
      await gate.sealed(new TextEncoder().encode('[]')),
      new TextEncoder().encode('{'),
      new Uint8Array(2 * 1024 * 1024),
    ];
    for (const document of wrong) assert.equal((await gate.offline([document], text)).outcome, 'undecided');
    const good = await gate.made(await gate.verified());
    assert.equal((await gate.offline([...wrong, good], text)).outcome, 'trusted');
    const summaries = async (): Promise<readonly Uint8Array[]> => {
      throw unreachable();
    };
    assert.equal(summary(await gate.scene.decide(text, { summaries })), 'trusted met');
  });
});

describe('no summary is made', () => {
  const refusing = (decision: Decision, why: RegExp): void => {
    assert.throws(() => makeVsa(decision, { verifier: VERIFIER, now: NOW }), {
      code: 'summary-impossible',
      message: why,
    });
  };

  it('of what could not be found out, of nothing, or where no policy is about the image', async () => {
    const gate = await Gate.create();
    refusing(await gate.offline([], gate.policy), /could not be found out/);
    refusing(await gate.scene.decide(gate.policy, { image: `${NAME}:v2` }), /no digest/);
    const settings = settingsOf({ noMatchPolicy: 'allow' });
    const image = `ghcr.io/other@${gate.scene.digest}`;
    refusing(await gate.scene.decide(gate.policy + settings, { image }), /no policy is about it/);
  });

  it('of a decision that rests on another: it would live for ever', async () => {
    const gate = await Gate.create();
    const document = await gate.made(await gate.verified());
    refusing(await gate.offline([document], gate.policy + gate.settings()), /by a summary/);
  });
});
