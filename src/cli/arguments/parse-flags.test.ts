// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CliError } from '../cli-error.ts';
import type { FlagTable } from '../command.ts';
import { parseFlags } from './parse-flags.ts';

const TABLE = {
  key: { kind: 'strings', split: false, short: 'k', help: 'keys' },
  annotations: { kind: 'strings', split: true, short: 'a', help: 'pairs' },
  output: { kind: 'string', short: 'o', default: 'json', help: 'shape' },
  bundle: { kind: 'string', help: 'file' },
  format: { kind: 'string', default: 'bundle', choices: ['', 'bundle', 'legacy', 'both'], help: 'formats' },
  yes: { kind: 'boolean', short: 'y', help: 'no questions' },
  force: { kind: 'boolean', short: 'f', help: 'no mercy' },
  upload: { kind: 'boolean', default: true, help: 'write it' },
  'max-workers': { kind: 'integer', default: 10, min: 1, help: 'at a time' },
  timeout: { kind: 'duration', default: 180_000, short: 't', help: 'limit' },
  secret: { kind: 'boolean', hidden: true, help: 'not in the manual' },
} as const satisfies FlagTable;

const parse = (...argv: string[]): ReturnType<typeof parseFlags<typeof TABLE>> => parseFlags(argv, TABLE);

function refusal(...argv: string[]): CliError {
  let thrown: unknown;
  try {
    parse(...argv);
  } catch (error) {
    thrown = error;
  }
  assert.ok(
    thrown instanceof CliError,
    `${argv.join(' ')}: ${thrown instanceof Error ? thrown.message : 'was accepted'}`,
  );
  return thrown;
}

