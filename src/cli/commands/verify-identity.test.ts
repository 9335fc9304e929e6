// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { runRecorded, type Ran } from '../recording-host.fixture.ts';

// `bulla verify` of recorded keyless seals, in OCI layouts: no socket is opened.

const golden = join(import.meta.dirname, '../../../test/golden');
const DIGEST = 'sha256:4ed3e85154810a05dc77ab478fdda7d11d9cde6414c29ad820d5e542ee8aebe6';
const IDENTITY = [
  '--certificate-identity',
  'dev@lab.example',
  '--certificate-oidc-issuer',
  'http://localhost:5570/oidc',
];
const ROOT = ['--trusted-root', '_stack/trusted_root.json'];
const VARIABLES = {
  SIGSTORE_ROOT_FILE: '_stack/fulcio-chain.pem',
  SIGSTORE_CT_LOG_PUBLIC_KEY_FILE: '_stack/ctfe.pub',
  SIGSTORE_REKOR_PUBLIC_KEY: '_stack/rekor1.pub',
  SIGSTORE_TSA_CERTIFICATE_FILE: '_stack/tsa-chain.pem',
};

async function verify(
  name: string,
  flags: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  return runRecorded(['--no-network', 'verify', ...flags, `oci-layout:${name}/layout@${DIGEST}`], { cwd: golden, env });
}

