// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { MediaType, type Descriptor } from '../../src/oci/index.ts';
import { assertRefused, assertRefusedJson } from './refusal.ts';
import { openFront, type Answer } from './registry-front.ts';
import { describe as described, json, REPOSITORY } from './scene.ts';
import { openSetting, type Setting } from './setting.ts';

// More than any image has beside it: bounded requests and memory, a good seal among it is found, and what was not read is never taken for
// "not there".

const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const MIB = 1024 * 1024;

let setting: Setting;
let image: Descriptor;
let sealed: Descriptor;
let good: Descriptor;
before(async () => {
  setting = await openSetting();
  const { scene, keys } = setting;
  image = await scene.image('crowded');
  sealed = await scene.image('crowded, and sealed');
  await scene.seal(sealed, keys.signer);
  const [listed] = (await scene.repository().referrers(sealed.digest)).descriptors;
  assert.ok(listed !== undefined);
  good = listed;
});
after(() => setting[Symbol.asyncDispose]());

/** Things beside an image that are made as they are asked for. */
interface Crowd {
  readonly entries: readonly object[];
  /** by digest */
  readonly content: ReadonlyMap<string, () => Uint8Array>;
}

/** @param content of each thing, by its number */
function crowd(subject: Descriptor, count: number, type: string, content: (n: number) => Uint8Array): Crowd {
  const entries: object[] = [];
  const all = new Map<string, () => Uint8Array>();
  for (let n = 0; n < count; n++) {
    const layer = { mediaType: type, ...described(content(n)) };
    const manifest = json({
      schemaVersion: 2,
      mediaType: MediaType.imageManifest,
      artifactType: type,
      config: { mediaType: MediaType.empty, ...described(json({})) },
      layers: [layer],
      subject,
    });
    const entry = { mediaType: MediaType.imageManifest, ...described(manifest), artifactType: type };
    entries.push(entry);
    all.set(entry.digest, () => manifest);
    all.set(layer.digest, () => content(n));
  }
  return { entries, content: all };
}

/** A registry that lists a crowd, page by page. */
function lists({ content }: Crowd, pages: readonly (readonly object[])[]): Answer {
  return (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://registry.test');
    if (pathname.includes('/referrers/')) {
      const page = Number(searchParams.get('page') ?? 0);
      const more = page + 1 < pages.length ? { link: `<${pathname}?page=${page + 1}>; rel="next"` } : {};
      response.writeHead(200, { 'content-type': MediaType.imageIndex, ...more });
      response.end(json({ schemaVersion: 2, mediaType: MediaType.imageIndex, manifests: pages[page] ?? [] }));
      return true;
    }
    const found = content.get(pathname.split('/').at(-1) ?? '');
    if (found === undefined) return false;
    response.writeHead(200, { 'content-type': MediaType.imageManifest }).end(found());
    return true;
  };
}

const small = (n: number): Uint8Array => json({ n });

