// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Descriptor } from '../../src/oci/index.ts';
import type { Ended } from './bulla.ts';
import * as mischief from './hostile-registry.ts';
import { assertRefused, assertRefusedJson } from './refusal.ts';
import { openFront, type Answer, type RegistryFront } from './registry-front.ts';
import { REPOSITORY, TAG } from './scene.ts';
import { openSetting, type Setting } from './setting.ts';

// A registry that does what none should, asked by the program as a user runs it: one line, a documented code, bounded time, requests and
// memory, nothing written anywhere; and never "no signatures found".

const MIB = 1024 * 1024;
/** Ends what would not end by itself. */
const TIMEOUT = ['--timeout', '2s'];
const LATE = 'did not finish within 2s \\(--timeout\\)|within the deadline \\(\\d+ ms\\)';

let setting: Setting;
let image: Descriptor;
let untouched: readonly string[];
before(async () => {
  setting = await openSetting();
  image = await setting.scene.image('hello', TAG);
  await setting.scene.seal(image, setting.keys.signer, { formats: ['bundle', 'legacy'] });
  untouched = await inventory();
});
after(async () => {
  assert.deepEqual(await inventory(), untouched, 'nothing was written, here or in the registry');
  await setting[Symbol.asyncDispose]();
});

/** All files of the machine, and all that the registry has of the image. */
async function inventory(): Promise<readonly string[]> {
  const repository = setting.scene.repository();
  const tags: string[] = [];
  for await (const tag of repository.tags()) tags.push(`${tag} ${(await repository.resolve(tag))?.digest}`);
  const { descriptors } = await repository.referrers(image.digest);
  return [...setting.machine.files(), ...tags, ...descriptors.map(({ digest }) => digest)];
}

interface Case {
  readonly answer: Answer;
  readonly verify: readonly [code: number, says: RegExp];
  readonly sign: readonly [code: number, says: RegExp];
  /** where a tag is answered otherwise than a digest */
  readonly byDigestOnly?: boolean;
  /** it would take long, or forever */
  readonly late?: boolean;
}

const same = (code: number, says: RegExp): Pick<Case, 'verify' | 'sign'> => ({
  verify: [code, says],
  sign: [code, says],
});
const late = (says: string): Pick<Case, 'verify' | 'sign' | 'late'> => ({ ...same(2, new RegExp(says)), late: true });
const undecided = (verify: RegExp, sign: RegExp = verify): Pick<Case, 'verify' | 'sign'> => ({
  verify: [2, verify],
  sign: [1, sign],
});

const CASES: Readonly<Record<string, Case>> = {
  'sends HTML with 200': {
    answer: mischief.htmlPage,
    ...undecided(/answers 'text\/html' that is no|bytes answered are sha256:/),
  },
  'sends other content than the digest names': {
    answer: mischief.wrongContent,
    byDigestOnly: true,
    ...undecided(/bytes answered are sha256:[0-9a-f]{64}/),
  },
  'names another digest': {
    answer: mischief.wrongDigest,
    ...undecided(/sha256:0{64} was answered for it|what is answered is no index|answered 200/),
  },
  'sends bodies without end': {
    answer: mischief.endlessBody,
    ...undecided(/more than the 4194304 bytes that are read|a cap ended the search/),
  },
  'announces a terabyte': {
    answer: mischief.hugeBody,
    ...undecided(/1099511627776 bytes, at most 4194304|a cap ended the search/),
  },
  'redirects in circles': { answer: mischief.circle, ...undecided(/redirects more than 5 times/) },
  'resets halfway': { answer: mischief.resetHalfway, ...late(`the connection was reset|${LATE}`) },
  'resets at once': { answer: mischief.resetAtOnce, ...late(`the connection was reset|${LATE}`) },
  'answers 429 forever': {
    answer: mischief.status(429),
    ...late(`answered 429 \\(too many requests\\)|${LATE}`),
  },
  'answers 429 and asks to wait for a day': {
    answer: mischief.status(429, { 'retry-after': '86400' }),
    ...same(2, /answered 429 \(too many requests\); it asks to wait 86400 s/),
  },
  'answers 500 forever': {
    answer: mischief.status(500, {}, 'oops'),
    ...late(`answered 500 \\(server error\\)|${LATE}`),
  },
  'answers 503 forever': {
    answer: mischief.status(503),
    ...late(`answered 503 \\(unavailable\\)|${LATE}`),
  },
  'does not answer': { answer: mischief.silence, ...late(LATE) },
  'sends a byte now and then': { answer: mischief.trickle, ...late(LATE) },
  'speaks another protocol': { answer: mischief.notHttp, ...undecided(/what it answers is not HTTP/) },
  'sends headers without end': {
    answer: mischief.endlessHeader,
    ...undecided(/the header of its answer is too large/),
  },
  'asks for a password': {
    answer: mischief.status(401, { 'www-authenticate': 'Basic realm="x"' }),
    ...undecided(/answered 401 \(not authorized\): it asks for a user and password/),
  },
  'asks for a token and names no server': {
    answer: mischief.status(401, { 'www-authenticate': 'Bearer service="x"' }),
    ...undecided(/asks for a token without naming a token server/),
  },
  'denies, with escape sequences': {
    answer: mischief.status(
      403,
      {},
      JSON.stringify({ errors: [{ code: 'DENIED', message: 'no\nError: \u001b[31myou' }] }),
    ),
    ...undecided(/answered 403 \(denied\)/),
  },
  'has nothing': {
    answer: mischief.status(404),
    verify: [11, /image tag not found: .* has no such image$/],
    sign: [11, /has no (?:manifest|tag)/],
  },
};