describe('parseFlags, as pflag', () => {
  it('fills in defaults and knows what was given', () => {
    const { flags, given, args } = parse('image', '--yes');
    assert.deepEqual(args, ['image']);
    assert.deepEqual([...given], ['yes']);
    assert.deepEqual(
      { ...flags },
      {
        key: [],
        annotations: [],
        output: 'json',
        bundle: undefined,
        format: 'bundle',
        yes: true,
        force: false,
        upload: true,
        'max-workers': 10,
        timeout: 180_000,
        secret: false,
      },
    );
  });

  const spellings: readonly [string, readonly string[], keyof typeof TABLE, unknown][] = [
    ['--flag value', ['--output', 'text'], 'output', 'text'],
    ['--flag=value', ['--output=text'], 'output', 'text'],
    ['--flag= (empty)', ['--output='], 'output', ''],
    ['a value with an equals sign', ['--output=a=b'], 'output', 'a=b'],
    ['a value that looks like a flag', ['--output', '--yes'], 'output', '--yes'],
    ['-f value', ['-o', 'text'], 'output', 'text'],
    ['-fvalue', ['-otext'], 'output', 'text'],
    ['-f=value', ['-o=text'], 'output', 'text'],
    ['combined shorts that end in a value', ['-yfo', 'text'], 'output', 'text'],
    ['combined shorts with the value attached', ['-yfotext'], 'output', 'text'],
    ['--bool', ['--yes'], 'yes', true],
    ['--bool=false', ['--upload=false'], 'upload', false],
    ['--bool=0', ['--upload=0'], 'upload', false],
    ['--bool=F', ['--upload=F'], 'upload', false],
    ['--bool=1', ['--yes=1'], 'yes', true],
    ['--bool=T', ['--yes=T'], 'yes', true],
    ['-b=false', ['-y=false'], 'yes', false],
    ['the last of two values', ['--output', 'a', '--output', 'b'], 'output', 'b'],
    ['an integer', ['--max-workers', '3'], 'max-workers', 3],
    ['a hexadecimal integer', ['--max-workers=0x10'], 'max-workers', 16],
    ['a duration', ['-t', '1h2m3.5s'], 'timeout', 3_723_500],
    ['a duration of zero', ['--timeout=0'], 'timeout', 0],
    ['a choice', ['--format=both'], 'format', 'both'],
    ['repeated values', ['--key', 'a', '--key=b', '-k', 'c'], 'key', ['a', 'b', 'c']],
    ['commas where values are not split', ['--key', 'a,b'], 'key', ['a,b']],
    ['commas where values are split', ['-a', 'k=v,l=w', '-a', 'm=x'], 'annotations', ['k=v', 'l=w', 'm=x']],
    ['a quoted comma', ['-a', '"k=v,w",l=x'], 'annotations', ['k=v,w', 'l=x']],
  ];
  for (const [what, argv, name, expected] of spellings) {
    it(`takes ${what}`, () => {
      assert.deepEqual(parse(...argv).flags[name], expected);
    });
  }

  it('takes combined shorts of booleans', () => {
    const { flags } = parse('-yf');
    assert.deepEqual([flags.yes, flags.force], [true, true]);
  });

  it('does not take the next word as the value of a boolean', () => {
    const { flags, args } = parse('--yes', 'false');
    assert.equal(flags.yes, true);
    assert.deepEqual(args, ['false']);
  });

  it('takes flags after arguments, and everything after -- as arguments', () => {
    const { flags, args } = parse('a', '-y', 'b', '--', '--force', '-k');
    assert.deepEqual(args, ['a', 'b', '--force', '-k']);
    assert.deepEqual([flags.yes, flags.force], [true, false]);
  });

  it('takes a lone dash as an argument', () => {
    assert.deepEqual(parse('-').args, ['-']);
  });

  for (const word of ['--help', '-h', '-yh']) {
    it(`stops at ${word} without looking further`, () => {
      assert.equal(parse(word, '--nonsense').help, true);
    });
  }

  const refusals: readonly [readonly string[], CliError['code'], string][] = [
    [['--kye'], 'unknown-flag', 'unknown flag: --kye (did you mean --key?)'],
    [['--kye=x'], 'unknown-flag', 'unknown flag: --kye (did you mean --key?)'],
    [['--annotation', 'k=v'], 'unknown-flag', 'unknown flag: --annotation (did you mean --annotations?)'],
    [['--frobnicate'], 'unknown-flag', 'unknown flag: --frobnicate'],
    [['--secre'], 'unknown-flag', 'unknown flag: --secre'],
    [['--constructor'], 'unknown-flag', 'unknown flag: --constructor'],
    [['--__proto__=1'], 'unknown-flag', 'unknown flag: --__proto__'],
    [['-x'], 'unknown-flag', "unknown shorthand flag: 'x' in -x"],
    [['-yx'], 'unknown-flag', "unknown shorthand flag: 'x' in -yx"],
    [['-bundle', 'file'], 'unknown-flag', "unknown shorthand flag: 'b' in -bundle (did you mean --bundle?)"],
    [['--output'], 'flag-invalid', 'flag needs an argument: --output'],
    [['-o'], 'flag-invalid', "flag needs an argument: 'o' in -o (-o, --output)"],
    [['--=x'], 'flag-invalid', 'bad flag syntax: --=x'],
    [['---x'], 'flag-invalid', 'bad flag syntax: ---x'],
    [['--yes=maybe'], 'flag-invalid', 'invalid argument "maybe" for "--yes" flag: expected true or false'],
    [
      ['--max-workers', 'x'],
      'flag-invalid',
      'invalid argument "x" for "--max-workers" flag: expected a whole number from 1 to 2147483647',
    ],
    [
      ['--max-workers', '0'],
      'flag-invalid',
      'invalid argument "0" for "--max-workers" flag: expected a whole number from 1 to 2147483647',
    ],
    [
      ['--max-workers', '1.5'],
      'flag-invalid',
      'invalid argument "1.5" for "--max-workers" flag: expected a whole number from 1 to 2147483647',
    ],
    [
      ['--timeout', '5'],
      'flag-invalid',
      'invalid argument "5" for "--timeout" flag: expected a duration such as 30s or 3m0s',
    ],
    [
      ['--timeout=-5s'],
      'flag-invalid',
      'invalid argument "-5s" for "--timeout" flag: expected a duration such as 30s or 3m0s',
    ],
    [
      ['--format', 'bundel'],
      'flag-invalid',
      'invalid argument "bundel" for "--format" flag: expected one of bundle, legacy, both (did you mean bundle?)',
    ],
    [
      ['-a', '"k=v'],
      'flag-invalid',
      'invalid argument ""k=v" for "-a, --annotations" flag: expected a list whose quotes close',
    ],
  ];
  for (const [argv, code, message] of refusals) {
    it(`refuses ${argv.join(' ')}`, () => {
      const error = refusal(...argv);
      assert.equal(error.code, code);
      assert.equal(error.message, message);
    });
  }

  it('answers or refuses with a CliError, whatever it is given', () => {
    const word = fc.oneof(
      fc.string(),
      fc.constantFrom('-', '--', '-y', '-yf', '-a', '-t', '--key', '--yes', '--', '-=', '--=', '-o=', '--timeout='),
      fc
        .tuple(fc.constantFrom('--', '-', '--key=', '-a', '--timeout=', '--max-workers=', '--format='), fc.string())
        .map((parts) => parts.join('')),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), (argv) => {
        try {
          const parsed = parse(...argv);
          assert.equal(typeof parsed.flags.yes, 'boolean');
          assert.ok(Array.isArray(parsed.flags.annotations));
          assert.ok(parsed.flags.timeout >= 0);
        } catch (error) {
          assert.ok(error instanceof CliError, String(error));
        }
      }),
    );
  });
});
