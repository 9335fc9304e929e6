// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf, MediaType, type Digest, type Repository } from '../oci/index.ts';
import { encodePublicKey, type Signer } from '../trust/index.ts';
import type { Decision } from './index.ts';
import { NAME, newSigner, policyOf, Scene, unreachable } from './scene.fixture.ts';

const byKey = ({ publicKey }: Signer, more: object = {}): object => ({
  key: { data: encodePublicKey(publicKey) },
  ...more,
});
const keysOf = (...signers: readonly Signer[]): string =>
  signers.map(({ publicKey }) => encodePublicKey(publicKey)).join('');
const SBOM = 'https://example.com/sbom';
const BUILD = 'https://example.com/build';

/** Outcome, reason, and each platform that was judged. */
function summary({ outcome, code, policies }: Decision): readonly string[] {
  const platforms = policies.flatMap((policy) => policy.platforms ?? []);
  return [`${outcome} ${code}`, ...platforms.map((one) => `${one.platform} ${one.outcome} ${one.code}`)];
}

interface MultiArch {
  readonly scene: Scene;
  readonly amd64: Digest;
  readonly arm64: Digest;
  readonly index: Digest;
}

/** An index as BuildKit makes it: two platforms, and an attestation manifest for each. */
async function multiArch(): Promise<MultiArch> {
  const scene = await Scene.create();
  const [amd64, arm64, attestation] = [await scene.image('a'), await scene.image('b'), await scene.image('c')];
  const annotations = { 'vnd.docker.reference.type': 'attestation-manifest' };
  const index = await scene.index(
    [
      ['linux/amd64', amd64],
      ['linux/arm64', arm64],
      ['unknown/unknown', attestation, { annotations }],
    ],
    'multi',
  );
  return { scene, amd64, arm64, index };
}

describe('evidence over an index', () => {
  it('counts for the index, and then no platform is asked', async () => {
    const { scene, index } = await multiArch();
    const signer = await newSigner();
    await scene.signOther(index, signer);
    const decision = await scene.decide(policyOf([byKey(signer)]), { image: `${NAME}:multi` });
    assert.deepEqual(summary(decision), ['trusted met']);
    assert.equal(decision.digest, index);
    assert.equal(scene.calls.filter(({ method }) => method === 'resolve').length, 1);
  });

  it('does not count for a platform that is named on its own', async () => {
    const { scene, index, amd64 } = await multiArch();
    const signer = await newSigner();
    await scene.signOther(index, signer);
    const decision = await scene.decide(policyOf([byKey(signer)]), { image: `${NAME}@${amd64}` });
    assert.equal(decision.outcome, 'refused');
  });

  it('and over its platforms satisfies one policy together', async () => {
    const { scene, index, amd64, arm64 } = await multiArch();
    const signer = await newSigner();
    await scene.attest(signer, BUILD, {}, ['bundle'], index);
    for (const digest of [amd64, arm64]) await scene.attest(signer, SBOM, {}, ['bundle'], digest);
    const attestations = [
      { name: 'build', predicateType: BUILD },
      { name: 'sbom', predicateType: SBOM },
    ];
    const decision = await scene.decide(policyOf([byKey(signer, { attestations })]), { image: `${NAME}@${index}` });
    assert.deepEqual(summary(decision), ['trusted met', 'linux/amd64 trusted met', 'linux/arm64 trusted met']);
    // one over the index, one over each platform
    assert.equal(decision.evidence.length, 3);
    assert.equal(decision.digest, index);
  });

  it('counts towards a threshold of each platform', async () => {
    const { scene, index, amd64, arm64 } = await multiArch();
    const [one, two] = [await newSigner(), await newSigner()];
    await scene.signOther(index, one);
    for (const digest of [amd64, arm64]) await scene.signOther(digest, two, ['legacy']);
    const policy = policyOf([{ key: { data: keysOf(one, two) }, threshold: 2 }]);
    const image = `${NAME}@${index}`;
    assert.deepEqual(summary(await scene.decide(policy, { image })), [
      'trusted met',
      'linux/amd64 trusted met',
      'linux/arm64 trusted met',
    ]);
    const more = policyOf([{ key: { data: keysOf(one, two, await newSigner()) }, threshold: 3 }]);
    assert.equal((await scene.decide(more, { image })).outcome, 'refused');
  });
});

