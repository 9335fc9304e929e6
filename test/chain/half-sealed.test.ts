// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { attachedTag } from '../../src/image/index.ts';
import type { Descriptor } from '../../src/oci/index.ts';
import { htmlPage, once, onlyTo, resetAtOnce, silence, status } from './hostile-registry.ts';
import { assertRefused, assertRefusedJson } from './refusal.ts';
import { openFront, type Answer } from './registry-front.ts';
import { REPOSITORY } from './scene.ts';
import { openSetting, type Setting } from './setting.ts';

// A registry that goes bad in the middle of a sealing: the failure is told, and there is a whole seal or none.

let setting: Setting;
let files: readonly string[];
before(async () => {
  setting = await openSetting();
  files = setting.machine.files();
});
after(async () => {
  assert.deepEqual(setting.machine.files(), files);
  await setting[Symbol.asyncDispose]();
});

const upload = (request: IncomingMessage): boolean => request.url?.includes('/blobs/uploads/') === true;
const manifest = (request: IncomingMessage): boolean =>
  request.method === 'PUT' && request.url?.includes('/manifests/') === true;
const listing = (request: IncomingMessage): boolean =>
  request.method === 'GET' && request.url?.includes('/referrers/') === true;

/** Says that a manifest was stored, and stores nothing. */
const pretends: Answer = (request, response) => {
  request.resume();
  const digest = decodeURIComponent(request.url?.split('/').at(-1) ?? '');
  const named = digest.startsWith('sha256:') ? { 'docker-content-digest': digest } : {};
  response.writeHead(201, { ...named, location: request.url ?? '', 'oci-subject': 'sha256:0' }).end();
  return true;
};
const LATE = ['--timeout', '1s'];

interface Case {
  readonly answer: Answer;
  readonly code: number;
  readonly says: RegExp;
  readonly flags?: readonly string[];
}

const CASES: Readonly<Record<string, Case>> = {
  'denies the upload of a blob': {
    answer: onlyTo(upload, status(403)),
    code: 1,
    says: /cannot upload blob .*answered 403 \(denied\)/,
  },
  'fails at the upload of a blob': {
    answer: onlyTo(upload, status(500)),
    code: 2,
    says: /answered 500 \(server error\)|did not finish/,
    flags: LATE,
  },
  'answers the upload with a page': {
    answer: onlyTo(upload, htmlPage),
    code: 1,
    says: /cannot upload blob .*answered 200/,
  },
  'does not take the blob': { answer: onlyTo(upload, silence), code: 2, says: /did not finish within 1s/, flags: LATE },
  'takes no blob that large': {
    answer: onlyTo(upload, status(413)),
    code: 1,
    says: /cannot upload blob .*answered 413 \(too large\)/,
  },
  'resets every upload': {
    answer: onlyTo(upload, resetAtOnce),
    code: 2,
    says: /connection was reset|did not finish/,
    flags: LATE,
  },
  'denies the manifest': { answer: onlyTo(manifest, status(403)), code: 1, says: /answered 403 \(denied\)/ },
  'fails at the manifest': {
    answer: onlyTo(manifest, status(503)),
    code: 2,
    says: /answered 503|did not finish/,
    flags: LATE,
  },
  'does not take the manifest': {
    answer: onlyTo(manifest, silence),
    code: 2,
    says: /did not finish within 1s/,
    flags: LATE,
  },
  'resets at the manifest': {
    answer: onlyTo(manifest, resetAtOnce),
    code: 2,
    says: /connection was reset|did not finish/,
    flags: LATE,
  },
  'says that it stored another manifest': {
    answer: onlyTo(manifest, status(201, { 'docker-content-digest': `sha256:${'0'.repeat(64)}` })),
    code: 1,
    says: /says that it stored sha256:0{64}/,
  },
};

describe('a registry that', { concurrency: 4 }, () => {
  for (const format of ['bundle', 'legacy'] as const) {
    for (const [what, { answer, code, says, flags = [] }] of Object.entries(CASES)) {
      test(`${what} of a ${format}: ${code}, and there is no seal`, async () => {
        const { scene, bulla } = setting;
        const image = await scene.image(`${what} ${format}`);
        await using front = await openFront(scene.origin, { answer });
        const name = `${front.host}/${REPOSITORY}@${image.digest}`;
        const sign = ['sign', '--key', 'plain.key', '--format', format];
        const args = [...sign, name, ...flags];
        const [plain, json] = await Promise.all([bulla(args), bulla([...args, '--json'])]);
        assertRefused(plain, { code, says });
        assert.ok(plain.stderr.includes(front.host), plain.stderr);
        assertRefusedJson(json, { code, says });
        assert.deepEqual(await sealsOf(image), []);
        assertRefused(await setting.verify(image), { code: 10, says: /^Error: no signatures found: / });
        // past the front, which stays bad: a request that was given up at the deadline may still reach it
        assert.equal(
          (await bulla([...sign, setting.name(image)])).code,
          0,
          'it can be sealed as soon as the registry is well',
        );
        assert.equal((await setting.verify(image)).code, 0);
      });
    }
  }

  test('pretends to have stored a seal is found out: 1', async () => {
    const { scene, bulla } = setting;
    const image = await scene.image('pretended');
    await using front = await openFront(scene.origin, { answer: onlyTo(manifest, pretends) });
    const name = `${front.host}/${REPOSITORY}@${image.digest}`;
    const says =
      /^Error: .* took the seal sha256:[0-9a-f]{64} and does not list it as a referrer of sha256:[0-9a-f]{64}$/;
    assertRefused(await bulla(['sign', '--key', 'plain.key', name]), { code: 1, says });
  });

  for (const format of ['bundle', 'legacy'] as const) {
    for (const [step, fits] of Object.entries({ upload, manifest })) {
      test(`is bad for a moment at the ${step} of a ${format} gets the seal all the same, and once`, async () => {
        const { scene, bulla } = setting;
        for (const [what, answer] of Object.entries({ status: status(503), reset: resetAtOnce })) {
          const image = await scene.image(`moment ${format} ${step} ${what}`);
          await using front = await openFront(scene.origin, { answer: onlyTo(fits, once(answer)) });
          const name = `${front.host}/${REPOSITORY}@${image.digest}`;
          const { code, stderr } = await bulla(['sign', '--key', 'plain.key', '--format', format, name]);
          assert.equal(code, 0, stderr);
          assert.equal((await sealsOf(image)).length, 1);
          assert.equal((await setting.verify(image)).code, 0);
        }
      });
    }
  }

  test('cannot be asked whether the seal is listed: 1, and the seal that was written is whole', async () => {
    const { scene, bulla } = setting;
    const image = await scene.image('read back');
    await using front = await openFront(scene.origin, { answer: onlyTo(listing, htmlPage) });
    const failed = await bulla(['sign', '--key', 'plain.key', `${front.host}/${REPOSITORY}@${image.digest}`]);
    assertRefused(failed, { code: 1, says: /cannot list the referrers of .*answers 'text\/html'/ });
    assert.equal((await setting.verify(image)).code, 0);
  });
});

/** All seals of an image, in either place. */
async function sealsOf(image: Descriptor): Promise<readonly string[]> {
  const repository = setting.scene.repository();
  const { descriptors } = await repository.referrers(image.digest);
  const tagged = await repository.resolve(attachedTag(image.digest, 'signature'));
  return [...descriptors.map(({ digest }) => digest), ...(tagged === undefined ? [] : [tagged.digest])];
}
