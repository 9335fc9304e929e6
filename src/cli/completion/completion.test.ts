// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { COMMANDS } from '../command-table.ts';
import { runRecorded } from '../recording-host.fixture.ts';

let folder: string;
let script: string;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bulla-completion-'));
  writeFileSync(join(folder, 'cosign.key'), '');
  script = (await runRecorded(['completion', 'bash'])).stdout;
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** What a real bash offers when tab is pressed at the end of the words. */
function offered(...words: string[]): string[] {
  const ask = `${script}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
COMP_CWORD=${words.length - 1}
_bulla
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync('bash', ['--norc', '-c', ask], { cwd: folder, encoding: 'utf8' });
  assert.equal(stderr, '');
  assert.equal(status, 0);
  return stdout.split('\n').filter((word) => word !== '');
}

describe('completion in bash', () => {
  it('offers the commands', () => {
    const names = Object.keys(COMMANDS).map((name) => name.split(' ')[0]);
    assert.deepEqual(new Set(offered('bulla', '')), new Set([...names, 'help']));
    assert.deepEqual(offered('bulla', 'gen'), ['generate-key-pair']);
  });

  it('offers the commands of a group', () => {
    assert.deepEqual(offered('bulla', 'registry', ''), ['serve']);
  });

  it('offers the flags of a command, and those of every command', () => {
    const flags = offered('bulla', 'generate-key-pair', '--');
    for (const flag of ['--algorithm', '--yes', '--json', '--help']) assert.ok(flags.includes(flag), flag);
    assert.ok(!flags.includes('--kms'), 'a hidden flag is not offered');
    assert.ok(offered('bulla', 'registry', 'serve', '--').includes('--data'));
  });

  it('offers the choices of a flag', () => {
    assert.deepEqual(offered('bulla', 'generate-key-pair', '--algorithm', 'rsa'), ['rsa-2048', 'rsa-3072', 'rsa-4096']);
    assert.deepEqual(offered('bulla', 'generate-key-pair', '--algorithm', '=', 'ed'), ['ed25519']);
    assert.ok(offered('bulla', 'generate-key-pair', '--algorithm', '=').includes('ed25519'));
  });

  it('offers files for a flag that takes one, and nothing for one that takes text', () => {
    assert.deepEqual(offered('bulla', 'public-key', '--key', 'cos'), ['cosign.key']);
    assert.deepEqual(offered('bulla', 'sign', '--registry-username', 'c'), []);
  });

  it('goes on after a boolean, and after global flags before the command', () => {
    assert.ok(offered('bulla', 'generate-key-pair', '-y', '--alg').includes('--algorithm'));
    assert.deepEqual(offered('bulla', '--timeout', '5s', 'completion', 'z'), ['zsh']);
  });

  it('offers the words that a command takes', () => {
    assert.deepEqual(offered('bulla', 'completion', ''), ['bash', 'zsh', 'fish']);
    assert.ok(offered('bulla', 'help', 'ver').includes('verify'));
  });
});

describe('the completion command', () => {
  for (const [shell, check] of [
    ['bash', ['-n']],
    ['zsh', ['-n']],
    ['fish', ['--no-execute']],
  ] as const) {
    it(`prints a script that ${shell} can read, with every command and flag`, async (context) => {
      const { code, stdout } = await runRecorded(['completion', shell]);
      assert.equal(code, 0);
      for (const [name, { load }] of Object.entries(COMMANDS)) {
        for (const word of name.split(' ')) assert.ok(stdout.includes(word), word);
        for (const [flag, spec] of Object.entries((await load()).command.flags)) {
          if (spec.hidden !== true) assert.ok(stdout.includes(flag), `--${flag}`);
        }
      }
      const file = join(folder, `script.${shell}`);
      writeFileSync(file, stdout);
      const { status, stderr, error } = spawnSync(shell, [...check, file], { encoding: 'utf8' });
      if (error !== undefined) context.diagnostic(`${shell} is not on this machine: the script was not read by it`);
      else assert.equal(status, 0, stderr);
    });
  }

  it('names the shells it knows', async () => {
    const { code, stderr } = await runRecorded(['completion', 'csh']);
    assert.equal(code, 1);
    assert.equal(stderr, "Error: there is no completion for 'csh' (expected one of bash, zsh, fish)\n");
  });

  it('completes the name that it was called by', async () => {
    assert.match(
      (await runRecorded(['completion', 'bash'], { program: 'cosign' })).stdout,
      /^complete -F _cosign cosign$/m,
    );
  });
});
