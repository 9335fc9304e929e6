// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodePublicKey, type Signer } from '../trust/index.ts';
import type { Json } from '../wire/index.ts';
import { EvidenceCache, mayReuse, type Decision } from './index.ts';
import { NAME, newSigner, policyOf, Scene, unreachable } from './scene.fixture.ts';

const byKey = ({ publicKey }: Signer, more: object = {}): object => ({
  key: { data: encodePublicKey(publicKey) },
  ...more,
});
const VULN = 'https://cosign.sigstore.dev/attestation/vuln/v1';
const OTHER = 'https://example.com/predicate';

/** Outcome and reason, of the whole and of each policy. */
function summary({ outcome, code, policies }: Decision): readonly string[] {
  return [`${outcome} ${code}`, ...policies.map((policy) => `${policy.policy} ${policy.outcome} ${policy.code}`)];
}

describe('authorities', () => {
  it('are satisfied by a signature of their key, in either format', async () => {
    for (const format of ['bundle', 'legacy'] as const) {
      const scene = await Scene.create();
      const signer = await newSigner();
      await scene.sign(signer, [format]);
      const decision = await scene.decide(policyOf([byKey(signer)]));
      assert.deepEqual(summary(decision), ['trusted met', 'p trusted met']);
      assert.equal(decision.digest, scene.digest);
      assert.equal(decision.evidence.length, 1);
    }
  });

  it('take both formats, and one only where signatureFormat says so (row 10, different on purpose)', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.sign(signer, ['legacy']);
    const of = async (signatureFormat: string): Promise<string> =>
      (await scene.decide(policyOf([byKey(signer, { signatureFormat })]))).outcome;
    assert.equal(await of('legacy'), 'trusted');
    assert.equal(await of('bundle'), 'refused');
    await scene.sign(signer, ['bundle']);
    assert.equal(await of('bundle'), 'trusted');
  });

  it('are refused by another key, with the nearest miss', async () => {
    const scene = await Scene.create();
    await scene.sign(await newSigner());
    const decision = await scene.decide(policyOf([byKey(await newSigner())]));
    assert.deepEqual(summary(decision), ['refused policy-failed', 'p refused none-accepted']);
    assert.equal(decision.nearest?.code, 'signature-invalid');
    assert.deepEqual(decision.evidence, []);
  });

  it('are ORed, policies ANDed (row 3)', async () => {
    const scene = await Scene.create();
    const [one, two] = [await newSigner(), await newSigner()];
    await scene.sign(one);
    const either = policyOf([byKey(two), byKey(one)], {}, 'either');
    assert.equal((await scene.decide(either)).outcome, 'trusted');
    const decision = await scene.decide(either + policyOf([byKey(two)], {}, 'second'));
    assert.deepEqual(summary(decision), [
      'refused policy-failed',
      'either trusted met',
      'second refused none-accepted',
    ]);
  });

  it('with several keys are satisfied by any (row 3)', async () => {
    const scene = await Scene.create();
    const [one, two] = [await newSigner(), await newSigner()];
    await scene.sign(two);
    const data = encodePublicKey(one.publicKey) + encodePublicKey(two.publicKey);
    assert.equal((await scene.decide(policyOf([{ key: { data } }]))).outcome, 'trusted');
  });

  it('that are not needed are not asked', async () => {
    const scene = await Scene.create();
    const [one, two] = [await newSigner(), await newSigner()];
    await scene.sign(one);
    const { policies } = await scene.decide(policyOf([byKey(one), byKey(two)]));
    assert.equal(policies[0]?.authorities[1]?.outcome, 'not-asked');
  });

  it('that are static decide without a request', async () => {
    const scene = await Scene.create();
    const pass = await scene.decide(policyOf([{ static: { action: 'pass' } }]), { image: `${NAME}:v1` });
    assert.deepEqual(summary(pass), ['trusted met', 'p trusted met']);
    const message = 'use the mirror';
    const fail = await scene.decide(policyOf([{ static: { action: 'fail', message } }]));
    assert.deepEqual(summary(fail), ['refused policy-failed', 'p refused static-fail']);
    assert.match(fail.message, /use the mirror/);
    assert.deepEqual(scene.calls, []);
  });

  it('take keys of Secrets that are given as documents', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.sign(signer);
    const data = Buffer.from(encodePublicKey(signer.publicKey)).toString('base64');
    const secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 's', namespace: 'n' },
      data: { 'a.pub': data },
    };
    const policy = policyOf([{ key: { secretRef: { name: 's', namespace: 'n' } } }]);
    assert.equal((await scene.decide(`${policy}${JSON.stringify(secret)}`)).outcome, 'trusted');
    await assert.rejects(scene.decide(policy), { code: 'policy-unresolved', message: /no Secret n\/s was given/ });
  });

  it('with a key that is elsewhere are never loaded', async () => {
    const scene = await Scene.create();
    const policy = policyOf([{ key: { kms: 'gcpkms://projects/p/locations/l/keyRings/r/cryptoKeys/k' } }]);
    await assert.rejects(scene.decide(policy), { code: 'policy-unresolved', message: /a key that is elsewhere/ });
  });

  it('ask for the hash that is named', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.sign(signer);
    const data = encodePublicKey(signer.publicKey);
    assert.equal((await scene.decide(policyOf([{ key: { data, hashAlgorithm: 'sha256' } }]))).outcome, 'trusted');
    await assert.rejects(scene.decide(policyOf([{ key: { data, hashAlgorithm: 'sha512' } }])), {
      code: 'policy-unresolved',
    });
  });

  it('read from another repository, and with a tag prefix', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    const elsewhere = scene.at('registry.example.com/signatures');
    await scene.sign(signer, ['legacy'], elsewhere);
    const source = [{ oci: 'registry.example.com/signatures' }];
    assert.equal((await scene.decide(policyOf([byKey(signer, { source })]))).outcome, 'trusted');
    assert.deepEqual([...scene.opened].toSorted(), [NAME, 'registry.example.com/signatures'].toSorted());
    assert.equal((await scene.decide(policyOf([byKey(signer)]))).outcome, 'refused');
    const prefixed = [{ oci: 'registry.example.com/signatures', tagPrefix: 'x-' }];
    assert.equal((await scene.decide(policyOf([byKey(signer, { source: prefixed })]))).outcome, 'refused');
  });
});

