// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { FULCIO_CLAIMS } from '../trust/index.ts';
import { COMMANDS } from './command-table.ts';
import { EXIT } from './exit-code.ts';
import { GLOBAL_FLAGS } from './flags/global.ts';
import { REGISTRY_FLAGS } from './flags/registry.ts';
import { SIGNING_FLAGS } from './flags/signing.ts';

const manual = readFileSync(join(import.meta.dirname, '../../docs/cli.md'), 'utf8');

function section(title: string): string {
  const start = manual.indexOf(`\n## ${title}\n`);
  assert.notEqual(start, -1, `docs/cli.md has no section '${title}'`);
  const end = manual.indexOf('\n## ', start + 4);
  return manual.slice(start, end === -1 ? undefined : end);
}

/** The flags that tables name in a section, without the dashes. */
function named(text: string): Set<string> {
  const rows = text.split('\n').filter((line) => line.startsWith('| `-'));
  return new Set(
    rows.flatMap((row) => [...(row.split(' | ')[0] ?? '').matchAll(/--([a-z0-9-]+)/g)].map(([, name]) => name ?? '')),
  );
}

describe('docs/cli.md', () => {
  for (const [name, { load }] of Object.entries(COMMANDS)) {
    it(`tells of bulla ${name}: its usage and every flag, and none that it does not have`, async () => {
      const { command } = await load();
      const text = section(`bulla ${name}`);
      assert.ok(text.includes(`\n    bulla ${name} ${command.usage}\n`), `usage: bulla ${name} ${command.usage}`);
      // the flags of a group stand in a section of their own, to which the command's refers
      const seals = Object.hasOwn(command.flags, 'fulcio-url');
      assert.equal(text.includes('(#sealing-with-services)'), seals);
      const grouped = (flag: string): boolean =>
        Object.hasOwn(REGISTRY_FLAGS, flag) || (seals && Object.hasOwn(SIGNING_FLAGS, flag));
      const visible = Object.entries(command.flags).filter(([flag, spec]) => spec.hidden !== true && !grouped(flag));
      assert.deepEqual([...named(text)].toSorted(), visible.map(([flag]) => flag).toSorted());
      const reaches = Object.hasOwn(command.flags, 'registry-token');
      assert.equal(text.includes('(#reaching-a-registry)'), reaches);
    });
  }

  it('tells of the flags of every command', () => {
    const names = [...Object.keys(GLOBAL_FLAGS), 'help'];
    assert.deepEqual([...named(section('Flags of every command'))].toSorted(), names.toSorted());
  });

  it('tells how a registry is reached', () => {
    const visible = Object.entries(REGISTRY_FLAGS).filter(([, spec]) => !('hidden' in spec));
    assert.deepEqual([...named(section('Reaching a registry'))].toSorted(), visible.map(([flag]) => flag).toSorted());
  });

  it('tells how services are used to seal', () => {
    const visible = Object.entries(SIGNING_FLAGS).filter(([, spec]) => !('hidden' in spec));
    assert.deepEqual([...named(section('Sealing with services'))].toSorted(), visible.map(([flag]) => flag).toSorted());
  });

  it('names every claim that can be asked for', () => {
    const text = section('bulla verify');
    for (const claim of FULCIO_CLAIMS.keys()) if (claim !== 'issuer') assert.ok(text.includes(`\`${claim}\``), claim);
  });

  it('tells of every exit code', () => {
    const text = section('Exit codes');
    for (const code of Object.values(EXIT))
      assert.match(text, new RegExp(`^\\| (?:\\d+, )*${code}(?:, \\d+)* \\|`, 'm'));
  });
});
