// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import * as fc from 'fast-check';
import type { Descriptor } from './descriptor.ts';
import { digestOf, parseDigest } from './digest.ts';
import { RegistryError } from './error.ts';
import { decodeManifest } from './manifest.ts';
import { MediaType } from './media-type.ts';
import { decodeIndexEntries, describeReferrer, fallbackTag, mergeIndex, removeFromIndex } from './referrers-index.ts';

const bytesOf = (json: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(json));
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const digestNumber = (n: number) => parseDigest(`sha256:${n.toString(16).padStart(64, '0')}`);
const entry = (n: number, more: Partial<Descriptor> = {}): Descriptor => ({
  mediaType: MediaType.imageManifest,
  size: 877,
  digest: digestNumber(n),
  ...more,
});

test('the fallback tag is the digest with a dash, cut where a tag must end', () => {
  assert.equal(fallbackTag(digestNumber(1)), `sha256-${'0'.repeat(63)}1`);
  assert.equal(fallbackTag(parseDigest(`sha512:${'ab'.repeat(64)}`)), `sha512-${'ab'.repeat(32)}`);
});

describe('describeReferrer', () => {
  const config = { mediaType: 'application/vnd.acme.config', digest: digestNumber(1), size: 2 };
  const image = { schemaVersion: 2, mediaType: MediaType.imageManifest, config, layers: [] };

  test('takes the artifact type of the manifest, and its annotations', () => {
    const bytes = bytesOf({ ...image, artifactType: 'a/b', annotations: { k: 'v' } });
    assert.deepEqual(describeReferrer(bytes, MediaType.imageManifest), {
      mediaType: MediaType.imageManifest,
      size: bytes.byteLength,
      digest: digestOf(bytes),
      artifactType: 'a/b',
      annotations: { k: 'v' },
    });
  });

  test("takes the config's media type where the manifest names no artifact type", () => {
    assert.equal(describeReferrer(bytesOf(image), MediaType.imageManifest).artifactType, config.mediaType);
    assert.equal(
      describeReferrer(bytesOf({ ...image, artifactType: '' }), MediaType.imageManifest).artifactType,
      config.mediaType,
    );
  });

  test("takes only an index's own artifact type", () => {
    const index = { schemaVersion: 2, mediaType: MediaType.imageIndex, manifests: [] };
    assert.equal('artifactType' in describeReferrer(bytesOf(index), MediaType.imageIndex), false);
    assert.equal(
      describeReferrer(bytesOf({ ...index, artifactType: 'a/b' }), MediaType.imageIndex).artifactType,
      'a/b',
    );
  });
});

describe('decodeIndexEntries', () => {
  test('leaves out what is no descriptor, counts it, and reads the rest', () => {
    const bytes = bytesOf({
      schemaVersion: 2,
      manifests: [null, entry(1), { digest: 'x' }, 7, { ...entry(2), annotations: 5 }, entry(3)],
    });
    assert.deepEqual(decodeIndexEntries(bytes), { descriptors: [entry(1), entry(3)], malformed: 4, truncated: false });
  });

  test('names a digest once', () => {
    const bytes = bytesOf({ manifests: [entry(1, { artifactType: 'first/one' }), entry(2), entry(1)] });
    assert.deepEqual(decodeIndexEntries(bytes).descriptors, [entry(1, { artifactType: 'first/one' }), entry(2)]);
  });

  test('says that it read only the first 10,000', () => {
    const bytes = bytesOf({ manifests: Array.from({ length: 10_001 }, (_, n) => entry(n)) });
    const { descriptors, truncated } = decodeIndexEntries(bytes);
    assert.deepEqual([descriptors.length, truncated], [10_000, true]);
  });

  test('reads no entries from what Go wrote as null', () => {
    assert.deepEqual(decodeIndexEntries(bytesOf({ manifests: null })), {
      descriptors: [],
      malformed: 0,
      truncated: false,
    });
  });

  for (const [why, json] of [
    ['an image', { mediaType: MediaType.imageManifest, config: entry(1), layers: [] }],
    ['an index with layers', { mediaType: MediaType.imageIndex, manifests: [], layers: [] }],
    ['an index without entries', { mediaType: MediaType.imageIndex }],
    ['an array', []],
  ] as const) {
    test(`refuses ${why}`, () =>
      assert.throws(() => decodeIndexEntries(bytesOf(json)), { code: 'manifest-malformed' }));
  }
});