describe('verify of an identity', () => {
  it('says who sealed, and that the log has it', async () => {
    const { code, stdout, stderr } = await verify('keyless-3.1.1-rekor1', [...IDENTITY, ...ROOT]);
    assert.equal(code, 0, stderr);
    const [element] = JSON.parse(stdout) as { optional: Record<string, string> }[];
    assert.equal(element?.optional['Subject'], 'dev@lab.example');
    assert.equal(element?.optional['Issuer'], 'http://localhost:5570/oidc');
    assert.match(stderr, /Existence of the claims in the transparency log was verified offline/);
    assert.match(stderr, /The code-signing certificate was verified using trusted certificate authority certificates/);
  });

  it('says it as JSON: signer, claims, log entries', async () => {
    const { stdout } = await verify('keyless-3.1.1-rekor1-tsa', [
      '--json',
      ...IDENTITY,
      ...ROOT,
      '--use-signed-timestamps',
    ]);
    const { images } = JSON.parse(stdout) as { images: { log: string; seals: Record<string, unknown>[] }[] };
    assert.equal(images[0]?.log, 'verified');
    const [seal] = images[0]?.seals ?? [];
    assert.deepEqual(seal?.['signer'], {
      kind: 'identity',
      subject: 'dev@lab.example',
      issuer: 'http://localhost:5570/oidc',
      claims: { issuer: 'http://localhost:5570/oidc' },
    });
    assert.ok(Array.isArray(seal?.['logEntries']) && seal['logEntries'].length === 1);
    assert.ok(Array.isArray(seal['timestamps']) && seal['timestamps'].length === 1);
  });

  it('with -o text names the signer on stderr, as cosign does', async () => {
    const { stderr } = await verify('keyless-2.5.0-env', ['-o', 'text', ...IDENTITY, ...ROOT]);
    assert.match(
      stderr,
      /^Certificate subject: dev@lab\.example\nCertificate issuer URL: http:\/\/localhost:5570\/oidc$/m,
    );
  });

  it("takes whom to believe from cosign's variables", async () => {
    const { code, stdout, stderr } = await verify('keyless-2.5.0-env', IDENTITY, VARIABLES);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /"Bundle":\{"SignedEntryTimestamp"/);
  });

  it('believes the public instance, as it is built in, where nobody says whom to believe, and says so', async () => {
    const { code, stdout, stderr } = await verify('keyless-3.1.1-rekor1', IDENTITY);
    assert.deepEqual([code, stdout], [12, '']);
    assert.match(stderr, /^trust: built in: the public instance of Sigstore, root \d+ of 20\d\d-/m);
    assert.match(stderr, /\[log-unknown\]/);
    const json = JSON.parse((await verify('keyless-3.1.1-rekor1', ['--json', ...IDENTITY])).stdout) as {
      trust: { kind: string; rootVersion: number };
    };
    assert.equal(json.trust.kind, 'built-in');
    assert.ok(json.trust.rootVersion > 0);
  });

  it('takes authorities of one’s own, by roots and intermediates or by their chain', async () => {
    const chain = join(golden, '_stack/fulcio-chain.pem');
    const log = { SIGSTORE_REKOR_PUBLIC_KEY: '_stack/rekor1.pub', SIGSTORE_CT_LOG_PUBLIC_KEY_FILE: '_stack/ctfe.pub' };
    for (const own of [
      ['--certificate-chain', chain],
      ['--ca-roots', chain],
    ]) {
      const ran = await verify('keyless-2.5.0-env', [...IDENTITY, ...own], log);
      assert.equal(ran.code, 0, ran.stderr);
    }
    const other = await verify('keyless-2.5.0-env', [...IDENTITY, '--ca-roots', '_pki/root.crt'], log);
    assert.equal(other.code, 12);
    assert.match(other.stderr, /\[certificate-/);
    const cross = await verify('keyless-2.5.0-env', [...IDENTITY, '--ca-roots', '_pki/leaf.crt'], log);
    assert.equal(cross.code, 12);
    assert.match(cross.stderr, /\[certificate-issuer-unknown\]/);
  });

  it('takes an authority of one’s own that is below a root, as cosign does, and not among the intermediates', async () => {
    const below = join(golden, '_stack/fulcio-inter.pem');
    const log = { SIGSTORE_REKOR_PUBLIC_KEY: '_stack/rekor1.pub', SIGSTORE_CT_LOG_PUBLIC_KEY_FILE: '_stack/ctfe.pub' };
    const own = (...flags: readonly string[]): Promise<Ran> =>
      verify('keyless-2.5.0-env', [...IDENTITY, ...flags], log);
    assert.equal((await own('--ca-roots', below)).code, 0);
    assert.equal((await own('--certificate-chain', below)).code, 0);
    assert.equal((await own('--ca-roots', '_stack/fulcio-root.pem', '--ca-intermediates', below)).code, 0);
    const strange = await own('--ca-roots', '_pki/root.crt', '--ca-intermediates', '_stack/fulcio-chain.pem');
    assert.equal(strange.code, 12, strange.stderr);
  });

  it('ends with 12 for another identity, claim or issuer, and says how it differs', async () => {
    const claim = ['--certificate-github-workflow-ref', 'refs/heads/main'];
    for (const [flags, code] of [
      [['--certificate-identity', 'x@y', '--certificate-oidc-issuer-regexp', '^http'], 'identity-subject-mismatch'],
      [['--certificate-identity-regexp', 'lab', '--certificate-oidc-issuer', 'http://bad'], 'identity-issuer-mismatch'],
      [[...IDENTITY, ...claim], 'identity-claim-mismatch'],
    ] as const) {
      const ran = await verify('keyless-3.1.1-rekor1', [...flags, ...ROOT]);
      assert.equal(ran.code, 12);
      assert.ok(ran.stderr.includes(`[${code}]`), ran.stderr);
    }
  });

  it('takes several identities from a file, and any of them may have sealed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bulla-identities-'));
    try {
      const file = join(folder, 'identities.yaml');
      const other = '- { subject: other@lab.example, issuer: http://localhost:5570/oidc }\n';
      const ours = "- { subjectRegexp: '^dev@', issuer: http://localhost:5570/oidc }\n";
      for (const [content, code] of [
        [other + ours, 0],
        [other, 12],
      ] as const) {
        writeFileSync(file, content);
        const ran = await verify('keyless-3.1.1-rekor1', ['--identities', file, ...ROOT]);
        assert.equal(ran.code, code, ran.stderr);
      }
      const both = await verify('keyless-3.1.1-rekor1', ['--identities', file, '--key', '_keys/cosign.pub', ...ROOT]);
      assert.equal(both.code, 1);
      assert.match(both.stderr, /exactly one of: key reference \(--key\) or certificate identity/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('asks for any claim that a certificate may carry', async () => {
    for (const claim of [
      '--certificate-claim=runnerEnvironment=github-hosted',
      '--certificate-claim-regexp=buildTrigger=^p',
    ]) {
      const ran = await verify('keyless-3.1.1-rekor1', [...IDENTITY, claim, ...ROOT]);
      assert.equal(ran.code, 12);
      assert.match(ran.stderr, /no (?:runnerEnvironment|buildTrigger), expected .* \[identity-claim-mismatch\]/);
    }
  });

  it('ends with 13 where only key seals are there', async () =>
    assert.equal((await verify('key-tlog-3.1.1-rekor1', [...IDENTITY, ...ROOT])).code, 13));

  it('refuses half an identity', async () => {
    const { code, stderr } = await verify('keyless-3.1.1-rekor1', ['--certificate-identity', 'x', ...ROOT]);
    assert.equal(code, 1);
    assert.match(stderr, /--certificate-oidc-issuer or --certificate-oidc-issuer-regexp is required/);
  });

  it('refuses an expression that matches everything, unless it is asked for by name', async () => {
    const anybody = ['--certificate-identity-regexp', '.*', '--certificate-oidc-issuer-regexp', '.*', ...ROOT];
    const refused = await verify('keyless-3.1.1-rekor1', anybody);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /matches everything/);
    const allowed = await verify('keyless-3.1.1-rekor1', ['--allow-any-identity', ...anybody]);
    assert.equal(allowed.code, 0);
    assert.match(allowed.stderr, /WARNING: An expression that matches everything is accepted/);
  });

  it('refuses an expression that is none, and a trusted root that is none', async () => {
    const broken = ['--certificate-identity-regexp', '(', '--certificate-oidc-issuer', 'x'];
    assert.match((await verify('keyless-3.1.1-rekor1', [...broken, ...ROOT])).stderr, /is no regular expression/);
    const { code, stderr } = await verify('keyless-3.1.1-rekor1', [...IDENTITY, '--trusted-root', '_base/index.json']);
    assert.equal(code, 1);
    assert.match(
      stderr,
      /^Error: _base\/index\.json has the media type 'application\/vnd\.oci.*, expected a trusted root/,
    );
  });

  it('needs a timestamp where one is asked for, and takes it for the time where the log is ignored', async () => {
    const stamped = await verify('keyless-3.1.1-rekor1', [...IDENTITY, ...ROOT, '--use-signed-timestamps']);
    assert.match(stamped.stderr, /\[timestamp-missing\]/);
    const only = await verify('keyless-3.1.1-tsa-only', [
      ...IDENTITY,
      ...ROOT,
      '--insecure-ignore-tlog',
      '--insecure-ignore-sct',
    ]);
    assert.equal(only.code, 0, only.stderr);
    assert.match(only.stderr, /log: not checked \(--insecure-ignore-tlog\)/);
    assert.match(only.stderr, /certificate log: not checked \(--insecure-ignore-sct\)/);
  });
});

describe('verify by a key, with a trusted root', () => {
  it('demands that the log has the seal', async () => {
    const key = ['--key', '_keys/cosign.pub'];
    const logged = await verify('key-tlog-3.1.1-rekor2', [...key, ...ROOT]);
    assert.equal(logged.code, 0, logged.stderr);
    assert.match(logged.stderr, /Existence of the claims in the transparency log was verified offline/);
    const missing = await verify('sign-key-3.1.1-bundle-referrers', [...key, ...ROOT]);
    assert.equal(missing.code, 12);
    assert.match(missing.stderr, /\[log-missing\]/);
    assert.equal(
      (await verify('sign-key-3.1.1-bundle-referrers', [...key, ...ROOT, '--insecure-ignore-tlog'])).code,
      0,
    );
  });

  it('says that timestamps and logs need a trusted root', async () => {
    const { code, stderr } = await verify('sign-key-3.1.1-bundle-referrers', [
      '--key',
      '_keys/cosign.pub',
      '--use-signed-timestamps',
    ]);
    assert.equal(code, 1);
    assert.match(stderr, /--use-signed-timestamps needs --trusted-root FILE/);
  });
});
