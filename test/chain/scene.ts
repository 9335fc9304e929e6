// SPDX-License-Identifier: Apache-2.0
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { signImage, type SignImageOptions } from '../../src/image/index.ts';
import { bytesBlob, digestOf, MediaType, type Descriptor, type Repository } from '../../src/oci/index.ts';
import { serveRegistry, type RunningRegistry } from '../../src/registry/index.ts';
import { decodePrivateKey, keySigner, type Signer } from '../../src/trust/index.ts';

/** Where the images of the tests lie. */
export const REPOSITORY = 'platform/demo-api';
/** The tag of the image that is there. */
export const TAG = '2026.04.09';

/** A pair of PEM files, the private one without a password, and what signs with it. */
export interface KeyPair {
  readonly privateKey: string;
  readonly publicKey: string;
  readonly signer: Signer;
}

/** Makes a key pair. */
export async function newKeys(): Promise<KeyPair> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  return { privateKey, publicKey, signer: keySigner(await decodePrivateKey(Buffer.from(privateKey), { what: 'key' })) };
}

/** A registry of ours in this process. */
export interface Scene extends AsyncDisposable {
  readonly registry: RunningRegistry;
  /** without a slash at the end */
  readonly origin: string;
  /** Writes an image that differs by its content. */
  image(content: string, tag?: string, path?: string): Promise<Descriptor>;
  /** Seals an image. */
  seal(image: Descriptor, signer: Signer, more?: Partial<SignImageOptions>, path?: string): Promise<void>;
  repository(path?: string): Repository;
}

/** Starts a registry in a temporary folder. */
export async function openScene(): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), 'bulla-scene-'));
  const registry = await serveRegistry({ data: folder, port: 0 });
  const repository = (path = REPOSITORY): Repository => registry.repository(path);
  return {
    registry,
    origin: registry.url,
    repository,
    image: (content, tag, path) => writeImage(repository(path), content, tag),
    async seal(image, signer, more = {}, path) {
      await signImage(repository(path), image.digest, { signer, now: new Date(), ...more });
    },
    async [Symbol.asyncDispose]() {
      await registry.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Writes an image of one layer. */
export async function writeImage(repository: Repository, content: string, tag?: string): Promise<Descriptor> {
  const config = json({ architecture: 'amd64', os: 'linux', rootfs: { type: 'layers', diff_ids: [] } });
  const layer = Buffer.from(content);
  await repository.putBlob(bytesBlob(config));
  await repository.putBlob(bytesBlob(layer));
  const manifest = json({
    schemaVersion: 2,
    mediaType: MediaType.imageManifest,
    config: { ...describe(config), mediaType: MediaType.imageConfig },
    layers: [{ ...describe(layer), mediaType: MediaType.imageLayer }],
  });
  const options = tag === undefined ? {} : { tag };
  return (await repository.putManifest(manifest, MediaType.imageManifest, options)).descriptor;
}

/** JSON as bytes. */
export function json(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** Digest and size. */
export function describe(bytes: Uint8Array): { readonly digest: Descriptor['digest']; readonly size: number } {
  return { digest: digestOf(bytes), size: bytes.byteLength };
}
