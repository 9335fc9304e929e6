// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { signImage } from '../image/index.ts';
import { bytesBlob, digestOf, MediaType, type Digest, type MemoryRepository } from '../oci/index.ts';
import { encodePublicKey, type Signer } from '../trust/index.ts';
import { ISSUER, newTestSigstore, SUBJECT } from '../trust/keyless-seal.fixture.ts';
import { EvidenceCache } from './index.ts';
import { NAME, newSigner, policyOf, Scene } from './scene.fixture.ts';

// What has gone wrong in other gates, by the number under which it was made known: a decision must not do the same.

const sigstore = await newTestSigstore();
const fallback = sigstore.trustedRoot;
const [ci, stranger] = [await newSigner(), await newSigner()];
const VULN = 'https://cosign.sigstore.dev/attestation/vuln/v1';
const OTHER = 'https://example.com/other/v1';
const SIGN = 'https://sigstore.dev/cosign/sign/v1';
const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const NOW = new Date('2026-06-02T00:00:00Z');
const key = ({ publicKey }: Signer): object => ({ data: encodePublicKey(publicKey) });
const wanting = (predicateType: string, policy?: object): string =>
  policyOf([
    { key: key(ci), attestations: [{ name: 'a', predicateType, ...(policy === undefined ? {} : { policy }) }] },
  ]);
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Lays any bytes beside an image as if they were a seal. */
async function layBytes(
  scene: Scene,
  bytes: Uint8Array,
  annotations: Readonly<Record<string, string>> = {},
): Promise<Digest> {
  const { repository } = scene;
  const empty = utf8('{}');
  await repository.putBlob(bytesBlob(empty));
  await repository.putBlob(bytesBlob(bytes));
  const manifest = {
    schemaVersion: 2,
    mediaType: MediaType.imageManifest,
    artifactType: BUNDLE,
    config: { mediaType: MediaType.empty, size: empty.byteLength, digest: digestOf(empty) },
    layers: [{ mediaType: BUNDLE, size: bytes.byteLength, digest: digestOf(bytes) }],
    subject: { mediaType: MediaType.imageManifest, size: 2, digest: scene.digest },
    annotations,
  };
  const { descriptor } = await repository.putManifest(utf8(JSON.stringify(manifest)), MediaType.imageManifest);
  return descriptor.digest;
}

/** Another image of the same repository. */
async function otherImage(repository: MemoryRepository, tag?: string): Promise<Digest> {
  const config = utf8(`{"architecture":"arm64","os":"linux","n":${Math.random()}}`);
  await repository.putBlob(bytesBlob(config));
  const descriptor = { mediaType: MediaType.imageConfig, size: config.byteLength, digest: digestOf(config) };
  const manifest = { schemaVersion: 2, mediaType: MediaType.imageManifest, config: descriptor, layers: [] };
  const bytes = utf8(JSON.stringify(manifest));
  await repository.putManifest(bytes, MediaType.imageManifest, tag === undefined ? {} : { tag });
  return digestOf(bytes);
}

describe('an attestation of another type does not stand for the one that is asked for', () => {
  for (const formats of [['bundle'], ['legacy']] as const)
    it(`CVE-2022-35930, CVE-2022-35929: ${formats[0]}`, async () => {
      const scene = await Scene.create();
      await scene.attest(ci, OTHER, {}, formats);
      assert.equal((await scene.decide(wanting(OTHER))).outcome, 'trusted');
      assert.equal((await scene.decide(wanting(VULN))).outcome, 'refused');
    });
  it('KV #16336, PC PR#1971: nor does what an annotation or an unsigned referrer says of itself', async () => {
    const scene = await Scene.create();
    const claims = { 'dev.sigstore.bundle.content': 'dsse-envelope', 'dev.sigstore.bundle.predicateType': OTHER };
    await layBytes(scene, scene.statement(OTHER), claims);
    await layBytes(scene, utf8('{}'), { ...claims, 'kyverno.io/verify-images': 'pass' });
    assert.equal((await scene.decide(wanting(OTHER))).outcome, 'refused');
    await scene.attest(ci, OTHER, {});
    assert.equal((await scene.decide(wanting(OTHER))).outcome, 'trusted', 'and neither hides what counts');
  });
});

