// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { CodedError, WireError } from '../wire/index.ts';
import { CliError } from './cli-error.ts';
import { COMMANDS, GROUPS, type CommandEntry } from './command-table.ts';
import { defineCommand, type Command } from './command.ts';
import type { CommandContext } from './context.ts';
import { EXIT } from './exit-code.ts';
import { RecordingHost, runRecorded, type Ran, type RecordingHostOptions } from './recording-host.fixture.ts';
import { runCommandLine } from './run.ts';

/** A command that does what a test says. */
function probe(
  body: (context: CommandContext) => Promise<number> | number,
  over: Partial<Command> = {},
): Record<string, CommandEntry> {
  const command = defineCommand({
    name: 'probe',
    summary: 'Probe',
    usage: '[flags] THING...',
    arguments: { min: 0, max: 2, name: 'thing' },
    flags: {
      old: { kind: 'string', deprecated: 'use --new', help: 'an old flag' },
      weak: { kind: 'boolean', weakens: '--weak: nothing is checked', help: 'a weak flag' },
      later: { kind: 'string', default: '', refused: 'not in this version', help: 'a later flag' },
      strict: { kind: 'boolean', default: true, refused: 'it is always strict', help: 'a strict flag' },
    },
    run: async (context) => body(context),
  });
  return { probe: { summary: 'Probe', load: () => Promise.resolve({ command: { ...command, ...over } }) } };
}

async function run(
  argv: readonly string[],
  body: (context: CommandContext) => Promise<number> | number = () => EXIT.ok,
  options: RecordingHostOptions = {},
): Promise<Ran> {
  const host = new RecordingHost(options);
  const code = await runCommandLine(argv, host, probe(body));
  return { code, stdout: host.stdout, stderr: host.stderr, host };
}

const folder = mkdtempSync(join(tmpdir(), 'bulla-run-'));
after(() => rmSync(folder, { recursive: true, force: true }));

describe('a command line', () => {
  it('answers with the exit code of its command', async () => {
    assert.equal((await run(['probe'], () => EXIT.noneAccepted)).code, 12);
  });

  it('may have global flags before the command and others too', async () => {
    const seen: boolean[] = [];
    const { code } = await run(['-d', '--timeout', '5s', '--weak', 'probe', 'x', '--json'], (context) => {
      seen.push(context.verbose, context.json, context.timeoutMs === 5000);
      return EXIT.ok;
    });
    assert.equal(code, 0);
    assert.deepEqual(seen, [true, true, true]);
  });

  it('takes a word after an unknown flag for its value, unless it is a command', async () => {
    assert.equal((await run(['--old', 'value', 'probe'])).code, 0);
    assert.equal((await run(['--weak', 'probe', 'x'])).code, 0);
  });

  it('names the nearest command, and fails', async () => {
    const { code, stdout, stderr } = await runRecorded(['verfy']);
    assert.equal(code, EXIT.failure);
    assert.equal(stdout, '');
    assert.equal(
      stderr,
      `Error: unknown command "verfy" for "bulla" (did you mean verify?)\nhint: run 'bulla help' for the list\n`,
    );
  });

  it('names the nearest command of a group, and fails', async () => {
    const { code, stderr } = await runRecorded(['registry', 'srve']);
    assert.equal(code, EXIT.failure);
    assert.match(stderr, /^Error: unknown command "srve" for "bulla registry" \(did you mean registry serve\?\)\n/);
  });

  it('names the nearest flag', async () => {
    const { code, stderr } = await runRecorded(['version', '--jsno']);
    assert.equal(code, EXIT.failure);
    assert.equal(stderr, 'Error: unknown flag: --jsno (did you mean --json?)\n');
  });

  it('says which argument is missing, in cosign’s words', async () => {
    const host = new RecordingHost();
    const command = probe(() => 0, { arguments: { min: 1, max: 1, name: 'image' } });
    assert.equal(await runCommandLine(['probe'], host, command), EXIT.failure);
    assert.equal(
      host.stderr,
      'Error: requires at least 1 arg(s), only received 0: image is missing\nhint: usage: bulla probe [flags] THING...\n',
    );
  });

  it('says which argument is too many', async () => {
    const { code, stderr } = await run(['probe', 'a', 'b', 'c']);
    assert.equal(code, EXIT.failure);
    assert.match(stderr, /^Error: accepts at most 2 arg\(s\), received 3: 'c' is too many\n/);
  });

  it('shows cosign’s name where it was called by it', async () => {
    const { stderr } = await runRecorded(['nonsense'], { program: 'cosign' });
    assert.match(stderr, /unknown command "nonsense" for "cosign"/);
  });

  it('ends in an exit code and one error line, whatever it is given', async () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom('version', 'probe', 'help', 'registry', '--json', '--help', '-t', '--', '--timeout=x'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 5 }), async (argv) => {
        const { code, stderr } = await run(argv.filter((text) => text !== '--output-file'));
        assert.ok(code === EXIT.ok || code === EXIT.failure);
        assert.doesNotMatch(stderr, /internal/);
        assert.equal((stderr.match(/^Error: /gm) ?? []).length, code === EXIT.ok ? 0 : 1);
      }),
    );
  });
});

