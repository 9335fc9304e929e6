// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { bytesBlob, digestOf, MediaType, MemoryRepository, openLayout, type Digest } from '../../oci/index.ts';
import type { Json } from '../../wire/index.ts';
import { ImageError, openKit, saveKit } from '../index.ts';
import { decodeKitDocument, encodeKitDocument, KIT_TYPE, type KitDocument } from './kit-document.ts';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);
const digest = digestOf(utf8('x'));
const document: KitDocument = {
  images: [{ name: 'registry.example.com/app', tag: '1.4', digest, platform: 'linux/arm64' }],
  repositories: [
    {
      name: 'registry.example.com/app',
      manifests: [{ mediaType: MediaType.imageManifest, digest, size: 1 }],
      tags: new Map([
        ['1.4', digest],
        [`sha256-${digest.slice(7)}.sig`, null],
      ]),
      referrers: new Map([
        [
          digest,
          {
            descriptors: [
              { mediaType: MediaType.imageManifest, digest, size: 1, artifactType: 'a/b', annotations: { a: 'b' } },
            ],
            truncated: false,
          },
        ],
      ]),
    },
  ],
  policies: [{ name: '1-a.yaml', digest, size: 1 }],
  trustedRoot: { name: 'trusted_root.json', digest, size: 1 },
  trustRoots: [],
};
const plain = JSON.parse(new TextDecoder().decode(encodeKitDocument(document))) as { readonly [key: string]: Json };

function decodeJson(json: unknown): KitDocument {
  return decodeKitDocument(utf8(JSON.stringify(json)));
}

/** The document with one thing changed. */
function changed(path: readonly (string | number)[], value: unknown): unknown {
  const copy = structuredClone(plain) as unknown;
  let at = copy as Record<string | number, unknown>;
  for (const step of path.slice(0, -1)) at = at[step] as Record<string | number, unknown>;
  at[path.at(-1) ?? ''] = value;
  return copy;
}

describe('the document of a kit', () => {
  it('is read as it was written', () => {
    assert.deepEqual(decodeKitDocument(encodeKitDocument(document)), document);
  });

  for (const [what, path, value] of [
    ['another version', ['version'], 2],
    ['no version', ['version'], undefined],
    ['an unknown member', ['later'], 1],
    ['images that are no list', ['images'], {}],
    ['an image without a digest', ['images', 0, 'digest'], undefined],
    ['a digest that is none', ['images', 0, 'digest'], 'sha256:zz'],
    ['a tag that is none', ['images', 0, 'tag'], '../x'],
    ['a name that climbs', ['images', 0, 'name'], 'registry.example.com/../x'],
    ['a name without a registry', ['images', 0, 'name'], 'app'],
    ['an unknown member of an image', ['images', 0, 'sealed'], true],
    ['a negative size', ['policies', 0, 'size'], -1],
    ['a size that is no number', ['repositories', 0, 'manifests', 0, 'size'], '1'],
    ['a tag that names no digest', ['repositories', 0, 'tags', '1.4'], 'v1'],
    [
      'a listing that does not say whether it is whole',
      ['repositories', 0, 'referrers', digest, 'truncated'],
      undefined,
    ],
    ['a subject that is no digest', ['repositories', 0, 'referrers', 'x'], { descriptors: [], truncated: false }],
    [
      'an annotation that is no text',
      ['repositories', 0, 'referrers', digest, 'descriptors', 0, 'annotations'],
      { a: 1 },
    ],
    ['a file without a name', ['policies', 0, 'name'], ''],
  ] as const) {
    it(`with ${what} is refused`, () => {
      assert.throws(() => decodeJson(changed(path, value)), { code: 'kit-malformed' });
    });
  }

  it('never throws anything else, whatever the bytes', () => {
    const refusal = (bytes: Uint8Array): void => {
      try {
        decodeKitDocument(bytes);
      } catch (error) {
        assert.ok(error instanceof ImageError, String(error));
        assert.equal(error.code, 'kit-malformed');
        assert.ok(!error.message.includes('\n'));
      }
    };
    fc.assert(fc.property(fc.uint8Array(), refusal));
    fc.assert(fc.property(fc.json(), (text) => refusal(utf8(text))));
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(plain)), fc.jsonValue(), (name, value) => {
        refusal(utf8(JSON.stringify({ ...plain, [name]: value })));
      }),
    );
  });

  it('has caps', () => {
    const images = Array.from({ length: 10_001 }, () => plain['images']).flat();
    assert.throws(() => decodeJson({ ...plain, images }), { code: 'kit-malformed', message: /at most 10000/ });
    assert.throws(() => decodeKitDocument(utf8('['.repeat(100))), { code: 'kit-malformed' });
    assert.throws(() => decodeKitDocument(new Uint8Array(65 * 1024 * 1024)), {
      code: 'kit-malformed',
      message: /at most/,
    });
  });
});

