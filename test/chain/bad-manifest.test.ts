// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { attachedTag } from '../../src/image/index.ts';
import { MediaType } from '../../src/oci/index.ts';
import { assertRefused, assertRefusedJson, rejections } from './refusal.ts';
import type { Answer } from './registry-front.ts';
import { openSetting, type Setting } from './setting.ts';

// Manifests and listings beside an image that cannot be read: each is told with its reason, never taken for "not signed" where something
// else may stand there, never written over, and hides no good seal.

let setting: Setting;
before(async () => {
  setting = await openSetting();
});
after(() => setting[Symbol.asyncDispose]());

describe('what lies under the .sig tag and is no manifest of signatures', () => {
  const manifest = (layers: unknown): string =>
    JSON.stringify({
      schemaVersion: 2,
      config: { mediaType: 'a/b', digest: `sha256:${'0'.repeat(64)}`, size: 2 },
      layers,
    });
  const layer = { mediaType: 'x/y', size: 3, digest: `sha256:${'1'.repeat(64)}` };
  const signed = (signature: unknown): object => ({
    ...layer,
    annotations: { 'dev.cosignproject.cosign/signature': signature },
  });

  interface Case {
    readonly body: string;
    readonly type?: string;
    readonly code: number;
    readonly says: RegExp;
    /** where sealing fails too */
    readonly seal?: RegExp;
  }
  const cases: Readonly<Record<string, Case>> = {
    'an HTML page': {
      body: '<html>',
      type: 'text/html',
      code: 2,
      says: /answers 'text\/html' that is no JSON object/,
      seal: /answers 'text\/html'/,
    },
    text: { body: 'hello', code: 2, says: /that is no JSON object/, seal: /that is no JSON object/ },
    'more than 4 MiB': {
      body: `{"a":"${'x'.repeat(4_200_000)}"}`,
      code: 2,
      says: /more than the 4194304 bytes/,
      seal: /more than the 4194304 bytes/,
    },
    'more layers than are read': {
      body: manifest(Array.from({ length: 1001 }, () => layer)),
      code: 2,
      says: /1001 layers, at most 1000 are read \[evidence-capped\]/,
      seal: /1001 layers/,
    },
    'no layers at all': {
      body: '{"schemaVersion":2}',
      code: 12,
      says: /config is missing/,
      seal: /no signature can be added to .*\.sig: config is missing/,
    },
    'layers that are no list': {
      body: manifest({}),
      code: 12,
      says: /layers is not an array/,
      seal: /no signature can be added to/,
    },
    'a layer of negative size': {
      body: manifest([{ ...layer, size: -1 }]),
      code: 12,
      says: /layers\[0\]\.size/,
      seal: /no signature can be added to/,
    },
    'a layer without a digest': {
      body: manifest([{ ...layer, digest: 'sha256:zz' }]),
      code: 12,
      says: /layers\[0\]\.digest is 'sha256:zz'/,
      seal: /no signature can be added to/,
    },
    'an annotation that is a number': {
      body: manifest([signed(5)]),
      code: 12,
      says: /as a number, expected a string/,
      seal: /no signature can be added to/,
    },
    'a million brackets': {
      body: `{"layers":${'['.repeat(1e6)}${']'.repeat(1e6)}}`,
      code: 12,
      says: /nests deeper than 32 levels/,
      seal: /nests deeper than 32 levels/,
    },
    'an index of images': {
      body: '{"schemaVersion":2,"manifests":[]}',
      type: MediaType.imageIndex,
      code: 12,
      says: /it is an index, expected an image manifest/,
      seal: /it has no layers/,
    },
    'a layer without a signature': {
      body: manifest([layer]),
      code: 12,
      says: /no signature annotation, expected the annotation .*\[signature-count\]/,
    },
    'a signature that is no base64': {
      body: manifest([signed('!!')]),
      code: 12,
      says: /is not base64 .*\[bundle-malformed\]/,
    },
    'a payload that is not there': {
      body: manifest([signed('AAAA')]),
      code: 12,
      says: /no such blob, expected the payload that was signed \[evidence-missing\]/,
    },
  };
  for (const [what, { body, type = MediaType.imageManifest, code, says, seal }] of Object.entries(cases)) {
    test(`${what}: ${code}, with the reason, and nothing is written over it`, async () => {
      const image = await setting.scene.image(`.sig ${what}`);
      const answer: Answer = (request, response) => {
        if (request.method !== 'GET' || request.url?.endsWith('.sig') !== true) return false;
        response.writeHead(200, { 'content-type': type }).end(body);
        return true;
      };
      setting.front.answer = answer;
      const refused = await setting.verify(image);
      assertRefused(refused, { code, says: code === 2 ? says : /^Error: no matching signatures: / });
      assert.match(refused.stderr, says);
      assertRefusedJson(await setting.verify(image, '--json'), { code, says: /./ });
      if (seal !== undefined) {
        const failed = await setting.bulla(['sign', '--key', 'plain.key', '--format', 'legacy', setting.name(image)]);
        assertRefused(failed, { code: 1, says: seal });
        assert.match(failed.stderr, /^Error: .*\.sig[: ]/m, 'it names the tag');
        assert.equal(await setting.scene.repository().resolve(attachedTag(image.digest, 'signature')), undefined);
      }
      await setting.scene.seal(image, setting.keys.signer);
      assert.equal((await setting.verify(image)).code, 0, 'the good seal in another place is found');
      setting.front.answer = () => false;
    });
  }
});