describe('a threshold', () => {
  it('counts signers, not seals', async () => {
    const scene = await Scene.create();
    const [one, two] = [await newSigner(), await newSigner()];
    const data = encodePublicKey(one.publicKey) + encodePublicKey(two.publicKey);
    await scene.sign(one, ['bundle', 'legacy']);
    const policy = policyOf([{ key: { data }, threshold: 2 }]);
    const decision = await scene.decide(policy);
    assert.deepEqual(summary(decision), ['refused policy-failed', 'p refused signers-too-few']);
    assert.match(decision.message, /by 1 of the 2/);
    await scene.sign(two);
    assert.equal((await scene.decide(policy)).outcome, 'trusted');
  });

  it('is undecided where the second signer may lie in what could not be read', async () => {
    const scene = await Scene.create();
    const [one, two] = [await newSigner(), await newSigner()];
    const data = encodePublicKey(one.publicKey) + encodePublicKey(two.publicKey);
    await scene.sign(one);
    scene.failures.set(`manifest ${scene.digest.replace(':', '-')}.sig`, unreachable());
    const decision = await scene.decide(policyOf([{ key: { data }, threshold: 2 }]));
    assert.equal(decision.outcome, 'undecided');
    assert.equal(decision.cause?.code, 'unreachable');
  });
});