describe('10,000 referrers', () => {
  let junk: Crowd;
  before(() => {
    junk = crowd(image, 10_000, BUNDLE, small);
  });

  test('that say they are seals: 2, "1000 of 10000", two requests each, less than 200 MiB', async () => {
    await using front = await openFront(setting.scene.origin, { answer: lists(junk, [junk.entries]) });
    const name = `${front.host}/${REPOSITORY}@${image.digest}`;
    const run = await setting.machine.bulla(['verify', '--key', 'cosign.pub', name], { record: true });
    const says = /a cap ended the search: 1000 of 10000 entries were read, and none is a seal .*\[evidence-capped\]$/;
    assertRefused(run, { code: 2, says });
    assert.match(run.stderr, /^ {2}- and 995 more \(--json lists all\)$/m);
    assert.ok(run.stderr.split('\n').length < 12, 'the talk does not grow with the crowd');
    assert.ok(front.requests.length <= 2 * 1000 + 3, `${front.requests.length} requests`);
    assert.ok((run.record?.peakBytes ?? Infinity) < 200 * MIB, `${run.record?.peakBytes} bytes`);
    const document = assertRefusedJson(await setting.bulla(['verify', '--key', 'cosign.pub', '--json', name]), {
      code: 2,
      says: /./,
    });
    assert.equal(document.images?.[0]?.rejected?.length, 1000);
    assert.equal(document.images?.[0]?.cause?.code, 'evidence-capped');
  });

  test('that are something else: 2 all the same, since what they say of themselves is no proof', async () => {
    const others = crowd(image, 10_000, 'application/vnd.example.sbom', small);
    await using front = await openFront(setting.scene.origin, { answer: lists(others, [others.entries]) });
    const run = await setting.bulla(['verify', '--key', 'cosign.pub', `${front.host}/${REPOSITORY}@${image.digest}`]);
    assertRefused(run, { code: 2, says: /1000 of 10000 entries were read/ });
  });

  test('end at the timeout, if that comes first', async () => {
    await using front = await openFront(setting.scene.origin, { answer: lists(junk, [junk.entries]) });
    const name = `${front.host}/${REPOSITORY}@${image.digest}`;
    const run = await setting.bulla(['verify', '--key', 'cosign.pub', '--timeout', '50ms', name]);
    assertRefused(run, { code: 2, says: /could not find out who sealed it: / });
  });

  test('do not hide the good seal among them: 3 requests, by the hints that cosign 3 writes', async () => {
    const { entries, content } = crowd(sealed, 9_999, BUNDLE, small);
    const listed = [...entries.slice(0, 9_000), good, ...entries.slice(9_000)];
    await using front = await openFront(setting.scene.origin, { answer: lists({ entries, content }, [listed]) });
    const name = `${front.host}/${REPOSITORY}@${sealed.digest}`;
    const run = await setting.machine.bulla(['verify', '--key', 'cosign.pub', name], { record: true });
    assert.equal(run.code, 0, run.stderr);
    assert.equal(front.requests.length, 3);
    assert.ok((run.record?.peakBytes ?? Infinity) < 200 * MIB, `${run.record?.peakBytes} bytes`);
  });

  test('do not hide a good seal without any hint, as far as a cap lets it be read', async () => {
    const { entries, content } = crowd(sealed, 900, 'application/vnd.example.sbom', small);
    const bare = {
      mediaType: good.mediaType,
      digest: good.digest,
      size: good.size,
      artifactType: 'application/vnd.example.sbom',
    };
    await using front = await openFront(setting.scene.origin, {
      answer: lists({ entries, content }, [[...entries, bare]]),
    });
    const run = await setting.bulla(['verify', '--key', 'cosign.pub', `${front.host}/${REPOSITORY}@${sealed.digest}`]);
    assert.equal(run.code, 0, run.stderr);
  });

  test('do not keep anybody from sealing', async () => {
    const answer = lists(junk, [[...junk.entries, good]]);
    await using front = await openFront(setting.scene.origin, { answer });
    const another = await setting.scene.image('crowded, to be sealed');
    const name = `${front.host}/${REPOSITORY}@${another.digest}`;
    const { code, stderr } = await setting.bulla(['sign', '--key', 'plain.key', name]);
    assert.equal(code, 0, stderr);
    assert.ok(front.requests.length <= 7);
  });
});

