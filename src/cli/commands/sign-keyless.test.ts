// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { ISSUER, SIGNED, SUBJECT } from '../../keyless/sigstore-double.fixture.ts';
import { decodeBundle, decodeTrustedRoot, encodeClientTrustConfig, type SigningConfig } from '../../trust/index.ts';
import { runRecorded, type Ran, type RecordingHostOptions } from '../recording-host.fixture.ts';
import { serveSigstoreDouble, type SigstoreServices } from '../sigstore-services.fixture.ts';

// Sealing with services, on loopback: the whole way from a command line to a seal that verifies.

const golden = join(import.meta.dirname, '../../../test/golden');
const DIGEST = 'sha256:4ed3e85154810a05dc77ab478fdda7d11d9cde6414c29ad820d5e542ee8aebe6';
const IMAGE = `oci-layout:layout@${DIGEST}`;
const IDENTITY = ['--certificate-identity', SUBJECT, '--certificate-oidc-issuer', ISSUER];
const ROOT = ['--trusted-root', 'root.json'];
const TOKEN = ['--identity-token', 'token.jwt'];

let services: SigstoreServices;
let folder: string;
before(async () => {
  services = await serveSigstoreDouble();
});
after(() => services.close());
beforeEach((context) => {
  folder = mkdtempSync(join(tmpdir(), 'bulla-sign-'));
  cpSync(join(golden, '_base'), join(folder, 'layout'), { recursive: true });
  cpSync(join(golden, '_keys'), join(folder, '_keys'), { recursive: true });
  writeFileSync(join(folder, 'blob.txt'), 'hello blob\n');
  writeFileSync(join(folder, 'root.json'), services.trustedRoot);
  writeFileSync(join(folder, 'token.jwt'), `${services.double.token.text}\n`);
  services.asked.length = 0;
  const mine = folder;
  if ('after' in context) context.after(() => rmSync(mine, { recursive: true, force: true }));
});

function run(argv: readonly string[], options: RecordingHostOptions = {}): Promise<Ran> {
  return runRecorded(argv, { cwd: folder, now: SIGNED, ...options, env: { COSIGN_PASSWORD: 'pw', ...options.env } });
}

/** A secret must not be in anything that a run left behind for others to read. */
function withoutToken(ran: Ran): Ran {
  const [, payload = '', signature = ''] = services.double.token.text.split('.');
  for (const part of [payload, signature]) assert.ok(!`${ran.stdout}${ran.stderr}`.includes(part), 'the token shows');
  return ran;
}

const urls = (...names: readonly ('fulcio' | 'rekor' | 'tsa')[]): readonly string[] =>
  names.flatMap((name) => [
    { fulcio: '--fulcio-url', rekor: '--rekor-url', tsa: '--timestamp-server-url' }[name],
    services.urls[name],
  ]);

