// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mintStackToken } from '../src/up/index.ts';
import type { Ground } from './ground.ts';
import { EXTRA_RUNS, pairedRuns, type Contestant, type Timing } from './paired-runs.ts';
import type { Table } from './report.ts';

/** The start of the program against the start of the bare runtime, and against cosign. */
export function versionBench(ground: Ground, rounds: number): readonly Table[] {
  const empty = join(ground.folder, 'empty.mjs');
  writeFileSync(empty, '');
  const bare = contestant(ground, 'node, an empty module', ground.node, () => [empty]);
  const script = contestant(
    ground,
    'bulla version, npm package',
    ground.node,
    () => [ground.script, 'version'],
    'at most 1.2',
  );
  const binary = contestant(ground, 'bulla version, binary', ground.binary, () => ['version'], 'at most 0.5');
  return [
    table('Start: the npm package on its runtime', [bare, script], rounds),
    ...againstCosign(ground, 'Start', 'cosign version', () => ['version'], [withoutGoal(script), binary], rounds),
  ];
}

/** Verifying one image by digest with a key, against a registry on loopback. */
export async function verifyBench(ground: Ground, rounds: number): Promise<readonly Table[]> {
  const image = await sealedImage(ground);
  const key = join(ground.folder, 'cosign.pub');
  const ours = (): readonly string[] => ['verify', '--key', key, image];
  const theirs = (): readonly string[] => ['verify', '--key', key, '--insecure-ignore-tlog', image];
  return againstCosign(
    ground,
    'Verify by key and digest, one seal',
    'cosign verify',
    theirs,
    [
      contestant(
        ground,
        'bulla verify, npm package',
        ground.node,
        () => [ground.script, ...ours()],
        'at most 1.7, less memory',
      ),
      contestant(ground, 'bulla verify, binary', ground.binary, ours, 'at most 0.5, memory 0.8'),
    ],
    rounds,
  );
}