describe('evidence is bound to what it is about', () => {
  it('CVE-2026-22703: a log entry of another artifact, signature or key does not date a seal', async () => {
    const policy = policyOf([{ keyless: { identities: [{ issuer: ISSUER, subject: SUBJECT }] } }]);
    const scene = await Scene.create();
    const [seal, other] = [
      await sigstore.seal({ payload: scene.statement(SIGN) }),
      await sigstore.seal({ payload: scene.statement(OTHER) }),
    ];
    await scene.lay({ ...seal, logEntries: other.logEntries });
    const decision = await scene.decide(policy, { fallback });
    assert.equal(decision.outcome, 'refused');
    assert.match(decision.nearest?.code ?? '', /^log-/);
    await scene.lay(seal);
    assert.equal((await scene.decide(policy, { fallback })).outcome, 'trusted');
  });
  it('CVE-2022-36056: a seal of another image is none of this one', async () => {
    const scene = await Scene.create();
    const other = await otherImage(scene.repository);
    await signImage(scene.repository, other, { signer: ci, formats: ['bundle'], now: NOW });
    const [referrer] = (await scene.repository.referrers(other)).descriptors;
    assert.ok(referrer !== undefined);
    const bytes = (await bundleOf(scene.repository, referrer.digest)) ?? utf8('');
    await layBytes(scene, bytes);
    const decision = await scene.decide(policyOf([{ key: key(ci) }]));
    assert.deepEqual([decision.outcome, decision.nearest?.code], ['refused', 'subject-mismatch']);
  });
});

async function bundleOf(repository: MemoryRepository, referrer: Digest): Promise<Uint8Array | undefined> {
  const found = await repository.manifest(referrer);
  const text = found === undefined ? '{}' : new TextDecoder().decode(found.bytes);
  const { layers = [] } = JSON.parse(text) as { readonly layers?: readonly { readonly digest: Digest }[] };
  const [layer] = layers;
  return layer === undefined ? undefined : await repository.blob(layer.digest, 1_000_000);
}

describe('what was verified is what runs', () => {
  const policy = policyOf([{ key: key(ci) }]);
  it('CVE-2022-47633, Crossplane: a tag is looked up once, for all policies, and that digest is handed on', async () => {
    const scene = await Scene.create();
    await scene.sign(ci);
    const decision = await scene.decide(policy + policyOf([{ key: key(ci) }], {}, 'q'), { image: `${NAME}:v1` });
    assert.deepEqual([decision.outcome, decision.digest], ['trusted', scene.digest]);
    const lookups = scene.calls.filter(({ method, target }) => method === 'resolve' || target === 'v1');
    assert.equal(lookups.length, 1);
  });
  it('GHSA-2r43-6962-xcw5: a tag that moves while evidence is kept never gets the digest that it moved to', async () => {
    const scene = await Scene.create();
    await scene.sign(ci);
    const evidence = new EvidenceCache();
    assert.equal((await scene.decide(policy, { image: `${NAME}:v1`, evidence })).digest, scene.digest);
    const moved = await otherImage(scene.repository, 'v1');
    const kept = await scene.decide(policy, { image: `${NAME}:v1`, evidence });
    assert.deepEqual([kept.outcome, kept.digest], ['trusted', scene.digest]);
    const fresh = await scene.decide(policy, { image: `${NAME}:v1` });
    assert.deepEqual([fresh.outcome, fresh.digest], ['refused', moved]);
  });
  it('KV #17173: kept evidence is judged again by the policies of now', async () => {
    const scene = await Scene.create();
    await scene.sign(ci);
    const evidence = new EvidenceCache();
    assert.equal((await scene.decide(policy, { evidence })).outcome, 'trusted');
    const deny = policyOf([{ static: { action: 'fail' } }], {}, 'deny');
    assert.equal((await scene.decide(policy + deny, { evidence })).outcome, 'refused');
    const key2 = policyOf([{ key: key(stranger) }]);
    assert.equal((await scene.decide(key2, { evidence })).outcome, 'refused');
    const revoked = { spec: { revocations: [{ key: key(ci) }] }, metadata: { name: 's' } };
    const settings = JSON.stringify({ apiVersion: 'policy.bulla/v1alpha1', kind: 'PolicySettings', ...revoked });
    assert.equal((await scene.decide(policy + settings, { evidence })).outcome, 'refused');
    const late = policyOf([{ keyless: { identities: [{ issuer: ISSUER, subject: SUBJECT }] }, maxAge: '7d' }]);
    await scene.lay(await sigstore.seal({ payload: scene.statement(SIGN) }));
    const dated = new EvidenceCache();
    assert.equal((await scene.decide(late, { evidence: dated, fallback })).outcome, 'trusted');
    const then = new Date('2026-07-01T00:00:00Z');
    assert.equal((await scene.decide(late, { evidence: dated, fallback, now: then })).outcome, 'refused');
  });
});