describe('sign without a key', () => {
  it('seals with the services that URLs name, and says who, where in the log and when', async () => {
    const sign = ['sign', '--yes', '--verbose', ...urls('fulcio', 'rekor', 'tsa'), ...ROOT, ...TOKEN, IMAGE];
    const signed = withoutToken(await run(sign));
    assert.equal(signed.code, 0, signed.stderr);
    assert.match(signed.stdout, new RegExp(`@${DIGEST}\n$`));
    assert.match(signed.stderr, /^tlog entry created with index: \d+$/m);
    assert.match(signed.stderr, /^timestamp: 20\d\d-/m);
    assert.ok(signed.stderr.includes(`signer: ${SUBJECT} (${ISSUER})`), signed.stderr);
    assert.deepEqual(services.asked, [
      'POST /fulcio/api/v2/signingCert',
      'POST /tsa',
      'POST /rekor1/api/v1/log/entries',
    ]);
    const verified = await run(['--no-network', 'verify', ...IDENTITY, ...ROOT, '--use-signed-timestamps', IMAGE]);
    assert.equal(verified.code, 0, verified.stderr);
  });

  it('seals with the services of a signing config: Rekor v2 and a timestamp', async () => {
    const since = 'start-time=2020-01-01T00:00:00Z,operator=lab';
    const made = await run([
      'signing-config',
      'create',
      '--out',
      'config.json',
      '--rekor-config',
      'ANY',
      '--tsa-config',
      'EXACT:1',
      '--fulcio',
      `url=${services.urls.fulcio},api-version=1,${since}`,
      '--rekor',
      `url=${services.urls.rekor2},api-version=2,${since}`,
      '--tsa',
      `url=${services.urls.tsa},api-version=1,${since}`,
    ]);
    assert.equal(made.code, 0, made.stderr);
    const signed = await run(['sign', '--json', '--yes', '--signing-config', 'config.json', ...ROOT, ...TOKEN, IMAGE]);
    assert.equal(withoutToken(signed).code, 0, signed.stderr);
    const document = JSON.parse(signed.stdout) as {
      signer: object;
      images: { log: string; seals: { logEntries: { integratedTime: null }[]; timestamps: { time: string }[] }[] }[];
    };
    assert.deepEqual(document.signer, { kind: 'identity', subject: SUBJECT, issuer: ISSUER });
    assert.equal(document.images[0]?.log, 'written');
    assert.equal(document.images[0]?.seals[0]?.logEntries[0]?.integratedTime, null);
    assert.equal(document.images[0]?.seals[0]?.timestamps.length, 1);
    assert.equal((await run(['--no-network', 'verify', ...IDENTITY, ...ROOT, IMAGE])).code, 0);
  });

  it('seals and verifies by a client trust config, which is a signing config and a trusted root in one file', async () => {
    const service = (url: string) => ({ url, majorApiVersion: 1, operator: 'lab' });
    const any = { kind: 'any' } as const;
    const signingConfig: SigningConfig = {
      certificateAuthorities: [service(services.urls.fulcio)],
      identityProviders: [],
      logs: [service(services.urls.rekor)],
      logChoice: any,
      timestampAuthorities: [],
      timestampChoice: any,
    };
    const trustedRoot = decodeTrustedRoot(Buffer.from(services.trustedRoot), 'it');
    writeFileSync(join(folder, 'client.json'), encodeClientTrustConfig({ trustedRoot, signingConfig }));
    const both = ['--signing-config', 'client.json', '--trusted-root', 'client.json'];
    const signed = withoutToken(await run(['sign', '--yes', ...both, ...TOKEN, IMAGE]));
    assert.equal(signed.code, 0, signed.stderr);
    const verify = ['--no-network', 'verify', ...IDENTITY, '--trusted-root', 'client.json', IMAGE];
    assert.equal((await run(verify)).code, 0);
    const half = JSON.parse(readFileSync(join(folder, 'client.json'), 'utf8')) as Record<string, unknown>;
    delete half['trustedRoot'];
    writeFileSync(join(folder, 'client.json'), JSON.stringify(half));
    const refused = await run(verify);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /client\.json\.trustedRoot is missing/);
  });

  it('seals as cosign 2 does, with certificate, promise and timestamp beside a .sig tag', async () => {
    const sign = [
      'sign',
      '--yes',
      '--format',
      'legacy',
      '--output-certificate',
      'c.pem',
      ...urls('fulcio', 'rekor', 'tsa'),
    ];
    const signed = await run([...sign, ...ROOT, ...TOKEN, IMAGE]);
    assert.equal(signed.code, 0, signed.stderr);
    assert.match(readFileSync(join(folder, 'c.pem'), 'utf8'), /^-----BEGIN CERTIFICATE-----/);
    const verified = await run(['--no-network', 'verify', '--new-bundle-format=false', ...IDENTITY, ...ROOT, IMAGE]);
    assert.equal(verified.code, 0, verified.stderr);
    assert.match(verified.stdout, /"RFC3161Timestamp"/);
  });

  it('takes a token from SIGSTORE_ID_TOKEN', async () => {
    const env = { SIGSTORE_ID_TOKEN: services.double.token.text };
    const signed = await run(['sign', '--yes', ...urls('fulcio', 'rekor'), ...ROOT, IMAGE], { env });
    assert.equal(withoutToken(signed).code, 0, signed.stderr);
  });

  it('asks before anything is written for ever, and seals only if told to', async () => {
    const sign = ['sign', ...urls('fulcio', 'rekor'), ...ROOT, ...TOKEN, IMAGE];
    const refused = await run(['--no-color', ...sign], { answers: [false] });
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /^Error: user declined the prompt$/m);
    assert.ok(refused.stderr.includes(services.urls.rekor));
    assert.equal(refused.stdout, '');
    assert.deepEqual(services.asked, []);
    assert.equal((await run(sign, { answers: [true] })).code, 0);
  });

  it('has --issue-certificate certify a key that one has', async () => {
    const flags = ['--key', '_keys/cosign.key', '--issue-certificate', ...urls('fulcio', 'rekor'), ...ROOT, ...TOKEN];
    assert.equal((await run(['sign', '--yes', ...flags, IMAGE])).code, 0);
    assert.equal((await run(['--no-network', 'verify', ...IDENTITY, ...ROOT, IMAGE])).code, 0);
    assert.equal((await run(['--no-network', 'verify', '--key', '_keys/cosign.pub', IMAGE])).code, 0);
  });
});

