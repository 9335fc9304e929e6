// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { interop, type ClientRun } from './clients.ts';
import { BULLA, KEY_KINDS, keyFile, Lab, pushImages, SINGLE } from './lab.ts';

// Key pairs are shared: whichever program made one, all of them seal with it, and each verifies what the others sealed.

const lab = new Lab();
after(() => lab.close());
let registry: ReturnType<Lab['serveBulla']> | undefined;

const COSIGN_2 = ['--tlog-upload=false', '--yes'];
const COSIGN_3 = [...COSIGN_2, '--use-signing-config=false'];

/** A program that seals with a key file and verifies with its public half. */
interface Party {
  readonly name: string;
  sign(key: string, image: string): Promise<ClientRun>;
  verify(key: string, image: string): Promise<ClientRun>;
}

function parties(two: string, three: string): readonly Party[] {
  const cosignVerify = (program: string) => (key: string, image: string) =>
    lab.run(program, ['verify', '--key', key, '--insecure-ignore-tlog', image]);
  return [
    {
      name: 'bulla',
      sign: (key, image) => lab.bulla(['sign', '--format', 'both', '--key', key, image]),
      verify: (key, image) => lab.bulla(['verify', '--key', key, image]),
    },
    {
      name: 'cosign-2',
      sign: (key, image) => lab.run(two, ['sign', ...COSIGN_2, '--key', key, image]),
      verify: cosignVerify(two),
    },
    {
      name: 'cosign-3',
      sign: (key, image) => lab.run(three, ['sign', ...COSIGN_3, '--key', key, image]),
      verify: cosignVerify(three),
    },
  ];
}

for (const maker of ['bulla', 'cosign-2', 'cosign-3'] as const) {
  interop(
    `everyone seals with a pair that ${maker} made, and everyone verifies`,
    ['cosign-2', 'cosign-3'],
    async ([two, three]) => {
      const home = lab.folder();
      const program = { bulla: BULLA, 'cosign-2': two, 'cosign-3': three }[maker];
      const made = await lab.run(program, ['generate-key-pair'], { home });
      assert.equal(made.code, 0, made.stderr);
      const [key, publicKey] = [join(home, 'cosign.key'), join(home, 'cosign.pub')];
      const served = await (registry ??= lab.serveBulla());
      const all = parties(two, three);
      for (const signer of all) {
        const image = `${await pushImages(served, `made/by-${maker}/${signer.name}`)}@${SINGLE}`;
        const sealed = await signer.sign(key, image);
        assert.equal(sealed.code, 0, `${signer.name} seals: ${sealed.stderr}`);
        // cosign 2 does not know bundles
        const readers = all.filter(({ name }) => name !== 'cosign-2' || signer.name !== 'cosign-3');
        for (const reader of readers) {
          const run = await reader.verify(publicKey, image);
          assert.equal(run.code, 0, `${reader.name} verifies what ${signer.name} sealed: ${run.stderr}`);
        }
      }
    },
  );
}

for (const kind of KEY_KINDS) {
  interop(`cosign 2 seals with a ${kind} key that bulla imported`, ['cosign-2'], async ([two]) => {
    const home = lab.folder();
    copyFileSync(keyFile(`${kind}.pem`), join(home, 'in.pem'));
    const imported = await lab.bulla(['import-key-pair', '--key', 'in.pem', '--output-key-prefix', 'out'], { home });
    assert.equal(imported.code, 0, imported.stderr);
    // the same as cosign imported
    assert.equal(readFileSync(join(home, 'out.pub'), 'utf8'), readFileSync(keyFile(`imp-${kind}.pub`), 'utf8'));
    const served = await (registry ??= lab.serveBulla());
    const image = `${await pushImages(served, `imported/${kind}`)}@${SINGLE}`;
    const sealed = await lab.run(two, ['sign', ...COSIGN_2, '--key', 'out.key', image], { home });
    assert.equal(sealed.code, 0, sealed.stderr);
    const verified = await lab.bulla(['verify', '--key', 'out.pub', image], { home });
    assert.equal(verified.code, 0, verified.stderr);
  });
}

interop('a key in the environment is the same to everyone', ['cosign-2', 'cosign-3'], async ([two, three]) => {
  const env = { SEAL: readFileSync(keyFile('cosign.key'), 'utf8') };
  for (const program of [BULLA, two, three]) {
    const run = await lab.run(program, ['public-key', '--key', 'env://SEAL'], { env });
    assert.equal(run.stdout, readFileSync(keyFile('cosign.pub'), 'utf8'), run.stderr);
  }
});
