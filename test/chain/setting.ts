// SPDX-License-Identifier: Apache-2.0
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Descriptor } from '../../src/oci/index.ts';
import { runInProcess, type Ran } from '../golden/in-process.ts';
import { Machine } from './bulla.ts';
import { openFront, type FrontOptions, type RegistryFront } from './registry-front.ts';
import { newKeys, openScene, REPOSITORY, type KeyPair, type Scene } from './scene.ts';

/** A person's machine with a key pair (`cosign.pub`, `plain.key`), a registry, and a front before it. */
export interface Setting extends AsyncDisposable {
  readonly machine: Machine;
  readonly scene: Scene;
  readonly front: RegistryFront;
  readonly keys: KeyPair;
  /** An image's name, by digest, behind the front. */
  name(image: Descriptor): string;
  /** Carries out a command line in this process. */
  bulla(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ran>;
  /** `bulla verify` with the key, in this process. */
  verify(image: Descriptor, ...flags: readonly string[]): Promise<Ran>;
}

/** Opens a setting. */
export async function openSetting(options: FrontOptions = {}): Promise<Setting> {
  const machine = new Machine();
  const scene = await openScene();
  const front = await openFront(scene.origin, options);
  const keys = await newKeys();
  writeFileSync(join(machine.work, 'cosign.pub'), keys.publicKey);
  writeFileSync(join(machine.work, 'plain.key'), keys.privateKey);
  const name = (image: Descriptor): string => `${front.host}/${REPOSITORY}@${image.digest}`;
  const bulla: Setting['bulla'] = (args, env = {}) =>
    runInProcess(args, { cwd: machine.work, env: { ...machine.environment(), ...env } });
  return {
    machine,
    scene,
    front,
    keys,
    name,
    bulla,
    verify: (image, ...flags) => bulla(['verify', '--key', 'cosign.pub', ...flags, name(image)]),
    async [Symbol.asyncDispose]() {
      await front[Symbol.asyncDispose]();
      await scene[Symbol.asyncDispose]();
      machine[Symbol.dispose]();
    },
  };
}
