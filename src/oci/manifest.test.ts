// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import { RegistryError } from './error.ts';
import { decodeManifest, isManifestMediaType, sniffManifestType } from './manifest.ts';
import { MediaType } from './media-type.ts';

const bytesOf = (json: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(json));
const descriptor = (mediaType: string, letter = 'a') => ({ mediaType, digest: `sha256:${letter.repeat(64)}`, size: 3 });

const image = {
  schemaVersion: 2,
  mediaType: MediaType.imageManifest,
  config: descriptor(MediaType.imageConfig),
  layers: [descriptor(MediaType.imageLayerGzip, 'b')],
};
const index = {
  schemaVersion: 2,
  mediaType: MediaType.imageIndex,
  manifests: [{ ...descriptor(MediaType.imageManifest), platform: { os: 'linux', architecture: 'amd64' } }],
};

const manyLayers = (count: number): Uint8Array =>
  bytesOf({ ...image, layers: Array.from({ length: count }, () => image.layers[0]) });

// What cosign 3.1.1 wrote: the type of the artifact stands in the config's descriptor as well.
const BUNDLE =
  '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.empty.v1+json","size":2,"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json"},"layers":[{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","size":659,"digest":"sha256:c1bd2d7e4d126efcb2bec2881854f6f37767cec7ef41b6a308339dfdd9108f89"}],"annotations":{"dev.sigstore.bundle.content":"dsse-envelope"},"subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":401,"digest":"sha256:4ed3e85154810a05dc77ab478fdda7d11d9cde6414c29ad820d5e542ee8aebe6"},"artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json"}';

describe('decodeManifest reads', () => {
  test('an image', () => {
    assert.deepEqual(decodeManifest(bytesOf(image)), {
      kind: 'image',
      mediaType: image.mediaType,
      config: image.config,
      layers: image.layers,
      manifests: [],
    });
  });

  test('an index with platforms', () => {
    assert.deepEqual(decodeManifest(bytesOf(index)), {
      kind: 'index',
      mediaType: index.mediaType,
      layers: [],
      manifests: index.manifests,
    });
  });

  test("cosign's bundle manifest", () => {
    const manifest = decodeManifest(new TextEncoder().encode(BUNDLE), MediaType.imageManifest);
    assert.equal(manifest.artifactType, 'application/vnd.dev.sigstore.bundle.v0.3+json');
    assert.equal(manifest.subject?.digest.slice(7, 15), '4ed3e851');
    assert.deepEqual(manifest.annotations, { 'dev.sigstore.bundle.content': 'dsse-envelope' });
    assert.equal(manifest.config?.artifactType, manifest.artifactType);
  });

  test("Docker's schema 2", () => {
    assert.equal(decodeManifest(bytesOf({ ...image, mediaType: MediaType.dockerManifest })).kind, 'image');
    assert.equal(decodeManifest(bytesOf({ ...index, mediaType: MediaType.dockerManifestList })).kind, 'index');
  });

  test('a manifest that does not say what it is, by what it was given as or by its shape', () => {
    const { mediaType: _, ...untypedImage } = image;
    const { mediaType: __, ...untypedIndex } = index;
    assert.equal(decodeManifest(bytesOf(untypedImage)).mediaType, MediaType.imageManifest);
    assert.equal(decodeManifest(bytesOf(untypedImage), MediaType.dockerManifest).mediaType, MediaType.dockerManifest);
    assert.equal(decodeManifest(bytesOf(untypedImage), 'application/json').mediaType, MediaType.imageManifest);
    assert.equal(decodeManifest(bytesOf(untypedIndex)).mediaType, MediaType.imageIndex);
  });

  test('a media type with parameters', () => {
    assert.equal(decodeManifest(bytesOf(image), `${MediaType.imageManifest}; charset=utf-8`).kind, 'image');
  });

  test('lists that Go wrote as null', () => {
    assert.deepEqual(decodeManifest(bytesOf({ ...image, layers: null })).layers, []);
    assert.deepEqual(decodeManifest(bytesOf({ ...index, manifests: null })).manifests, []);
  });
});

