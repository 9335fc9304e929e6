// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { SealFormat } from '../../src/image/index.ts';
import type { Descriptor } from '../../src/oci/index.ts';
import { type Ran } from '../golden/in-process.ts';
import { assertRefused, assertRefusedJson, type FailureDocument } from './refusal.ts';
import { openFront, type RegistryFront } from './registry-front.ts';
import { newKeys, REPOSITORY, TAG } from './scene.ts';
import { openSetting, type Setting } from './setting.ts';

// Each request costs a user 30 to 150 ms, so they are counted: by command, kind of registry, and what lies beside the image.

let setting: Setting;
let old: RegistryFront;
before(async () => {
  setting = await openSetting();
  old = await openFront(setting.scene.origin, { referrersApi: false });
});
after(async () => {
  await old[Symbol.asyncDispose]();
  await setting[Symbol.asyncDispose]();
});

/** What a command line asked for, in order. */
interface Asked {
  readonly run: Ran;
  /** `METHOD kind`, where a kind is the word of the API's path */
  readonly requests: readonly string[];
}

/** Carries out a command line; `IMAGE` stands for an image behind a front. */
async function ask(front: RegistryFront, image: Descriptor | string, ...args: readonly string[]): Promise<Asked> {
  front.forget();
  const at = typeof image === 'string' ? `:${image}` : `@${image.digest}`;
  const run = await setting.bulla([...args, `${front.host}/${REPOSITORY}${at}`]);
  const seen = front.requests.map(({ method, path }) => `${method} ${path}`);
  const reads = seen.filter((line) => /^(?:GET|HEAD) /.test(line));
  const wrote = seen.some((line) => /^(?:PUT|POST|PATCH|DELETE) /.test(line));
  // what was written is read back, once: anything else that is read twice is a waste
  if (!wrote) assert.deepEqual(reads, [...new Set(reads)], 'nothing is fetched twice');
  const kinds = /^(\w+) \/v2\/.+?\/(manifests|referrers|blobs\/uploads|blobs)\//;
  return { run, requests: seen.map((line) => kinds.exec(line)?.slice(1, 3).join(' ') ?? line) };
}

const VERIFY = ['verify', '--key', 'cosign.pub'];
const SIGN = ['sign', '--key', 'plain.key'];

async function sealedImage(content: string, formats: readonly SealFormat[], tag?: string): Promise<Descriptor> {
  const image = await setting.scene.image(content, tag);
  await setting.scene.seal(image, setting.keys.signer, { formats });
  return image;
}

/** As old clients write it: the seal is listed under the fallback tag, since there is no API. */
async function sealedOld(content: string): Promise<Descriptor> {
  const image = await setting.scene.image(content);
  const { run } = await ask(old, image, ...SIGN);
  assert.equal(run.code, 0, run.stderr);
  return image;
}

describe('a verify that succeeds asks', () => {
  test('3 requests by digest, 4 by tag', async () => {
    const image = await sealedImage('bundle', ['bundle'], TAG);
    const byDigest = await ask(setting.front, image, ...VERIFY);
    assert.equal(byDigest.run.code, 0, byDigest.run.stderr);
    assert.deepEqual(byDigest.requests, ['GET referrers', 'GET manifests', 'GET blobs']);
    const byTag = await ask(setting.front, TAG, ...VERIFY);
    assert.equal(byTag.run.code, 0);
    assert.deepEqual(byTag.requests, ['HEAD manifests', ...byDigest.requests]);
  });

  test('at most 5 by digest where there is no referrers API', async () => {
    const image = await sealedOld('bundle, listed under the fallback tag');
    const { run, requests } = await ask(old, image, ...VERIFY);
    assert.equal(run.code, 0, run.stderr);
    assert.deepEqual(requests, ['GET referrers', 'GET manifests', 'GET manifests', 'GET blobs']);
  });

  test('3 for a legacy seal, 4 where there is no referrers API', async () => {
    const image = await sealedImage('legacy', ['legacy']);
    const { run, requests } = await ask(setting.front, image, ...VERIFY);
    assert.equal(run.code, 0);
    assert.deepEqual(requests, ['GET referrers', 'GET manifests', 'GET blobs']);
    const without = await ask(old, image, ...VERIFY);
    assert.equal(without.run.code, 0);
    assert.deepEqual(without.requests, ['GET referrers', 'GET manifests', 'GET manifests', 'GET blobs']);
  });

  test('once whether there is a referrers API, of several images of one repository', async () => {
    const images = [await sealedOld('one of two'), await sealedOld('two of two')];
    old.forget();
    const run = await setting.bulla([...VERIFY, ...images.map(({ digest }) => `${old.host}/${REPOSITORY}@${digest}`)]);
    assert.equal(run.code, 0, run.stderr);
    assert.equal(old.requests.length, 4 + 3);
    assert.equal(old.requests.filter(({ path }) => path.includes('/referrers/')).length, 1);
  });

  test('no place more than it needs, and its JSON names those that it left out', async () => {
    const image = await sealedImage('both', ['bundle', 'legacy']);
    const { run, requests } = await ask(setting.front, image, ...VERIFY, '--json');
    assert.equal(requests.length, 3);
    assert.deepEqual(placesOf(run), ['referrers-api read', 'signature-tag not-asked', 'fallback-tag not-asked']);
    const all = await ask(setting.front, image, ...VERIFY, '--json', '--all');
    assert.deepEqual(placesOf(all.run), ['referrers-api read', 'signature-tag read', 'fallback-tag absent']);
    assert.equal((JSON.parse(all.run.stdout) as FailureDocument).images?.[0]?.seals?.length, 2);
    assert.equal(all.requests.length, 3 + 2 + 1);
  });
});