describe('attestations', () => {
  it('alone satisfy an authority that asks for them, and a signature does not (row 3)', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.sign(signer);
    const policy = policyOf([byKey(signer, { attestations: [{ name: 'a', predicateType: OTHER }] })]);
    assert.deepEqual(summary(await scene.decide(policy)), ['refused policy-failed', 'p refused attestation-failed']);
    await scene.attest(signer, OTHER, { level: 3 });
    const decision = await scene.decide(policy);
    assert.deepEqual(summary(decision), ['trusted met', 'p trusted met']);
    assert.equal(decision.policies[0]?.authorities[0]?.attestations[0]?.seals.length, 1);
  });

  it('do not stand for a signature', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.attest(signer, OTHER, {});
    assert.equal((await scene.decide(policyOf([byKey(signer)]))).outcome, 'refused');
  });

  it('of another type than is asked for are a failure, though they verify (CVE-2022-35930, CVE-2022-35929)', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.attest(signer, OTHER, {});
    const attestations = [{ name: 'scan', predicateType: VULN }];
    const decision = await scene.decide(policyOf([byKey(signer, { attestations })]));
    assert.equal(decision.outcome, 'refused');
    assert.equal(decision.nearest?.code, 'predicate-type-mismatch');
  });

  it('that nobody signed do not count (PR 1971)', async () => {
    const scene = await Scene.create();
    const [mine, stranger] = [await newSigner(), await newSigner()];
    await scene.attest(stranger, OTHER, {});
    const attestations = [{ name: 'a', predicateType: OTHER }];
    assert.equal((await scene.decide(policyOf([byKey(mine, { attestations })]))).outcome, 'refused');
  });

  it('must all be there', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.attest(signer, OTHER, {}, ['legacy']);
    const attestations = [
      { name: 'a', predicateType: OTHER },
      { name: 'b', predicateType: 'https://example.com/second' },
    ];
    const policy = policyOf([byKey(signer, { attestations })]);
    assert.equal((await scene.decide(policy)).outcome, 'refused');
    await scene.attest(signer, 'https://example.com/second', {});
    assert.equal((await scene.decide(policy)).outcome, 'trusted');
  });

  it('that are not in the form of their kind are refused', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.attest(signer, VULN, { hello: 'world' });
    const attestations = [{ name: 'scan', predicateType: VULN }];
    const decision = await scene.decide(policyOf([byKey(signer, { attestations })]));
    assert.equal(decision.nearest?.code, 'predicate-malformed');
  });
});

describe('policies in CEL', () => {
  const withPolicy = (signer: Signer, data: string): string =>
    policyOf([byKey(signer, { attestations: [{ name: 'a', predicateType: OTHER, policy: { type: 'cel', data } }] })]);

  it('decide over the predicate and the statement', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.attest(signer, OTHER, { level: 3, by: 'ci' });
    const of = async (data: string): Promise<string> => {
      const decision = await scene.decide(withPolicy(signer, data));
      return `${decision.outcome} ${decision.nearest?.code ?? ''}`.trim();
    };
    assert.equal(await of('predicate.level >= 3 && statement.predicate.by == "ci"'), 'trusted');
    assert.equal(await of('predicate.level > 3'), 'refused predicate-refused');
    assert.equal(await of('predicate.nothing == 1'), 'refused predicate-refused');
    assert.equal(await of('"true"'), 'refused predicate-refused');
    assert.equal(await of('predicate.by.matches("^(c|d)i$")'), 'trusted');
  });

  it('know what time it is, which is the time of the decision', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.attest(signer, OTHER, { finished: '2026-06-01T00:00:00Z' });
    const policy = withPolicy(signer, "now - timestamp(predicate.finished) < duration('168h')");
    assert.equal((await scene.decide(policy)).outcome, 'trusted');
    assert.equal((await scene.decide(policy, { now: new Date('2026-06-20T00:00:00Z') })).outcome, 'refused');
  });

  it('have no way out of their thread', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.attest(signer, OTHER, {});
    for (const data of ['process.exit(1)', 'require("fs")', 'globalThis.process == null'])
      assert.equal((await scene.decide(withPolicy(signer, data))).outcome, 'refused');
  });

  it('that take too long or too much are undecided, never a pass', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.attest(signer, OTHER, { list: Array.from({ length: 300 }, (_, at) => at) });
    const every = 'predicate.list';
    const data = `${every}.all(a, ${every}.all(b, ${every}.all(c, ${every}.all(d, a + b + c + d >= 0.0))))`;
    const decision = await scene.decide(withPolicy(signer, data));
    assert.equal(decision.outcome, 'undecided');
    assert.equal(decision.cause?.code, 'program-unfinished');
  });

  it('that are no CEL are never loaded', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    for (const data of ['predicate.level >', '('.repeat(50_000)])
      await assert.rejects(scene.decide(withPolicy(signer, data)), { code: 'policy-malformed' });
  });

  it('over what authorities found turn OR into AND (row 4)', async () => {
    const scene = await Scene.create();
    const [one, two] = [await newSigner(), await newSigner()];
    await scene.sign(one);
    const data = 'has(authorityMatches.one) && size(authorityMatches.two.signatures) > 0';
    const policy = policyOf([byKey(one, { name: 'one' }), byKey(two, { name: 'two' })], {
      policy: { type: 'cel', data },
    });
    assert.deepEqual(summary(await scene.decide(policy)), ['refused policy-failed', 'p refused program-refused']);
    await scene.sign(two);
    assert.equal((await scene.decide(policy)).outcome, 'trusted');
  });

  it('see of the object what they ask for', async () => {
    const scene = await Scene.create();
    const data = 'metadata.labels.team == "shop" && !has(authorityMatches.none)';
    const context = { metadata: { labels: { team: 'shop' } }, spec: { secret: 1 } };
    const of = async (policy: object): Promise<string> =>
      (await scene.decide(policyOf([{ name: 's', static: { action: 'pass' } }], { policy }), context)).outcome;
    assert.equal(await of({ type: 'cel', data, includeObjectMeta: true }), 'trusted');
    assert.equal(await of({ type: 'cel', data }), 'refused');
    assert.equal(await of({ type: 'cel', data: 'spec.secret == 1' }), 'refused');
  });
});

