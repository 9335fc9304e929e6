// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf } from '../oci/index.ts';
import { CodedError } from '../wire/index.ts';
import { appendSignature } from './signature-manifest.ts';

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const LAYER = { payload: new TextEncoder().encode('{"critical":{}}'), signature: 'MEUC' };

describe('appendSignature', () => {
  it('writes a first signature as cosign 2 does, byte for byte', () => {
    const { bytes, config } = appendSignature(undefined, LAYER);
    assert.equal(
      text(config),
      `{"architecture":"","created":"0001-01-01T00:00:00Z","history":[{"created":"0001-01-01T00:00:00Z"}],"os":"","rootfs":{"type":"layers","diff_ids":["${digestOf(LAYER.payload)}"]},"config":{}}`,
    );
    assert.match(
      text(bytes),
      /^\{"schemaVersion":2,"mediaType":"application\/vnd\.oci\.image\.manifest\.v1\+json","config":\{"mediaType":"application\/vnd\.oci\.image\.config\.v1\+json","size":233,"digest":"sha256:[0-9a-f]{64}"\},"layers":\[\{"mediaType":"application\/vnd\.dev\.cosign\.simplesigning\.v1\+json","size":15,"digest":"sha256:[0-9a-f]{64}","annotations":\{"dev\.cosignproject\.cosign\/signature":"MEUC"\}\}\]\}$/,
    );
  });

  it('keeps every older layer as it was, unknown fields and annotations included', () => {
    const first = JSON.parse(text(appendSignature(undefined, LAYER).bytes)) as { layers: Record<string, unknown>[] };
    const older = {
      ...first,
      layers: [{ ...first.layers[0], strange: { kept: true }, annotations: { other: 'kept' } }],
      annotations: { mine: 'kept' },
    };
    const { bytes, config } = appendSignature(new TextEncoder().encode(JSON.stringify(older)), {
      ...LAYER,
      signature: 'MEQC',
    });
    const appended = JSON.parse(text(bytes)) as typeof older;
    assert.deepEqual(appended.layers[0], older.layers[0]);
    assert.equal(appended.layers.length, 2);
    assert.deepEqual(appended.annotations, older.annotations);
    assert.equal((JSON.parse(text(config)) as { history: unknown[] }).history.length, 2);
  });

  it('writes Docker media types on demand and keeps those that are there', () => {
    const { bytes, mediaType } = appendSignature(undefined, LAYER, { dockerMediaTypes: true });
    assert.equal(mediaType, 'application/vnd.docker.distribution.manifest.v2+json');
    assert.equal(appendSignature(bytes, LAYER).mediaType, mediaType);
  });

  it('keeps the creation time in the config only', () => {
    const { config } = appendSignature(undefined, LAYER, { created: '2026-11-22T06:47:00Z' });
    assert.match(text(config), /"created":"2026-11-22T06:47:00Z","history":\[\{"created":"0001-01-01T00:00:00Z"\}\]/);
  });

  it('refuses to add to what is no image manifest, or is full', () => {
    const index = { schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [] };
    assert.throws(() => appendSignature(new TextEncoder().encode(JSON.stringify(index)), LAYER), {
      code: 'signature-manifest-malformed',
    });
    assert.throws(() => appendSignature(new TextEncoder().encode('nonsense'), LAYER), CodedError);
    const one = JSON.parse(text(appendSignature(undefined, LAYER).bytes)) as { layers: unknown[] };
    const full = { ...one, layers: Array.from({ length: 1000 }, () => one.layers[0]) };
    assert.throws(() => appendSignature(new TextEncoder().encode(JSON.stringify(full)), LAYER), {
      code: 'signature-manifest-full',
    });
  });
});
