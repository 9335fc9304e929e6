// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ISSUER, SIGNED, SUBJECT } from '../../keyless/sigstore-double.fixture.ts';
import { TestRepository } from '../../keyless/root/tuf-repository.fixture.ts';
import { runRecorded, type Ran } from '../recording-host.fixture.ts';
import { serveSigstoreDouble, type SigstoreServices } from '../sigstore-services.fixture.ts';

// A stack is trusted once, and from then on sign and verify need no flag that names a service.

const golden = join(import.meta.dirname, '../../../test/golden');
const IMAGE = 'oci-layout:layout@sha256:4ed3e85154810a05dc77ab478fdda7d11d9cde6414c29ad820d5e542ee8aebe6';
const IDENTITY = ['--certificate-identity', SUBJECT, '--certificate-oidc-issuer', ISSUER];

let services: SigstoreServices;
let mirror: Server;
let address: string;
let repository: TestRepository;
let folder: string;
const asked: string[] = [];

before(async () => {
  services = await serveSigstoreDouble();
  folder = mkdtempSync(join(tmpdir(), 'bulla-initialize-'));
  cpSync(join(golden, '_base'), join(folder, 'layout'), { recursive: true });
  const since = 'start-time=2020-01-01T00:00:00Z,operator=lab';
  const config = await runRecorded([
    'signing-config',
    'create',
    '--rekor-config',
    'ANY',
    '--tsa-config',
    'ANY',
    '--fulcio',
    `url=${services.urls.fulcio},api-version=1,${since}`,
    '--rekor',
    `url=${services.urls.rekor},api-version=1,${since}`,
    '--tsa',
    `url=${services.urls.tsa},api-version=1,${since}`,
  ]);
  repository = new TestRepository({
    'trusted_root.json': Buffer.from(services.trustedRoot).toString(),
    'signing_config.v0.2.json': config.stdout,
  });
  writeFileSync(join(folder, 'root.json'), repository.root());
  mirror = createServer((request, response) => {
    asked.push(request.url ?? '');
    const file = repository.files.get((request.url ?? '').slice(1));
    response.writeHead(file === undefined ? 404 : 200).end(file);
  }).listen(0, '127.0.0.1');
  await once(mirror, 'listening');
  const bound = mirror.address();
  address = `http://127.0.0.1:${typeof bound === 'object' && bound !== null ? bound.port : 0}`;
});
after(async () => {
  mirror.close();
  await services.close();
  rmSync(folder, { recursive: true, force: true });
});

function run(argv: readonly string[], now: Date = SIGNED): Promise<Ran> {
  const env = { HOME: join(folder, 'home'), SIGSTORE_ID_TOKEN: services.double.token.text };
  return runRecorded(argv, { cwd: folder, now, env });
}

describe('initialize', () => {
  it('trusts nothing where the first root is another than was named', async () => {
    const wrong = ['--root-checksum', 'ab'.repeat(32)];
    const refused = await run(['initialize', '--mirror', address, '--root', 'root.json', ...wrong]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /has the SHA-256 .*, expected abab/);
    assert.deepEqual(asked, []);
    const sign = await run(['sign', '--yes', IMAGE]);
    assert.match(sign.stderr, /no trust with a signing config was fetched/);
  });

  it('fetches whom to believe: sign then asks whether that is the newest, and verify asks nobody', async () => {
    const checksum = hash('sha256', repository.root());
    const done = await run([
      '--json',
      'initialize',
      '--mirror',
      address,
      '--root',
      'root.json',
      '--root-checksum',
      checksum,
    ]);
    assert.equal(done.code, 0, done.stderr);
    const document = JSON.parse(done.stdout) as { rootChecksum: string; trust: { kind: string }; trustedRoot: object };
    assert.equal(document.rootChecksum, checksum);
    assert.equal(document.trust.kind, 'tuf');
    asked.length = 0;
    const signed = await run(['sign', '--yes', IMAGE]);
    assert.equal(signed.code, 0, signed.stderr);
    assert.match(signed.stderr, /^trust: TUF repository http:\/\/127\.0\.0\.1:\d+\/?, asked /m);
    assert.match(signed.stderr, /^tlog entry created with index: /m);
    assert.deepEqual(asked, ['/2.root.json', '/timestamp.json'], 'what is sealed by must be what is published now');
    asked.length = 0;
    const verified = await run(['--no-network', 'verify', ...IDENTITY, '--use-signed-timestamps', IMAGE]);
    assert.equal(verified.code, 0, verified.stderr);
    assert.match(verified.stderr, /^trust: TUF repository /m);
    assert.deepEqual(asked, [], 'the repository is asked once a day');
  });

  it('gives its parts to those who make files of their own', async () => {
    const root = await run(['trusted-root', 'create', '--with-default-services']);
    assert.equal(root.code, 0, root.stderr);
    const config = await run(['signing-config', 'create', '--with-default-services', '--no-default-tsa']);
    assert.equal(config.code, 0, config.stderr);
    assert.ok(config.stdout.includes(services.urls.rekor) && !config.stdout.includes(services.urls.tsa));
  });

  it('says what is wrong with what is no root', async () => {
    writeFileSync(join(folder, 'none.json'), '{}');
    const ran = await run(['initialize', '--mirror', address, '--root', 'none.json']);
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /is no root document of a TUF repository/);
  });
});
