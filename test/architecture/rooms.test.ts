// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ARROWS, FOR_TESTS } from './arrows.ts';
import { readTree } from './source-file.ts';

const root = join(import.meta.dirname, '..', '..');
const rooms = readdirSync(join(root, 'src'));
const sources = readTree(root, ['src', 'test', 'bench', 'build']);

/** What a file is called tells what it knows; these words tell nothing. */
const EMPTY_NAME =
  /(^|\/|(?<!credential)-)(helpers?|utils?|managers?|common|misc)([-./]|$)|(^|\/)(data|shared|types)\.ts$/;

for (const room of rooms) {
  describe(`the room ${room}`, () => {
    test('is one that the design knows', () => assert.ok(Object.hasOwn(ARROWS, room)));
    test('has a door', () => assert.ok(existsSync(join(root, 'src', room, 'index.ts'))));
    test('has a README that says what it never does and shows an example', () => {
      const readme = readFileSync(join(root, 'src', room, 'README.md'), 'utf8');
      assert.match(readme, /\bnever\b/);
      assert.match(readme, /^ {4}\S|^```/m);
    });
  });
}

test('package.json offers each room but the command line, and nothing else', () => {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Record<string, unknown>;
  };
  const offered = rooms
    .filter((room) => room !== 'cli')
    .map((room) => [`./${room}`, { types: `./dist/${room}/index.d.ts`, default: `./dist/${room}/index.js` }]);
  assert.deepEqual(exports, Object.fromEntries([...offered, ['./package.json', './package.json']]));
});

test('each source begins with the SPDX line', () => {
  const without = sources.filter(({ text }) => !/^(#!.*\n)?\/\/ SPDX-License-Identifier: Apache-2\.0\n/.test(text));
  assert.deepEqual(
    without.map(({ path }) => path),
    [],
  );
});

test('each source has a kebab-case name that says something', () => {
  const odd = sources.filter(({ path }) => !/^[a-z0-9-/]+(\.[a-z]+)*\.ts$/.test(path) || EMPTY_NAME.test(path));
  assert.deepEqual(
    odd.map(({ path }) => path),
    [],
  );
});

test('the program refuses the same nodes as engines in package.json', () => {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { engines: { node: string } };
  const least = /LEAST.* = \[(\d+), (\d+)\]/.exec(readFileSync(join(root, 'src/cli/supported-node.ts'), 'utf8'));
  assert.equal(engines.node, `>=${least?.[1]}.${least?.[2]}`);
});

test('each source but a test has at most 300 lines', () => {
  const long = sources.filter(({ path, text }) => !FOR_TESTS.test(path) && text.split('\n').length > 301);
  assert.deepEqual(
    long.map(({ path }) => path),
    [],
  );
});