describe('what could not be found out', () => {
  it('is undecided, and never refused', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.sign(signer);
    scene.failures.set('referrers', unreachable());
    const decision = await scene.decide(policyOf([byKey(signer)]));
    assert.deepEqual(summary(decision), ['undecided unknown', 'p undecided unknown']);
    assert.equal(decision.cause?.code, 'unreachable');
  });

  it('does not matter where the answer was found elsewhere', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.sign(signer, ['legacy']);
    scene.failures.set('referrers', unreachable());
    assert.equal((await scene.decide(policyOf([byKey(signer)]))).outcome, 'trusted');
  });

  it('is outranked by a refusal', async () => {
    const scene = await Scene.create();
    scene.failures.set('referrers', unreachable());
    const deny = policyOf([{ static: { action: 'fail' } }], {}, 'deny');
    const decision = await scene.decide(policyOf([byKey(await newSigner())]) + deny);
    assert.equal(decision.outcome, 'refused');
  });

  it('denies where it is a fault of ours, also in a policy that only warns (row 7)', async () => {
    const scene = await Scene.create();
    scene.failures.set('referrers', new TypeError('a fault'));
    const decision = await scene.decide(policyOf([byKey(await newSigner())], { mode: 'warn' }));
    assert.equal(decision.outcome, 'undecided');
    assert.equal(decision.cause?.code, 'unexpected');
  });
});