describe('evidence over platforms', () => {
  it('lets the index pass if every one that can be run has it, but not those of BuildKit', async () => {
    const { scene, index, amd64, arm64 } = await multiArch();
    const signer = await newSigner();
    const policy = policyOf([byKey(signer)]);
    await scene.signOther(amd64, signer);
    const image = `${NAME}@${index}`;
    const half = await scene.decide(policy, { image });
    assert.deepEqual(summary(half), [
      'refused policy-failed',
      'linux/amd64 trusted met',
      'linux/arm64 refused nothing-found',
    ]);
    assert.match(half.message, /its platform linux\/arm64: .*nothing/);
    await scene.signOther(arm64, signer, ['legacy']);
    assert.equal((await scene.decide(policy, { image })).outcome, 'trusted');
  });

  it('is asked of each that may run: without a platform, with an annotation, or in an index in the index', async () => {
    const signer = await newSigner();
    const annotations = { 'vnd.docker.reference.type': 'attestation-manifest' };
    const others = [
      ['', {}],
      ['linux/arm64', { annotations }],
      ['unknown/amd64', {}],
    ] as const;
    for (const [platform, more] of others) {
      const { scene, amd64, arm64 } = await multiArch();
      await scene.signOther(amd64, signer);
      const index = await scene.index([
        ['linux/amd64', amd64],
        [platform, arm64, more],
      ]);
      assert.equal((await scene.decide(policyOf([byKey(signer)]), { image: `${NAME}@${index}` })).outcome, 'refused');
    }
    const { scene, amd64, arm64 } = await multiArch();
    const inner = await scene.index([['linux/arm64', arm64]]);
    const outer = await scene.index([
      ['linux/amd64', amd64],
      ['unknown/unknown', inner, { mediaType: MediaType.imageIndex }],
    ]);
    await scene.signOther(amd64, signer);
    const image = `${NAME}@${outer}`;
    assert.equal((await scene.decide(policyOf([byKey(signer)]), { image })).outcome, 'refused');
    // on the inner index it counts for what that lists
    await scene.signOther(inner, signer);
    assert.equal((await scene.decide(policyOf([byKey(signer)]), { image })).outcome, 'trusted');
  });

  it('is undecided where one of them could not be asked', async () => {
    const { scene, index, amd64, arm64 } = await multiArch();
    const signer = await newSigner();
    await scene.signOther(amd64, signer);
    scene.failures.set(`referrers ${arm64}`, unreachable());
    const decision = await scene.decide(policyOf([byKey(signer)]), { image: `${NAME}@${index}` });
    assert.deepEqual(summary(decision), [
      'undecided unknown',
      'linux/amd64 trusted met',
      'linux/arm64 undecided unknown',
    ]);
    assert.equal(decision.cause?.code, 'unreachable');
  });

  it('is undecided where the index itself cannot be read', async () => {
    const { scene, index } = await multiArch();
    scene.failures.set(`manifest ${index}`, unreachable());
    const decision = await scene.decide(policyOf([byKey(await newSigner())]), { image: `${NAME}@${index}` });
    assert.equal(decision.outcome, 'undecided');
  });

  it('is judged by the policy over what the authorities found, for each', async () => {
    const { scene, index, amd64, arm64 } = await multiArch();
    const [one, two] = [await newSigner(), await newSigner()];
    await scene.signOther(index, one);
    for (const digest of [amd64, arm64]) await scene.signOther(digest, two);
    const data = 'has(authorityMatches.one) && has(authorityMatches.two)';
    const policy = policyOf([byKey(one, { name: 'one' }), byKey(two, { name: 'two' })], {
      policy: { type: 'cel', data },
    });
    assert.equal((await scene.decide(policy, { image: `${NAME}@${index}` })).outcome, 'trusted');
  });
});

/** A repository that has these bytes for an index, whatever its digest. */
function serving(repository: Repository, index: Digest, bytes: Uint8Array): Repository {
  const descriptor = { mediaType: MediaType.imageIndex, digest: index, size: bytes.byteLength };
  return new Proxy(repository, {
    get(target, name) {
      const member: unknown = Reflect.get(target, name);
      if (name === 'manifest')
        return async (wanted: string) => (wanted === index ? { bytes, descriptor } : target.manifest(wanted));
      return typeof member === 'function' ? member.bind(target) : member;
    },
  });
}