describe('a verify that refuses has read every place', () => {
  test('of an image that nobody sealed: 4 requests, one for each place and one for the image', async () => {
    const image = await setting.scene.image('unsealed');
    const { run, requests } = await ask(setting.front, image, ...VERIFY, '--json');
    const document = assertRefusedJson(run, { code: 10, says: /./ });
    assert.deepEqual(placesOf(document), ['referrers-api read', 'signature-tag absent', 'fallback-tag absent']);
    assert.deepEqual(requests, ['GET referrers', 'GET manifests', 'GET manifests', 'HEAD manifests']);
  });

  test('of an image that is not there', async () => {
    const { run, requests } = await ask(setting.front, 'nothing', ...VERIFY);
    assertRefused(run, { code: 11, says: /image tag not found/ });
    assert.deepEqual(requests, ['HEAD manifests']);
  });

  test('of an image that others sealed, in both formats', async () => {
    const image = await setting.scene.image('foreign');
    const other = (await newKeys()).signer;
    await setting.scene.seal(image, other, { formats: ['bundle', 'legacy'] });
    for (const [front, places] of [
      [setting.front, ['referrers-api read', 'signature-tag read', 'fallback-tag absent']],
      [old, ['fallback-tag absent', 'signature-tag read']],
    ] as const) {
      const { run } = await ask(front, image, ...VERIFY, '--json');
      assert.deepEqual(placesOf(assertRefusedJson(run, { code: 12, says: /./ })), places);
    }
  });
});

describe('25 signatures on one image', () => {
  const COUNT = 25;

  test('all by other keys cost 2 requests each, and one for each place', async () => {
    const image = await setting.scene.image('25 foreign');
    for (let n = 0; n < COUNT; n++) await setting.scene.seal(image, (await newKeys()).signer);
    const { run, requests } = await ask(setting.front, image, ...VERIFY, '--json');
    const document = assertRefusedJson(run, { code: 12, says: /./ });
    assert.equal(document.images?.[0]?.rejected?.length, COUNT);
    assert.equal(requests.length, 2 * COUNT + 3);
  });

  test('with the good one among them cost 2 requests each at most, wherever it is listed', async () => {
    const image = await setting.scene.image('25, one good');
    const earlier = new Date('2026-01-01T00:00:00Z');
    await setting.scene.seal(image, setting.keys.signer, { now: earlier });
    for (let n = 1; n < COUNT; n++) await setting.scene.seal(image, (await newKeys()).signer);
    const { run, requests } = await ask(setting.front, image, ...VERIFY);
    assert.equal(run.code, 0, run.stderr);
    assert.equal(requests.length, 2 * COUNT + 1, 'it is the oldest, and the youngest are read first');
    const young = await setting.scene.image('25, the youngest good');
    for (let n = 1; n < COUNT; n++) await setting.scene.seal(young, (await newKeys()).signer, { now: earlier });
    await setting.scene.seal(young, setting.keys.signer);
    assert.equal((await ask(setting.front, young, ...VERIFY)).requests.length, 3);
  });

  test('in a .sig tag cost one request for the payload that they share', async () => {
    const image = await setting.scene.image('25 legacy');
    for (let n = 0; n < COUNT; n++) await setting.scene.seal(image, (await newKeys()).signer, { formats: ['legacy'] });
    const { run, requests } = await ask(setting.front, image, ...VERIFY);
    assertRefused(run, { code: 12, says: /25 seals were found/ });
    assert.equal(requests.length, 3 + 1);
  });
});