describe('sign with a key and services', () => {
  it('tells a log and a clock, which a verifier then finds', async () => {
    const flags = ['--key', '_keys/cosign.key', ...urls('rekor', 'tsa'), ...ROOT];
    const signed = await run(['sign', '--yes', ...flags, IMAGE]);
    assert.equal(signed.code, 0, signed.stderr);
    assert.match(signed.stderr, /^tlog entry created with index: \d+$/m);
    const verified = await run([
      '--no-network',
      'verify',
      '--key',
      '_keys/cosign.pub',
      ...ROOT,
      '--use-signed-timestamps',
      IMAGE,
    ]);
    assert.equal(verified.code, 0, verified.stderr);
  });

  it('tells no log with --tlog-upload=false', async () => {
    const flags = ['--key', '_keys/cosign.key', ...urls('rekor'), '--tlog-upload=false'];
    const signed = await run(['sign', ...flags, IMAGE]);
    assert.equal(signed.code, 0, signed.stderr);
    assert.match(signed.stderr, /log: not written/);
    assert.deepEqual(services.asked, []);
  });

  it('takes a signing config that names no service for sealing with the key alone', async () => {
    assert.equal((await run(['signing-config', 'create', '--out', 'none.json'])).code, 0);
    const flags = ['--key', '_keys/cosign.key', '--signing-config', 'none.json', ...ROOT];
    const signed = await run(['--no-network', 'sign', ...flags, IMAGE]);
    assert.equal(signed.code, 0, signed.stderr);
    assert.match(signed.stderr, /log: not written \(a key was given, and no log\)/);
  });
});