describe('modes and matches', () => {
  it('warn turns failures into warnings (row 7)', async () => {
    const scene = await Scene.create();
    const decision = await scene.decide(policyOf([{ static: { action: 'fail', message: 'no' } }], { mode: 'warn' }));
    assert.equal(decision.outcome, 'trusted');
    assert.equal(decision.policies[0]?.outcome, 'refused');
    assert.match(decision.warnings.join(), /p: authority-0: no/);
  });

  it('no policy is decided by noMatchPolicy, which denies unless told (row 6)', async () => {
    const scene = await Scene.create();
    const settings = (noMatchPolicy: string): string =>
      JSON.stringify({
        apiVersion: 'policy.bulla/v1alpha1',
        kind: 'PolicySettings',
        metadata: { name: 's' },
        spec: { noMatchPolicy },
      });
    const of = async (text: string): Promise<string> => {
      const decision = await scene.decide(text, { image: 'ghcr.io/other/app' });
      return `${decision.outcome} ${decision.code} ${decision.warnings.length}`;
    };
    const policy = policyOf([{ static: { action: 'pass' } }]);
    assert.equal(await of(policy), 'refused no-policy-matches 0');
    assert.equal(await of(policy + settings('deny')), 'refused no-policy-matches 0');
    assert.equal(await of(policy + settings('warn')), 'trusted no-policy-matches 1');
    assert.equal(await of(policy + settings('allow')), 'trusted no-policy-matches 0');
    const theirs =
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: config-policy-controller}\ndata: {no-match-policy: allow}\n';
    assert.equal(await of(policy + theirs), 'trusted no-policy-matches 0');
  });

  it('a tag is resolved once and not rejected (row 2, different on purpose)', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.sign(signer);
    const two = policyOf([byKey(signer)]) + policyOf([byKey(signer)], {}, 'q');
    const decision = await scene.decide(two, { image: `${NAME}:v1` });
    assert.equal(decision.outcome, 'trusted');
    assert.equal(decision.digest, scene.digest);
    assert.equal(scene.calls.filter(({ method }) => method === 'resolve').length, 1);
  });

  describe('a policy that names a digest', () => {
    const settings = JSON.stringify({
      apiVersion: 'policy.bulla/v1alpha1',
      kind: 'PolicySettings',
      metadata: { name: 's' },
      spec: { noMatchPolicy: 'allow' },
    });
    const block = (glob: string): string =>
      policyOf([{ static: { action: 'fail', message: 'withdrawn' } }], { images: [{ glob }] }, 'block');

    it('is about a tag of that digest, and about no other', async () => {
      const scene = await Scene.create();
      for (const glob of [`${NAME}@${scene.digest}`, `**@${scene.digest}`, `registry.example.com/**@*`]) {
        const decision = await scene.decide(block(glob) + settings, { image: `${NAME}:v1` });
        assert.deepEqual(summary(decision), ['refused policy-failed', 'block refused static-fail'], glob);
        assert.equal(decision.image, `${NAME}:v1`);
        assert.equal(decision.digest, scene.digest);
      }
      const another = await scene.decide(block(`${NAME}@sha256:${'0'.repeat(64)}`) + settings, { image: `${NAME}:v1` });
      assert.deepEqual(summary(another), ['trusted no-policy-matches']);
      assert.equal(another.digest, scene.digest);
    });

    it('counts beside those that are about the tag', async () => {
      const scene = await Scene.create();
      const general = policyOf([{ static: { action: 'pass' } }], {}, 'general');
      const decision = await scene.decide(general + block(`${NAME}@${scene.digest}`), { image: `${NAME}:v1` });
      assert.deepEqual(summary(decision), [
        'refused policy-failed',
        'general trusted met',
        'block refused static-fail',
      ]);
    });

    it('is undecided where the tag cannot be resolved, and asks nothing for other repositories', async () => {
      const scene = await Scene.create();
      scene.failures.set('resolve', unreachable());
      const policies = block(`${NAME}@${scene.digest}`) + settings;
      assert.equal((await scene.decide(policies, { image: `${NAME}:v1` })).outcome, 'undecided');
      const other = await scene.decide(policies, { image: 'registry.example.com/prod/other:v1' });
      assert.deepEqual(summary(other), ['trusted no-policy-matches']);
      assert.deepEqual(scene.calls, []);
    });
  });

  it('a tag that is not there is a missing image', async () => {
    const scene = await Scene.create();
    const decision = await scene.decide(policyOf([byKey(await newSigner())]), { image: `${NAME}:v2` });
    assert.deepEqual(summary(decision), ['refused image-missing', 'p refused image-missing']);
  });

  it('what is no image is refused', async () => {
    const scene = await Scene.create();
    const decision = await scene.decide(policyOf([{ static: { action: 'pass' } }]), { image: 'Not An Image' });
    assert.deepEqual(summary(decision), ['refused reference-malformed']);
  });

  it('policies for resources are about those only', async () => {
    const scene = await Scene.create();
    const policy = policyOf([{ static: { action: 'pass' } }], {
      match: [{ group: 'apps', version: 'v1', resource: 'deployments' }],
    });
    const resource = { group: 'apps', version: 'v1', resource: 'deployments', labels: {} };
    assert.equal((await scene.decide(policy, { resource })).outcome, 'trusted');
    assert.equal((await scene.decide(policy)).code, 'no-policy-matches');
  });

  it('a mirror is matched by the upstream name and fetched from, either way', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.sign(signer);
    const spec = { mirrors: [{ upstream: 'docker.io/library', mirror: 'registry.example.com/prod' }] };
    const settings = JSON.stringify({
      apiVersion: 'policy.bulla/v1alpha1',
      kind: 'PolicySettings',
      metadata: { name: 's' },
      spec,
    });
    const policy = policyOf([byKey(signer)], { images: [{ glob: 'index.docker.io/library/**' }] }) + settings;
    const named = await scene.decide(policy, { image: `app@${scene.digest}` });
    assert.deepEqual(summary(named), ['trusted met', 'p trusted met']);
    assert.deepEqual(scene.opened, [NAME]);
    const mirrored = await scene.decide(policy);
    assert.deepEqual(summary(mirrored), ['trusted met', 'p trusted met']);
    const beside = await scene.decide(policy, { image: 'registry.example.com/production/app' });
    assert.equal(beside.code, 'no-policy-matches');
  });

  it('evidence that lies elsewhere is read from the mirror of that place, if it has one', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    const mirror = 'mirror.example.com/seals/near';
    await scene.sign(signer, ['legacy'], scene.at(mirror));
    const settings = (...mirrors: readonly object[]): string =>
      JSON.stringify({
        apiVersion: 'policy.bulla/v1alpha1',
        kind: 'PolicySettings',
        metadata: { name: 's' },
        spec: { mirrors },
      });
    const policy = policyOf([{ ...byKey(signer), source: [{ oci: 'seals.example.com/far/near' }] }]);
    const far = { upstream: 'seals.example.com', mirror: 'far.example.com' };
    const near = { upstream: 'seals.example.com/far', mirror: 'mirror.example.com/seals' };
    assert.deepEqual(summary(await scene.decide(policy + settings(far, near))), ['trusted met', 'p trusted met']);
    assert.deepEqual(scene.opened.toSorted(), [mirror, NAME]);
    assert.equal((await scene.decide(policy + settings(far))).outcome, 'refused');
    assert.ok(scene.opened.includes('far.example.com/far/near'));
    assert.equal((await scene.decide(policy)).outcome, 'refused');
    assert.ok(scene.opened.includes('seals.example.com/far/near'));
  });

  it('a mirror in a mirror, or of a mirror, is no way around the policies of either', async () => {
    const scene = await Scene.create();
    const mirrors = [
      { upstream: 'docker.io/library', mirror: 'registry.example.com/hub' },
      { upstream: 'quay.io/acme', mirror: 'registry.example.com/hub/quay' },
      { upstream: 'registry.example.com/hub', mirror: 'edge.example.com/hub' },
      // one that has no end
      { upstream: 'loop.example.com/a/a', mirror: 'loop.example.com/a' },
    ];
    const settings = JSON.stringify({
      apiVersion: 'policy.bulla/v1alpha1',
      kind: 'PolicySettings',
      metadata: { name: 's' },
      spec: { mirrors, noMatchPolicy: 'allow' },
    });
    const policy = policyOf([{ static: { action: 'fail' } }], { images: [{ glob: 'quay.io/acme/**' }] }) + settings;
    const of = async (image: string): Promise<string> => (await scene.decide(policy, { image })).outcome;
    assert.equal(await of('registry.example.com/hub/quay/app:1'), 'refused');
    assert.equal(await of('edge.example.com/hub/quay/app:1'), 'refused');
    assert.equal(await of('registry.example.com/hub/app:1'), 'trusted');
    assert.equal(await of('loop.example.com/a/app:1'), 'trusted');
  });

  it('a mirror that no image is below, however it is written, is refused when it is loaded', async () => {
    const scene = await Scene.create();
    const deciding = async (upstream: string, mirror: string, image: string): Promise<Decision> =>
      scene.decide(
        policyOf([{ static: { action: 'fail' } }], { images: [{ glob: 'quay.io/acme/**' }] }) +
          JSON.stringify({
            apiVersion: 'policy.bulla/v1alpha1',
            kind: 'PolicySettings',
            metadata: { name: 's' },
            spec: { mirrors: [{ upstream, mirror }], noMatchPolicy: 'allow' },
          }),
        { image },
      );
    for (const mirror of ['docker.io/acme', 'index.docker.io/acme', 'registry-1.docker.io/acme'])
      assert.equal((await deciding('quay.io/acme', mirror, 'acme/app')).outcome, 'refused', mirror);
    assert.equal((await deciding('quay.io', 'localhost/quay', 'localhost/quay/acme/app')).outcome, 'refused');
    for (const place of [
      'registry.example.com/hub/',
      'registry.example.com//hub',
      'acme/hub',
      'Registry.example.com',
      '',
    ])
      await assert.rejects(deciding('quay.io/acme', place, 'acme/app'), { code: 'policy-malformed' }, place);
  });
});

