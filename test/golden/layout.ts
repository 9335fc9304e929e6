// SPDX-License-Identifier: Apache-2.0
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseDigest, type Digest } from '../../src/oci/index.ts';

/** A manifest, as far as these tests look into it. */
export interface RecordedManifest {
  readonly mediaType: string;
  readonly config?: { readonly digest: Digest };
  readonly layers?: readonly {
    readonly digest: Digest;
    readonly annotations?: Readonly<Record<string, string>>;
  }[];
  readonly manifests?: readonly { readonly digest: Digest }[];
  readonly subject?: { readonly digest: Digest };
  readonly annotations?: Readonly<Record<string, string>>;
}

/** An entry of a layout's `index.json`. */
export interface LayoutEntry {
  readonly digest: Digest;
  readonly tag: string | undefined;
}

/** An OCI layout on disk, read as plainly as can be: not by the code that is under test. */
export class Layout {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  get exists(): boolean {
    return existsSync(join(this.#folder, 'index.json'));
  }

  entries(): readonly LayoutEntry[] {
    const index = JSON.parse(readFileSync(join(this.#folder, 'index.json'), 'utf8')) as LayoutIndex;
    return index.manifests.map(({ digest, annotations }) => ({
      digest: parseDigest(digest),
      tag: annotations?.['org.opencontainers.image.ref.name'],
    }));
  }

  /** The entries that `cosign save` marks, and how. */
  marked(): readonly { readonly digest: Digest; readonly kind: string }[] {
    const index = JSON.parse(readFileSync(join(this.#folder, 'index.json'), 'utf8')) as LayoutIndex;
    return index.manifests.flatMap(({ digest, annotations }) => {
      const kind = annotations?.['kind'];
      return kind === undefined ? [] : [{ digest: parseDigest(digest), kind }];
    });
  }

  /** The names of all blobs. */
  blobs(): readonly Digest[] {
    return readdirSync(join(this.#folder, 'blobs/sha256')).map((hex) => parseDigest(`sha256:${hex}`));
  }

  /** A manifest or blob, byte for byte. */
  blob(digest: Digest): Uint8Array | undefined {
    const path = join(this.#folder, 'blobs', digest.replace(':', '/'));
    return existsSync(path) ? readFileSync(path) : undefined;
  }

  manifest(digest: Digest): RecordedManifest {
    const bytes = this.blob(digest);
    if (bytes === undefined) throw new Error(`${this.#folder} has no ${digest}`);
    return JSON.parse(new TextDecoder().decode(bytes)) as RecordedManifest;
  }

  /** The digests that a manifest lists: its layers, or the manifests of an index. */
  listOf(digest: Digest): readonly Digest[] {
    const { layers, manifests } = this.manifest(digest);
    return (layers ?? manifests ?? []).map((entry) => entry.digest);
  }
}

interface LayoutIndex {
  readonly manifests: readonly { readonly digest: string; readonly annotations?: Readonly<Record<string, string>> }[];
}