describe('sign-blob with services', () => {
  it('writes a bundle that verify-blob takes, by file, standard input and digest', async () => {
    const signed = await run(['sign-blob', '--yes', ...urls('fulcio', 'rekor', 'tsa'), ...ROOT, ...TOKEN, 'blob.txt']);
    assert.equal(withoutToken(signed).code, 0, signed.stderr);
    const bundle = decodeBundle(readFileSync(join(folder, 'blob.txt.sigstore.json')), 'it');
    assert.deepEqual([bundle.logEntries.length, bundle.timestamps.length], [1, 1]);
    const verify = ['--no-network', 'verify-blob', ...IDENTITY, ...ROOT, '--use-signed-timestamps'];
    const file = await run([...verify, 'blob.txt']);
    assert.equal(file.code, 0, file.stderr);
    assert.match(file.stderr, /^Verified OK$/m);
    const named = [...verify, '--bundle', 'blob.txt.sigstore.json'];
    assert.equal((await run([...named, '-'], { stdin: 'hello blob\n' })).code, 0);
    const digest = 'sha256:a0639d03e7e77d7630dffce7bfe26d51813d4c799f13821e5b6786e2736baaed';
    assert.equal((await run([...named, digest])).code, 0);
  });

  it('writes what cosign 2 reads, and reads it', async () => {
    const sign = [
      'sign-blob',
      '--yes',
      '--new-bundle-format=false',
      '--bundle',
      'old.bundle',
      '--output-signature',
      's.sig',
    ];
    const signed = await run([
      ...sign,
      '--output-certificate',
      's.crt',
      ...urls('fulcio', 'rekor'),
      ...ROOT,
      ...TOKEN,
      'blob.txt',
    ]);
    assert.equal(signed.code, 0, signed.stderr);
    const bundled = await run([
      '--no-network',
      'verify-blob',
      ...IDENTITY,
      ...ROOT,
      '--bundle',
      'old.bundle',
      'blob.txt',
    ]);
    assert.equal(bundled.code, 0, bundled.stderr);
    const parts = ['--signature', 's.sig', '--certificate', 's.crt', 'blob.txt'];
    const alone = await run(['--no-network', 'verify-blob', ...IDENTITY, ...ROOT, ...parts]);
    assert.equal(alone.code, 12, alone.stderr);
    assert.match(alone.stderr, /\[log-missing\]/);
  });

  for (const [name, kind] of [
    ['ecdsa-sha2-384-nistp384', 'ecdsa-p384-sha384'],
    ['ed25519-ph', 'ed25519ph'],
  ])
    it(`seals with a key of the kind ${name}`, async () => {
      const sign = [
        'sign-blob',
        '--yes',
        '--signing-algorithm',
        name ?? '',
        ...urls('fulcio', 'rekor'),
        ...ROOT,
        ...TOKEN,
      ];
      const signed = await run([...sign, 'blob.txt']);
      assert.equal(signed.code, 0, signed.stderr);
      const verified = await run(['--json', 'verify-blob', ...IDENTITY, ...ROOT, 'blob.txt']);
      assert.equal(verified.code, 0, verified.stderr);
      assert.equal((JSON.parse(verified.stdout) as { seal: { scheme: string } }).seal.scheme, kind);
    });
});

describe('refuses, and asks no service', () => {
  const cases: readonly (readonly [string, () => readonly string[], RegExp])[] = [
    ['an identity without services', () => ['sign', '--yes', IMAGE], /no trust with a signing config was fetched/],
    [
      'services without a trusted root',
      () => ['sign', '--yes', ...urls('fulcio', 'rekor'), ...TOKEN, IMAGE],
      /no trusted root/,
    ],
    [
      'a log without an authority',
      () => ['sign', '--yes', ...urls('rekor'), ...ROOT, ...TOKEN, IMAGE],
      /give --fulcio-url too, or --key/,
    ],
    [
      'URLs beside a signing config',
      () => ['sign', '--signing-config', 'c.json', ...urls('rekor'), IMAGE],
      /cannot specify service URLs and use signing config/,
    ],
    [
      '--tlog-upload=false beside a signing config',
      () => ['sign', '--signing-config', 'c.json', '--tlog-upload=false', IMAGE],
      /--tlog-upload=false is not supported with --signing-config/,
    ],
    [
      'a signing config that is none',
      () => ['sign', '--signing-config', 'root.json', ...ROOT, IMAGE],
      /expected application\/vnd\.dev\.sigstore\.signingconfig/,
    ],
    [
      'a signing config that is not there',
      () => ['sign', '--signing-config', 'nofile', IMAGE],
      /reading signing config: open nofile/,
    ],
    [
      'key and identity token',
      () => ['sign', '--key', '_keys/cosign.key', ...TOKEN, IMAGE],
      /--identity-token says who one is, and --key seals without/,
    ],
    [
      'a trusted root beside a key alone',
      () => ['sign', '--key', '_keys/cosign.key', ...ROOT, IMAGE],
      /no services to be trusted/,
    ],
    ['two keys', () => ['sign', '--key', 'a', '--key', 'b', IMAGE], /one --key is sealed with at a time/],
    [
      'no network',
      () => ['--no-network', 'sign', '--yes', ...urls('fulcio', 'rekor'), ...ROOT, ...TOKEN, IMAGE],
      /--no-network/,
    ],
    [
      'a token that is none',
      () => ['sign', '--yes', ...urls('fulcio'), ...ROOT, '--identity-token', 'garbage', IMAGE],
      /is not a JSON Web Token/,
    ],
    [
      'nobody to be asked',
      () => ['sign-blob', ...urls('fulcio'), ...ROOT, ...TOKEN, '--bundle', 'b', '-'],
      /nobody is there to be asked/,
    ],
    [
      'standard input without a place for its seal',
      () => ['sign-blob', '--key', '_keys/cosign.key', '-'],
      /must specify --bundle/,
    ],
    [
      'one bundle for two blobs',
      () => ['sign-blob', '--key', '_keys/cosign.key', '--bundle', 'b', 'blob.txt', 'root.json'],
      /seal them one by one/,
    ],
    [
      'to seal a digest',
      () => ['sign-blob', '--key', '_keys/cosign.key', '--bundle', 'b', `sha256:${'ab'.repeat(32)}`],
      /is a digest/,
    ],
    [
      'a URL as a blob',
      () => ['sign-blob', '--key', '_keys/cosign.key', '--bundle', 'b', 'http://127.0.0.1/x'],
      /blobs are not fetched/,
    ],
    [
      'another key than --signing-algorithm',
      () => ['sign-blob', '--key', '_keys/cosign.key', '--signing-algorithm', 'ed25519-ph', 'blob.txt'],
      /--signing-algorithm asks/,
    ],
  ];
  for (const [what, argv, message] of cases)
    it(what, async () => {
      const ran = withoutToken(await run(argv()));
      assert.equal(ran.code, 1, ran.stderr);
      assert.match(ran.stderr, message);
      assert.equal(ran.stdout, '');
      assert.deepEqual(services.asked, []);
      assert.ok(!existsSync(join(folder, 'blob.txt.sigstore.json')));
    });
});