describe('a registry that', { concurrency: 3 }, () => {
  for (const [what, { answer, verify, sign, byDigestOnly = false, late: ends = false }] of Object.entries(CASES)) {
    test(`${what}: verify ends with ${verify[0]}, sign with ${sign[0]}, each with one line`, async () => {
      await using front = await openFront(setting.scene.origin, { answer });
      const digest = `${front.host}/${REPOSITORY}@${image.digest}`;
      const name = byDigestOnly ? digest : `${front.host}/${REPOSITORY}:${TAG}`;
      const limit = ends ? TIMEOUT : [];
      const [verified, tagged, sealed, sealedTag] = await Promise.all([
        run(['verify', '--key', 'cosign.pub', ...limit, digest]),
        run(['verify', '--key', 'cosign.pub', ...limit, '--json', name]),
        run(['sign', '--key', 'plain.key', ...limit, digest]),
        run(['sign', '--key', 'plain.key', ...limit, '--json', name]),
      ]);
      assertRefused(verified, { code: verify[0], says: verify[1] });
      assertNamed(verified.stderr, front);
      const document = assertRefusedJson(tagged, { code: verify[0], says: /./ });
      assert.equal(document.images?.[0]?.outcome, verify[0] === 11 ? 'refused' : 'undecided');
      if (verify[0] !== 11) assert.match(document.images?.[0]?.cause?.message ?? '', verify[1]);
      assertRefused(sealed, { code: sign[0], says: sign[1] });
      assertNamed(sealed.stderr, front);
      assertRefusedJson(sealedTag, { code: sign[0], says: sign[1] });
      assert.ok(front.requests.length <= 64, `${front.requests.length} requests`);
      for (const { record, stdout, stderr } of [verified, tagged, sealed, sealedTag]) {
        assert.ok((record?.peakBytes ?? Infinity) < 200 * MIB, `${record?.peakBytes} bytes`);
        assert.doesNotMatch(stdout + stderr, /hunter2/);
      }
    });
  }

  test('is not there: 2, and one line', async () => {
    const front = await openFront(setting.scene.origin);
    const { host } = front;
    await front[Symbol.asyncDispose]();
    const name = `${host}/${REPOSITORY}:${TAG}`;
    const says = /the connection was refused/;
    assertRefused(await run(['verify', '--key', 'cosign.pub', name]), { code: 2, says });
    assertRefused(await run(['sign', '--key', 'plain.key', name]), { code: 2, says });
    assertRefused(await run(['tree', name]), { code: 2, says });
    assertRefused(await run(['triangulate', name]), { code: 2, says });
    assertRefused(await run(['image', 'pack', '.', `${name}-new`]), { code: 2, says });
  });

  test('asks to wait longer than there is time is not asked again', async () => {
    await using front = await openFront(setting.scene.origin, {
      answer: mischief.status(429, { 'retry-after': '30' }),
    });
    const name = `${front.host}/${REPOSITORY}:${TAG}`;
    assertRefused(await run(['verify', '--key', 'cosign.pub', ...TIMEOUT, name]), {
      code: 2,
      says: /asks to wait 30 s/,
    });
    assert.equal(front.requests.length, 1);
  });

  test('is bad for a moment is asked again, and then believed', async () => {
    for (const answer of [
      mischief.once(mischief.status(429, { 'retry-after': '1' })),
      mischief.once(mischief.status(503)),
      mischief.once(mischief.resetHalfway),
    ]) {
      await using front = await openFront(setting.scene.origin, { answer });
      const name = `${front.host}/${REPOSITORY}@${image.digest}`;
      const { code, stderr } = await run(['verify', '--key', 'cosign.pub', name]);
      assert.equal(code, 0, stderr);
      assert.equal(front.requests.length, 6);
    }
  });

  test('is bad in one place does not hide the good seal in another', async () => {
    for (const place of ['/referrers/', '.sig']) {
      for (const answer of [mischief.htmlPage, mischief.status(403), mischief.circle, mischief.endlessBody]) {
        const only = mischief.onlyTo((request) => request.url?.includes(place) === true, answer);
        setting.front.answer = only;
        assert.equal((await setting.verify(image)).code, 0);
        assert.equal((await setting.verify(image, '--all')).code, 0);
        const unsealed = await setting.scene.image('unsealed');
        assertRefused(await setting.verify(unsealed), { code: 2, says: /^Error: undecided: / });
        setting.front.answer = () => false;
      }
    }
  });
});

function run(args: readonly string[]): Promise<Ended> {
  return setting.machine.bulla(args, { record: true });
}

/** The line names the image or the registry. */
function assertNamed(stderr: string, front: RegistryFront): void {
  assert.ok(
    stderr.split('\n').some((line) => line.startsWith('Error: ') && line.includes(front.host)),
    stderr,
  );
}
