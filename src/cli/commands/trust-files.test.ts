// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { decodeSigningConfig, decodeTrustedRoot } from '../../trust/index.ts';
import { VARIABLES } from '../flags/variables.ts';
import { runRecorded, type Ran, type RecordingHostOptions } from '../recording-host.fixture.ts';

const golden = join(import.meta.dirname, '../../../test/golden');

function run(argv: readonly string[], options: RecordingHostOptions = {}): Promise<Ran> {
  return runRecorded(['--no-network', ...argv], { cwd: golden, ...options });
}

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'bulla-trust-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

const REKOR = 'url=https://log.example,public-key=_keys/cosign.pub,start-time=2024-01-01T00:00:00Z';
const FULCIO = 'url=https://ca.example,certificate-chain=_pki/chain.pem';

describe('trusted-root create', () => {
  it('puts together what cosign does', async () => {
    const create = ['trusted-root', 'create', '--fulcio', FULCIO, '--rekor', REKOR];
    const { code, stdout } = await run([...create, '--ctfe', REKOR.replace('cosign', 'wrong')]);
    assert.equal(code, 0);
    const root = decodeTrustedRoot(Buffer.from(stdout), 'it');
    assert.equal(root.logs[0]?.baseUrl, 'https://log.example');
    assert.deepEqual(root.logs[0]?.validFor, { start: new Date('2024-01-01T00:00:00Z') });
    // as the real cosign 3 names it: the SHA-256 of the key
    assert.equal(
      Buffer.from(root.logs[0]?.logId ?? []).toString('base64'),
      'wuImj6xlg6g6lWyEgx1O2OeID1jpiKcG+vwoiDXluH8=',
    );
    assert.equal(root.certificateAuthorities[0]?.chain.length, 2);
    assert.deepEqual(root.certificateAuthorities[0]?.validFor, { start: new Date('2026-11-22T06:51:40Z') });
    assert.equal(root.certificateLogs.length, 1);
  });

  it('names a log of Rekor v2 by its key under its origin, as cosign does', async () => {
    const spec = `${REKOR.replace('cosign.pub', 'imp-ed25519.pub')},origin=log.example`;
    const { stdout } = await run(['trusted-root', 'create', '--rekor', spec]);
    const { logs } = decodeTrustedRoot(Buffer.from(stdout), 'it');
    assert.equal(Buffer.from(logs[0]?.logId ?? []).toString('base64'), 'U96Emetm6pWRsbgGuG4SDeW2cQxPdOWHOwIq6z1xX7w=');
  });

  it("takes cosign 2's flags", async () => {
    const old = [
      '--certificate-chain',
      '_pki/chain.pem',
      '--rekor-key',
      '_keys/cosign.pub',
      '--ctfe-key',
      '_keys/wrong.pub',
    ];
    const { code, stdout, stderr } = await run(['trusted-root', 'create', ...old]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /Flag --rekor-key has been deprecated/);
    const root = decodeTrustedRoot(Buffer.from(stdout), 'it');
    assert.deepEqual(root.logs[0]?.validFor, { start: new Date(0) });
  });

  it('writes to a file, and says its digest in JSON', async () => {
    const out = join(folder, 'root.json');
    const { stdout } = await run(['--json', 'trusted-root', 'create', '--rekor', REKOR, '--out', out]);
    assert.deepEqual(Object.keys(JSON.parse(stdout) as object), ['out', 'sha256', 'warnings']);
    assert.equal(decodeTrustedRoot(readFileSync(out), out).logs.length, 1);
  });

  it('takes the root that is built in with --with-default-services, and leaves out what is not wanted', async () => {
    const create = ['trusted-root', 'create', '--with-default-services', '--rekor', REKOR, '--no-default-tsa'];
    const { code, stdout, stderr } = await run(create, { env: {} });
    assert.equal(code, 0, stderr);
    assert.match(stderr, /^trust: built in: the public instance of Sigstore/m);
    const root = decodeTrustedRoot(Buffer.from(stdout), 'it');
    assert.deepEqual(
      root.logs.map(({ baseUrl }) => baseUrl),
      ['https://log.example'],
    );
    assert.ok(root.certificateAuthorities.length > 0);
    assert.deepEqual(root.timestampAuthorities, []);
  });

  for (const [what, spec, message] of [
    [
      'a log without a key',
      'url=https://log.example,start-time=2024-01-01T00:00:00Z',
      /missing or empty required key 'public-key'/,
    ],
    ['no pairs', 'bla', /'bla' is not KEY=VALUE/],
    ['an unknown key', `${REKOR},keyy=1`, /unknown key 'keyy'/],
    ['a key twice', `${REKOR},url=x`, /the key 'url' is there twice/],
    ['a URL that is none', REKOR.replace('https://log.example', 'log.example'), /no URL of http or https/],
    ['a time that is none', REKOR.replace('T00:00:00Z', ''), /expected a time such as/],
    ['an end before the beginning', `${REKOR},end-time=2020-01-01T00:00:00Z`, /before it begins/],
    ['a key that is not there', REKOR.replace('cosign.pub', 'nofile'), /reading public key/],
    ['a private key', REKOR.replace('cosign.pub', 'cosign.key'), /private key/],
  ] as const)
    it(`refuses ${what}`, async () => {
      const { code, stdout, stderr } = await run(['trusted-root', 'create', '--rekor', spec]);
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, message);
    });
});