describe('a hostile index', () => {
  const refusing = async (scene: Scene, index: Digest): Promise<Decision> =>
    scene.decide(policyOf([byKey(await newSigner())]), { image: `${NAME}@${index}` });

  it('of nothing that can be run does not pass', async () => {
    const { scene, amd64 } = await multiArch();
    const decision = await refusing(scene, await scene.index([['unknown/unknown', amd64]]));
    assert.equal(decision.outcome, 'refused');
    assert.match(decision.message, /no platform that can be run/);
    assert.equal((await refusing(scene, await scene.index([]))).outcome, 'refused');
  });

  it('of a thousand platforms, or nested without an end, is undecided after few requests', async () => {
    const { scene, amd64 } = await multiArch();
    const digests = Array.from({ length: 1000 }, (_, at) => digestOf(Buffer.from(`${at}`)));
    const wide = await refusing(scene, await scene.index(digests.map((digest) => ['linux/amd64', digest])));
    assert.deepEqual([wide.outcome, wide.cause?.code], ['undecided', 'too-large']);
    assert.ok(scene.calls.length < 10);
    let deep = await scene.index([['linux/amd64', amd64]]);
    for (let at = 0; at < 30; at++) deep = await scene.index([['', deep, { mediaType: MediaType.imageIndex }]]);
    const nested = await refusing(scene, deep);
    assert.deepEqual([nested.outcome, nested.cause?.code], ['undecided', 'too-large']);
    assert.ok(scene.calls.length < 20);
  });

  it('that lists one image here and another for who pulls it does not pass', async () => {
    const { scene, amd64, arm64 } = await multiArch();
    const signer = await newSigner();
    await scene.signOther(amd64, signer);
    const entry = (digest: Digest, os = 'linux', more = ''): string =>
      `{"mediaType":"${MediaType.imageManifest}","digest":"${digest}","size":2,"platform":{"os":"${os}","architecture":"${os === 'unknown' ? os : 'amd64'}"${more}}`;
    const good = `${entry(amd64)}}`;
    // what Go's decoder makes of each is the image that nobody has signed
    const indexes = [
      `"manifests":[${good}],"Manifests":[${entry(arm64)}}]`,
      `"manifests":[${good}],"manifest\u017f":[${entry(arm64)}}]`,
      `"manifests":[${entry(amd64)},"DIGEST":"${arm64}"}]`,
      `"manifests":[${good},${entry(arm64, 'unknown')},"Platform":{"os":"linux","architecture":"amd64"}}]`,
      `"manifests":[${good},${entry(arm64, 'unknown', ',"OS":"linux","Architecture":"amd64"')}}]`,
      // and what a decoder makes of it that takes the first
      `"manifests":[${entry(arm64)}}],"manifests":[${good}]`,
    ];
    for (const members of indexes) {
      const bytes = new TextEncoder().encode(`{"schemaVersion":2,"mediaType":"${MediaType.imageIndex}",${members}}`);
      const index = digestOf(bytes);
      const repository = serving(await scene.open(NAME), index, bytes);
      const decision = await scene.decide(policyOf([byKey(signer)]), { image: `${NAME}@${index}`, repository });
      assert.equal(decision.outcome, 'refused', members);
    }
  });

  it('that the registry calls an image does not pass for one', async () => {
    const { scene, amd64, arm64, index } = await multiArch();
    const signer = await newSigner();
    for (const digest of [amd64, arm64]) await scene.signOther(digest, signer);
    const repository = await scene.open(NAME);
    const lying = new Proxy(repository, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name);
        if (name === 'resolve') return async () => ({ mediaType: MediaType.imageManifest, digest: index, size: 2 });
        return typeof member === 'function' ? member.bind(target) : member;
      },
    });
    const policy = policyOf([byKey(signer)]);
    assert.equal((await scene.decide(policy, { image: `${NAME}:multi`, repository })).outcome, 'trusted');
    assert.equal((await scene.decide(policy, { image: `${NAME}:multi`, repository: lying })).outcome, 'refused');
    const hinted = { image: `${NAME}@${index}`, onePlatform: true };
    assert.equal((await scene.decide(policy, hinted)).outcome, 'refused');
    // and nobody is shown the configuration of one platform for that of all
    const looking = policyOf([{ static: { action: 'pass' } }], {
      policy: { type: 'cel', data: 'true', fetchConfigFile: true },
    });
    const looked = await scene.decide(looking, { image: `${NAME}:multi`, repository: lying });
    assert.equal(looked.outcome, 'undecided');
  });

  it('that lists itself is read once', async () => {
    const { scene, amd64, index } = await multiArch();
    const signer = await newSigner();
    await scene.signOther(amd64, signer);
    const repository = await scene.open(NAME);
    const cyclic = new TextEncoder().encode(
      JSON.stringify({
        schemaVersion: 2,
        manifests: [
          { mediaType: MediaType.imageIndex, digest: index, size: 2 },
          {
            mediaType: MediaType.imageManifest,
            digest: amd64,
            size: 2,
            platform: { os: 'linux', architecture: 'amd64' },
          },
        ],
      }),
    );
    // no digest can be in what it is of: only a repository that lies has such a thing
    const lying = serving(repository, index, cyclic);
    const decision = await scene.decide(policyOf([byKey(signer)]), { image: `${NAME}@${index}`, repository: lying });
    assert.deepEqual(summary(decision), ['trusted met', 'linux/amd64 trusted met']);
  });
});