describe('a tree', () => {
  test('shows what can be read beside what cannot, and says why it cannot', async () => {
    const image = await setting.scene.image('tree');
    await setting.scene.seal(image, setting.keys.signer);
    setting.front.answer = (request, response) => {
      if (request.url?.endsWith('.att') !== true) return false;
      response.writeHead(200, { 'content-type': MediaType.imageManifest }).end('{"schemaVersion":2}');
      return true;
    };
    const { code, stdout, stderr } = await setting.bulla(['tree', setting.name(image)]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^└── 💾 Attestations .*\.att \(not readable: config is missing, expected a descriptor\)$/m);
    assert.match(stdout, /^└── 🔗 https:\/\/sigstore\.dev\/cosign\/sign\/v1 artifacts via OCI referrer/m);
    setting.front.answer = () => false;
  });
});

describe('a listing of referrers that is none', () => {
  const entries = [
    1,
    null,
    {},
    { digest: 'x' },
    { mediaType: 'a/b', digest: `sha256:${'2'.repeat(64)}`, size: 5, annotations: { a: 1 } },
  ];
  const cases: Readonly<Record<string, readonly [body: string, says: RegExp]>> = {
    'half of JSON': ['{', /cannot list the referrers of .*: what is answered is no index: the manifest is not JSON/],
    'an array': ['[]', /cannot list the referrers of .* that is no index/],
    'without a list': ['{"schemaVersion":2}', /what is answered is no index: manifests is not an array/],
    'a million brackets': [`{"manifests":${'['.repeat(1e6)}${']'.repeat(1e6)}}`, /no index: the manifest nests deeper/],
  };
  for (const [what, [body, says]] of Object.entries(cases)) {
    test(`${what}: 2, never "no signatures found"`, async () => {
      const image = await setting.scene.image(`listing ${what}`);
      setting.front.answer = listing(body);
      assertRefused(await setting.verify(image), { code: 2, says });
      const document = assertRefusedJson(await setting.verify(image, '--json'), { code: 2, says });
      assert.equal(document.images?.[0]?.outcome, 'undecided');
      await setting.scene.seal(image, setting.keys.signer, { formats: ['legacy'] });
      assert.equal((await setting.verify(image)).code, 0, 'the good seal in another place is found');
      setting.front.answer = () => false;
    });
  }

  test('entries that are none are left out with a warning, and hide nothing', async () => {
    const image = await setting.scene.image('listing entries');
    await setting.scene.seal(image, setting.keys.signer);
    const good = (await setting.scene.repository().referrers(image.digest)).descriptors;
    setting.front.answer = listing(JSON.stringify({ schemaVersion: 2, manifests: [...entries, ...good] }));
    const { code, stderr } = await setting.verify(image);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^WARNING: 5 entries among the referrers of sha256:[0-9a-f]{64} are malformed and left out$/m);
    setting.front.answer = () => false;
  });
});

describe('an annotation', () => {
  test('that is missing or other: 12, with what was found and what was expected, in both formats', async () => {
    const image = await setting.scene.image('annotated');
    await setting.scene.seal(image, setting.keys.signer, {
      formats: ['bundle', 'legacy'],
      annotations: { env: 'staging' },
    });
    assert.equal((await setting.verify(image, '-a', 'env=staging')).code, 0);
    const other = await setting.verify(image, '-a', 'env=prod');
    assertRefused(other, { code: 12, says: /2 seals were found, and none is accepted$/ });
    assert.match(other.stderr, /bundle at referrers .*: env=staging, expected env=prod \[annotation-mismatch\]/);
    assert.match(
      other.stderr,
      /legacy at \.sig tag .* layer 1: env=staging, expected env=prod \[annotation-mismatch\]/,
    );
    const missing = assertRefusedJson(await setting.verify(image, '-a', 'team=a', '--json'), { code: 12, says: /./ });
    assert.deepEqual(rejections(missing), ['annotation-mismatch', 'annotation-mismatch']);
    assert.equal((await setting.verify(image, '-a', '__proto__=x')).code, 12);
  });
});

function listing(body: string): Answer {
  return (request, response) => {
    if (request.url?.includes('/referrers/') !== true) return false;
    response.writeHead(200, { 'content-type': MediaType.imageIndex }).end(body);
    return true;
  };
}