describe('mergeIndex', () => {
  test('writes a new index as cosign does, byte for byte', () => {
    const digest = parseDigest('sha256:4318b47701388d968a84d9e8faa82ff4ac44925f5b3da442fe48d2cde2ad5327');
    const written = mergeIndex(undefined, {
      digest,
      annotations: { 'dev.sigstore.bundle.content': 'dsse-envelope' },
      artifactType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
      size: 877,
      mediaType: MediaType.imageManifest,
    });
    assert.equal(
      textOf(written),
      '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":877,"digest":"sha256:4318b47701388d968a84d9e8faa82ff4ac44925f5b3da442fe48d2cde2ad5327","artifactType":"application/vnd.dev.sigstore.bundle.v0.3+json","annotations":{"dev.sigstore.bundle.content":"dsse-envelope"}}]}',
    );
  });

  test('keeps every other entry with all its members, strange ones included, in its place', () => {
    const strange = [{ ...entry(1), 'x-unknown': { deep: [1, null] } }, 'no descriptor', { digest: 5 }];
    const existing = bytesOf({
      schemaVersion: 2,
      mediaType: MediaType.imageIndex,
      manifests: strange,
      annotations: { a: 'b' },
      'x-y': 1,
    });
    const merged = JSON.parse(textOf(mergeIndex(existing, entry(2)))) as {
      manifests: unknown[];
      annotations: unknown;
      'x-y': unknown;
    };
    assert.deepEqual(merged.manifests.slice(0, 3), strange);
    assert.deepEqual(merged.manifests[3], entry(2));
    assert.deepEqual([merged.annotations, merged['x-y']], [{ a: 'b' }, 1]);
  });

  test('replaces an entry of the same digest and drops its doubles', () => {
    const wrong = entry(2, { artifactType: 'application/vnd.oci.empty.v1+json' });
    const existing = bytesOf({ manifests: [entry(1), wrong, entry(3), wrong] });
    const right = entry(2, { artifactType: 'a/b' });
    assert.deepEqual(decodeIndexEntries(mergeIndex(existing, right)).descriptors, [entry(1), right, entry(3)]);
    assert.equal(JSON.parse(textOf(mergeIndex(existing, right))).manifests.length, 3);
  });

  test('gives back the very bytes where nothing changes', () => {
    const once = mergeIndex(undefined, entry(1));
    assert.equal(mergeIndex(once, entry(1)), once);
  });

  test('refuses to overwrite what is no index', () => {
    for (const text of ['<html>', '[]', '{}', `{"mediaType":"${MediaType.imageManifest}","manifests":[]}`]) {
      assert.throws(() => mergeIndex(new TextEncoder().encode(text), entry(1)), { code: 'manifest-malformed' });
    }
  });

  test('refuses an entry that does not fit any more', () => {
    const full = bytesOf({ manifests: Array.from({ length: 10_000 }, (_, n) => entry(n)) });
    assert.throws(() => mergeIndex(full, entry(20_000)), { code: 'too-large' });
    const annotations = { a: 'x'.repeat(1024 * 1024 - 100) };
    let large: Uint8Array | undefined;
    for (let n = 0; n < 3; n++) large = mergeIndex(large, entry(n, { annotations }));
    assert.throws(() => mergeIndex(large, entry(3, { annotations })), { code: 'too-large', message: /4194304/ });
  });

  test('loses no entry, whatever was merged in what order', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 20 })), (numbers) => {
        let index: Uint8Array | undefined;
        for (const n of numbers) index = mergeIndex(index, entry(n));
        const expected = [...new Set(numbers)].map((n) => entry(n));
        assert.deepEqual(index === undefined ? [] : decodeManifest(index).manifests, expected);
      }),
    );
  });
});

describe('removeFromIndex', () => {
  test('removes every entry of the digest and nothing else', () => {
    const existing = bytesOf({ manifests: [entry(1), 'strange', entry(2), entry(1)] });
    const left = JSON.parse(textOf(removeFromIndex(existing, digestNumber(1)))) as { manifests: unknown[] };
    assert.deepEqual(left.manifests, ['strange', entry(2)]);
  });

  test('gives back the very bytes where there is none', () => {
    const existing = bytesOf({ manifests: [entry(1)] });
    assert.equal(removeFromIndex(existing, digestNumber(9)), existing);
  });
});

test('reading an index has no other error than its own, whatever the bytes', () => {
  const json = fc.dictionary(
    fc.constantFrom('manifests', 'mediaType', 'layers'),
    fc.oneof(fc.jsonValue(), fc.array(fc.jsonValue())),
  );
  fc.assert(
    fc.property(fc.oneof(json.map(bytesOf), fc.uint8Array()), (bytes) => {
      for (const read of [
        () => decodeIndexEntries(bytes),
        () => mergeIndex(bytes, entry(1)),
        () => removeFromIndex(bytes, digestNumber(1)),
      ]) {
        try {
          read();
        } catch (error) {
          assert.ok(error instanceof RegistryError, String(error));
        }
      }
    }),
    { numRuns: 300 },
  );
});
