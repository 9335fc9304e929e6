// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { purityFaults } from './purity.ts';
import { parseSource, readTree } from './source-file.ts';

const root = join(import.meta.dirname, '..', '..');

/** A `wire` with a pure part and one with a socket behind the same door, and a `trust` of one file. */
function faultsOf(trust: string, more: Readonly<Record<string, string>> = {}): readonly string[] {
  const tree = {
    'src/wire/index.ts':
      "export { encode } from './base64.ts';\nexport { request as send, type Answer } from './client.ts';",
    'src/wire/base64.ts': 'export const encode = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");',
    'src/wire/client.ts': "export const request = () => process.getBuiltinModule('node:http');",
    'src/trust/a.ts': trust,
    ...more,
  };
  return purityFaults(
    Object.entries(tree).map(([path, text]) => parseSource(path, text)),
    'trust',
  );
}

test('trust reaches no socket, file, clock or process', () => {
  assert.deepEqual(purityFaults(readTree(root, ['src']), 'trust'), []);
});

describe('what is not pure is found', () => {
  const impure = {
    'a file': ["import { readFileSync } from 'node:fs';", 'src/trust/a.ts:1 imports node:fs'],
    'a socket': ["import net from 'node:net';", 'src/trust/a.ts:1 imports node:net'],
    'a built-in module without import': ["process.getBuiltinModule('node:dns');", 'src/trust/a.ts:1 imports node:dns'],
    'a module with a computed name': ['await import(name);', 'src/trust/a.ts:1 imports a computed name'],
    fetch: ["await fetch('http://localhost');", 'src/trust/a.ts:1 uses fetch'],
    'the environment': ['const home = process.env.HOME;', 'src/trust/a.ts:1 uses process'],
    now: ['const now = Date.now();', 'src/trust/a.ts:1 uses Date.now'],
    today: ['const now = new Date();', 'src/trust/a.ts:1 uses new Date()'],
    'a timer': ['setTimeout(() => {}, 1);', 'src/trust/a.ts:1 uses setTimeout'],
    'another package': ["import x from 'undici';", 'src/trust/a.ts:1 imports undici'],
    'the socket of another room, under its other name': [
      "import { send } from '../wire/index.ts';",
      'src/wire/client.ts:1 imports node:http',
    ],
    'all of another room': ["import * as wire from '../wire/index.ts';", 'src/wire/client.ts:1 imports node:http'],
  } as const;
  for (const [name, [line, fault]] of Object.entries(impure)) {
    test(name, () => {
      const found = faultsOf(line);
      assert.ok(found.includes(fault), `found ${found.join('; ') || 'nothing'}`);
    });
  }
});

describe('what is pure is left alone', () => {
  const pure = {
    'a pure part of a room that has a socket too': "import { encode } from '../wire/index.ts';",
    'a type of what has a socket': "import type { Answer } from '../wire/index.ts';",
    'a date that is given': 'export const at = (seconds: number) => new Date(seconds * 1000);',
    computing: "import { verify } from 'node:crypto'; import { p256 } from '@noble/curves/nist.js';",
    'a property that is called like a global': 'export const f = (transport: { fetch(): void }) => transport.fetch();',
  };
  for (const [name, line] of Object.entries(pure)) test(name, () => assert.deepEqual(faultsOf(line), []));

  test('a test that reads a file', () => {
    assert.deepEqual(faultsOf('', { 'src/trust/a.test.ts': "import { readFileSync } from 'node:fs';" }), []);
  });
});
