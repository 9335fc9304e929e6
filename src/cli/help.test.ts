// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { COMMANDS } from './command-table.ts';
import { commandHelp } from './help.ts';
import { defineCommand } from './command.ts';
import { runRecorded } from './recording-host.fixture.ts';

describe('help', () => {
  for (const argv of [[], ['help'], ['--help'], ['-h']]) {
    it(`of the program is on stdout with bulla ${argv.join(' ')}`, async () => {
      const { code, stdout, stderr } = await runRecorded(argv);
      assert.equal(code, 0);
      assert.equal(stderr, '');
      for (const [name, { summary }] of Object.entries(COMMANDS))
        assert.match(stdout, new RegExp(`^  ${name} +${summary}$`, 'm'));
    });
  }

  for (const argv of [
    ['help', 'version'],
    ['version', '--help'],
    ['version', '-h'],
    ['-h', 'version'],
    ['version', '--nonsense', '--help'],
  ]) {
    it(`of a command is on stdout with bulla ${argv.join(' ')}`, async () => {
      const { code, stdout } = await runRecorded(argv);
      assert.equal(code, argv.includes('--nonsense') ? 1 : 0);
      if (code === 0) assert.match(stdout, /^Print the version\.\n\nUsage:\n {2}bulla version \[flags\]\n/);
    });
  }

  for (const argv of [['registry'], ['help', 'registry'], ['registry', '--help']]) {
    it(`of a group is on stdout with bulla ${argv.join(' ')}`, async () => {
      const { code, stdout } = await runRecorded(argv);
      assert.equal(code, 0);
      assert.match(stdout, /^ {2}registry serve {3}Serve an OCI registry/m);
      assert.doesNotMatch(stdout, /image pack/);
    });
  }

  for (const argv of [
    ['help', 'nonsense'],
    ['help', 'registry', 'nonsense'],
  ]) {
    it(`of what does not exist fails with bulla ${argv.join(' ')}`, async () => {
      const { code, stdout } = await runRecorded(argv);
      assert.equal(code, 1);
      assert.equal(stdout, '');
    });
  }

  it('tells every flag with its default and its choices, but not the hidden ones', () => {
    const command = defineCommand({
      name: 'probe',
      summary: 'Probe',
      usage: '[flags] THING',
      arguments: { min: 0, name: 'thing' },
      flags: {
        output: {
          kind: 'string',
          short: 'o',
          default: 'json',
          choices: ['json', 'text'],
          placeholder: 'SHAPE',
          help: 'the shape',
        },
        key: { kind: 'strings', split: false, help: 'a key' },
        'a-flag-with-a-name-that-is-long': { kind: 'boolean', default: true, help: 'long' },
        old: { kind: 'integer', default: 10, deprecated: 'use --new', help: 'old' },
        secret: { kind: 'boolean', hidden: true, help: 'hidden' },
      },
      examples: ['bulla probe --key k x'],
      run: () => Promise.resolve(0),
    });
    const manual = commandHelp('cosign', command);
    assert.match(manual, /^ {2}-o, --output SHAPE +the shape \(one of json, text; default json\)$/m);
    assert.match(manual, /^ {6}--key TEXT +a key \(may be given several times\)$/m);
    assert.match(manual, /^ {6}--a-flag-with-a-name-that-is-long\n +long \(default true\)$/m);
    assert.match(manual, /^ {6}--old NUMBER +old \(default 10; deprecated\)$/m);
    assert.match(manual, /^ {2}cosign probe --key k x$/m);
    assert.doesNotMatch(manual, /secret/);
  });

  for (const name of Object.keys(COMMANDS)) {
    it(`of ${name} fits a terminal and has an example`, async () => {
      const { code, stdout } = await runRecorded(['help', ...name.split(' ')]);
      assert.equal(code, 0);
      for (const line of stdout.split('\n'))
        assert.ok(line.length <= 150 && (line.length <= 100 || /^ {2}bulla /.test(line)), line);
      assert.match(stdout, /\nUsage:\n/);
      assert.match(stdout, /\nExamples:\n/);
    });
  }
});
