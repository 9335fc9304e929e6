// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { bytesBlob, MediaType, type Descriptor } from '../../src/oci/index.ts';
import { assertRefused, assertRefusedJson, rejections } from './refusal.ts';
import { describe as described, json, newKeys } from './scene.ts';
import { openSetting, type Setting } from './setting.ts';

// What anybody who may push can lay beside an image as a bundle: it is rejected with a reason, ends with 12 where it says that it is a seal,
// and hides no good seal.

const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';

let setting: Setting;
before(async () => {
  setting = await openSetting();
});
after(() => setting[Symbol.asyncDispose]());

describe('a bundle that is none', () => {
  const bundles: readonly (readonly [what: string, content: Uint8Array, says: RegExp])[] = [
    ['empty', Buffer.from(''), /is not JSON \(it is empty\)/],
    ['text', Buffer.from('hello'), /is not JSON \(5 bytes\)/],
    ['bytes', Buffer.from([0, 1, 2, 255]), /is not JSON/],
    [
      'escape sequences and a line of its own',
      Buffer.from('<\u001b[31m\nError: fake'),
      /begins "<\\u001b\[31m\\nError: fake"/,
    ],
    ['half', Buffer.from(`{"mediaType":"${BUNDLE}","verif`), /is not JSON/],
    ['an array', json([]), /is JSON, expected an object/],
    ['of no version', json({}), /has no media type, expected a sigstore bundle of version 0\.1, 0\.2 or 0\.3/],
    [
      'of an unknown version',
      json({ mediaType: 'application/vnd.dev.sigstore.bundle+json;version=9' }),
      /has the media type/,
    ],
    ['without anything else', json({ mediaType: BUNDLE }), /verificationMaterial/],
    ['with two meanings', Buffer.from(`{"mediaType":"${BUNDLE}","mediaType":"x"}`), /has the member 'mediaType' twice/],
    ['200,000 levels deep', Buffer.from('['.repeat(200_000) + ']'.repeat(200_000)), /nests deeper than 64 levels/],
    ['of a million values', Buffer.from(`{"a":[${'{},'.repeat(1_000_000)}0]}`), /holds more than the 250000 values/],
  ];
  for (const [what, content, says] of bundles) {
    test(`${what}: 12, with the reason, and the good seal beside it is found`, async () => {
      const image = await setting.scene.image(`bundle ${what}`);
      const junk = await refer(image, content);
      const refused = await setting.verify(image);
      assertRefused(refused, {
        code: 12,
        says: /^Error: no matching signatures: .*: one seal was found, and it is not accepted$/,
      });
      assert.match(refused.stderr, says);
      assert.match(
        refused.stderr,
        new RegExp(`^ {2}- bundle at referrers ${junk.digest.slice(0, 19)}…: .*\\[bundle-malformed\\]$`, 'm'),
      );
      const document = assertRefusedJson(await setting.verify(image, '--json'), { code: 12, says: /./ });
      assert.deepEqual(rejections(document), ['bundle-malformed']);
      await setting.scene.seal(image, setting.keys.signer);
      assert.equal((await setting.verify(image)).code, 0);
      assert.equal((await setting.verify(image, '--all')).code, 0);
    });
  }

  test('is not there, or is larger than any: 12, with the reason', async () => {
    const image = await setting.scene.image('bundle missing');
    const content = json({ n: 1 });
    await refer(image, content, { layers: [{ mediaType: BUNDLE, ...described(content), size: 5_000_000 }] });
    const document = assertRefusedJson(await setting.verify(image, '--json'), { code: 12, says: /./ });
    assert.deepEqual(rejections(document), ['too-large']);
    setting.front.answer = (request, response) => {
      if (request.url?.includes('/blobs/') !== true) return false;
      response.writeHead(404).end();
      return true;
    };
    const gone = await setting.scene.image('bundle gone');
    await refer(gone, json({ n: 2 }));
    const missing = assertRefusedJson(await setting.verify(gone, '--json'), { code: 12, says: /./ });
    assert.deepEqual(rejections(missing), ['evidence-missing']);
    setting.front.answer = () => false;
  });

  test('of another image, by another key, or changed: 12, each with its own reason', async () => {
    const good = await setting.scene.image('sealed');
    await setting.scene.seal(good, setting.keys.signer);
    const bundle = await bundleOf(good);
    const stolen = await setting.scene.image('stolen');
    await refer(stolen, bundle);
    const flipped = await setting.scene.image('flipped');
    await setting.scene.seal(flipped, setting.keys.signer);
    const own = (await bundleOf(flipped)).toString();
    const at = own.indexOf('"sig":"') + 30;
    const changed = own.slice(0, at) + (own[at] === 'A' ? 'B' : 'A') + own.slice(at + 1);
    const copy = await setting.scene.image('copy of flipped');
    await refer(copy, Buffer.from(changed));
    const foreign = await setting.scene.image('foreign');
    await setting.scene.seal(foreign, (await newKeys()).signer);
    const reasons: [Descriptor, string][] = [
      [stolen, 'subject-mismatch'],
      [copy, 'signature-invalid'],
      [foreign, 'signature-invalid'],
    ];
    for (const [image, reason] of reasons) {
      const document = assertRefusedJson(await setting.verify(image, '--json'), { code: 12, says: /./ });
      assert.deepEqual(rejections(document), [reason]);
    }
  });
});

/** Lays something beside an image as a referrer that says it is a bundle. */
async function refer(image: Descriptor, content: Uint8Array, more: object = {}): Promise<Descriptor> {
  const repository = setting.scene.repository();
  await repository.putBlob(bytesBlob(json({})));
  await repository.putBlob(bytesBlob(content));
  const manifest = json({
    schemaVersion: 2,
    mediaType: MediaType.imageManifest,
    artifactType: BUNDLE,
    config: { mediaType: MediaType.empty, ...described(json({})) },
    layers: [{ mediaType: BUNDLE, ...described(content) }],
    subject: image,
    ...more,
  });
  return (await repository.putManifest(manifest, MediaType.imageManifest)).descriptor;
}

/** The bundle that lies beside an image. */
async function bundleOf(image: Descriptor): Promise<Buffer> {
  const repository = setting.scene.repository();
  const [listed] = (await repository.referrers(image.digest)).descriptors;
  assert.ok(listed !== undefined);
  const stored = await repository.manifest(listed.digest);
  const { layers } = JSON.parse(Buffer.from(stored?.bytes ?? []).toString()) as { layers: [Descriptor] };
  return Buffer.from((await repository.blob(layers[0].digest, 1_000_000)) ?? []);
}
