// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { GOLDEN, parseTranscript, readTranscript, recordedCases } from './transcript.ts';

const TEXT = `# case x
# what it is about

$ A=1 B='two
lines
' cosign-3.1.1 verify -a 'x=é<&>' --key env://B IMG
--- stdout

[{"a":1}]
--- stderr
Error: $ 5 is not a prompt
--- exit 12

--- HTTP seen by the sigstore stack
POST /x -> 200

# a remark

$ cosign-2.5.0 sign IMG   # stdin: b'n\\n'
--- stdout
one
<no trailing newline>
--- stderr
--- exit 0

$ openssl ec -in a.pem
`;

test('a transcript is read as commands with environment, input, output and exit code', () => {
  const [verify, sign, note, ...others] = parseTranscript('x', TEXT);
  assert.deepEqual(others, []);
  assert.deepEqual(verify, {
    case: 'x',
    at: 1,
    line: "A=1 B='two lines ' cosign-3.1.1 verify -a 'x=é<&>' --key env://B IMG",
    env: { A: '1', B: 'two\nlines\n' },
    program: 'cosign-3.1.1',
    args: ['verify', '-a', 'x=é<&>', '--key', 'env://B', 'IMG'],
    outcome: { stdout: '\n[{"a":1}]\n', stderr: 'Error: $ 5 is not a prompt\n', exit: 12 },
  });
  assert.equal(sign?.stdin, 'n\n');
  assert.deepEqual(sign.args, ['sign', 'IMG']);
  assert.deepEqual(sign.outcome, { stdout: 'one', stderr: '', exit: 0 });
  assert.equal(note?.program, 'openssl');
  assert.equal(note.outcome, undefined);
});

test('no recorded outcome is overlooked', () => {
  for (const name of recordedCases()) {
    const text = readFileSync(join(GOLDEN, name, 'transcript.txt'), 'utf8');
    const commands = readTranscript(name);
    assert.equal(
      commands.filter(({ outcome }) => outcome !== undefined).length,
      text.match(/^--- exit \d+$/gm)?.length ?? 0,
      name,
    );
    for (const { at, line, program } of commands) assert.notEqual(program, '', `${name} #${at}: ${line}`);
  }
});