/** Sealing one image by digest. Each run has an image of its own, since a seal makes the next one's listing longer. */
export async function signBench(ground: Ground, rounds: number): Promise<readonly Table[]> {
  const host = await ground.registry('sign');
  const key = join(ground.folder, 'cosign.key');
  const plain = join(ground.folder, 'plain.pem');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  writeFileSync(plain, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  makeKeys(ground);
  const runs = rounds + EXTRA_RUNS;
  const ours = (from: string, of: string): ((round: number) => readonly string[]) => {
    const images = packedImages(ground, `${host}/${of}`, runs);
    return (round) => ['sign', '--yes', '--key', from, images[round] ?? of];
  };
  const throughNpm = ours(key, 'npm');
  const cosigned = packedImages(ground, `${host}/cosign`, runs);
  const offline = ['--use-signing-config=false', '--tlog-upload=false'];
  const theirs = (round: number): readonly string[] => [
    'sign',
    '--yes',
    ...offline,
    '--key',
    key,
    cosigned[round] ?? 'none',
  ];
  return againstCosign(
    ground,
    'Sign by key and digest (cosign has encrypted keys only)',
    'cosign sign',
    theirs,
    [
      contestant(ground, 'bulla sign, npm package', ground.node, (round) => [ground.script, ...throughNpm(round)]),
      contestant(ground, 'bulla sign, binary', ground.binary, ours(key, 'binary'), 'at most 0.9'),
      contestant(ground, 'bulla sign, binary, plain key', ground.binary, ours(plain, 'plain'), 'at most 0.3'),
    ],
    rounds,
  );
}

/** Sealing one image by digest by an identity, each run with a token of its own: certificate, log entry and timestamp of a `bulla up` on loopback. */
export async function signKeylessBench(ground: Ground, rounds: number): Promise<readonly Table[]> {
  const stack = await ground.stack('stack');
  const runs = rounds + EXTRA_RUNS;
  const services = ['--signing-config', stack.signingConfig, '--trusted-root', stack.trustedRoot];
  const sealing = async (of: string): Promise<(round: number) => readonly string[]> => {
    const images = packedImages(ground, `${new URL(stack.registry).host}/${of}`, runs);
    const tokens = await Promise.all(images.map(() => newToken(stack.data)));
    return (round) => ['sign', '--yes', ...services, '--identity-token', tokens[round] ?? of, images[round] ?? of];
  };
  const [theirs, throughNpm, byBinary] = [await sealing('cosign'), await sealing('npm'), await sealing('binary')];
  return againstCosign(
    ground,
    'Sign by an identity, with a stack on the same machine',
    'cosign sign',
    theirs,
    [
      contestant(
        ground,
        'bulla sign, npm package',
        ground.node,
        (round) => [ground.script, ...throughNpm(round)],
        'at most 0.5',
      ),
      contestant(ground, 'bulla sign, binary', ground.binary, byBinary, 'at most 0.5'),
    ],
    rounds,
  );
}

async function newToken(data: string): Promise<string> {
  const subject = 'https://ci.example/team/app/release.yml@refs/heads/main';
  const lifetimeMs = 24 * 60 * 60 * 1000;
  return await mintStackToken({ data, subject, audience: 'sigstore', claims: {}, lifetimeMs, now: new Date() });
}

/** An image in a registry of its own, sealed once in the bundle format. @returns its reference by digest */
async function sealedImage(ground: Ground): Promise<string> {
  const host = await ground.registry('verify');
  const name = `${host}/bench/verified`;
  makeKeys(ground);
  const image = `${name}@${packedDigest(ground, `${name}:1`)}`;
  ground.bulla('sign', '--key', 'cosign.key', image);
  return image;
}

function makeKeys(ground: Ground): void {
  const prefix = join(ground.folder, 'cosign');
  ground.bulla('generate-key-pair', '--yes', '--output-key-prefix', prefix);
}

function packedImages(ground: Ground, repository: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => {
    const name = `${repository}/${index}`;
    return `${name}@${packedDigest(ground, `${name}:1`)}`;
  });
}

function packedDigest(ground: Ground, reference: string): string {
  const out = ground.bulla('image', 'pack', ground.service('packed'), reference);
  const digest = /sha256:[0-9a-f]{64}/.exec(out)?.[0];
  if (digest === undefined) throw new Error(`bulla image pack printed no digest: ${out}`);
  return digest;
}

function contestant(
  ground: Ground,
  name: string,
  program: string,
  args: Contestant['args'],
  goal?: string,
): Contestant {
  return { name, program, args, env: ground.env, ...(goal === undefined ? {} : { goal }) };
}

function withoutGoal({ name, program, args, env }: Contestant): Contestant {
  return { name, program, args, env };
}

/** A table with cosign as its first row; without cosign the first of ours takes that place, and the table says so. */
function againstCosign(
  ground: Ground,
  title: string,
  name: string,
  args: Contestant['args'],
  ours: readonly Contestant[],
  rounds: number,
): readonly Table[] {
  if (ground.cosign === undefined) {
    const found = table(title, ours.map(withoutGoal), rounds);
    return [
      {
        ...found,
        notes: [...found.notes, 'cosign 3 was not found, so nothing is compared: test/tools/peers installs it.'],
      },
    ];
  }
  return [table(`${title}, beside cosign 3`, [contestant(ground, name, ground.cosign, args), ...ours], rounds)];
}

function table(title: string, contestants: readonly Contestant[], rounds: number): Table {
  const timings = pairedRuns(contestants, rounds);
  const notes = timings.some(({ peak }) => peak === undefined)
    ? ['Memory was not measured: the program `time` is missing.']
    : [];
  return { title, columns: ['ms', 'peak MiB'], rows: timings.map(rowOf), notes };
}

function rowOf({ name, wall, ratio, peak, goal }: Timing): Table['rows'][number] {
  return { name, values: [wall, peak], ratio, goal };
}
