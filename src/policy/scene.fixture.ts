// SPDX-License-Identifier: Apache-2.0
import { attestImage, signImage } from '../image/index.ts';
import {
  bytesBlob,
  digestOf,
  MediaType,
  MemoryRepository,
  RegistryError,
  type Digest,
  type MemoryCall,
  type Repository,
} from '../oci/index.ts';
import {
  encodeBundle,
  encodeStatement,
  generatePrivateKey,
  keySigner,
  type Bundle,
  type Signer,
  type TrustedRoot,
} from '../trust/index.ts';
import type { Json } from '../wire/index.ts';
import { decide, loadPolicies, type Decision, type ImageContext, type PolicySurroundings } from './index.ts';

// An image in memory, the people who seal it, and policies about it.

const NOW: Date = new Date('2026-06-02T00:00:00Z');
export const NAME = 'registry.example.com/prod/app';
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

export class Scene {
  readonly repositories: Map<string, MemoryRepository> = new Map();
  readonly digest: Digest;
  /** every call to any repository */
  readonly calls: (MemoryCall & { readonly name: string })[] = [];
  /** what a call fails with, by method, or by method and target */
  readonly failures: Map<string, Error> = new Map();
  /** repositories that were opened */
  readonly opened: string[] = [];

  private constructor(digest: Digest) {
    this.digest = digest;
  }

  static async create(): Promise<Scene> {
    const config = utf8('{"architecture":"amd64","os":"linux"}');
    const descriptor = { mediaType: MediaType.imageConfig, size: config.byteLength, digest: digestOf(config) };
    const manifest = utf8(
      JSON.stringify({ schemaVersion: 2, mediaType: MediaType.imageManifest, config: descriptor, layers: [] }),
    );
    const scene = new Scene(digestOf(manifest));
    const repository = scene.at(NAME);
    await repository.putBlob(bytesBlob(config));
    await repository.putManifest(manifest, MediaType.imageManifest, { tag: 'v1' });
    return scene;
  }

  get repository(): MemoryRepository {
    return this.at(NAME);
  }

  at(name: string): MemoryRepository {
    const known = this.repositories.get(name);
    if (known !== undefined) return known;
    const repository = new MemoryRepository(name, {
      before: (call) => {
        this.calls.push({ ...call, name });
        const failure = this.failures.get(call.method) ?? this.failures.get(`${call.method} ${call.target}`);
        if (failure !== undefined) throw failure;
      },
    });
    this.repositories.set(name, repository);
    return repository;
  }

  readonly open = async (name: string): Promise<Repository> => {
    this.opened.push(name);
    return this.at(name);
  };

  async sign(
    signer: Signer,
    formats: readonly ('bundle' | 'legacy')[] = ['bundle'],
    evidence?: Repository,
  ): Promise<void> {
    const options = { signer, formats, now: NOW, ...(evidence === undefined ? {} : { evidence }) };
    await signImage(this.repository, this.digest, options);
  }

  async attest(
    signer: Signer,
    predicateType: string,
    predicate: Json,
    formats: readonly ('bundle' | 'legacy')[] = ['bundle'],
    digest: Digest = this.digest,
  ): Promise<void> {
    const content = { kind: 'predicate', predicateType, predicate } as const;
    await attestImage(this.repository, digest, content, { signer, formats, now: NOW });
  }

  /** Signs another manifest of the repository. */
  async signOther(
    digest: Digest,
    signer: Signer,
    formats: readonly ('bundle' | 'legacy')[] = ['bundle'],
  ): Promise<void> {
    await signImage(this.repository, digest, { signer, formats, now: NOW });
  }

  /** Another image in the repository, for one platform. */
  async image(name: string): Promise<Digest> {
    return this.configured(JSON.stringify({ name }));
  }