describe('decodeManifest refuses', () => {
  for (const [name, json, message, told] of [
    ['an image that was given as an index', image, /was given as .*index/, MediaType.imageIndex],
    ['an index that was given as an image', index, /was given as .*manifest/, MediaType.dockerManifest],
    ['an image that has manifests too', { ...image, manifests: [] }, /is an image manifest and has 'manifests'/],
    ['an index that has layers too', { ...index, layers: [] }, /is an index and has 'layers'/],
    ['an index that has a config too', { ...index, config: image.config }, /is an index and has 'config'/],
    // Go does not tell the case of members apart, and most that pulls images is Go
    ['an image with Layers', { ...image, Layers: [] }, /has 'Layers', which some read as another member/],
    ['an index with MANIFESTS', { ...index, MANIFESTS: [] }, /has 'MANIFESTS'/],
    ['a manifest with MediaType', { ...image, MediaType: MediaType.imageIndex }, /has 'MediaType'/],
    [
      'an entry with Digest',
      { ...index, manifests: [{ ...index.manifests[0], Digest: image.config.digest }] },
      /manifests\[0\] has 'Digest'/,
    ],
    [
      'an entry whose platform has OS',
      { ...index, manifests: [{ ...index.manifests[0], platform: { os: 'unknown', architecture: 'x', OS: 'linux' } }] },
      /manifests\[0\]\.platform has 'OS'/,
    ],
    ['another media type', { ...image, mediaType: 'text/html' }, /is of type 'text\/html'/],
    ['a media type that is a number', { ...image, mediaType: 1 }, /mediaType is 1, expected a string/],
    ['schema 1', { schemaVersion: 1, fsLayers: [] }, /schema 1/],
    ['another schema', { ...image, schemaVersion: 3 }, /schemaVersion is '3', expected 2/],
    ['neither image nor index', { schemaVersion: 2 }, /neither an image manifest/],
    ['an array', [], /is not a JSON object/],
    ['a string', 'x', /is not a JSON object/],
    ['an image without config', { ...image, config: undefined }, /config is missing/],
    ['an image without layers', { ...image, layers: undefined }, /layers is not an array/],
    ['a layer that is no descriptor', { ...image, layers: [image.layers[0], 'x'] }, /layers\[1\] is a string/],
    ['an entry that is no descriptor', { ...index, manifests: [{}] }, /manifests\[0\]\.digest is missing/],
    ['a subject that is no descriptor', { ...image, subject: {} }, /subject\.digest is missing/],
    ['annotations that are no strings', { ...image, annotations: { a: 1 } }, /annotations has 'a' as a number/],
  ] as const) {
    test(name, () => assert.throws(() => decodeManifest(bytesOf(json), told), { code: 'manifest-malformed', message }));
  }

  test('what is no JSON', () => {
    assert.throws(() => decodeManifest(new TextEncoder().encode('<html>')), {
      code: 'manifest-malformed',
      message: 'the manifest is not JSON (it begins "<html>")',
    });
  });

  test('nesting that no manifest needs', () => {
    const deep = `{"schemaVersion":2,"x":${'['.repeat(40)}${']'.repeat(40)}}`;
    assert.throws(() => decodeManifest(new TextEncoder().encode(deep)), {
      code: 'manifest-malformed',
      message: /32 levels/,
    });
  });

  test('more than 1,000 layers and takes 1,000', () => {
    assert.equal(decodeManifest(manyLayers(1000)).layers.length, 1000);
    assert.throws(() => decodeManifest(manyLayers(1001)), { code: 'too-large', message: /1001 layers, at most 1000/ });
  });

  test('more than 10,000 entries of an index', () => {
    const manifests = Array.from({ length: 10_001 }, () => index.manifests[0]);
    assert.throws(() => decodeManifest(bytesOf({ ...index, manifests })), {
      code: 'too-large',
      message: /10001 manifests/,
    });
  });

  test('more than 4 MiB', () => {
    assert.throws(() => decodeManifest(new Uint8Array(4 * 1024 * 1024 + 1)), {
      code: 'too-large',
      message: /4194305 bytes/,
    });
  });

  test('anything else with its own error only', () => {
    const members = [...Object.keys(image), 'manifests', 'subject', 'annotations', 'artifactType'];
    const values = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom<unknown>(image.config, image.layers, index.manifests, 2, image.mediaType),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...members), values), (json) => {
        try {
          const manifest = decodeManifest(bytesOf(json));
          assert.ok(manifest.kind === 'image' || manifest.kind === 'index');
        } catch (error) {
          assert.ok(error instanceof RegistryError, String(error));
        }
      }),
      { numRuns: 500 },
    );
  });
});

test('isManifestMediaType knows OCI and Docker, with parameters or without', () => {
  assert.ok(isManifestMediaType(MediaType.imageManifest));
  assert.ok(isManifestMediaType(`${MediaType.dockerManifestList};x=y`));
  assert.equal(isManifestMediaType(MediaType.imageConfig), false);
  assert.equal(isManifestMediaType(''), false);
});

test('sniffManifestType tells a manifest from other JSON, and from no JSON, without an error', () => {
  const { mediaType: _, ...untypedImage } = image;
  const { mediaType: __, ...untypedIndex } = index;
  const types = [image, untypedImage, index, untypedIndex, { ...image, mediaType: MediaType.dockerManifest }].map(
    (json) => sniffManifestType(bytesOf(json)),
  );
  const { imageManifest, imageIndex, dockerManifest } = MediaType;
  assert.deepEqual(types, [imageManifest, imageManifest, imageIndex, imageIndex, dockerManifest]);
  const config = { config: {}, rootfs: { type: 'layers', diff_ids: [] }, os: 'linux' };
  for (const json of [{}, [], 'x', config, { ...image, mediaType: 'text/html' }]) {
    assert.equal(sniffManifestType(bytesOf(json)), undefined);
  }
  for (const bytes of [new Uint8Array(0), new Uint8Array([0xff]), new TextEncoder().encode('['.repeat(100))]) {
    assert.equal(sniffManifestType(bytes), undefined);
  }
});