describe('a listing', () => {
  test('of pages without end ends at a cap: 2, and at most 100 pages', async () => {
    const pages = Array.from({ length: 5000 }, (_, page) => crowd(image, 1, BUNDLE, () => json({ page })).entries);
    const none: Crowd = { entries: [], content: new Map() };
    await using front = await openFront(setting.scene.origin, { answer: lists(none, pages) });
    const run = await setting.bulla(['verify', '--key', 'cosign.pub', `${front.host}/${REPOSITORY}@${image.digest}`]);
    assertRefused(run, { code: 2, says: /100 of more than 100 entries were read/ });
    assert.equal(front.requests.filter(({ path }) => path.includes('/referrers/')).length, 100);
  });

  test('whose pages go in a circle: 2', async () => {
    const { entries, content } = crowd(image, 2, BUNDLE, small);
    const answer: Answer = (request, response, times) => {
      if (request.url?.includes('/referrers/') !== true)
        return lists({ entries, content }, [])(request, response, times);
      const { pathname } = new URL(request.url, 'http://registry.test');
      response.writeHead(200, { 'content-type': MediaType.imageIndex, link: `<${pathname}?page=1>; rel="next"` });
      response.end(json({ schemaVersion: 2, manifests: entries }));
      return true;
    };
    await using front = await openFront(setting.scene.origin, { answer });
    const run = await setting.bulla(['verify', '--key', 'cosign.pub', `${front.host}/${REPOSITORY}@${image.digest}`]);
    assertRefused(run, { code: 2, says: /its pages go in a circle/ });
  });

  test('whose next page is another registry is not followed there', async () => {
    await using elsewhere = await openFront(setting.scene.origin);
    const answer: Answer = (request, response) => {
      if (request.url?.includes('/referrers/') !== true) return false;
      const link = `<http://${elsewhere.host}/v2/x/referrers/y>; rel="next"`;
      response
        .writeHead(200, { 'content-type': MediaType.imageIndex, link })
        .end(json({ schemaVersion: 2, manifests: [] }));
      return true;
    };
    await using front = await openFront(setting.scene.origin, { answer });
    const run = await setting.bulla(['verify', '--key', 'cosign.pub', `${front.host}/${REPOSITORY}@${image.digest}`]);
    assertRefused(run, { code: 2, says: /cannot list the referrers of / });
    assert.deepEqual(elsewhere.requests, []);
  });

  test('of more than 4 MiB: 2', async () => {
    const entry = {
      mediaType: MediaType.imageManifest,
      ...described(json({})),
      annotations: { pad: 'x'.repeat(5 * MIB) },
    };
    const none: Crowd = { entries: [], content: new Map() };
    await using front = await openFront(setting.scene.origin, { answer: lists(none, [[entry]]) });
    const run = await setting.bulla(['verify', '--key', 'cosign.pub', `${front.host}/${REPOSITORY}@${image.digest}`]);
    assertRefused(run, { code: 2, says: /a cap ended the search: the listing is larger than what is read/ });
  });
});

describe('seals of 4 MiB', () => {
  const padding = Buffer.alloc(4 * MIB - 100, 'x');
  const padded = (n: number): Uint8Array => Buffer.concat([Buffer.from(`{"n":${n},"x":"`), padding, Buffer.from('"}')]);

  test('take memory one after the other, not all at once', async () => {
    const heavy = crowd(image, 80, BUNDLE, padded);
    await using front = await openFront(setting.scene.origin, { answer: lists(heavy, [heavy.entries]) });
    const name = `${front.host}/${REPOSITORY}@${image.digest}`;
    const run = await setting.machine.bulla(['verify', '--key', 'cosign.pub', name], { record: true });
    assertRefused(run, { code: 12, says: /80 seals were found, and none is accepted$/ });
    assert.ok((run.record?.peakBytes ?? Infinity) < 400 * MIB, `${run.record?.peakBytes} bytes for 320 MiB of seals`);
  });
});

describe('a .sig tag', () => {
  test('with 1,000 signatures of others: 12, and their one payload is fetched once', async () => {
    const payload = json({ n: 1 });
    const layer = { mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json', ...described(payload) };
    const signature = (n: number): string => Buffer.alloc(70, n).toString('base64');
    const manifest = json({
      schemaVersion: 2,
      mediaType: MediaType.imageManifest,
      config: { mediaType: MediaType.imageConfig, ...described(json({})) },
      layers: Array.from({ length: 1000 }, (_, n) => ({
        ...layer,
        annotations: { 'dev.cosignproject.cosign/signature': signature(n) },
      })),
    });
    const answer: Answer = (request, response) => {
      const body =
        request.url?.endsWith('.sig') === true
          ? manifest
          : request.url?.endsWith(layer.digest) === true
            ? payload
            : undefined;
      if (body === undefined) return false;
      response.writeHead(200, { 'content-type': MediaType.imageManifest }).end(body);
      return true;
    };
    await using front = await openFront(setting.scene.origin, { answer });
    const run = await setting.bulla(['verify', '--key', 'cosign.pub', `${front.host}/${REPOSITORY}@${image.digest}`]);
    assertRefused(run, { code: 12, says: /1000 seals were found, and none is accepted$/ });
    assert.ok(front.requests.length <= 5, `${front.requests.length} requests`);
  });
});
