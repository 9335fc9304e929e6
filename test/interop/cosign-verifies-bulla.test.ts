// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, describe } from 'node:test';
import { interop, type ClientRun } from './clients.ts';
import { ARM64, bothKinds, elementsOf, KEY_KINDS, keyFile, Lab, MULTI, pushImages, SINGLE } from './lab.ts';

// What bulla seals, both real cosigns verify: on a registry with the referrers API (ours) and on one without (distribution 2.8).

const lab = new Lab();
after(() => lab.close());

/** `cosign verify --key`, without a log. */
async function cosignVerify(
  program: string,
  key: string,
  image: string,
  flags: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<ClientRun> {
  return await lab.run(program, ['verify', '--key', key, '--insecure-ignore-tlog', ...flags, image], { env });
}

/** cosign 3 looks at `.sig` tags when it is told to, or finds no bundle. */
const LEGACY = ['--new-bundle-format=false'];

async function seal(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<ClientRun> {
  const made = await lab.bulla(['sign', ...args], { env });
  assert.equal(made.code, 0, made.stderr);
  return made;
}

function verified(run: ClientRun, digest: string): void {
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(
    elementsOf(run).map(({ critical }) => critical.image['docker-manifest-digest']),
    [digest],
  );
}

for (const [where, open] of Object.entries(bothKinds(lab))) {
  const needs = ['cosign-2', 'cosign-3', 'docker-registry'] as const;

  describe(`on ${where}`, () => {
    for (const kind of KEY_KINDS) {
      interop(`cosign 2 and 3 verify what a ${kind} key sealed in both formats`, needs, async ([two, three]) => {
        const image = `${await pushImages(await open(), `k/${kind}`)}@${SINGLE}`;
        await seal(['--key', keyFile(`imp-${kind}.key`), '--format', 'both', image]);
        const key = keyFile(`imp-${kind}.pub`);
        verified(await cosignVerify(two, key, image), SINGLE);
        verified(await cosignVerify(three, key, image, LEGACY), SINGLE);
        verified(await cosignVerify(three, key, image), SINGLE);
      });
    }

    interop('cosign refuses what another key sealed', needs, async ([two, three]) => {
      const image = `${await pushImages(await open(), 'other/key')}@${SINGLE}`;
      await seal(['--key', keyFile('wrong.key'), '--format', 'both', image]);
      assert.equal((await cosignVerify(two, keyFile('cosign.pub'), image)).code, 12);
      assert.equal((await cosignVerify(three, keyFile('cosign.pub'), image)).code, 1);
      assert.equal((await cosignVerify(three, keyFile('wrong.pub'), image)).code, 0);
    });

    interop('cosign 3 finds a bundle, and cosign 2 none, where only a bundle was made', needs, async ([two, three]) => {
      const image = `${await pushImages(await open(), 'only/bundle')}@${SINGLE}`;
      await seal(['--key', keyFile('cosign.key'), image]);
      verified(await cosignVerify(three, keyFile('cosign.pub'), image), SINGLE);
      assert.equal((await cosignVerify(two, keyFile('cosign.pub'), image)).code, 10);
    });

    interop('cosign 2 and 3 read the annotations that bulla sealed along', needs, async ([two, three]) => {
      const image = `${await pushImages(await open(), 'with/annotations')}@${SINGLE}`;
      const pairs = { env: 'prod', build: '42', x: 'é<&>"\\ ' };
      const flags = Object.entries(pairs).flatMap(([key, value]) => ['-a', csv(`${key}=${value}`)]);
      await seal(['--key', keyFile('cosign.key'), '--format', 'both', ...flags, image]);
      for (const [program, extra] of [
        [two, []],
        [three, LEGACY],
        [three, []],
      ] as const) {
        const run = await cosignVerify(program, keyFile('cosign.pub'), image, [...extra, ...flags]);
        verified(run, SINGLE);
        assert.deepEqual(elementsOf(run)[0]?.optional, pairs);
        const other = await cosignVerify(program, keyFile('cosign.pub'), image, [...extra, '-a', 'env=dev']);
        assert.notEqual(other.code, 0, other.stdout);
      }
    });

    interop('cosign 2 and 3 verify by tag what bulla sealed by tag', needs, async ([two, three]) => {
      const image = `${await pushImages(await open(), 'by/tag')}:single`;
      const made = await seal(['--key', keyFile('cosign.key'), '--format', 'both', image]);
      assert.equal(made.stdout, `${image.replace(':single', '')}@${SINGLE}\n`);
      assert.match(made.stderr, /uses a tag, not a digest/);
      verified(await cosignVerify(two, keyFile('cosign.pub'), image), SINGLE);
      verified(await cosignVerify(three, keyFile('cosign.pub'), image), SINGLE);
    });

    interop('cosign 2 and 3 verify an index and each of its images after sign -r', needs, async ([two, three]) => {
      const repository = await pushImages(await open(), 'with/platforms');
      await seal(['--key', keyFile('cosign.key'), '--format', 'both', '-r', `${repository}@${MULTI}`]);
      for (const digest of [MULTI, SINGLE, ARM64]) {
        verified(await cosignVerify(two, keyFile('cosign.pub'), `${repository}@${digest}`), digest);
        verified(await cosignVerify(three, keyFile('cosign.pub'), `${repository}@${digest}`, LEGACY), digest);
        verified(await cosignVerify(three, keyFile('cosign.pub'), `${repository}@${digest}`), digest);
      }
    });

    interop('cosign 2 and 3 find the seals in COSIGN_REPOSITORY', needs, async ([two, three]) => {
      const registry = await open();
      const image = `${await pushImages(registry, 'with/elsewhere')}@${SINGLE}`;
      const env = { COSIGN_REPOSITORY: `${registry.host}/the/seals` };
      await seal(['--key', keyFile('cosign.key'), '--format', 'both', image], env);
      verified(await cosignVerify(two, keyFile('cosign.pub'), image, [], env), SINGLE);
      verified(await cosignVerify(three, keyFile('cosign.pub'), image, [], env), SINGLE);
      assert.equal((await cosignVerify(two, keyFile('cosign.pub'), image)).code, 10);
      assert.equal((await cosignVerify(three, keyFile('cosign.pub'), image)).code, 10);
    });

    interop(
      "cosign 2 and 3 verify under Docker's media types, a prefix and another name",
      needs,
      async ([two, three]) => {
        const image = `${await pushImages(await open(), 'with/variants')}@${SINGLE}`;
        const prefix = ['--attachment-tag-prefix', 'pre-'];
        const identity = ['--sign-container-identity', 'registry.example.com/platform/api'];
        const env = { COSIGN_DOCKER_MEDIA_TYPES: '1' };
        await seal(['--key', keyFile('cosign.key'), '--format', 'legacy', ...prefix, ...identity, image], env);
        for (const run of [
          await cosignVerify(two, keyFile('cosign.pub'), image, prefix),
          await cosignVerify(three, keyFile('cosign.pub'), image, [...LEGACY, ...prefix]),
        ]) {
          verified(run, SINGLE);
          assert.equal(elementsOf(run)[0]?.critical.identity['docker-reference'], 'registry.example.com/platform/api');
        }
      },
    );

    interop('cosign 3 draws the same tree as bulla', needs, async ([, three]) => {
      const image = `${await pushImages(await open(), 'with/tree')}@${SINGLE}`;
      await seal(['--key', keyFile('cosign.key'), '--format', 'both', image]);
      await seal(['--key', keyFile('wrong.key'), '--format', 'both', image]);
      const drawn = await lab.run(three, ['tree', image]);
      assert.equal(drawn.code, 0, drawn.stderr);
      const shown = await lab.bulla(['tree', image]);
      // cosign draws referrers in no order
      assert.deepEqual(shown.stdout.split(/^(?=└)/m).toSorted(), drawn.stdout.split(/^(?=└)/m).toSorted());
      const places = await Promise.all([lab.run(three, ['triangulate', image]), lab.bulla(['triangulate', image])]);
      assert.equal(places[1]?.stdout, places[0]?.stdout);
    });

    interop('oras discovers the bundle by its type', ['oras', 'docker-registry'], async ([oras]) => {
      const image = `${await pushImages(await open(), 'with/oras')}@${SINGLE}`;
      await seal(['--key', keyFile('cosign.key'), image]);
      const type = 'application/vnd.dev.sigstore.bundle.v0.3+json';
      const found = await lab.run(oras, [
        'discover',
        '--plain-http',
        '--format',
        'json',
        '--artifact-type',
        type,
        image,
      ]);
      assert.equal(found.code, 0, found.stderr);
      const { referrers = [] } = JSON.parse(found.stdout) as { referrers?: readonly Referrer[] };
      assert.equal(referrers.length, 1, found.stdout);
      assert.equal(referrers[0]?.artifactType, type);
      const predicate = 'dev.sigstore.bundle.predicateType';
      assert.equal(referrers[0].annotations?.[predicate], 'https://sigstore.dev/cosign/sign/v1');
    });
  });
}

interface Referrer {
  readonly artifactType: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A value for `-a`, which is read as CSV. */
function csv(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}