describe('CVE-2025-29778: every field of an identity that is not so refuses', () => {
  const good = { issuer: ISSUER, subject: SUBJECT };
  const rows: Readonly<Record<string, object>> = {
    issuer: { ...good, issuer: `${ISSUER}x` },
    'issuer, by its beginning only': { ...good, issuer: ISSUER.slice(0, -1) },
    subject: { ...good, subject: `${SUBJECT}x` },
    'subject, by its case only': { ...good, subject: SUBJECT.toUpperCase() },
    issuerRegExp: { issuerRegExp: '^https://nobody', subject: SUBJECT },
    subjectRegExp: { issuer: ISSUER, subjectRegExp: '^nobody' },
    claims: { ...good, claims: { sourceRepositoryRef: 'refs/heads/main' } },
    claimsRegExp: { ...good, claimsRegExp: { sourceRepositoryRef: '^refs/heads/' } },
    'a claim that the certificate does not have': { ...good, claims: { runnerEnvironment: 'self-hosted' } },
  };
  for (const [field, identity] of Object.entries(rows))
    it(field, async () => {
      const scene = await Scene.create();
      await scene.lay(await sigstore.seal({ payload: scene.statement(SIGN) }));
      const of = async (one: object): Promise<string> =>
        (await scene.decide(policyOf([{ keyless: { identities: [one] } }]), { fallback })).outcome;
      assert.deepEqual([await of(good), await of(identity)], ['trusted', 'refused']);
    });
});

describe('a policy that cannot be understood denies', () => {
  it('CVE-2025-46342: a selector that is none is not passed over, the policy is not loaded', async () => {
    const scene = await Scene.create();
    for (const selector of [
      { matchExpressions: [{ key: 'app', operator: 'Exist' }] },
      { matchExpressions: [{ key: 'app', operator: 'In' }] },
      { matchLabel: { app: 'shop' } },
      'app=shop',
    ]) {
      const match = [{ version: 'v1', resource: 'pods', selector }];
      const policy = policyOf([{ static: { action: 'pass' } }], { match });
      await assert.rejects(scene.decide(policy), { code: 'policy-malformed' }, JSON.stringify(selector));
    }
  });
  it('CVE-2026-4789, CVE-2026-41323: nothing is fetched for a policy, and its expression knows no network', async () => {
    const scene = await Scene.create();
    const remote = { type: 'cel', remote: { url: 'https://127.0.0.1:9/policy', sha256sum: '0'.repeat(64) } };
    await assert.rejects(scene.decide(wanting(OTHER, remote)), { code: 'policy-unresolved' });
    await scene.attest(ci, OTHER, {});
    for (const data of ['http.get("http://127.0.0.1:9/") != ""', 'fetch("http://127.0.0.1:9/") != ""']) {
      const decided = await scene.decide(wanting(OTHER, { type: 'cel', data })).catch((error: unknown) => error);
      assert.notEqual((decided as { readonly outcome?: string }).outcome, 'trusted', data);
    }
    assert.deepEqual([...new Set(scene.opened)], [NAME]);
  });
});

describe('what a hostile registry lays beside an image is read up to a cap', () => {
  it('CVE-2023-46737, CVE-2023-33958: seals without end are undecided, after a bounded number of calls', async () => {
    const scene = await Scene.create();
    for (let at = 0; at < 1100; at++) await layBytes(scene, utf8(`{"n":${at}}`));
    const decision = await scene.decide(policyOf([{ key: key(ci) }]));
    assert.equal(decision.outcome, 'undecided');
    assert.equal(decision.cause?.code, 'evidence-capped');
    assert.ok(scene.calls.length <= 2 * 1000 + 10, `${scene.calls.length}`);
  });
  it('GHSA-88jx-383q-w4qc, GHSA-95pr-fxf5-86gv, GHSA-cq2j-v5qh-cjqh: a huge one is not read, and does not hide a good one', async () => {
    const scene = await Scene.create();
    const huge = new Uint8Array(5 * 1024 * 1024).fill(0x20);
    await layBytes(scene, huge);
    const policy = policyOf([{ key: key(ci) }]);
    assert.equal((await scene.decide(policy)).outcome, 'refused');
    assert.ok(!scene.calls.some(({ method, target }) => method === 'blob' && target === digestOf(huge)));
    await scene.sign(ci);
    assert.equal((await scene.decide(policy)).outcome, 'trusted');
  });
});

describe('CVE-2025-27403: credentials are a matter of the repository that is opened', () => {
  it('each place is opened by its own name, and only where a policy that is about the image names it', async () => {
    const scene = await Scene.create();
    const elsewhere = { key: key(ci), source: [{ oci: 'evidence.example.com/seals' }] };
    await scene.decide(policyOf([elsewhere]) + policyOf([elsewhere], { images: [{ glob: 'other.example/**' }] }, 'q'));
    assert.deepEqual([...new Set(scene.opened)].toSorted(), ['evidence.example.com/seals', NAME]);
    const other = { key: key(ci), source: [{ oci: 'attacker.example/seals' }] };
    await scene.decide(
      policyOf([{ static: { action: 'pass' } }]) + policyOf([other], { images: [{ glob: 'a.b/**' }] }, 'q'),
    );
    assert.deepEqual(scene.opened, []);
  });
});