describe('a kit that was tampered with', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'bulla-kit-'));
  after(() => rm(scratch, { recursive: true, force: true }));

  async function saved(): Promise<string> {
    const repository = new MemoryRepository('registry.example.com/app');
    const config = utf8('{}');
    await repository.putBlob(bytesBlob(config));
    const manifest = {
      schemaVersion: 2,
      mediaType: MediaType.imageManifest,
      config: { mediaType: MediaType.imageConfig, size: 2, digest: digestOf(config) },
      layers: [],
    };
    await repository.putManifest(utf8(JSON.stringify(manifest)), MediaType.imageManifest, { tag: 'v1' });
    const path = await mkdtemp(join(scratch, 'kit-'));
    await saveKit(path, [{ repository, target: 'v1' }], { policies: [{ name: 'p.yaml', bytes: utf8('policy: 1') }] });
    return path;
  }

  async function fileWith(path: string, text: string): Promise<string> {
    for (const name of await readdir(join(path, 'blobs/sha256'))) {
      const file = join(path, 'blobs/sha256', name);
      if ((await readFile(file, 'utf8')).includes(text)) return file;
    }
    throw new Error(`no file with ${text}`);
  }

  it('is refused: another policy, another document, another image', async () => {
    for (const [text, other] of [
      ['policy: 1', 'policy: 2'],
      ['"repositories"', '"repositorieX"'],
    ] as const) {
      const path = await saved();
      const file = await fileWith(path, text);
      await writeFile(file, (await readFile(file, 'utf8')).replace(text, other));
      await assert.rejects(openKit(path), { code: 'digest-mismatch' });
    }
    const path = await saved();
    const image = await fileWith(path, '"application/vnd.oci.image.config.v1+json"');
    await writeFile(image, (await readFile(image, 'utf8')).replace('"size":2', '"size":3'));
    const repository = await (await openKit(path)).open('registry.example.com/app');
    await assert.rejects(repository.manifest('v1'), { code: 'digest-mismatch' });
  });

  it('is refused where a file of it is gone', async () => {
    const policy = await saved();
    await unlink(await fileWith(policy, 'policy: 1'));
    await assert.rejects(openKit(policy), { code: 'kit-malformed', message: /"p\.yaml" is gone/ });
    const text = await saved();
    await unlink(await fileWith(text, '"repositories"'));
    await assert.rejects(openKit(text), { code: 'kit-malformed', message: /without its document/ });
    const image = await saved();
    await unlink(await fileWith(image, '"application/vnd.oci.image.config.v1+json"'));
    await assert.rejects((await (await openKit(image)).open('registry.example.com/app')).manifest('v1'), {
      code: 'content-missing',
    });
  });

  it('is refused where it lists an image of a repository that it does not have, or two documents', async () => {
    const path = await saved();
    const layout = await openLayout(path);
    const entries = await layout.entries();
    await layout.replaceEntries([
      ...entries,
      { mediaType: MediaType.imageManifest, digest, size: 1, artifactType: KIT_TYPE },
    ]);
    await assert.rejects(openKit(path), { code: 'kit-malformed', message: /several kits/ });
    const bytes = encodeKitDocument({ ...document, policies: [], repositories: [] });
    const manifest = utf8(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MediaType.imageManifest,
        config: { mediaType: MediaType.empty, size: 2, digest: digestOf(utf8('{}')) },
        layers: [{ mediaType: KIT_TYPE, size: bytes.byteLength, digest: digestOf(bytes) }],
      }),
    );
    for (const blob of [bytes, manifest]) await layout.putBlob(bytesBlob(blob));
    const named: Digest = digestOf(manifest);
    await layout.replaceEntries([
      { mediaType: MediaType.imageManifest, digest: named, size: manifest.byteLength, artifactType: KIT_TYPE },
    ]);
    await assert.rejects(openKit(path), { code: 'kit-malformed', message: /trustedRoot|not that repository|is gone/ });
  });
});
