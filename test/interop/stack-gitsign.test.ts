// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after } from 'node:test';
import { interop, type ClientRun } from './clients.ts';
import { announcedVariables, demand, DEVELOPER, oneStack, refused, wrongDemands, writeIn } from './keyless.ts';
import { Lab, succeed, type LabStack } from './lab.ts';

// gitsign signs commits against `bulla up`, and verifies them.

const lab = new Lab();
after(() => lab.close());
const ready = oneStack(lab);

/** A repository whose commits gitsign signs. */
interface Repository {
  readonly path: string;
  git(...args: readonly string[]): Promise<ClientRun>;
  /** `gitsign verify`, of the last commit unless told */
  verify(demanded: readonly string[], revision?: string, command?: 'verify' | 'verify-tag'): Promise<ClientRun>;
}

/**
 * A repository in a fresh home. gitsign 0.16 takes the log's keys from an older TUF client than the one that its `initialize` fills, so that it
 * needs the keys of the stack by variables too.
 */
async function repository(
  gitsign: string,
  git: string,
  extra: Readonly<Record<string, string>> = {},
): Promise<Repository> {
  const { stack, token } = await ready();
  const home = lab.folder();
  await succeed(gitsign, ['initialize', '--mirror', stack.endpoints.tuf, '--root', stack.endpoints.tufRoot], home);
  const env = { ...services(stack), ...(await announcedVariables(stack)), SIGSTORE_ID_TOKEN: token, ...extra };
  writeIn(
    home,
    '.gitconfig',
    `[user]\n\tname = Dev\n\temail = ${DEVELOPER}\n[gpg]\n\tformat = x509\n[gpg "x509"]\n\tprogram = ${gitsign}\n` +
      '[commit]\n\tgpgsign = true\n[tag]\n\tgpgsign = true\n[init]\n\tdefaultBranch = main\n',
  );
  const path = join(home, 'repository');
  await succeed(git, ['init', '--quiet', path], home, env);
  return {
    path,
    git: (...args) => lab.run(git, ['-C', path, ...args], { home, env }),
    // It looks for the repository where it is run.
    verify: (demanded, revision = 'HEAD', command = 'verify') =>
      lab.run('env', ['-C', path, gitsign, command, ...demanded, revision], { home, env }),
  };
}

/** All that gitsign would else take from the public instance, and no browser. */
function services({ endpoints }: LabStack): Readonly<Record<string, string>> {
  const { fulcio, rekor, issuer } = endpoints;
  return {
    GITSIGN_FULCIO_URL: fulcio,
    GITSIGN_REKOR_URL: rekor,
    GITSIGN_OIDC_ISSUER: issuer,
    GITSIGN_TOKEN_PROVIDER: 'envvar',
  };
}

function ok(run: ClientRun): ClientRun {
  assert.equal(run.code, 0, run.stderr);
  return run;
}

const CLIENTS = ['gitsign', 'git'] as const;

for (const mode of ['online', 'offline']) {
  interop(`gitsign signs a commit and verifies it, with the log ${mode}`, CLIENTS, async ([gitsign, git]) => {
    const { stack } = await ready();
    const tree = await repository(gitsign, git, { GITSIGN_REKOR_MODE: mode });
    writeIn(tree.path, 'file', 'content\n');
    ok(await tree.git('add', 'file'));
    ok(await tree.git('commit', '--quiet', '-m', 'first'));

    const verified = ok(await tree.verify(demand(stack)));
    const said = verified.stdout + verified.stderr;
    assert.ok(said.includes(`Good signature from [${DEVELOPER}](${stack.endpoints.issuer})`), said);
    assert.match(said, /Validated Git signature: true/);
    assert.match(said, /Validated Certificate claims: true/);
    if (mode === 'online') assert.match(said, /Validated Rekor entry: true/);
    for (const wrong of wrongDemands(stack))
      refused(await tree.verify(wrong), /none of the expected identities matched/);
    ok(await tree.git('verify-commit', 'HEAD'));
  });
}

interop('gitsign refuses a commit that was tampered with', CLIENTS, async ([gitsign, git]) => {
  const { stack } = await ready();
  const tree = await repository(gitsign, git);
  ok(await tree.git('commit', '--quiet', '--allow-empty', '-m', 'pay Alice'));
  ok(await tree.verify(demand(stack)));

  const commit = ok(await tree.git('cat-file', 'commit', 'HEAD')).stdout;
  assert.match(commit, /^gpgsig -----BEGIN SIGNED MESSAGE-----$/m);
  const path = writeIn(tree.path, 'tampered', commit.replace('pay Alice', 'pay Mallory'));
  const tampered = ok(await tree.git('hash-object', '-t', 'commit', '-w', path)).stdout.trim();
  refused(await tree.verify(demand(stack), tampered), /invalid message digest/);
  refused(await tree.git('verify-commit', tampered), /invalid message digest/);
  // A commit without a signature is not one that somebody signed.
  ok(await tree.git('commit', '--quiet', '--no-gpg-sign', '--allow-empty', '-m', 'unsigned'));
  assert.notEqual((await tree.verify(demand(stack))).code, 0);
});

// Its own hash of a tag is another one at signing than at verifying, so that it does not know its entry again: offline alone.
interop('gitsign signs a tag and verifies it, with the log offline', CLIENTS, async ([gitsign, git]) => {
  const { stack } = await ready();
  const tree = await repository(gitsign, git, { GITSIGN_REKOR_MODE: 'offline' });
  ok(await tree.git('commit', '--quiet', '--allow-empty', '-m', 'first'));
  ok(await tree.git('tag', '-m', 'first release', 'v1'));
  ok(await tree.git('verify-tag', 'v1'));
  ok(await tree.verify(demand(stack), 'v1', 'verify-tag'));
  for (const wrong of wrongDemands(stack))
    refused(await tree.verify(wrong, 'v1', 'verify-tag'), /none of the expected identities matched/);
});
