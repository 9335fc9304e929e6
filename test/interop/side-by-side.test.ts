// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, describe } from 'node:test';
import { attachedTag } from '../../src/image/index.ts';
import { decodeManifest, fallbackTag } from '../../src/oci/index.ts';
import { getManifest } from '../golden/stage.ts';
import { interop } from './clients.ts';
import { bothKinds, keyFile, Lab, pushImages, SINGLE, type LabRegistry } from './lab.ts';

// Seals of several programs lie beside each other on one image: each adds its own and nobody's is lost.

const lab = new Lab();
after(() => lab.close());

const COSIGN_2 = ['--tlog-upload=false', '--yes'];
const COSIGN_3 = [...COSIGN_2, '--use-signing-config=false'];
const SIGNERS = ['cosign', 'wrong', 'imp-p256', 'imp-rsa2048'] as const;

/** Each key of these must verify, by each program. */
async function everySealHolds(
  image: string,
  keys: readonly string[],
  programs: Readonly<Record<string, readonly string[]>>,
): Promise<void> {
  for (const key of keys) {
    const ours = await lab.bulla(['verify', '--key', keyFile(`${key}.pub`), image]);
    assert.equal(ours.code, 0, `bulla, ${key}: ${ours.stderr}`);
    for (const [program, flags] of Object.entries(programs)) {
      const args = ['verify', '--key', keyFile(`${key}.pub`), '--insecure-ignore-tlog', ...flags, image];
      const theirs = await lab.run(program, args);
      assert.equal(theirs.code, 0, `${program} ${flags.join(' ')}, ${key}: ${theirs.stderr}`);
    }
  }
}

/** How many entries or layers lie under a tag. */
async function countUnder(registry: LabRegistry, path: string, tag: string): Promise<number> {
  const bytes = await getManifest(registry.origin, path, tag);
  if (bytes === undefined) return 0;
  const manifest = decodeManifest(bytes);
  return manifest.kind === 'image' ? manifest.layers.length : manifest.manifests.length;
}

for (const [where, open] of Object.entries(bothKinds(lab))) {
  describe(`on ${where}`, () => {
    interop(
      'cosign 2, cosign 3 and bulla append to one .sig manifest in turn',
      ['cosign-2', 'cosign-3', 'docker-registry'],
      async ([two, three]) => {
        const registry = await open();
        const image = `${await pushImages(registry, 'turns/legacy')}@${SINGLE}`;
        const [first, second, third, fourth] = SIGNERS;
        for (const made of [
          await lab.bulla(['sign', '--format', 'legacy', '--key', keyFile(`${first}.key`), image]),
          await lab.run(two, ['sign', ...COSIGN_2, '--key', keyFile(`${second}.key`), image]),
          await lab.bulla(['sign', '--format', 'legacy', '--key', keyFile(`${third}.key`), image]),
          await lab.run(three, [
            'sign',
            ...COSIGN_3,
            '--new-bundle-format=false',
            '--key',
            keyFile(`${fourth}.key`),
            image,
          ]),
        ]) {
          assert.equal(made.code, 0, made.stderr);
        }
        assert.equal(await countUnder(registry, 'turns/legacy', attachedTag(SINGLE, 'signature')), 4);
        await everySealHolds(image, SIGNERS, { [two]: [], [three]: ['--new-bundle-format=false'] });
      },
    );

    interop(
      'whoever seals again with the same key adds nothing to a .sig manifest',
      ['cosign-2', 'docker-registry'],
      async ([two]) => {
        const registry = await open();
        const image = `${await pushImages(registry, 'turns/again')}@${SINGLE}`;
        const tag = attachedTag(SINGLE, 'signature');
        const ours = ['sign', '--format', 'legacy', '--key', keyFile('cosign.key'), image];
        const theirs = ['sign', ...COSIGN_2, '--key', keyFile('cosign.key'), image];
        for (const [program, args] of [
          ['bulla', ours],
          [two, theirs],
          ['bulla', ours],
          [two, theirs],
        ] as const) {
          const made = program === 'bulla' ? await lab.bulla(args) : await lab.run(program, args);
          assert.equal(made.code, 0, made.stderr);
          assert.equal(await countUnder(registry, 'turns/again', tag), 1);
        }
      },
    );

    interop('cosign 3 and bulla list their bundles side by side', ['cosign-3', 'docker-registry'], async ([three]) => {
      const registry = await open();
      const image = `${await pushImages(registry, 'turns/bundle')}@${SINGLE}`;
      const [first, second, third, fourth] = SIGNERS;
      for (const made of [
        await lab.bulla(['sign', '--key', keyFile(`${first}.key`), image]),
        await lab.run(three, ['sign', ...COSIGN_3, '--key', keyFile(`${second}.key`), image]),
        await lab.bulla(['sign', '--key', keyFile(`${third}.key`), image]),
        await lab.run(three, ['sign', ...COSIGN_3, '--key', keyFile(`${fourth}.key`), image]),
      ]) {
        assert.equal(made.code, 0, made.stderr);
      }
      if (where !== 'our registry') assert.equal(await countUnder(registry, 'turns/bundle', fallbackTag(SINGLE)), 4);
      await everySealHolds(image, SIGNERS, { [three]: [] });
      const tree = await lab.bulla(['tree', image]);
      assert.equal(tree.stdout.match(/artifacts via OCI referrer/g)?.length, 4, tree.stdout);
    });

    interop(
      "a stranger's bundle hides no legacy seal from bulla, as it does from cosign 3",
      ['cosign-2', 'cosign-3', 'docker-registry'],
      async ([two, three]) => {
        const image = `${await pushImages(await open(), 'turns/stranger')}@${SINGLE}`;
        const verify = ['verify', '--key', keyFile('cosign.pub')];
        assert.equal((await lab.run(two, ['sign', ...COSIGN_2, '--key', keyFile('cosign.key'), image])).code, 0);
        assert.equal((await lab.run(three, [...verify, '--insecure-ignore-tlog', image])).code, 0);
        assert.equal((await lab.run(three, ['sign', ...COSIGN_3, '--key', keyFile('wrong.key'), image])).code, 0);
        assert.equal((await lab.run(three, [...verify, '--insecure-ignore-tlog', image])).code, 1);
        const ours = await lab.bulla([...verify, image]);
        assert.equal(ours.code, 0, ours.stderr);
      },
    );
  });
}

