// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { interop, type ClientRun } from './clients.ts';
import { announcedVariables, DEVELOPER, oneStack, PREDICATE, refused, serviceFlags, writeIn } from './keyless.ts';
import { keyFile, Lab, succeed } from './lab.ts';

// rekor-cli against the log (v1) of `bulla up`.

const lab = new Lab();
after(() => lab.close());
const ready = oneStack(lab);

/** rekor-cli with a home of its own, in which it keeps what it has seen of the log. */
async function client(program: string): Promise<{
  readonly home: string;
  /** its exit code and JSON */
  run(...args: readonly string[]): Promise<ClientRun>;
  ask<T>(...args: readonly string[]): Promise<T>;
  found(...by: readonly string[]): Promise<readonly string[]>;
}> {
  const { stack } = await ready();
  const home = lab.folder();
  const flags = ['--rekor_server', stack.endpoints.rekor, '--format', 'json'];
  const run = (...args: readonly string[]) => lab.run(program, [...flags, ...args], { home });
  const ask = async <T>(...args: readonly string[]): Promise<T> => {
    const { code, stdout, stderr } = await run(...args);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as T;
  };
  const found = async (...by: readonly string[]) =>
    (await ask<{ readonly UUIDs: readonly string[] }>('search', ...by)).UUIDs;
  return { home, run, ask, found };
}

/** What `get` prints of an entry. */
interface Entry {
  readonly LogIndex: number;
  readonly UUID: string;
  readonly IntegratedTime: number;
  readonly Body: {
    readonly HashedRekordObj?: { readonly data: { readonly hash: { readonly value: string } } };
    readonly DSSEObj?: { readonly payloadHash: { readonly value: string } };
  };
}

/** A file that cosign signed with an identity, and how rekor-cli is told of its entry. */
async function signedBlob(cosign: string, home: string, content: string) {
  const { stack, token } = await ready();
  const blob = writeIn(home, 'blob', content);
  const [signature, certificate] = [join(home, 'blob.sig'), join(home, 'blob.crt')];
  const outputs = ['--output-signature', signature, '--output-certificate', certificate];
  const sign = ['sign-blob', '--yes', '--identity-token', token, ...serviceFlags(stack), ...outputs, blob];
  await succeed(cosign, sign, home, await announcedVariables(stack));
  // cosign writes both in base64
  for (const file of [signature, certificate]) writeFileSync(file, Buffer.from(readFileSync(file, 'utf8'), 'base64'));
  const sha256 = hash('sha256', content, 'hex');
  const pki = ['--public-key', certificate, '--pki-format', 'x509'];
  return {
    sha256,
    pki,
    entry: ['--type', 'hashedrekord', '--artifact-hash', sha256, '--signature', signature, ...pki],
  };
}

interop(
  'rekor-cli finds, reads and verifies what cosign entered for an identity',
  ['rekor-cli', 'cosign-2'],
  async ([program, cosign]) => {
    const cli = await client(program);
    const { sha256, pki, entry } = await signedBlob(cosign, cli.home, 'a blob\n');

    const byDigest = await cli.found('--sha', sha256);
    assert.equal(byDigest.length, 1);
    assert.deepEqual(await cli.found('--email', DEVELOPER), byDigest);
    assert.deepEqual(await cli.found(...pki), byDigest);
    assert.deepEqual(await cli.found('--artifact', join(cli.home, 'blob')), byDigest);
    assert.deepEqual(await cli.found('--sha', sha256, '--email', DEVELOPER, '--operator', 'and'), byDigest);
    refused(await cli.run('search', '--email', `x${DEVELOPER}`), /no matching entries found/);

    const [uuid = ''] = byDigest;
    const read = await cli.ask<Entry>('get', '--uuid', uuid);
    assert.equal(read.UUID, uuid);
    assert.equal(read.Body.HashedRekordObj?.data.hash.value, sha256);
    assert.deepEqual(await cli.ask<Entry>('get', '--log-index', String(read.LogIndex)), read);

    const verified = await cli.ask<{ readonly EntryUUID: string; readonly Index: number }>('verify', ...entry);
    assert.equal(verified.Index, read.LogIndex);
    assert.ok(uuid.endsWith(verified.EntryUUID), verified.EntryUUID);
    await cli.ask('verify', '--uuid', uuid);
    const other = entry.map((flag) => (flag === sha256 ? hash('sha256', 'another blob\n', 'hex') : flag));
    assert.notEqual((await cli.run('verify', ...other)).code, 0);
  },
);

