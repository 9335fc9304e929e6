// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { interop, type ClientName } from './clients.ts';
import { demand, DEVELOPER, initialized, PIPELINE, refused, serviceFlags, writeIn } from './keyless.ts';
import { BULLA, Lab, succeed, type LabStack } from './lab.ts';

// Who gets a certificate of `bulla up`, as real clients see it: its rules demand a repository and a branch.

const lab = new Lab();
after(() => lab.close());

/** A stack with rules of its operator's, which one writes after the first start: then the issuer has its address. */
let started: Promise<{ readonly stack: LabStack; readonly foreign: LabStack }> | undefined;
async function start(): Promise<{ readonly stack: LabStack; readonly foreign: LabStack }> {
  const foreign = await lab.serveStack();
  const folder = lab.folder();
  const first = await lab.serveStack([], { folder });
  const { issuer } = first.endpoints;
  assert.equal((await first.stop()).code, 0);
  const claims = { repository: 'example/app', ref: ['refs/heads/main', { expression: '^refs/tags/v[0-9]' }] };
  writeIn(first.data, 'rules.yaml', JSON.stringify({ rules: [{ name: 'production', issuer, claims }] }));
  // It is known, and no rule names it.
  const other = {
    [foreign.endpoints.issuer]: { 'issuer-url': foreign.endpoints.issuer, 'client-id': 'sigstore', type: 'email' },
  };
  const issuers = writeIn(folder, 'issuers.yaml', JSON.stringify({ 'oidc-issuers': other }));
  const stack = await lab.serveStack(['--issuers', issuers], { folder });
  assert.equal(stack.endpoints.issuer, issuer, 'a later start keeps the address');
  return { stack, foreign };
}

/** Whom the rule does not mean, and what the stack answers them. */
const UNKNOWN: Readonly<Record<string, readonly string[]>> = {
  "its 'repository' is 'example/fork', expected 'example/app'": ['repository=example/fork', 'ref=refs/heads/main'],
  "its 'ref' is 'refs/heads/feature', expected 'refs/heads/main' or ~'^refs/tags/v[0-9]'": [
    'repository=example/app',
    'ref=refs/heads/feature',
  ],
  "its 'repository' is missing, expected 'example/app'": [],
};

/** A client, and how it signs a blob. */
interface Client {
  readonly needs: readonly ClientName[];
  readonly sign: (stack: LabStack) => readonly string[];
}

const CLIENTS: Readonly<Record<string, Client>> = {
  'cosign 2': { needs: ['cosign-2'], sign: (stack) => ['sign-blob', '--yes', ...serviceFlags(stack)] },
  'cosign 3': { needs: ['cosign-3'], sign: () => ['sign-blob', '--yes'] },
  bulla: { needs: [], sign: () => ['sign-blob', '--yes'] },
};

for (const [name, client] of Object.entries(CLIENTS)) {
  interop(`${name} gets a certificate for the production pipeline alone`, client.needs, async ([program = BULLA]) => {
    const { stack } = await (started ??= start());
    const home = await initialized(lab, stack, program);
    const blob = writeIn(home, 'blob', 'a blob\n');
    const bundle = ['--bundle', join(home, 'blob.bundle')];
    const sign = [...client.sign(stack), ...bundle, blob];
    for (const [answer, claims] of Object.entries(UNKNOWN)) {
      const token = await stack.token(PIPELINE, claims);
      const run = await lab.run(program, sign, { home, env: { SIGSTORE_ID_TOKEN: token } });
      assert.equal(run.code, 1);
      assert.ok(run.stderr.includes(`rule 'production' does not admit this token: ${answer}`), run.stderr);
      assert.equal(existsSync(join(home, 'blob.bundle')), false);
    }
    for (const ref of ['refs/heads/main', 'refs/tags/v1.2.3']) {
      const token = await stack.token(PIPELINE, ['repository=example/app', `ref=${ref}`]);
      await succeed(program, sign, home, { SIGSTORE_ID_TOKEN: token });
      const verify = ['verify-blob', ...bundle];
      await succeed(program, [...verify, ...demand(stack, PIPELINE), blob], home);
      const other = await lab.run(program, [...verify, ...demand(stack, `${PIPELINE}/other`), blob], { home });
      refused(other, /expected/);
    }
  });

  interop(`${name} gets no certificate by a token of an issuer that no rule names`, client.needs, async (programs) => {
    const [program = BULLA] = programs;
    const { stack, foreign } = await (started ??= start());
    const home = await initialized(lab, stack, program);
    const sign = [...client.sign(stack), '--bundle', join(home, 'bundle'), writeIn(home, 'blob', 'a blob\n')];
    const token = await foreign.token(DEVELOPER, ['repository=example/app', 'ref=refs/heads/main']);
    const run = await lab.run(program, sign, { home, env: { SIGSTORE_ID_TOKEN: token } });
    assert.equal(run.code, 1);
    const answer = `no rule names the issuer '${foreign.endpoints.issuer}': its tokens admit nobody`;
    assert.ok(run.stderr.includes(answer), run.stderr);
  });
}