interop(
  'of cosigns that append at the same moment to our registry, none that was told yes is lost',
  ['cosign-2'],
  async ([two]) => {
    const registry = await lab.serveBulla();
    const image = `${await pushImages(registry, 'at/once')}@${SINGLE}`;
    const keys = [...SIGNERS, 'imp-rsa3072'];
    const runs = await Promise.all(
      keys.map((key) => lab.run(two, ['sign', ...COSIGN_2, '--key', keyFile(`${key}.key`), image])),
    );
    const accepted = keys.filter((_, at) => runs[at]?.code === 0);
    assert.ok(accepted.length > 0, runs.map(({ stderr }) => stderr).join());
    for (const [at, run] of runs.entries()) {
      if (run.code !== 0) assert.match(run.stderr, /DENIED/, `${keys[at]}: ${run.stderr}`);
    }
    await everySealHolds(image, accepted, { [two]: [] });
  },
);

interop(
  'of bullas and cosigns that seal at the same moment in our registry, every bulla succeeds',
  ['cosign-2', 'cosign-3'],
  async ([two, three]) => {
    const registry = await lab.serveBulla();
    const image = `${await pushImages(registry, 'at/once')}@${SINGLE}`;
    const [first, second, third, fourth] = SIGNERS;
    const [one, another, old, young] = await Promise.all([
      lab.bulla(['sign', '--format', 'both', '--key', keyFile(`${first}.key`), image]),
      lab.bulla(['sign', '--format', 'both', '--key', keyFile(`${second}.key`), image]),
      lab.run(two, ['sign', ...COSIGN_2, '--key', keyFile(`${third}.key`), image]),
      lab.run(three, ['sign', ...COSIGN_3, '--key', keyFile(`${fourth}.key`), image]),
    ]);
    assert.deepEqual([one.code, another.code, young.code], [0, 0, 0], one.stderr + another.stderr + young.stderr);
    await everySealHolds(image, [first, second], { [two]: [], [three]: [] });
    await everySealHolds(image, [fourth], { [three]: [] });
    if (old.code === 0) await everySealHolds(image, [third], { [two]: [] });
  },
);