describe('signing-config create', () => {
  const service = (url: string, version = 1): string =>
    `url=${url},api-version=${version},start-time=2024-01-01T00:00:00Z,operator=ex`;

  it('makes what cosign makes', async () => {
    const { code, stdout } = await run([
      'signing-config',
      'create',
      '--fulcio',
      service('https://fulcio.example'),
      '--oidc-provider',
      service('https://oidc.example'),
      '--rekor',
      service('https://rekor.example'),
      '--rekor',
      service('https://rekor2.example', 2),
      '--rekor-config',
      'ANY',
      '--tsa',
      service('https://tsa.example/api/v1/timestamp'),
      '--tsa-config',
      'EXACT:1',
    ]);
    assert.equal(code, 0);
    const config = decodeSigningConfig(Buffer.from(stdout), 'it');
    assert.deepEqual(
      config.logs.map(({ majorApiVersion }) => majorApiVersion),
      [1, 2],
    );
    assert.deepEqual([config.logChoice, config.timestampChoice], [{ kind: 'any' }, { kind: 'exact', count: 1 }]);
    assert.equal(config.identityProviders[0]?.operator, 'ex');
  });

  it('makes one without services for sealing with a key alone', async () => {
    const { stdout } = await run(['signing-config', 'create']);
    const config = decodeSigningConfig(Buffer.from(stdout), 'it');
    assert.deepEqual([config.logs, config.logChoice], [[], { kind: 'none' }]);
  });

  for (const [what, argv, message] of [
    [
      'a log without how many',
      ['--rekor', service('https://a')],
      /--rekor-config must be provided when --rekor is specified/,
    ],
    [
      'a choice that is none',
      ['--rekor', service('https://a'), '--rekor-config', 'SOME'],
      /none of ANY, ALL and EXACT:NUMBER/,
    ],
    [
      'no version',
      ['--fulcio', 'url=https://a,start-time=2024-01-01T00:00:00Z,operator=x'],
      /required key 'api-version'/,
    ],
    ['a version that is none', ['--fulcio', service('https://a').replace('=1,', '=v1,')], /'api-version' is 'v1'/],
    ['defaults that were never fetched', ['--with-default-services'], /no signing config was fetched/],
  ] as const)
    it(`refuses ${what}`, async () => {
      const { code, stdout, stderr } = await run(['signing-config', 'create', ...argv], { env: {} });
      assert.deepEqual([code, stdout], [1, '']);
      assert.match(stderr, message);
    });
});

