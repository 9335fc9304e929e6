// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { ARROWS, arrowFaults, reachableFrom } from './arrows.ts';
import { parseSource, readTree } from './source-file.ts';

const root = join(import.meta.dirname, '..', '..');

/** The faults of a tree that has one file with one line. */
function faultsOf(path: string, line: string): readonly string[] {
  return arrowFaults([parseSource(path, line)]);
}

test('every import in this checkout follows an arrow, through a door', () => {
  assert.deepEqual(arrowFaults(readTree(root, ['src', 'test', 'bench', 'build'])), []);
});

test('ARCHITECTURE.md draws these arrows and no others', () => {
  const rows = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8').matchAll(/^\| `(\w+)` \|.*\| ([^|]+) \|$/gm);
  const drawn = [...rows].map(([, room, arrows]) => [room, arrows?.match(/\w+/g) ?? []]);
  const all = Object.entries(ARROWS).map(([room, arrows]) => [room, room === 'cli' ? ['all'] : arrows]);
  assert.deepEqual(drawn, all);
});

test('no arrow leads in a circle', () => {
  for (const [room, arrows] of Object.entries(ARROWS)) {
    for (const next of arrows) assert.ok(!reachableFrom(next).has(room), `${room} -> ${next} -> … -> ${room}`);
  }
});

describe('a bad import is found', () => {
  const bad = {
    'against an arrow': ['src/oci/a.ts', "import { x } from '../trust/index.ts';", 'no arrow leads from oci to trust'],
    upwards: ['src/wire/a.ts', "import { x } from '../oci/index.ts';", 'no arrow leads from wire to oci'],
    'of a type only': [
      'src/trust/a.ts',
      "import type { X } from '../oci/index.ts';",
      'no arrow leads from trust to oci',
    ],
    'in a type expression': [
      'src/trust/a.ts',
      "type X = import('../oci/index.ts').X;",
      'no arrow leads from trust to oci',
    ],
    'as a re-export': [
      'src/store/index.ts',
      "export { x } from '../oci/index.ts';",
      'no arrow leads from store to oci',
    ],
    'as export *': ['src/store/index.ts', "export * from '../oci/index.ts';", 'no arrow leads from store to oci'],
    'when loaded late': [
      'src/image/a.ts',
      "await import('../registry/index.ts');",
      'no arrow leads from image to registry',
    ],
    'in a test': [
      'src/oci/a.test.ts',
      "import { x } from '../registry/index.ts';",
      'no arrow leads from oci to registry',
    ],
    'past the door': ['src/image/a.ts', "import { x } from '../oci/digest.ts';", 'past the door src/oci/index.ts'],
    'past the door, from the tests': [
      'test/chain/a.test.ts',
      "import { x } from '../../src/oci/digest.ts';",
      'past the door src/oci/index.ts',
    ],
    'past the door, from the bench': [
      'bench/a.ts',
      "import { x } from '../src/oci/digest.ts';",
      'past the door src/oci/index.ts',
    ],
    'of a contract, outside tests': [
      'src/registry/a.ts',
      "import { x } from '../oci/repository.contract.ts';",
      'is for tests',
    ],
    'of a fixture, outside tests': ['src/store/a.ts', "import { x } from './disk.fixture.ts';", 'is for tests'],
    'of a test': ['src/oci/a.ts', "import { x } from './b.test.ts';", 'is for tests'],
    'of a room that nobody drew': ['src/oci/a.ts', "import { x } from '../common/index.ts';", 'is in no room'],
    'of a file beside the rooms': ['src/oci/a.ts', "import { x } from '../shared.ts';", 'is in no room'],
    'out of src': ['src/oci/a.ts', "import { x } from '../../test/chain/b.ts';", 'outside src'],
    'of package.json': ['src/cli/a.ts', "import x from '../../package.json' with { type: 'json' };", 'outside src'],
    'of a room by the build scripts': ['build/a.ts', "import { x } from '../src/oci/index.ts';", 'outside build'],
    'by the name of the package': ['src/oci/a.ts', "import { x } from 'bulla/wire';", 'hides where it leads'],
    'with a computed name': ['src/oci/a.ts', 'await import(`../${room}/index.ts`);', 'computed'],
    'of a built-in module with a computed name': ['src/oci/a.ts', 'process.getBuiltinModule(name);', 'computed'],
  } as const;
  for (const [name, [path, line, fault]] of Object.entries(bad)) {
    test(name, () => {
      const [found, ...others] = faultsOf(path, `\n${line}`);
      assert.ok(found?.startsWith(`${path}:2 `) && found.includes(fault), `found ${found}`);
      assert.deepEqual(others, []);
    });
  }
});

describe('a good import is left alone', () => {
  const good = {
    'along an arrow': ['src/image/a.ts', "import { x } from '../oci/index.ts';"],
    'along two arrows': ['src/image/a.ts', "import { x } from '../wire/index.ts';"],
    'from a sub-folder': ['src/trust/key/a.ts', "import { x } from '../../wire/index.ts';"],
    'within a room': ['src/trust/key/a.ts', "import { x } from '../der/reader.ts';"],
    'of a contract, by a test': ['src/registry/a.test.ts', "import { x } from '../oci/repository.contract.ts';"],
    'of a fixture of another room, by a test': [
      'src/registry/a.test.ts',
      "import { x } from '../store/disk.fixture.ts';",
    ],
    'of any room by the command line': ['src/cli/a.ts', "const x = await import('../registry/index.ts');"],
    'of any room by the whole-chain tests': [
      'test/chain/a.test.ts',
      "import { x } from '../../src/registry/index.ts';",
    ],
    'of a built-in module': ['src/wire/a.ts', "const http = process.getBuiltinModule('node:http');"],
    'of one of two built-in modules': ['src/wire/a.ts', "process.getBuiltinModule(tls ? 'node:https' : 'node:http');"],
    'of a package': ['src/trust/a.ts', "import { x } from '@noble/curves/nist.js';"],
    'in a comment or a string': [
      'src/wire/a.ts',
      "/** import { x } from '../oci/index.ts'; */ const s = \"import '../oci/index.ts'\";",
    ],
  } as const;
  for (const [name, [path, line]] of Object.entries(good)) {
    test(name, () => assert.deepEqual(faultsOf(path, line), []));
  }
});