describe('a certificate authority beyond this machine, without TLS', () => {
  it('is warned of before it is sent anything; one on this machine is not', async () => {
    const sign = (fulcio: string): readonly string[] => {
      const given = ['--fulcio-url', fulcio, ...ROOT, '--identity-token', 'garbage'];
      return ['sign-blob', '--yes', ...given, 'blob.txt'];
    };
    const warned = await run(sign('http://fulcio.example'));
    assert.match(warned.stderr, /^WARNING: http:\/\/fulcio\.example\S* is asked for a certificate over plain http: /m);
    assert.match(warned.stderr, /^Error: .*is not a JSON Web Token/m); // so that nothing was asked
    assert.doesNotMatch((await run(sign(services.urls.fulcio))).stderr, /WARNING/);
    assert.doesNotMatch((await run(sign('https://fulcio.example'))).stderr, /WARNING/);
  });
});

describe('a seal that a verifier would refuse', () => {
  it('is written nowhere', async () => {
    writeFileSync(join(folder, 'other.json'), readFileSync(join(golden, '_stack/trusted_root.json')));
    const sign = [
      'sign-blob',
      '--yes',
      ...urls('fulcio', 'rekor'),
      '--trusted-root',
      'other.json',
      ...TOKEN,
      'blob.txt',
    ];
    const ran = withoutToken(await run(sign));
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /does not verify and was not written: .*\[/);
    assert.ok(!existsSync(join(folder, 'blob.txt.sigstore.json')));
  });

  it('is one of a service that cannot be reached: undecided', async () => {
    const nowhere = ['--fulcio-url', 'http://127.0.0.1:1', ...ROOT, ...TOKEN];
    const ran = withoutToken(await run(['sign-blob', '--yes', ...nowhere, 'blob.txt']));
    assert.equal(ran.code, 2, ran.stderr);
  });

  it('is told of when the authority says no, without the token', async () => {
    const env = { SIGSTORE_ID_TOKEN: services.double.token.text.replace(/.$/, (last) => (last === 'A' ? 'Q' : 'A')) };
    const ran = await run(['sign-blob', '--yes', ...urls('fulcio', 'rekor'), ...ROOT, 'blob.txt'], { env });
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /^Error: /m);
    assert.ok(!ran.stderr.includes(env.SIGSTORE_ID_TOKEN.split('.')[1] ?? ''));
  });
});