describe('bundle inspect', () => {
  it('says what is in a bundle of an identity, for people and machines', async () => {
    const file = 'keyless-3.1.1-rekor1-tsa/att.sigstore.json';
    const { code, stdout } = await run(['bundle', 'inspect', file]);
    assert.equal(code, 0);
    for (const text of [
      'signer: dev@lab.example',
      'predicate type: https://cosign.sigstore.dev/attestation/v1',
      'log entry: index ',
      'timestamp: 2026-',
      'nothing of this was verified',
    ])
      assert.ok(stdout.includes(text), text);
    const document = JSON.parse((await run(['--json', 'bundle', 'inspect', file])).stdout) as Record<string, never>;
    assert.deepEqual(Object.keys(document), [
      'file',
      'format',
      'mediaType',
      'version',
      'content',
      'signer',
      'logEntries',
      'timestamps',
      'warnings',
    ]);
  });

  it('says what is in a bundle of cosign 2', async () => {
    const { stdout } = await run(['bundle', 'inspect', 'blob-2.5.0/old.bundle']);
    assert.match(stdout, /a bundle, cosign 2's own format\nsignature over a file: digest not said\nsigner: a key/);
  });

  it('shows the rest where one part cannot be read, and moves no cursor', async () => {
    const bundle = JSON.parse(readFileSync(join(golden, 'keyless-3.1.1-rekor1-tsa/blob.sigstore.json'), 'utf8')) as {
      verificationMaterial: { certificate: { rawBytes: string }; tlogEntries: { kindVersion: { kind: string } }[] };
    };
    bundle.verificationMaterial.certificate.rawBytes = 'MAA=';
    for (const entry of bundle.verificationMaterial.tlogEntries) entry.kindVersion.kind = 'a\u001b[2Jb\nc';
    const { writeFileSync } = await import('node:fs');
    writeFileSync(join(folder, 'odd.json'), JSON.stringify(bundle));
    const { code, stdout } = await run(['bundle', 'inspect', join(folder, 'odd.json')]);
    assert.equal(code, 0);
    assert.match(stdout, /signer: cannot be read: .*\[/);
    assert.match(stdout, /timestamp: 2026-/);
    assert.doesNotMatch(stdout, /\u001b/);
  });

  it('refuses what is no bundle', async () => {
    for (const file of ['_inputs/blob.txt', '_stack/trusted_root.json', 'nofile']) {
      const { code, stdout } = await run(['bundle', 'inspect', file]);
      assert.deepEqual([code, stdout], [1, ''], file);
    }
  });
});

describe('env', () => {
  const env = {
    COSIGN_PASSWORD: 's3cret',
    SIGSTORE_ID_TOKEN: 'tok3n',
    HTTPS_PROXY: 'http://u:p4ss@127.0.0.1',
    COSIGN_REPOSITORY: 'localhost:1/x',
  };

  it('says which are set, and shows no secret', async () => {
    for (const flags of [[], ['--json']]) {
      const { code, stdout } = await run(['env', ...flags], { env });
      assert.equal(code, 0);
      for (const secret of ['s3cret', 'tok3n', 'p4ss']) assert.ok(!stdout.includes(secret), secret);
      assert.ok(stdout.includes('localhost:1/x'));
    }
    const { stdout } = await run(['env', '--show-descriptions=false'], { env });
    assert.match(stdout, /^COSIGN_PASSWORD=\*{6}$/m);
    assert.match(stdout, /^TUF_MIRROR=$/m);
    assert.doesNotMatch(stdout, /#/);
    const { variables } = JSON.parse((await run(['env', '--json'], { env })).stdout) as {
      variables: { name: string; set: boolean }[];
    };
    assert.deepEqual(
      variables
        .filter(({ set }) => set)
        .map(({ name }) => name)
        .toSorted(),
      Object.keys(env).toSorted(),
    );
  });

  it('shows secrets to nobody who asks', async () => {
    const { code, stderr } = await run(['env', '--show-sensitive-values'], { env });
    assert.equal(code, 1);
    assert.match(stderr, /secrets are not shown/);
  });

  it('names every variable that the sources read', () => {
    const root = join(import.meta.dirname, '../..');
    const sources = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(
      (path) => path.endsWith('.ts') && !/\.(?:test|fixture|contract)\.ts$/.test(path),
    );
    const read = new Set<string>();
    for (const source of sources) {
      const text = readFileSync(join(root, source), 'utf8');
      for (const [, name = ''] of text.matchAll(/\b(?:env|environment)\['([A-Z][A-Z0-9_]*)'\]/g)) read.add(name);
      for (const [, name = ''] of text.matchAll(
        /'((?:ACTIONS|BUILDKITE|BULLA|CIRCLE|COSIGN|GITLAB|GOOGLE|SIGSTORE|SPIFFE|TUF)_[A-Z0-9_]+)'/g,
      ))
        read.add(name);
    }
    const named = new Set(VARIABLES.map(({ name }) => name));
    assert.deepEqual(
      [...read].filter((name) => !named.has(name)),
      [],
    );
    assert.ok(read.size > 20);
    const names = VARIABLES.map(({ name }) => name);
    assert.deepEqual(names, names.toSorted());
  });
});

describe('initialize and login', () => {
  for (const [what, argv, message] of [
    [
      'initialize without a network',
      ['initialize', '--mirror', 'http://127.0.0.1:1'],
      /--no-network: a TUF repository is asked/,
    ],
    ['the staging instance', ['initialize', '--staging'], /--staging: its root is not built in/],
    ['a checksum that is none', ['initialize', '--root-checksum', 'abc'], /64 hexadecimal digits/],
    ['a checksum of another kind', ['initialize', '--root-checksum', `sha512:${'ab'.repeat(64)}`], /is not a SHA-256/],
    ['login without a network', ['login', '--oidc-issuer', 'http://127.0.0.1:1'], /--no-network: an issuer is asked/],
    ['login at a registry', ['login', 'registry.example'], /login takes no registry/],
    [
      'login at a registry with a password',
      ['login', '-u', 'a', '-p', 'hunter2', 'registry.example'],
      /credentials of registries are written by/,
    ],
  ] as const)
    it(`refuse ${what}`, async () => {
      const { code, stdout, stderr } = await run(argv, { env: { HOME: folder } });
      assert.deepEqual([code, stdout], [1, ''], stderr);
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /hunter2/);
    });
});
