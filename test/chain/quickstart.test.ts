// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const bulla = fileURLToPath(new URL('../../bin/bulla', import.meta.url));

interface Play {
  readonly folder: string;
  readonly asExpected: boolean;
  readonly acts: readonly { readonly tried: string; readonly happened: string; readonly why: string }[];
}

describe('the quickstart', () => {
  it('lets the sealed image through the gate, refuses every fake with its reason, and cleans up', () => {
    const { status, stdout } = spawnSync(bulla, ['quickstart', '--exit', '--json'], { encoding: 'utf8' });
    assert.equal(status, 0);
    const play = JSON.parse(stdout) as Play;
    assert.equal(play.asExpected, true);
    const codes = play.acts.map(({ happened, why }) => `${happened} ${/\[([a-z-]+)\]$/.exec(why)?.[1] ?? ''}`.trim());
    assert.deepEqual(codes, [
      'done',
      'done',
      'done',
      'done',
      'trusted',
      'refused service-refused',
      'done',
      'trusted',
      'refused identity-subject-mismatch',
      'refused nothing-found',
      'refused denied',
      'refused nothing-found',
      'trusted',
      'refused subject-mismatch',
      'refused signature-invalid',
      'refused signature-invalid',
      'done',
      'trusted',
      'refused nothing-found',
      'done',
      'trusted',
      'trusted',
      'refused forbidden',
    ]);
    assert.equal(existsSync(play.folder), false);
  });

  it('says for people what was tried, what happened and why, one line each', () => {
    const { status, stdout } = spawnSync(bulla, ['quickstart', '--exit'], { encoding: 'utf8' });
    assert.equal(status, 0);
    assert.match(stdout, /✓ verify at the gate, by digest +trusted +sealed by key/);
    assert.match(
      stdout,
      /✗ an unknown pipeline asks for a certificate +refused +rule 'production' does not admit this token/,
    );
    assert.match(stdout, /✓ verify that this pipeline sealed it +trusted +sealed by https:\/\/ci\.example\.com/);
    assert.match(stdout, /✗ seal it with another key +refused +found .* expected .*\[signature-invalid\]/);
    assert.match(stdout, /✗ gate that of the unsealed one +refused +drafts\/unsealed\.yaml:7: .* \[nothing-found\]/);
    assert.match(stdout, /✓ pin it: what was verified is written +deploy\/demo-api\.yaml names .*@sha256:/);
    assert.match(stdout, /✓ ask for the pinned Pod, as an API server does +trusted/);
    assert.match(
      stdout,
      /✗ ask for a Pod of the unsealed image +refused +spec\.containers\[0\]\.image: .* is refused: /,
    );
    assert.match(stdout, /every fake was refused/);
  });
});
