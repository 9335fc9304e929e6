// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { newRekorV1, newRekorV2, type TestRekor } from '../../src/stack/rekor/rekor.fixture.ts';
import { decodeBundle, encodePublicKey, encodeSigningConfig, encodeTrustedRoot } from '../../src/trust/index.ts';
import { serve } from '../../src/wire/index.ts';
import { interop, runClient, type ClientRun } from './clients.ts';
import { keyFile } from './lab.ts';

const HOST = '127.0.0.1';
const STARTED = new Date('2020-01-01T00:00:00Z');
const PASSWORD = { COSIGN_PASSWORD: 'pw' };

/** A log that is served, and the files that its clients need. */
interface Served {
  readonly url: string;
  readonly home: string;
  readonly rekor: TestRekor;
  /** Writes a file below `home`. @returns its path */
  write(name: string, content: string | Uint8Array): string;
  run(program: string, args: readonly string[], env?: Readonly<Record<string, string>>): Promise<ClientRun>;
}

async function serveLog(context: TestContext, version: 1 | 2): Promise<Served> {
  const rekor = version === 1 ? await newRekorV1(HOST) : await newRekorV2(HOST);
  const server = await serve({ service: rekor.service, host: HOST, port: 0 });
  const home = mkdtempSync(join(tmpdir(), 'bulla-rekor-'));
  context.after(async () => {
    await server.close();
    rmSync(home, { recursive: true, force: true });
  });
  const url = `http://${HOST}:${server.address.port}`;
  const write = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(home, name), content);
    return join(home, name);
  };
  const run = (program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
    runClient(program, args, { home, env: { ...PASSWORD, ...env } });
  return { url, home, rekor, write, run };
}

function ok(run: ClientRun): ClientRun {
  assert.equal(run.code, 0, run.stderr + run.stdout);
  return run;
}

function trustedRootOf({ rekor, url, write }: Served): string {
  const log = { ...rekor.trusted, baseUrl: url, validFor: { start: STARTED } };
  const root = { logs: [log], certificateLogs: [], certificateAuthorities: [], timestampAuthorities: [], skipped: [] };
  return write('trusted_root.json', encodeTrustedRoot(root));
}

function signingConfigOf({ url, write }: Served, majorApiVersion: 1 | 2): string {
  const logs = [{ url, majorApiVersion, validFor: { start: STARTED }, operator: 'test' }];
  const none = { kind: 'none' } as const;
  return write(
    'signing_config.json',
    encodeSigningConfig({
      certificateAuthorities: [],
      identityProviders: [],
      logs,
      logChoice: { kind: 'any' },
      timestampAuthorities: [],
      timestampChoice: none,
    }),
  );
}

const STATEMENT = 'https://example.test/predicate/v1';

for (const version of [1, 2] as const) {
  interop(
    `cosign 3 enters blobs and attestations into Rekor v${version}, and verifies them`,
    ['cosign-3'],
    async ([cosign], context) => {
      const log = await serveLog(context, version);
      const { home, write, run } = log;
      const trust = ['--trusted-root', trustedRootOf(log)];
      const config = ['--signing-config', signingConfigOf(log, version), ...trust, '--yes'];
      const blob = write('blob.txt', 'a blob\n');
      const predicate = write('predicate.json', '{"a":1}');
      const key = ['--key', keyFile('cosign.key')];
      const pub = ['--key', keyFile('cosign.pub')];
      const bundle = ['--bundle', join(home, 'bundle.json')];

      ok(await run(cosign, ['sign-blob', ...key, ...config, ...bundle, blob]));
      ok(await run(cosign, ['verify-blob', ...pub, ...trust, ...bundle, blob]));
      const signed = decodeBundle(readFileSync(join(home, 'bundle.json')), 'bundle.json');
      assert.equal(signed.logEntries.length, 1);

      const about = ['--type', STATEMENT, '--predicate', predicate];
      ok(await run(cosign, ['attest-blob', ...key, ...config, ...bundle, ...about, blob]));
      ok(await run(cosign, ['verify-blob-attestation', ...pub, ...trust, ...bundle, '--type', STATEMENT, blob]));
      assert.equal(log.rekor.log.tree().size, 2);
    },
  );
}