  /** The same with this configuration. */
  async configured(text: string): Promise<Digest> {
    const config = utf8(text);
    const descriptor = { mediaType: MediaType.imageConfig, size: config.byteLength, digest: digestOf(config) };
    await this.repository.putBlob(bytesBlob(config));
    return this.manifest(MediaType.imageManifest, { config: descriptor, layers: [] });
  }

  /** An index, by its digest; each entry is `os/architecture` or nothing, and what it names. */
  async index(
    entries: readonly (readonly [platform: string, digest: Digest, more?: object])[],
    tag?: string,
  ): Promise<Digest> {
    const manifests = entries.map(([platform, digest, more]) => {
      const [os, architecture] = platform.split('/');
      const named = platform === '' ? {} : { platform: { os, architecture } };
      return { mediaType: MediaType.imageManifest, digest, size: 2, ...named, ...more };
    });
    return this.manifest(MediaType.imageIndex, { manifests }, tag);
  }

  async manifest(mediaType: string, members: object, tag?: string): Promise<Digest> {
    const bytes = utf8(JSON.stringify({ schemaVersion: 2, mediaType, ...members }));
    await this.repository.putManifest(bytes, mediaType, tag === undefined ? {} : { tag });
    return digestOf(bytes);
  }

  /** Lays a bundle beside the image, whatever it says. */
  async lay(bundle: Bundle, repository: MemoryRepository = this.repository): Promise<void> {
    const type = 'application/vnd.dev.sigstore.bundle.v0.3+json';
    const layer = encodeBundle(bundle);
    await repository.putBlob(bytesBlob(utf8('{}')));
    await repository.putBlob(bytesBlob(layer));
    const manifest = {
      schemaVersion: 2,
      mediaType: MediaType.imageManifest,
      artifactType: type,
      config: { mediaType: MediaType.empty, size: 2, digest: digestOf(utf8('{}')) },
      layers: [{ mediaType: type, size: layer.byteLength, digest: digestOf(layer) }],
      subject: { mediaType: MediaType.imageManifest, size: 2, digest: this.digest },
    };
    await repository.putManifest(utf8(JSON.stringify(manifest)), MediaType.imageManifest);
  }

  /** A statement about the image. */
  statement(predicateType: string, predicate: Json = {}): Uint8Array {
    const subjects = [{ name: NAME, digest: { algorithm: 'sha256', hex: this.digest.slice(7) } as const }];
    return encodeStatement({ version: '1', subjects, predicateType, predicate });
  }

  /** Decides by policies in YAML; repositories are asked anew. */
  async decide(
    yaml: string,
    change: Partial<ImageContext> & {
      readonly fallback?: TrustedRoot;
      readonly roots?: ReadonlyMap<string, TrustedRoot>;
      readonly surroundings?: PolicySurroundings;
    } = {},
  ): Promise<Decision> {
    const { fallback, roots, surroundings, ...context } = change;
    const set = await loadPolicies([{ name: 'p.yaml', bytes: utf8(yaml) }], {
      ...(fallback === undefined ? {} : { fallback }),
      ...(roots === undefined ? {} : { roots }),
      ...surroundings,
    });
    this.calls.length = 0;
    this.opened.length = 0;
    return decide({ image: `${NAME}@${this.digest}`, open: this.open, now: NOW, ...context }, set);
  }
}

export async function newSigner(): Promise<Signer> {
  return keySigner(await generatePrivateKey('ecdsa-p256'));
}

/** A policy about all images of the registry, with this after `spec:`, as JSON. */
export function policyOf(authorities: readonly object[], spec: object = {}, name = 'p'): string {
  return `${JSON.stringify({
    apiVersion: 'policy.sigstore.dev/v1beta1',
    kind: 'ClusterImagePolicy',
    metadata: { name },
    spec: { images: [{ glob: 'registry.example.com/**' }], authorities, ...spec },
  })}\n---\n`;
}

export function unreachable(): Error {
  return new RegistryError('unreachable', 'registry.example.com does not answer');
}
