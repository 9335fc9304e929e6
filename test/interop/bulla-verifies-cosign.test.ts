// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, describe } from 'node:test';
import { attachedTag } from '../../src/image/index.ts';
import { interop } from './clients.ts';
import { ARM64, bothKinds, KEY_KINDS, keyFile, Lab, MULTI, pushImages, SINGLE } from './lab.ts';

// What the real cosigns seal in every mode, bulla verifies: on a registry with the referrers API (ours) and on one without.

const lab = new Lab();
after(() => lab.close());

interface Mode {
  readonly program: 'cosign-2' | 'cosign-3';
  readonly flags: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly format: 'bundle' | 'legacy';
}

const TWO = ['--tlog-upload=false', '--yes'];
const THREE = [...TWO, '--use-signing-config=false'];
const OCI11 = ['--registry-referrers-mode', 'oci-1-1'];
const EXPERIMENTAL = { COSIGN_EXPERIMENTAL: '1' };
const DOCKER = { COSIGN_DOCKER_MEDIA_TYPES: '1' };

/** Every way in which the real cosigns write a signature with a key. */
const MODES: Readonly<Record<string, Mode>> = {
  'cosign 2': { program: 'cosign-2', flags: TWO, format: 'legacy' },
  'cosign 2, in a referrer': { program: 'cosign-2', flags: [...TWO, ...OCI11], env: EXPERIMENTAL, format: 'legacy' },
  "cosign 2, Docker's media types": { program: 'cosign-2', flags: TWO, env: DOCKER, format: 'legacy' },
  'cosign 2, another name': {
    program: 'cosign-2',
    flags: [...TWO, '--sign-container-identity', 'registry.example.com/platform/api'],
    format: 'legacy',
  },
  'cosign 2, with a time': { program: 'cosign-2', flags: [...TWO, '--record-creation-timestamp'], format: 'legacy' },
  'cosign 3': { program: 'cosign-3', flags: THREE, format: 'bundle' },
  'cosign 3, legacy': { program: 'cosign-3', flags: [...THREE, '--new-bundle-format=false'], format: 'legacy' },
  'cosign 3, legacy in a referrer': {
    program: 'cosign-3',
    flags: [...THREE, '--new-bundle-format=false', ...OCI11],
    env: EXPERIMENTAL,
    format: 'legacy',
  },
  "cosign 3, legacy with Docker's media types": {
    program: 'cosign-3',
    flags: [...THREE, '--new-bundle-format=false'],
    env: DOCKER,
    format: 'legacy',
  },
};

/** What `bulla verify --json` says of one image, as far as these tests look. */
interface SaidOfImage {
  readonly outcome: string;
  readonly digest: string;
  readonly seals: readonly { readonly format: string; readonly annotations: Readonly<Record<string, string>> }[];
}

/** `bulla verify` of one image, which must be trusted by one seal. @returns the seal's annotations */
async function trusted(
  args: readonly string[],
  digest: string,
  format: string,
  env = {},
): Promise<Readonly<Record<string, string>> | undefined> {
  const run = await lab.bulla(['verify', '--json', ...args], { env });
  assert.equal(run.code, 0, run.stderr);
  const [image, ...others] = (JSON.parse(run.stdout) as { readonly images: readonly SaidOfImage[] }).images;
  assert.deepEqual(others, []);
  assert.deepEqual([image?.outcome, image?.digest], ['trusted', digest]);
  const [seal, ...further] = image?.seals ?? [];
  assert.deepEqual([seal?.format, further], [format, []]);
  return seal?.annotations;
}

async function refused(args: readonly string[], code: number, env = {}): Promise<void> {
  const run = await lab.bulla(['verify', ...args], { env });
  assert.equal(run.code, code, run.stderr);
  assert.equal(run.stdout, '');
}