interop(
  'cosign 2 enters blobs and attestations into Rekor v1, finds them there, and verifies them',
  ['cosign-2'],
  async ([cosign], context) => {
    const log = await serveLog(context, 1);
    const { home, url, rekor, write, run } = log;
    const trust = { SIGSTORE_REKOR_PUBLIC_KEY: write('rekor.pub', encodePublicKey(rekor.key.publicKey)) };
    const blob = write('blob.txt', 'a blob\n');
    const [signature, bundle] = [join(home, 'blob.sig'), join(home, 'blob.bundle')];
    const key = ['--key', keyFile('cosign.key'), '--rekor-url', url, '--yes'];
    const pub = ['--key', keyFile('cosign.pub'), '--rekor-url', url];

    ok(await run(cosign, ['sign-blob', ...key, '--output-signature', signature, '--bundle', bundle, blob], trust));
    ok(await run(cosign, ['verify-blob', ...pub, '--signature', signature, '--bundle', bundle, blob], trust));
    // Without its bundle, cosign asks the log for the entry.
    ok(await run(cosign, ['verify-blob', ...pub, '--signature', signature, blob], trust));
    // A release that is run again gets the entry that there is.
    const again = ['sign-blob', ...key, '--output-signature', signature, '--bundle', bundle, blob];
    ok(await run(cosign, again, trust));

    const predicate = write('predicate.json', '{"a":1}');
    const about = ['--type', STATEMENT, '--predicate', predicate];
    const attestation = join(home, 'blob.att');
    ok(await run(cosign, ['attest-blob', ...key, ...about, '--output-signature', attestation, blob], trust));
    const check = ['verify-blob-attestation', ...pub, '--type', STATEMENT, '--signature', attestation, blob];
    ok(await run(cosign, check, trust));
  },
);

interop(
  'rekor-cli uploads, gets, verifies, searches, and proves that the log only grows',
  ['rekor-cli', 'cosign-2'],
  async ([cli, cosign], context) => {
    const log = await serveLog(context, 1);
    const { home, url, rekor, write, run } = log;
    const trust = { SIGSTORE_REKOR_PUBLIC_KEY: write('rekor.pub', encodePublicKey(rekor.key.publicKey)) };
    const ask = async (...args: readonly string[]) =>
      ok(await run(cli, ['--rekor_server', url, '--format', 'json', ...args]));
    const pub = keyFile('cosign.pub');
    const entries: string[][] = [];
    for (const name of ['one', 'two', 'three']) {
      const blob = write(name, `${name}\n`);
      const signature = join(home, `${name}.sig`);
      ok(
        await run(
          cosign,
          [
            'sign-blob',
            '--key',
            keyFile('cosign.key'),
            '--tlog-upload=false',
            '--yes',
            '--output-signature',
            signature,
            blob,
          ],
          trust,
        ),
      );
      write(`${name}.sig`, Buffer.from(readFileSync(signature, 'utf8'), 'base64'));
      const digest = hash('sha256', `${name}\n`, 'hex');
      entries.push([
        '--type',
        'hashedrekord',
        '--artifact-hash',
        digest,
        '--signature',
        signature,
        '--public-key',
        pub,
        '--pki-format',
        'x509',
      ]);
    }
    const [one = [], two = [], three = []] = entries;

    const created = JSON.parse((await ask('upload', ...one)).stdout) as {
      readonly Location: string;
      readonly Index: number;
    };
    assert.equal(created.Index, 0);
    const again = JSON.parse((await ask('upload', ...one)).stdout) as { readonly Location: string };
    assert.equal(again.Location, created.Location);
    await ask('loginfo');
    await ask('upload', ...two);
    await ask('upload', ...three);
    const info = await ask('loginfo');
    assert.match(info.stderr + info.stdout, /Verification Successful!|"TotalTreeSize":3|"ActiveTreeSize":3/);

    const id = created.Location.slice(created.Location.lastIndexOf('/') + 1);
    for (const by of [
      ['--log-index', '0'],
      ['--uuid', id],
      ['--uuid', id.slice(16)],
    ]) {
      const got = JSON.parse((await ask('get', ...by)).stdout) as { readonly LogIndex: number; readonly UUID: string };
      assert.deepEqual([got.LogIndex, got.UUID], [0, id]);
    }
    await ask('verify', ...one);

    const found = async (...by: readonly string[]) =>
      (JSON.parse((await ask('search', ...by)).stdout) as { readonly UUIDs: readonly string[] }).UUIDs;
    assert.deepEqual(await found('--sha', hash('sha256', 'one\n', 'hex')), [id]);
    assert.deepEqual(await found('--artifact', join(home, 'one')), [id]);
    assert.equal((await found('--public-key', pub, '--pki-format', 'x509')).length, 3);

    // Entries of envelopes are found by their key as well; in Rekor itself they are not.
    const about = ['--type', STATEMENT, '--predicate', write('predicate.json', '{"a":1}')];
    const key = ['--key', keyFile('cosign.key'), '--rekor-url', url, '--yes'];
    ok(
      await run(
        cosign,
        ['attest-blob', ...key, ...about, '--output-signature', join(home, 'att'), join(home, 'one')],
        trust,
      ),
    );
    assert.equal((await found('--public-key', pub, '--pki-format', 'x509')).length, 4);
    assert.equal((await found('--sha', hash('sha256', 'one\n', 'hex'))).length, 2);
    await ask('logproof', '--first-size', '1', '--last-size', '4');

    const refused = await run(cli, [
      '--rekor_server',
      url,
      'upload',
      '--artifact',
      join(home, 'one'),
      '--signature',
      join(home, 'one.sig'),
      '--public-key',
      pub,
      '--pki-format',
      'x509',
    ]);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /kind rekord 0\.0\.1/);
  },
);