describe('a decision', () => {
  it('is undecided, and never thrown, where something here fails that nobody has thought of', async () => {
    const scene = await Scene.create();
    let endless: Json = null;
    for (let depth = 0; depth < 100_000; depth++) endless = [endless];
    const policy = policyOf([{ static: { action: 'pass' } }], {
      mode: 'warn',
      policy: { type: 'cel', data: 'true', includeSpec: true },
    });
    const decision = await scene.decide(policy, { spec: endless });
    assert.deepEqual([decision.outcome, decision.cause?.code], ['undecided', 'unexpected']);
    assert.ok(!mayReuse(decision, new Date(0)));
    assert.match(decision.inputs.hash, /^sha256:/);
  });

  it('is the same for the same input', async () => {
    const scene = await Scene.create();
    const [one, two] = [await newSigner(), await newSigner()];
    await scene.sign(one, ['bundle', 'legacy']);
    await scene.sign(two);
    const policy = policyOf([byKey(one), byKey(two)]) + policyOf([byKey(two)], {}, 'q');
    const [first, second] = [await scene.decide(policy), await scene.decide(policy)];
    assert.equal(JSON.stringify(first), JSON.stringify(second));
    assert.ok(first.evidence.length > 0);
  });

  it('carries a hash that changes with the policy, what it refers to, and the settings', async () => {
    const scene = await Scene.create();
    const [one, two] = [await newSigner(), await newSigner()];
    const secretOf = ({ publicKey }: Signer): string =>
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 's' },
        stringData: { k: encodePublicKey(publicKey) },
      });
    const policy = policyOf([{ key: { secretRef: { name: 's' } } }]);
    const revocation = JSON.stringify({
      apiVersion: 'policy.bulla/v1alpha1',
      kind: 'PolicySettings',
      metadata: { name: 's' },
      spec: { revocations: [{ key: { data: encodePublicKey(two.publicKey) } }] },
    });
    const decisions = await Promise.all(
      [
        policy + secretOf(one),
        policy + secretOf(two),
        policyOf([{ key: { secretRef: { name: 's' } } }], { mode: 'warn' }) + secretOf(one),
        `${policy}${secretOf(one)}\n---\n${revocation}`,
      ].map((text) => scene.decide(text)),
    );
    const hashes = decisions.map(({ policyHash }) => policyHash);
    assert.equal(new Set(hashes).size, 3);
    // a revocation is no policy, and changes the inputs all the same
    assert.equal(hashes[3], hashes[0]);
    assert.equal(new Set(decisions.map(({ inputs }) => inputs.hash)).size, 4);
    assert.equal((await scene.decide(policy + secretOf(one))).policyHash, hashes[0]);
    const unrelated = policyOf([{ static: { action: 'pass' } }], { images: [{ glob: 'ghcr.io/**' }] }, 'other');
    assert.equal((await scene.decide(policy + unrelated + secretOf(one))).policyHash, hashes[0]);
  });
});