describe('a sign asks', () => {
  test('5 requests for a first and for a further bundle', async () => {
    const image = await setting.scene.image('to be sealed');
    const first = await ask(setting.front, image, ...SIGN);
    assert.equal(first.run.code, 0, first.run.stderr);
    assert.deepEqual(first.requests.toSorted(), [
      'GET referrers',
      'HEAD manifests',
      'POST blobs/uploads',
      'POST blobs/uploads',
      'PUT manifests',
    ]);
    assert.ok((await ask(setting.front, image, ...SIGN)).requests.length <= 5);
  });

  test('at most 7 for a legacy seal, the first and a further one', async () => {
    const image = await setting.scene.image('to be sealed, legacy');
    for (const key of ['plain.key', 'other.key']) {
      if (key === 'other.key') await writeOtherKey();
      const { run, requests } = await ask(setting.front, image, 'sign', '--key', key, '--format', 'legacy');
      assert.equal(run.code, 0, run.stderr);
      assert.ok(requests.length <= 7, requests.join(', '));
    }
    const again = await ask(setting.front, image, ...SIGN, '--format', 'legacy');
    assert.ok(
      again.requests.every((request) => !request.startsWith('PUT')),
      'what the same key sealed before is not written again',
    );
  });

  test('at most 9 where there is no referrers API: the list under the fallback tag is read, written and read back', async () => {
    const image = await setting.scene.image('to be sealed, old');
    const first = await ask(old, image, ...SIGN);
    assert.equal(first.run.code, 0, first.run.stderr);
    assert.ok(first.requests.length <= 9, first.requests.join(', '));
    const further = await ask(old, image, ...SIGN);
    assert.ok(further.requests.length <= 9, further.requests.join(', '));
  });
});

describe('an attestation', () => {
  const PREDICATE = ['--type', 'https://example.com/kind/v1', '--predicate', 'predicate.json'];
  const ATTEST = ['attest', '--key', 'plain.key', ...PREDICATE];
  const VERIFY_IT = ['verify-attestation', '--key', 'cosign.pub', '--type', 'https://example.com/kind/v1'];
  before(() => writeFileSync(`${setting.machine.work}/predicate.json`, '{"n":1}'));

  test('costs what a seal costs: 5 requests for a bundle, at most 7 in an .att tag, at most 9 without the referrers API', async () => {
    const image = await setting.scene.image('to be attested');
    for (const [front, flags, most] of [
      [setting.front, [], 5],
      [setting.front, [], 5],
      [setting.front, ['--format', 'legacy'], 7],
      [setting.front, ['--format', 'legacy'], 7],
      [old, [], 9],
    ] as const) {
      const { run, requests } = await ask(front, image, ...ATTEST, ...flags);
      assert.equal(run.code, 0, run.stderr);
      assert.ok(requests.length <= most, requests.join(', '));
    }
  });

  test('is verified in as many requests as a seal: 3 by digest, in either format', async () => {
    for (const format of ['bundle', 'legacy']) {
      const image = await setting.scene.image(`attested as ${format}`);
      assert.equal((await ask(setting.front, image, ...ATTEST, '--format', format)).run.code, 0);
      const { run, requests } = await ask(setting.front, image, ...VERIFY_IT);
      assert.equal(run.code, 0, run.stderr);
      assert.deepEqual(requests, ['GET referrers', 'GET manifests', 'GET blobs']);
    }
  });

  test('is found among signatures and other attestations by what they say of themselves, without reading those', async () => {
    const image = await sealedImage('sealed and attested', ['bundle', 'legacy']);
    for (const type of ['https://example.com/other/v1', 'https://example.com/kind/v1', 'https://example.com/more/v1'])
      await ask(setting.front, image, 'attest', '--key', 'plain.key', '--type', type, '--predicate', 'predicate.json');
    assert.equal((await ask(setting.front, image, ...VERIFY_IT)).requests.length, 3);
    assert.equal((await ask(setting.front, image, ...VERIFY)).requests.length, 3, 'nor does a verify read them');
  });

  test('is missed in every place: 4 requests, one for each and one for the image', async () => {
    const image = await setting.scene.image('not attested');
    const { run, requests } = await ask(setting.front, image, ...VERIFY_IT, '--json');
    const document = assertRefusedJson(run, { code: 10, says: /./ });
    assert.deepEqual(placesOf(document), ['referrers-api read', 'attestation-tag absent', 'fallback-tag absent']);
    assert.deepEqual(requests, ['GET referrers', 'GET manifests', 'GET manifests', 'HEAD manifests']);
  });
});

describe('a tree asks', () => {
  test('for the tags, the list, and once for each thing that it shows', async () => {
    const image = await sealedImage('tree', ['bundle', 'legacy']);
    const { run, requests } = await ask(setting.front, image, 'tree');
    assert.equal(run.code, 0, run.stderr);
    assert.deepEqual(
      requests.toSorted(),
      [...Array.from({ length: 5 }, () => 'GET manifests'), 'GET referrers'].toSorted(),
    );
  });

  test('and a triangulate nothing at all by digest, and once by tag', async () => {
    const image = await sealedImage('triangulate', ['bundle'], 'tri');
    assert.deepEqual((await ask(setting.front, image, 'triangulate')).requests, []);
    assert.deepEqual((await ask(setting.front, 'tri', 'triangulate')).requests, ['HEAD manifests']);
  });
});

function placesOf(document: FailureDocument | Ran): readonly string[] {
  const { images } = 'stdout' in document ? (JSON.parse(document.stdout) as FailureDocument) : document;
  return images?.[0]?.places?.map(({ name, outcome }) => `${name} ${outcome}`) ?? [];
}

async function writeOtherKey(): Promise<void> {
  writeFileSync(`${setting.machine.work}/other.key`, (await newKeys()).privateKey);
}