describe('flags', () => {
  it('that are deprecated say so, as cosign does', async () => {
    assert.equal((await run(['probe', '--old', 'x'])).stderr, 'Flag --old has been deprecated, use --new\n');
  });

  it('that drop a check warn, and the warning can go into the JSON', async () => {
    const { stderr, stdout } = await run(['probe', '--weak'], (context) => {
      context.stdout(JSON.stringify(context.warnings));
      return EXIT.ok;
    });
    assert.equal(stderr, 'WARNING: --weak: nothing is checked\n');
    assert.equal(stdout, '["--weak: nothing is checked"]');
  });

  it('that drop a check are silent where they are set to what holds anyway', async () => {
    assert.equal((await run(['probe', '--weak=false'])).stderr, '');
  });

  it('that are not to be had are refused with the reason', async () => {
    const { code, stderr } = await run(['probe', '--later', 'x']);
    assert.equal(code, EXIT.failure);
    assert.equal(stderr, 'Error: --later: not in this version\n');
  });

  for (const argv of [['--later', ''], ['--later='], ['--strict'], ['--strict=true']]) {
    it(`that are not to be had may be given as ${argv.join(' ') || 'nothing'}`, async () => {
      assert.equal((await run(['probe', ...argv])).code, 0);
    });
  }
});