describe('requests', () => {
  it('do not depend on how many policies, keys and authorities there are', async () => {
    const scene = await Scene.create();
    const strangers = await Promise.all(Array.from({ length: 3 }, () => newSigner()));
    for (const stranger of strangers) await scene.sign(stranger, ['bundle', 'legacy']);
    const keys = await Promise.all(Array.from({ length: 6 }, () => newSigner()));
    const asked = async (text: string): Promise<number> => {
      assert.equal((await scene.decide(text)).outcome, 'refused');
      return scene.calls.length;
    };
    const alone = await asked(policyOf([byKey(keys[0] as Signer)]));
    const many = Array.from({ length: 7 }, (_, at) =>
      policyOf(
        keys.map((key) => byKey(key)),
        {},
        `p${at}`,
      ),
    ).join('');
    assert.equal(await asked(many), alone);
  });

  it('are at most 23 for 5 authorities and 10 signatures on one platform, and one more where attestations are asked', async () => {
    const scene = await Scene.create();
    for (let at = 0; at < 10; at++) await scene.sign(await newSigner());
    const keys = await Promise.all(Array.from({ length: 5 }, () => newSigner()));
    const onePlatform = true;
    const evidence = new EvidenceCache();
    const policy = policyOf(keys.map((key) => byKey(key)));
    assert.equal((await scene.decide(policy, { onePlatform, evidence })).outcome, 'refused');
    assert.ok(scene.calls.length <= 23, `${scene.calls.length}`);
    assert.equal((await scene.decide(policy, { onePlatform, evidence })).outcome, 'refused');
    assert.deepEqual(scene.calls, []);
    const attestations = [{ name: 'a', predicateType: OTHER }];
    const both = policyOf(keys.map((key, at) => byKey(key, at === 0 ? { attestations } : {})));
    assert.equal((await scene.decide(both, { onePlatform })).outcome, 'refused');
    assert.ok(scene.calls.length <= 24, `${scene.calls.length}`);
  });

  it('are at most 23 where one of 10 signatures counts, however many authorities and policies there are', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    // the newest is read first
    await scene.sign(signer);
    for (let at = 0; at < 9; at++) await scene.sign(await newSigner());
    const others = await Promise.all(Array.from({ length: 4 }, () => newSigner()));
    const policy = policyOf([...others, signer].map((key) => byKey(key)));
    const again = policyOf([byKey(signer)], {}, 'again');
    assert.equal((await scene.decide(policy + again, { image: `${NAME}:v1` })).outcome, 'trusted');
    // and one to resolve the tag
    assert.ok(scene.calls.length <= 24, `${scene.calls.length}`);
    assert.equal((await scene.decide(policy + again)).outcome, 'trusted');
    assert.ok(scene.calls.length <= 23, `${scene.calls.length}`);
  });

  it('are one more before a refusal by digest, to learn whether it is an index; a tag tells', async () => {
    const scene = await Scene.create();
    await scene.sign(await newSigner());
    const policy = policyOf([byKey(await newSigner())]);
    const asked = async (change: object): Promise<number> => {
      assert.equal((await scene.decide(policy, change)).outcome, 'refused');
      return scene.calls.length;
    };
    const least = await asked({ onePlatform: true });
    assert.equal(await asked({}), least + 1);
    assert.equal(await asked({ image: `${NAME}:v1` }), least + 1);
    assert.equal(scene.calls.filter(({ method }) => method === 'resolve').length, 1);
  });

  it('are none where the evidence is at hand', async () => {
    const scene = await Scene.create();
    await scene.sign(await newSigner(), ['bundle', 'legacy']);
    const evidence = new EvidenceCache();
    const policy = policyOf([byKey(await newSigner())]);
    const cold = await scene.decide(policy, { evidence });
    assert.ok(scene.calls.length > 0);
    const warm = await scene.decide(policy, { evidence });
    assert.deepEqual(scene.calls, []);
    assert.deepEqual(JSON.stringify(warm), JSON.stringify(cold));
  });

  it('are made again for what could not be found out the first time', async () => {
    const scene = await Scene.create();
    const signer = await newSigner();
    await scene.sign(signer);
    const evidence = new EvidenceCache();
    const policy = policyOf([byKey(signer)]);
    scene.failures.set('referrers', unreachable());
    assert.equal((await scene.decide(policy, { evidence })).outcome, 'undecided');
    scene.failures.clear();
    assert.equal((await scene.decide(policy, { evidence })).outcome, 'trusted');
    assert.equal((await scene.decide(policy, { evidence, image: `${NAME}:v2` })).code, 'image-missing');
  });

  it('grow by at most two for a further signature', async () => {
    const scene = await Scene.create();
    const policy = policyOf([byKey(await newSigner())]);
    const counts: number[] = [];
    for (let at = 0; at < 4; at++) {
      await scene.sign(await newSigner());
      await scene.decide(policy);
      counts.push(scene.calls.length);
    }
    for (let at = 1; at < counts.length; at++)
      assert.ok((counts[at] ?? 0) - (counts[at - 1] ?? 0) <= 2, counts.join(' '));
  });
});