interop(
  'rekor-cli uploads an entry, gets the same one for it again, and sees that the log only grows',
  ['rekor-cli', 'cosign-2'],
  async ([program, cosign]) => {
    const cli = await client(program);
    await signedBlob(cosign, cli.home, 'the first\n');
    interface LogInfo {
      readonly ActiveTreeSize: number;
      readonly TotalTreeSize: number;
      readonly RootHash: string;
      readonly TreeID: string;
    }
    const before = await cli.ask<LogInfo>('loginfo');

    const content = 'sealed with a key\n';
    const blob = writeIn(cli.home, 'keyed', content);
    const signature = join(cli.home, 'keyed.sig');
    const sign = ['sign-blob', '--key', keyFile('cosign.key'), '--tlog-upload=false', '--output-signature', signature];
    const signed = await lab.run(cosign, [...sign, '--yes', blob], { home: cli.home });
    assert.equal(signed.code, 0, signed.stderr);
    writeFileSync(signature, Buffer.from(readFileSync(signature, 'utf8'), 'base64'));
    const sha256 = hash('sha256', content, 'hex');
    const pki = ['--public-key', keyFile('cosign.pub'), '--pki-format', 'x509'];
    const entry = ['--type', 'hashedrekord', '--artifact-hash', sha256, '--signature', signature, ...pki];

    interface Uploaded {
      readonly Location: string;
      readonly Index: number;
    }
    const created = await cli.ask<Uploaded>('upload', ...entry);
    const { Location } = await cli.ask<Uploaded>('upload', ...entry);
    assert.equal(Location, created.Location);
    await cli.ask('verify', ...entry);
    assert.deepEqual(await cli.found(...pki), [Location.slice(Location.lastIndexOf('/') + 1)]);

    // It has kept what it saw of the log, and demands a proof from there to here.
    const now = await cli.run('loginfo');
    assert.equal(now.code, 0, now.stderr);
    const { ActiveTreeSize, TreeID } = JSON.parse(now.stdout) as LogInfo;
    assert.equal(ActiveTreeSize, before.ActiveTreeSize + 1);
    assert.equal(TreeID, before.TreeID);
    assert.doesNotMatch(now.stderr, /No previous log state stored/);
    const sizes = ['--first-size', String(before.ActiveTreeSize), '--last-size', String(ActiveTreeSize)];
    await cli.ask('logproof', ...sizes, '--tree-id', TreeID);
  },
);

interop(
  'rekor-cli finds and reads what cosign entered for an attestation',
  ['rekor-cli', 'cosign-2'],
  async ([program, cosign]) => {
    const { stack, token } = await ready();
    const cli = await client(program);
    const content = 'an attested blob\n';
    const blob = writeIn(cli.home, 'blob', content);
    const about = ['--type', PREDICATE, '--predicate', writeIn(cli.home, 'predicate.json', '{"a":1}')];
    const attest = ['attest-blob', '--yes', '--identity-token', token, ...serviceFlags(stack), ...about];
    const made = [...attest, '--output-attestation', join(cli.home, 'blob.att'), '--bundle', join(cli.home, 'b'), blob];
    await succeed(cosign, made, cli.home, await announcedVariables(stack));
    const found = await cli.found('--sha', hash('sha256', content, 'hex'));
    assert.equal(found.length, 1);
    const read = await cli.ask<Entry>('get', '--uuid', found[0] ?? '');
    assert.match(read.Body.DSSEObj?.payloadHash.value ?? '', /^[0-9a-f]{64}$/);
    assert.ok((await cli.found('--email', DEVELOPER)).includes(found[0] ?? ''));
  },
);