describe('errors', () => {
  it('are one line, whatever is in them', async () => {
    const { stderr } = await run(['probe'], () => {
      throw new CodedError('strange', 'two\nlines\u001b[2J and \u202Emore');
    });
    assert.equal(stderr, 'Error: two\\nlines\\u001b[2J and \\u202emore\n');
  });

  it('are a JSON document on stdout with --json', async () => {
    const { code, stdout, stderr } = await run(['probe', '--json'], () => {
      throw new CliError('declined', 'no', { hint: 'say yes' });
    });
    assert.equal(code, EXIT.failure);
    assert.deepEqual(JSON.parse(stdout), { error: { code: 'declined', message: 'no', hint: 'say yes' } });
    assert.equal(stderr, 'Error: no\nhint: say yes\n');
  });

  it('are a JSON document where the command line itself is wrong', async () => {
    const { stdout } = await run(['--json', 'nonsense']);
    assert.equal((JSON.parse(stdout) as { error: { code: string } }).error.code, 'unknown-command');
  });

  it('add no second document to one that was written', async () => {
    const { stdout } = await run(['probe', '--json'], (context) => {
      context.stdout('{}\n');
      throw new CliError('declined', 'no');
    });
    assert.equal(stdout, '{}\n');
  });

  it('that nobody foresaw are one line with a code, and a stack with BULLA_DEBUG=1 only', async () => {
    const fail = (): never => {
      throw new TypeError('x is not a function');
    };
    const quiet = await run(['probe'], fail);
    assert.equal(quiet.code, EXIT.failure);
    assert.equal(
      quiet.stderr,
      'Error: internal error: x is not a function [internal]\nhint: BULLA_DEBUG=1 shows where\n',
    );
    const loud = await run(['probe'], fail, { env: { BULLA_DEBUG: '1' } });
    assert.match(loud.stderr, /TypeError: x is not a function\n\s+at /);
  });

  const codes: readonly [Error, number][] = [
    [new WireError('unreachable', 'x'), EXIT.undecided],
    [new WireError('connection-reset', 'x'), EXIT.undecided],
    [new CodedError('throttled', 'x'), EXIT.undecided],
    [new CodedError('server-error', 'x'), EXIT.undecided],
    [new CodedError('evidence-capped', 'x'), EXIT.undecided],
    [new CodedError('unauthorized', 'x'), EXIT.failure],
    [new CodedError('image-missing', 'x'), EXIT.missing],
    [new Error('unreachable'), EXIT.failure],
  ];
  for (const [error, code] of codes) {
    it(`make ${error instanceof CodedError ? error.code : 'others'} the exit code ${code}`, async () => {
      const ran = await run(['probe'], () => {
        throw error;
      });
      assert.equal(ran.code, code);
    });
  }

  it('of a reader that is gone are silent', async () => {
    const { code, stderr } = await run(['probe'], (context) => (context.stdout('x'), EXIT.ok), {
      onStdout() {
        throw new CliError('broken-pipe', 'standard output was closed');
      },
    });
    assert.equal(code, EXIT.brokenPipe);
    assert.equal(stderr, '');
  });

  it('of a full disk are not', async () => {
    const { code, stderr } = await run(['probe'], (context) => (context.stdout('x'), EXIT.ok), {
      onStdout() {
        throw new CliError('output-failed', 'cannot write to standard output: no space left on device');
      },
    });
    assert.equal(code, EXIT.failure);
    assert.equal(stderr, 'Error: cannot write to standard output: no space left on device\n');
  });
});

describe('signals and the timeout', () => {
  const until = (context: CommandContext): Promise<number> =>
    new Promise((_resolve, reject) => context.signal.addEventListener('abort', () => reject(new Error('torn down'))));

  it('SIGINT ends the command with one line and 130', async () => {
    const host = new RecordingHost();
    const code = await runCommandLine(
      ['probe'],
      host,
      probe((context) => (setImmediate(() => host.signal('SIGINT')), until(context))),
    );
    assert.equal(code, 130);
    assert.equal(host.stderr, 'Error: interrupted\n');
    assert.equal(host.listeners, 0);
  });

  it('SIGTERM ends the command with 143', async () => {
    const host = new RecordingHost();
    const code = await runCommandLine(
      ['probe'],
      host,
      probe((context) => (setImmediate(() => host.signal('SIGTERM')), until(context))),
    );
    assert.equal(code, 143);
  });

  it('a second signal does not wait for a command that puts its things away', async () => {
    const host = new RecordingHost();
    const stuck = (): Promise<number> => {
      setImmediate(() => (host.signal('SIGINT'), host.signal('SIGINT')));
      return new Promise(() => undefined);
    };
    assert.equal(await runCommandLine(['probe'], host, probe(stuck)), 130);
  });

  it('the timeout ends the command undecided', async () => {
    const { code, stderr } = await run(['probe', '--timeout', '5ms'], until);
    assert.equal(code, EXIT.undecided);
    assert.equal(stderr, 'Error: probe: did not finish within 5ms (--timeout)\n');
  });

  it('the timeout does not end a service, and a signal lets it end well', async () => {
    const host = new RecordingHost();
    const serve = (context: CommandContext): Promise<number> =>
      new Promise((resolve) => {
        context.signal.addEventListener('abort', () => resolve(EXIT.ok));
        setTimeout(() => host.signal('SIGTERM'), 20);
      });
    assert.equal(await runCommandLine(['probe', '--timeout', '1ms'], host, probe(serve, { endless: true })), EXIT.ok);
    assert.equal(host.stderr, '');
  });
});

