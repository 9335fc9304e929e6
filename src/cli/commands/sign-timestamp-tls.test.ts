// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { SIGNED } from '../../keyless/sigstore-double.fixture.ts';
import {
  CLIENT_CERTIFICATE,
  CLIENT_KEY,
  SERVER_CERTIFICATE,
  SERVER_KEY,
  TEST_ROOT,
} from '../../wire/http/certificates.fixture.ts';
import { runRecorded, type Ran } from '../recording-host.fixture.ts';
import { serveSigstoreDouble, type SigstoreServices } from '../sigstore-services.fixture.ts';

// A timestamp authority with a TLS of its own: it wants our certificate, and its own names another host.

const golden = join(import.meta.dirname, '../../../test/golden');
const CA = ['--timestamp-client-cacert', 'ca.pem'];
const OURS = ['--timestamp-client-cert', 'client.pem', '--timestamp-client-key', 'client.key'];
const NAME = ['--timestamp-server-name', 'registry.test'];

let services: SigstoreServices;
let folder: string;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bulla-tls-'));
  services = await serveSigstoreDouble({
    cert: SERVER_CERTIFICATE,
    key: SERVER_KEY,
    ca: TEST_ROOT,
    requestCert: true,
    rejectUnauthorized: true,
  });
  cpSync(join(golden, '_keys'), join(folder, '_keys'), { recursive: true });
  for (const [name, content] of [
    ['blob.txt', 'hello blob\n'],
    ['ca.pem', TEST_ROOT],
    ['client.pem', CLIENT_CERTIFICATE],
    ['client.key', CLIENT_KEY],
    ['root.json', services.trustedRoot],
  ] as const)
    writeFileSync(join(folder, name), content);
});
after(async () => {
  await services.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  services.asked.length = 0;
  rmSync(join(folder, 'blob.txt.sigstore.json'), { force: true });
});

async function seal(...flags: readonly string[]): Promise<Ran> {
  const clock = ['--timestamp-server-url', services.urls.tsa, '--trusted-root', 'root.json'];
  const argv = ['sign-blob', '--yes', '--key', '_keys/cosign.key', ...clock, ...flags, 'blob.txt'];
  const ran = await runRecorded(argv, { cwd: folder, now: SIGNED, env: { COSIGN_PASSWORD: 'pw' } });
  for (const line of CLIENT_KEY.split('\n').filter((text) => text.length > 40))
    assert.ok(!`${ran.stdout}${ran.stderr}`.includes(line), 'the private key shows');
  return ran;
}

describe('a timestamp authority with a TLS of its own', () => {
  it('is asked as the flags say, and seals', async () => {
    const ran = await seal(...CA, ...OURS, ...NAME);
    assert.equal(ran.code, 0, ran.stderr);
    assert.deepEqual(services.asked, ['POST /tsa']);
    const trust = ['--trusted-root', 'root.json', '--insecure-ignore-tlog', '--use-signed-timestamps'];
    const verify = ['--no-network', 'verify-blob', '--key', '_keys/cosign.pub', ...trust, 'blob.txt'];
    assert.equal((await runRecorded(verify, { cwd: folder, now: SIGNED })).code, 0);
  });

  for (const [what, flags] of [
    ['whose authority is not known', [...OURS, ...NAME]],
    ['whose certificate names another host', [...CA, ...OURS]],
    [
      'whose certificate does not name the host that was said',
      [...CA, ...OURS, '--timestamp-server-name', 'other.test'],
    ],
    ['that wants a certificate of ours', [...CA, ...NAME]],
  ] as const)
    it(`${what} gets no request, and nothing is sealed`, async () => {
      const ran = await seal(...flags);
      assert.ok(ran.code === 1 || ran.code === 2, ran.stderr);
      assert.match(ran.stderr, /^Error: /m);
      assert.deepEqual(services.asked, []);
      assert.ok(!existsSync(join(folder, 'blob.txt.sigstore.json')));
    });

  for (const [what, flags, message] of [
    ['a certificate without its key', [...CA, ...OURS.slice(0, 2)], /belong together: only one was given/],
    ['a key without its certificate', [...CA, ...OURS.slice(2)], /belong together: only one was given/],
    ['a file that is not there', ['--timestamp-client-cacert', 'nofile'], /reading TLS file: open nofile/],
    ['a file that is no PEM', [...NAME, ...OURS, '--timestamp-client-cacert', 'blob.txt'], /Error: /],
  ] as const)
    it(`refuses ${what}`, async () => {
      const ran = await seal(...flags);
      assert.ok(ran.code === 1 || ran.code === 2, ran.stderr);
      assert.match(ran.stderr, message);
      assert.deepEqual(services.asked, []);
    });
});
