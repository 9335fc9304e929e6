// SPDX-License-Identifier: Apache-2.0
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRemoteRepository, packImage, pushImage, type Digest, type Repository } from '../../oci/index.ts';
import {
  encodePublicKey,
  encryptPrivateKey,
  generatePrivateKey,
  keySigner,
  type PublicKey,
  type Signer,
} from '../../trust/index.ts';
import { startStack, type StackEndpoints, type StackTokenRequest } from '../../up/index.ts';
import { CliError } from '../cli-error.ts';
import { fileTrouble, systemCode } from '../file/file-trouble.ts';

/** Tags are written once, except where somebody says otherwise: the playground stands for registries that let tags move. */
export const WRITE_ONCE = '**:*';
const MUTABLE = 'playground/**:*';
export const DEMO = { repository: 'platform/demo-api', tag: '2026.04.09' } as const;
/** An image that nobody seals. */
export const UNSEALED = { repository: 'platform/unsealed', tag: '1.0' } as const;
/** The files that go to a cluster, in the stage's folder. */
export const GATED = {
  policy: 'policies.yaml',
  sealed: 'deploy/demo-api.yaml',
  unsealed: 'drafts/unsealed.yaml',
  lock: 'bulla.lock',
} as const;
/** Protects the throw-away key on disk; printed, so that it can be used by hand. */
export const PASSWORD = 'quickstart';

/** Who holds a key. */
export interface KeyHolder {
  readonly publicKey: PublicKey;
  readonly signer: Signer;
}

/** What the play is played on: a folder, a signing stack with a registry, and repositories in it. */
export interface Scene {
  readonly folder: string;
  readonly endpoints: StackEndpoints;
  /** what its tokens are made with */
  readonly tokens: Pick<StackTokenRequest, 'data' | 'audience' | 'lifetimeMs'>;
  /** `HOST:PORT` */
  readonly host: string;
  repository(name: string): Repository;
  close(): Promise<void>;
}

/**
 * Opens the stage: a temporary folder with a signing stack and a registry on loopback.
 *
 * @param rules who gets a certificate, given the stack's own issuer
 * @throws CliError `file-unwritable` where there is no place for temporary folders
 */
export async function openScene(port: number, rules: (issuer: string) => string): Promise<Scene> {
  const folder = await temporaryFolder();
  try {
    const data = join(folder, 'stack');
    const stack = await startStack({
      data,
      listen: { host: '127.0.0.1', port },
      firstRules: rules,
      writeOnce: [WRITE_ONCE],
      mutable: [MUTABLE],
      onWarning: () => {},
    });
    const { endpoints } = stack;
    const host = new URL(endpoints.registry).host;
    return {
      folder,
      endpoints,
      tokens: { data, audience: 'sigstore', lifetimeMs: 10 * 60_000 },
      host,
      repository: (name) => openRemoteRepository({ registry: host, repository: name }, {}),
      async close() {
        await stack.close();
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

async function temporaryFolder(): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), 'bulla-quickstart-'));
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw new CliError('file-unwritable', `cannot make a folder in ${tmpdir()}: ${fileTrouble(error)}`, {
      hint: 'TMPDIR names a place for temporary folders',
      cause: error,
    });
  }
}

/** Packs a tiny service that says `greeting` and pushes it. */
export async function pushService(
  scene: Scene,
  repository: Repository,
  tag: string,
  greeting: string,
): Promise<Digest> {
  const service = join(scene.folder, 'service');
  await rm(service, { recursive: true, force: true });
  await mkdir(service);
  await writeFile(join(service, 'server.sh'), `#!/bin/sh\necho '${greeting}'\n`, { mode: 0o755 });
  const packed = await packImage(service, { entrypoint: ['/server.sh'] });
  try {
    return (await pushImage(repository, packed, { tag })).descriptor.digest;
  } finally {
    await packed.close();
  }
}

/** A new key, in memory. */
export async function newKey(): Promise<KeyHolder> {
  const key = await generatePrivateKey('ecdsa-p256');
  return { publicKey: key.publicKey, signer: keySigner(key) };
}

/** A new key that is kept in the stage's folder as `cosign.key` and `cosign.pub`. */
export async function newKeyPair(scene: Scene): Promise<KeyHolder> {
  const key = await generatePrivateKey('ecdsa-p256');
  await writeFile(join(scene.folder, 'cosign.key'), await encryptPrivateKey(key, Buffer.from(PASSWORD)), {
    mode: 0o600,
  });
  await writeFile(join(scene.folder, 'cosign.pub'), encodePublicKey(key.publicKey));
  return { publicKey: key.publicKey, signer: keySigner(key) };
}