describe('global flags', () => {
  it('--no-network forbids sockets while the command runs', async () => {
    const seen: boolean[] = [];
    const host = new RecordingHost();
    await runCommandLine(
      ['probe', '--no-network'],
      host,
      probe((context) => (seen.push(host.networkForbidden, context.noNetwork), 0)),
    );
    assert.deepEqual(seen, [true, true]);
    assert.equal(host.networkForbidden, false);
  });

  it('--output-file takes what would go to stdout, whole', async () => {
    const file = join(folder, 'out.json');
    const { stdout } = await run(
      ['probe', '--output-file', 'out.json'],
      (context) => (context.stdout('a'), context.stdout('b'), 0),
      {
        cwd: folder,
      },
    );
    assert.equal(stdout, '');
    assert.equal(readFileSync(file, 'utf8'), 'ab');
  });

  it('--output-file leaves nothing behind where the command fails', async () => {
    const { code } = await run(
      ['probe', '--output-file', 'none.json'],
      (context) => {
        context.stdout('half');
        throw new CliError('declined', 'no');
      },
      { cwd: folder },
    );
    assert.equal(code, EXIT.failure);
    assert.ok(!readdirSync(folder).some((name) => name.startsWith('none.json')));
  });

  it('--verbose lets debug lines through', async () => {
    const talk = (context: CommandContext): number => (context.debug('detail'), 0);
    assert.equal((await run(['probe', '-d'], talk)).stderr, 'detail\n');
    assert.equal((await run(['probe'], talk)).stderr, '');
  });

  const colours: readonly [string, readonly string[], RecordingHostOptions, boolean][] = [
    ['on a terminal', [], { terminal: true }, true],
    ['off a terminal', [], { terminal: false }, false],
    ['with NO_COLOR', [], { terminal: true, env: { NO_COLOR: '1' } }, false],
    ['with an empty NO_COLOR', [], { terminal: true, env: { NO_COLOR: '' } }, true],
    ['on a dumb terminal', [], { terminal: true, env: { TERM: 'dumb' } }, false],
    ['with --no-color', ['--no-color'], { terminal: true }, false],
  ];
  for (const [where, flags, options, expected] of colours) {
    it(`${expected ? 'colour' : 'no colour'} ${where}`, async () => {
      let color: boolean | undefined;
      await run(['probe', ...flags], (context) => ((color = context.color), 0), options);
      assert.equal(color, expected);
    });
  }

  it('an error is red on a terminal', async () => {
    const { stderr } = await run(['nonsense'], () => 0, { terminal: true });
    assert.match(stderr, /^\u001b\[31mError:\u001b\[39m unknown command/);
  });
});

describe('the table of commands', () => {
  for (const [name, entry] of Object.entries(COMMANDS)) {
    it(`tells of ${name} what the command tells of itself`, async () => {
      const { command } = await entry.load();
      assert.equal(command.name, name);
      assert.equal(command.summary, entry.summary);
      const [first = '', nested] = command.name.split(' ');
      assert.ok(nested === undefined || Object.hasOwn(GROUPS, first) || Object.hasOwn(COMMANDS, first));
    });

    it(`gives ${name} flags that can all be spelled`, async () => {
      const { command } = await entry.load();
      const taken = new Set(['h', 'd', 't']);
      for (const [flag, spec] of Object.entries(command.flags)) {
        // `--digestAlg` is cosign's own spelling
        assert.match(flag, /^(?:[a-z0-9]+(?:-[a-z0-9]+)*|digestAlg)$/);
        assert.ok(spec.short === undefined || !taken.has(spec.short), `-${spec.short} is taken twice`);
        if (spec.short !== undefined) taken.add(spec.short);
        assert.ok(!spec.help.endsWith('.') && spec.help !== '', `--${flag} has a line of manual without a full stop`);
      }
    });
  }
});
