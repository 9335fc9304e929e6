// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { COMMANDS } from './command-table.ts';
import type { FlagSpec, FlagTable } from './command.ts';
import { GLOBAL_FLAGS } from './flags/global.ts';
import { runRecorded } from './recording-host.fixture.ts';

// Every flag of cosign 2.5.0 and 3.1.1, the hidden ones of 3.1.1 included, holds here: it is there, of the same kind, and is refused only where
// docs/cosign-differences.md says so. The flags were read from the programs themselves (test/golden/_flags).

const root = join(import.meta.dirname, '../..');

/** A flag of cosign's. */
interface CosignFlag {
  readonly version: string;
  readonly command: string;
  readonly flag: string;
  readonly short: string | undefined;
  /** as its help has it: `'text'`, `true`, `[]`, `10`; `?` where the help hides the flag, `…` an address of the public instance */
  readonly default: string;
}

const ALL: readonly CosignFlag[] = readFileSync(join(root, 'test/golden/_flags/cosign.tsv'), 'utf8')
  .trimEnd()
  .split('\n')
  .flatMap((line) => {
    const [version = '', command = '', flags = ''] = line.split('\t');
    return flags.split(' ').map((word) => {
      const [, short, flag = '', value = ''] = /^(?:(\w)\/)?([\w-]+)=(.*)$/.exec(word) ?? [];
      return { version, command, flag, short, default: value };
    });
  });

/** Commands of cosign that this version does not have. */
const ABSENT = [
  'bundle create',
  'bundle upgrade',
  'clean',
  'copy',
  'dockerfile verify',
  'download signature',
  'generate',
  'manifest verify',
  'upload blob',
  'upload wasm',
];

/** Where a default is another, or values are taken that cosign does not: `command --flag`, with `*` for anything. */
const OTHERWISE: Readonly<Record<string, string>> = {
  '* --key': 'several keys can be given',
  'sign --sign-container-identity': 'several identities can be given',
  '* --new-bundle-format': 'bundles are written and read unless told, as by cosign 3',
  '* --use-signing-config': 'a key seals without services; without one they are looked up as by cosign 3',
  'sign-blob --signing-algorithm': 'what the key is says how it signs',
};

/** `*` stands for anything; nothing else is special. */
function matches(text: string, pattern: string): boolean {
  const [before = '', after] = pattern.split('*');
  return after === undefined ? text === before : text.startsWith(before) && text.endsWith(after);
}

const present = ALL.filter(({ command }) => Object.hasOwn(COMMANDS, command));

async function flagsOf(command: string): Promise<FlagTable> {
  const entry = COMMANDS[command];
  assert.ok(entry !== undefined, command);
  return { ...GLOBAL_FLAGS, ...(await entry.load()).command.flags };
}

function kindOf(value: string): FlagSpec['kind'] {
  if (value === 'true' || value === 'false') return 'boolean';
  if (value === '[]') return 'strings';
  return /^\d+$/.test(value) ? 'integer' : 'string';
}

/** A default as cosign's help writes it. */
function shown(spec: FlagSpec): string {
  if (spec.kind === 'strings') return '[]';
  if (spec.kind === 'boolean') return String(spec.default ?? false);
  return spec.kind === 'string' ? `'${spec.default ?? ''}'` : String(spec.default);
}

describe("cosign's flags", () => {
  for (const command of new Set(present.map((one) => one.command)))
    it(`of ${command} are there, of the same kind and with the same default`, async () => {
      const flags = await flagsOf(command);
      for (const one of present.filter((flag) => flag.command === command)) {
        const name = `${one.version} ${command} --${one.flag}`;
        const spec = flags[one.flag];
        assert.ok(spec !== undefined, `${name} is missing`);
        const said = Object.keys(OTHERWISE).some((row) => matches(`${command} --${one.flag}`, row));
        if (['?', '…'].includes(one.default)) continue;
        assert.equal(spec.short, one.short, name);
        if (said) continue;
        assert.equal(spec.kind, kindOf(one.default), name);
        assert.equal(shown(spec), one.default, name);
      }
    });

  it('are compared of every command but those that are not here', () => {
    const missing = ALL.filter(({ command }) => !Object.hasOwn(COMMANDS, command)).map(({ command }) => command);
    assert.deepEqual([...new Set(missing)].toSorted(), ABSENT);
    for (const row of Object.keys(OTHERWISE))
      assert.ok(
        present.some(({ command, flag }) => matches(`${command} --${flag}`, row)),
        row,
      );
  });

  it('are refused only where docs/cosign-differences.md says so, and there all of them, by name', async () => {
    const rows = refusedRows();
    const used = new Set<string>();
    for (const command of new Set(present.map((one) => one.command))) {
      const flags = await flagsOf(command);
      for (const flag of new Set(present.filter((one) => one.command === command).map((one) => one.flag))) {
        const spec = flags[flag];
        const row = rows.find((one) => one.flags.includes(flag) && one.commands.some((name) => matches(command, name)));
        assert.equal(
          spec?.refused !== undefined,
          row !== undefined,
          `${command} --${flag}: ${spec?.refused ?? 'works'}`,
        );
        if (spec === undefined || row === undefined) continue;
        used.add(`${row.commands.join()} ${flag}`);
        const value = spec.kind === 'boolean' ? [`--${flag}`] : [`--${flag}`, valueOf(spec)];
        const ran = await runRecorded([...command.split(' '), ...value]);
        assert.equal(ran.code, 1, `${command} --${flag}`);
        assert.ok(ran.stderr.includes(`Error: --${flag}: `), ran.stderr);
      }
    }
    for (const { flags, commands } of rows)
      for (const flag of flags) assert.ok(used.has(`${commands.join()} ${flag}`), `${flag} of ${commands.join()}`);
  });
});

function valueOf(spec: FlagSpec): string {
  const choices = spec.kind === 'string' ? (spec.choices ?? []) : [];
  return choices.find((choice) => choice !== (spec.kind === 'string' ? spec.default : '')) ?? 'x';
}

interface RefusedRow {
  readonly flags: readonly string[];
  /** `*` stands for anything */
  readonly commands: readonly string[];
}

/** The table of flags that are refused. */
function refusedRows(): readonly RefusedRow[] {
  const lines = readFileSync(join(root, 'docs/cosign-differences.md'), 'utf8').split('\n');
  const head = lines.indexOf('| Flag | Commands | Why it is refused |');
  assert.notEqual(head, -1);
  const end = lines.findIndex((line, at) => at > head && !line.startsWith('|'));
  return lines.slice(head + 2, end === -1 ? undefined : end).map((line) => {
    const [, flags = '', commands = ''] = line.split('|');
    const words = (cell: string): readonly string[] =>
      [...cell.matchAll(/`(?:--)?([^`]+)`/g)].map(([, word = '']) => word);
    return { flags: words(flags), commands: words(commands) };
  });
}
