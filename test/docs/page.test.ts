// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { carryOut } from './carry-out.ts';
import { Bindings, findDifference } from './compare.ts';
import { parsePage, rewritePage } from './page.ts';
import { faultsOf, type Fault } from './pages.ts';

const FENCE = '```';
const block = (...lines: readonly string[]): string => [`${FENCE}console`, ...lines, FENCE, ''].join('\n');
const D1 = 'a'.repeat(64);
const D2 = 'b'.repeat(64);

describe('a page', () => {
  it('has commands with what they write, and files', () => {
    const text = `<!-- scene: stack -->\n# Page\n\n${FENCE}yaml file=p.yaml\na: 1\n${FENCE}\n\n${block('$ one', 'out', '$ two \\', '>   more', '> end', 'x', '> y')}`;
    const { scene, parts } = parsePage(text);
    assert.equal(scene, 'stack');
    assert.deepEqual(
      parts.map((part) => (part.kind === 'file' ? [part.name, part.content] : [part.command, part.output])),
      [
        ['p.yaml', 'a: 1\n'],
        ['one', ['out']],
        ['two \\\n  more\nend', ['x', '> y']],
      ],
    );
  });
  it('is not carried out where it is wrong', () => {
    assert.throws(() => parsePage(block('out')), /line 2: .* before any command/);
    assert.throws(() => parsePage(`${FENCE}console\n$ a`), /line 1 has no end/);
    assert.throws(() => parsePage('<!-- scene: moon -->\n'), /no scene 'moon'/);
  });
  it('is written anew where its commands write something else', () => {
    const text = `${block('$ a', 'old', 'old')}text\n${block('$ b', '$ c', 'kept')}`;
    const { parts } = parsePage(text);
    const [a, b] = parts;
    const outputs = new Map([
      [a?.line ?? 0, ['new']],
      [b?.line ?? 0, ['more']],
    ]);
    assert.equal(rewritePage(text, outputs), `${block('$ a', 'new')}text\n${block('$ b', 'more', '$ c', 'kept')}`);
  });
});

describe('what is written', () => {
  const differs = (expected: readonly string[], found: readonly string[]): boolean =>
    findDifference(expected, found, new Bindings()) !== undefined;
  const rows: readonly (readonly [
    what: string,
    expected: readonly string[],
    found: readonly string[],
    differs: boolean,
  ])[] = [
    ['the same', ['a', 'b'], ['a', 'b'], false],
    ['another word', ['a'], ['b'], true],
    ['a line more', ['a'], ['a', 'b'], true],
    ['a line less', ['a', 'b'], ['a'], true],
    ['… in a line', ['a … c'], ['a b c'], false],
    ['… in a line that ends otherwise', ['a … c'], ['a b d'], true],
    ['… for lines', ['a', '…', 'd'], ['a', 'b', 'c', 'd'], false],
    ['… for lines, and then another', ['a', '…', 'd'], ['a', 'b', 'e'], true],
    ['… to the end', ['a', '…'], ['a', 'b', 'c'], false],
    ['another digest', [`sha256:${D1}`], [`sha256:${D2}`], false],
    ['no digest', [`sha256:${D1}`], ['sha256:x'], true],
    ['a digest that was another before', [D1, D1], [D1, D2], true],
    ['two digests that are one', [D1, D2], [D1, D1], true],
    ['another time', ['at 2026-01-01T00:00:00Z'], ['at 2027-02-03T04:05:06.789Z'], false],
    [
      'another second in the midst of what happened in one',
      ['from 2026-01-01T00:00:00Z', 'at 2026-01-01T00:00:00Z', 'in 3 ms', 'in 3 ms'],
      ['from 2026-01-01T00:00:00Z', 'at 2026-01-01T00:00:01Z', 'in 3 ms', 'in 4 ms'],
      false,
    ],
    ['no time', ['at 2026-01-01T00:00:00Z'], ['at noon'], true],
    ['a shortened digest', ['by sha256:0123456789ab…: no'], ['by sha256:ba9876543210…: no'], false],
    ['characters that mean something elsewhere', ['a.c (x)'], ['abc (x)'], true],
  ];
  for (const [what, expected, found, expectation] of rows)
    it(`${expectation ? 'differs' : 'is as the page says'}: ${what}`, () => {
      assert.equal(differs(expected, found), expectation);
    });
});

describe('a run', () => {
  const faults = async (text: string): Promise<readonly Fault[]> => faultsOf(await carryOut(parsePage(text)));
  it('is of one shell from the first command to the last', async () => {
    const text = block(
      '$ A=1; mkdir sub && cd sub',
      '$ echo $A ${PWD##*/}',
      '1 sub',
      '$ cat <<EOF',
      '> x',
      '> EOF',
      'x',
    );
    assert.deepEqual(await faults(text), []);
  });
  it('finds what a command writes otherwise, with its line', async () => {
    const [fault, ...others] = await faults(`\n${block('$ echo a', 'a', '$ echo b >&2', 'c')}`);
    assert.deepEqual([fault?.line, others.length], [5, 0]);
    assert.match(fault?.message ?? '', /the page: c\n {2}it wrote: b/);
  });
  it('finds a command that fails, unless the page says so', async () => {
    assert.match((await faults(block('$ false')))[0]?.message ?? '', /ended with 1/);
    assert.deepEqual(await faults(block('$ (exit 3)', '$ echo $?', '3')), []);
    assert.equal((await faults(block('$ (exit 3)', '$ echo $?', '4'))).length, 1);
  });
  it('has a registry where the page says so, at the place that the page names', async () => {
    const text = block(
      '$ mkdir a && echo hi >a/x',
      '$ bulla image pack a localhost:5080/a/b:1',
      `localhost:5080/a/b:1@sha256:${D1}`,
    );
    assert.deepEqual(await faults(`<!-- scene: registry -->\n${text}`), []);
  });
});