for (const [where, open] of Object.entries(bothKinds(lab))) {
  describe(`on ${where}`, () => {
    for (const [at, [name, { program, flags, env = {}, format }]] of Object.entries(MODES).entries()) {
      const needs = [program, 'docker-registry'] as const;

      interop(`bulla verifies what was sealed by ${name}`, needs, async ([cosign]) => {
        const image = `${await pushImages(await open(), `m${at}`)}@${SINGLE}`;
        const annotated = ['-a', 'env=prod', '-a', 'x=é<&>'];
        const made = await lab.run(cosign, ['sign', '--key', keyFile('cosign.key'), ...flags, ...annotated, image], {
          env,
        });
        assert.equal(made.code, 0, made.stderr);
        const annotations = await trusted(['--key', keyFile('cosign.pub'), ...annotated, image], SINGLE, format);
        assert.deepEqual(annotations, { env: 'prod', x: 'é<&>' });
        await refused(['--key', keyFile('wrong.pub'), image], 12);
        await refused(['--key', keyFile('cosign.pub'), '-a', 'env=dev', image], 12);
      });
    }

    for (const program of ['cosign-2', 'cosign-3'] as const) {
      const flags = program === 'cosign-2' ? TWO : THREE;
      const format = program === 'cosign-2' ? 'legacy' : 'bundle';

      for (const kind of KEY_KINDS) {
        interop(
          `bulla verifies what ${program} seals with a ${kind} key`,
          [program, 'docker-registry'],
          async ([cosign]) => {
            const image = `${await pushImages(await open(), `${program}/${kind}`)}@${SINGLE}`;
            const made = await lab.run(cosign, ['sign', '--key', keyFile(`imp-${kind}.key`), ...flags, image]);
            assert.equal(made.code, 0, made.stderr);
            await trusted(['--key', keyFile(`imp-${kind}.pub`), image], SINGLE, format);
            await refused(['--key', keyFile('cosign.pub'), image], 12);
          },
        );
      }

      interop(
        `bulla verifies what ${program} seals by tag, with -r`,
        [program, 'docker-registry'],
        async ([cosign]) => {
          const repository = await pushImages(await open(), `${program}/platforms`);
          const made = await lab.run(cosign, [
            'sign',
            '--key',
            keyFile('cosign.key'),
            ...flags,
            '-r',
            `${repository}:multi`,
          ]);
          assert.equal(made.code, 0, made.stderr);
          await trusted(['--key', keyFile('cosign.pub'), `${repository}:multi`], MULTI, format);
          for (const digest of [SINGLE, ARM64]) {
            await trusted(['--key', keyFile('cosign.pub'), `${repository}@${digest}`], digest, format);
          }
        },
      );

      interop(
        `bulla finds what ${program} put into COSIGN_REPOSITORY`,
        [program, 'docker-registry'],
        async ([cosign]) => {
          const registry = await open();
          const image = `${await pushImages(registry, `${program}/elsewhere`)}@${SINGLE}`;
          const env = { COSIGN_REPOSITORY: `${registry.host}/${program}/the/seals` };
          const made = await lab.run(cosign, ['sign', '--key', keyFile('cosign.key'), ...flags, image], { env });
          assert.equal(made.code, 0, made.stderr);
          await trusted(['--key', keyFile('cosign.pub'), image], SINGLE, format, env);
          await refused(['--key', keyFile('cosign.pub'), image], 10);
        },
      );
    }

    interop(
      'an attestation by cosign is not a signature',
      ['cosign-2', 'cosign-3', 'docker-registry'],
      async ([two, three]) => {
        const image = `${await pushImages(await open(), 'attested')}@${SINGLE}`;
        const predicate = ['--type', 'custom', '--predicate', keyFile('cosign.pub'), image];
        for (const [cosign, flags] of [
          [two, TWO],
          [three, THREE],
        ] as const) {
          const made = await lab.run(cosign, ['attest', '--key', keyFile('cosign.key'), ...flags, ...predicate]);
          assert.equal(made.code, 0, made.stderr);
        }
        await refused(['--key', keyFile('cosign.pub'), image], 10);
      },
    );

    interop(
      'bulla still finds the seal beside an image that cosign 2 copied',
      ['cosign-2', 'docker-registry'],
      async ([two]) => {
        // `cosign copy` leaves the image itself under the tag where an index of referrers would stand
        const repository = await pushImages(await open(), 'copied/from');
        const made = await lab.run(two, ['sign', '--key', keyFile('cosign.key'), ...TWO, `${repository}@${SINGLE}`]);
        assert.equal(made.code, 0, made.stderr);
        const target = repository.replace('copied/from', 'copied/to');
        const copied = await lab.run(two, ['copy', `${repository}:single`, `${target}:v1`]);
        assert.equal(copied.code, 0, copied.stderr);
        await trusted(['--key', keyFile('cosign.pub'), `${target}:v1`], SINGLE, 'legacy');
        await refused(['--key', keyFile('wrong.pub'), `${target}:v1`], 12);
        const sealed = await lab.bulla(['sign', '--key', keyFile('wrong.key'), `${target}@${SINGLE}`]);
        assert.equal(sealed.code, 0, sealed.stderr);
        await trusted(['--key', keyFile('wrong.pub'), `${target}:v1`], SINGLE, 'bundle');
      },
    );

    interop(
      "cosign's seal of another image is refused where somebody moved it to",
      ['cosign-2', 'crane', 'docker-registry'],
      async ([two, crane]) => {
        const repository = await pushImages(await open(), 'moved/seal');
        const made = await lab.run(two, ['sign', '--key', keyFile('cosign.key'), ...TWO, `${repository}@${SINGLE}`]);
        assert.equal(made.code, 0, made.stderr);
        const moved = attachedTag(ARM64, 'signature');
        const tagged = await lab.run(crane, ['tag', `${repository}:${attachedTag(SINGLE, 'signature')}`, moved]);
        assert.equal(tagged.code, 0, tagged.stderr);
        await refused(['--key', keyFile('cosign.pub'), `${repository}@${ARM64}`], 12);
        const cosign = ['verify', '--key', keyFile('cosign.pub'), '--insecure-ignore-tlog', `${repository}@${ARM64}`];
        assert.equal((await lab.run(two, cosign)).code, 12);
      },
    );

    interop(
      'bulla verifies what oras copied with all that refers to it, from either kind of registry to ours',
      ['cosign-3', 'oras', 'docker-registry'],
      async ([three, oras]) => {
        const repository = await pushImages(await open(), 'mirrored/app');
        const made = await lab.run(three, [
          'sign',
          '--key',
          keyFile('cosign.key'),
          ...THREE,
          `${repository}@${SINGLE}`,
        ]);
        assert.equal(made.code, 0, made.stderr);
        const mirror = `${(await lab.serveBulla()).host}/mirror/app`;
        const plain = ['--from-plain-http', '--to-plain-http'];
        const copied = await lab.run(oras, ['cp', '-r', ...plain, `${repository}@${SINGLE}`, `${mirror}:v1`]);
        assert.equal(copied.code, 0, copied.stderr);
        await trusted(['--key', keyFile('cosign.pub'), `${mirror}:v1`], SINGLE, 'bundle');
      },
    );
  });
}
