// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { unifiedDiff } from './unified-diff.ts';

const folder = mkdtempSync(join(tmpdir(), 'bulla-diff-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const hasGit = spawnSync('git', ['--version']).status === 0;

/** What the diff makes of the text, by the diff's own lines. */
function applied(before: string, diff: string): string {
  const old = before.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const lines = diff.match(/[^\n]*\n/g) ?? [];
  let [result, at] = ['', 0];
  for (let line = 2; line < lines.length; line++) {
    const text = lines[line] ?? '';
    const header = /^@@ -(\d+),(\d+) \+(\d+),(\d+) @@\n$/.exec(text);
    const cut = lines[line + 1]?.startsWith('\\') === true;
    const body = cut ? text.slice(1, -1) : text.slice(1);
    if (header !== null) {
      const [, from, count, to] = header.map(Number);
      const start = count === 0 ? Number(from) : Number(from) - 1;
      result += old.slice(at, start).join('');
      at = start;
      const newStart = Number(header[4]) === 0 ? Number(to) : Number(to) - 1;
      assert.equal((result.match(/[^\n]*\n|[^\n]+$/g) ?? []).length, newStart);
    } else if (text.startsWith('+')) result += body;
    else if (text.startsWith('-')) assert.equal(old[at++], body);
    else if (text.startsWith(' ')) {
      assert.equal(old[at++], body);
      result += body;
    }
  }
  return result + old.slice(at).join('');
}

describe('unifiedDiff', () => {
  it('shows what changes with three lines around it', () => {
    const before = '1\n2\n3\n4\nold\n6\n7\n8\n9\n';
    assert.equal(
      unifiedDiff('deploy/a.yaml', before, before.replace('old', 'new')),
      '--- a/deploy/a.yaml\n+++ b/deploy/a.yaml\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-old\n+new\n 6\n 7\n 8\n',
    );
  });
  it('says nothing where nothing changes', () => {
    assert.equal(unifiedDiff('a', 'x\n', 'x\n'), '');
  });
  it('shows a file that is not there yet, and one without a newline at its end', () => {
    assert.equal(
      unifiedDiff('b', undefined, 'x'),
      '--- /dev/null\n+++ b/b\n@@ -0,0 +1,1 @@\n+x\n\\ No newline at end of file\n',
    );
  });
  it('keeps line endings, and quotes names as git does', () => {
    const diff = unifiedDiff('a "b"\t\u0001.yaml', 'x\r\n', 'y\r\n');
    assert.match(diff, /^--- "a\/a \\"b\\"\\t\\001\.yaml"\n\+\+\+ "b\/.*"\n@@ -1,1 \+1,1 @@\n-x\r\n\+y\r\n$/);
    assert.match(unifiedDiff('a b', 'x\n', 'y\n'), /^--- a\/a b\t\n/);
  });
  it('makes the new text out of the old one, whatever they are', () => {
    const text = fc
      .array(fc.constantFrom('a\n', 'b\n', 'c\r\n', '\n', 'd'), { maxLength: 30 })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(text, text, (before, changed) => {
        assert.equal(applied(before, unifiedDiff('f', before, changed)), changed);
      }),
      { numRuns: 500 },
    );
  });
  it('does not slow down with many changes', () => {
    const before = Array.from({ length: 40_000 }, (_, at) => `image: ${at}\n${at % 2 === 0 ? 'same\n' : ''}`).join('');
    const changed = before.replaceAll(/image: (\d+)\n/g, 'image: $1@x\nmore\n');
    assert.equal(applied(before, unifiedDiff('f', before, changed)), changed);
  });
  it('is taken by git apply', { skip: hasGit ? false : 'git is not installed' }, () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom<string>('a\n', 'b\n', 'c\r\n', 'd'), { minLength: 1, maxLength: 20 }),
        fc.nat(),
        (lines, at) => {
          const before = lines.join('');
          const changed = lines.with(at % lines.length, 'new\n').join('');
          if (before === changed) return;
          writeFileSync(join(folder, 'a b.yaml'), before);
          const { status, stderr } = spawnSync('git', ['apply', '--whitespace=nowarn', '-'], {
            cwd: folder,
            input: unifiedDiff('a b.yaml', before, changed),
            encoding: 'utf8',
          });
          assert.equal(status, 0, stderr);
          assert.equal(readFileSync(join(folder, 'a b.yaml'), 'utf8'), changed);
        },
      ),
      { numRuns: 20 },
    );
    const made = spawnSync('git', ['apply', '-'], { cwd: folder, input: unifiedDiff('new.lock', undefined, '1\n2\n') });
    assert.equal(made.status, 0);
    assert.equal(readFileSync(join(folder, 'new.lock'), 'utf8'), '1\n2\n');
  });
});
