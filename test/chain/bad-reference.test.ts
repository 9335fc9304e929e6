// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { runInProcess } from '../golden/in-process.ts';
import { Machine } from './bulla.ts';
import { assertRefused, assertRefusedJson } from './refusal.ts';
import { openFront, type RegistryFront } from './registry-front.ts';
import { newKeys } from './scene.ts';

// What is no reference is refused before anybody is asked, by every command that takes one.

const ZEROS = '0'.repeat(64);

let machine: Machine;
let front: RegistryFront;
before(async () => {
  machine = new Machine();
  front = await openFront('http://127.0.0.1:9');
  const { publicKey, privateKey } = await newKeys();
  writeFileSync(join(machine.work, 'cosign.pub'), publicKey);
  writeFileSync(join(machine.work, 'plain.key'), privateKey);
});
after(async () => {
  await front[Symbol.asyncDispose]();
  machine[Symbol.dispose]();
});

const COMMANDS: readonly (readonly string[])[] = [
  ['verify', '--key', 'cosign.pub'],
  ['sign', '--key', 'plain.key'],
  ['tree'],
  ['triangulate'],
  ['image', 'pack', '.'],
];

/** `HOST` stands for a registry that is there. */
const REFERENCES: readonly (readonly [what: string, reference: string, says: RegExp])[] = [
  ['nothing', '', /^Error: '' is not an image reference: it is empty$/],
  ['a space', ' ', /' ' is not an image reference/],
  ['upper-case letters', 'HOST/Team/App', /upper-case letters\. Did you mean 'HOST\/team\/app'\?$/],
  ['an empty component', 'HOST/a//b', /'HOST\/a\/\/b' is not an image reference: .* empty component/],
  ['a registry alone', 'HOST/', /it names a registry and no repository$/],
  ['a tag with a space', 'HOST/a/b:bad tag', /'bad tag' is not a tag/],
  ['an empty tag', 'HOST/a/b:', /'HOST\/a\/b:' is not an image reference/],
  ['a tag of 129 characters', `HOST/a/b:${'x'.repeat(129)}`, /is not a tag \(at most 128/],
  ['two tags', 'HOST/a/b:c:d', /'HOST\/a\/b:c:d' is not an image reference/],
  ['a digest that is too short', 'HOST/a/b@sha256:123', /what follows the '@' is not a digest/],
  ['a digest of no hex', `HOST/a/b@sha256:${'g'.repeat(64)}`, /what follows the '@' is not a digest/],
  ['a digest in upper case', `HOST/a/b@sha256:${'A'.repeat(64)}`, /what follows the '@' is not a digest/],
  ['a digest of an unknown kind', `HOST/a/b@md5:${'0'.repeat(32)}`, /what follows the '@' is not a digest/],
  ['a digest without its kind', `HOST/a/b@${ZEROS}`, /what follows the '@' is not a digest/],
  ['two digests', `HOST/a/b@sha256:${ZEROS}@sha256:${ZEROS}`, /is not an image reference/],
  ['a URL', 'http://HOST/a/b', /a reference has no scheme\. Did you mean 'HOST\/a\/b'\?$/],
  ['a URL with a password', 'http://user:hunter2@HOST/a/b', /a reference has no scheme/],
  ['a password', 'user:hunter2@HOST/a/b:1', /'user:\*\*\*@HOST\/a\/b:1' is not an image reference/],
  ['a port that cannot be', '127.0.0.1:99999/a', /'127\.0\.0\.1:99999' is not a registry/],
  ['an escape sequence', 'HOST/a\u001b[31m/b', /'HOST\/a\\u\{1b\}\[31m\/b' is not an image reference/],
  ['two lines', 'HOST/a\nError: fake', /'HOST\/a\\u\{a\}Error: fake' is not an image reference/],
  ['5,000 characters', `HOST/${'a'.repeat(5000)}`, /it has 50\d\d characters, at most 776 are possible$/],
  ['a path upwards', 'HOST/../etc', /is not an image reference/],
  ['a layout without a folder', 'oci-layout:', /'oci-layout:' names no directory/],
  ['a layout with a name that is none', 'oci-layout:saved:a b', /'a b' cannot be a name in it$/],
  ['a layout with a digest that is none', 'oci-layout:saved@sha256:12', /'sha256:12' is not a digest$/],
];

describe('what is no reference', () => {
  for (const [what, reference, says] of REFERENCES) {
    test(`${what} is refused with 1 by every command, and nobody is asked`, async () => {
      const image = reference.replaceAll('HOST', front.host);
      const expected = { code: 1, says: new RegExp(says.source.replaceAll('HOST', front.host)) };
      const world = { cwd: machine.work, env: machine.environment() };
      const files = machine.files();
      for (const command of COMMANDS) {
        assertRefused(await runInProcess([...command, image], world), expected);
        const failed = await runInProcess([...command, '--json', image], world);
        const { error } = assertRefusedJson(failed, expected);
        assert.match(error?.code ?? '', /^(?:reference|digest|tag)-malformed$/);
        assert.doesNotMatch(failed.stdout + failed.stderr, /hunter2/);
      }
      assert.deepEqual(front.requests, []);
      assert.deepEqual(machine.files(), files);
    });
  }

  test('beside good names keeps every one of them from being asked for', async () => {
    const world = { cwd: machine.work, env: machine.environment() };
    for (const command of COMMANDS.slice(0, 2)) {
      const run = await runInProcess([...command, `${front.host}/a/b:1`, `${front.host}/a//b`], world);
      assertRefused(run, { code: 1, says: /a\/\/b' is not an image reference/ });
    }
    assert.deepEqual(front.requests, []);
  });

  test('is refused by the program as by its parts, with no reference of the environment either', async () => {
    const run = await machine.bulla(['verify', '--key', 'cosign.pub', `${front.host}/a//b`]);
    assertRefused(run, { code: 1, says: /empty component/ });
    const env = { COSIGN_REPOSITORY: `${front.host}/seals:tag` };
    for (const command of COMMANDS.slice(0, 4)) {
      assertRefused(await runInProcess([...command, `${front.host}/a/b@sha256:${ZEROS}`], { cwd: machine.work, env }), {
        code: 1,
        says: /COSIGN_REPOSITORY is '.*\/seals:tag', expected a repository without tag or digest$/,
      });
    }
    assert.deepEqual(front.requests, []);
  });
});
