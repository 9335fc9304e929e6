// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash, sign } from 'node:crypto';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { ed25519ph } from '@noble/curves/ed25519.js';
import { encodePublicKey, generatePrivateKey } from '../../trust/index.ts';
import { runRecorded, type Ran, type RecordingHostOptions } from '../recording-host.fixture.ts';

// `bulla verify-blob` of what the real cosign sealed; no socket is opened.

const golden = join(import.meta.dirname, '../../../test/golden');
const DIGEST = 'sha256:a0639d03e7e77d7630dffce7bfe26d51813d4c799f13821e5b6786e2736baaed';
const KEY = ['--key', '_keys/cosign.pub'];
const IDENTITY = [
  '--certificate-identity',
  'dev@lab.example',
  '--certificate-oidc-issuer',
  'http://localhost:5570/oidc',
];
const ROOT = ['--trusted-root', '_stack/trusted_root.json'];
const BUNDLE = ['--bundle', 'blob-3.1.1/b.sigstore.json'];
const BLOB = '_inputs/blob.txt';

function verify(argv: readonly string[], options: RecordingHostOptions = {}): Promise<Ran> {
  return runRecorded(['--no-network', 'verify-blob', ...argv], { cwd: golden, ...options });
}

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'bulla-blob-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

describe('verify-blob takes', () => {
  for (const [what, argv, stdin] of [
    ['a bundle', [...KEY, ...BUNDLE, BLOB]],
    ['a bundle of standard input', [...KEY, ...BUNDLE, '-'], 'hello blob\n'],
    ['a bundle of a digest', [...KEY, ...BUNDLE, DIGEST]],
    ['the bundle of cosign 2', [...KEY, '--bundle', 'blob-2.5.0/old.bundle', BLOB]],
    ['the bundle of cosign 2 of a digest', [...KEY, '--bundle', 'blob-2.5.0/old.bundle', DIGEST]],
    ['a signature in base64', [...KEY, '--signature', 'blob-2.5.0/blob.sig', BLOB]],
    ['a raw signature', [...KEY, '--signature', 'blob-2.5.0/raw.sig', BLOB]],
    ['any of several keys', ['--key', '_keys/wrong.pub', ...KEY, ...BUNDLE, BLOB]],
    ['flags of both cosigns', [...KEY, '--new-bundle-format', '--offline', '--max-workers', '3', ...BUNDLE, BLOB]],
  ] as const)
    it(what, async () => {
      const ran = await verify(argv, stdin === undefined ? {} : { stdin });
      assert.equal(ran.code, 0, ran.stderr);
      assert.equal(ran.stdout, '');
      assert.match(ran.stderr, /^Verified OK$/m);
      assert.match(ran.stderr, /^log: not checked/m);
    });

  it('a signature itself, as cosign does', async () => {
    const text = readFileSync(join(golden, 'blob-2.5.0/blob.sig'), 'utf8');
    assert.equal((await verify([...KEY, '--signature', text, BLOB])).code, 0);
  });

  it('the bundle beside the blob, where nothing is said', async () => {
    copyFileSync(join(golden, BLOB), join(folder, 'release.txt'));
    copyFileSync(join(golden, 'blob-3.1.1/b.sigstore.json'), join(folder, 'release.txt.sigstore.json'));
    const ran = await verify(['--key', join(golden, '_keys/cosign.pub'), 'release.txt'], { cwd: folder });
    assert.equal(ran.code, 0, ran.stderr);
  });

  for (const [what, bundle] of [
    ['a bundle of cosign 3', 'keyless-3.1.1-rekor1-tsa/blob.sigstore.json'],
    ['a bundle of cosign 2', 'keyless-2.5.0-env/old.bundle'],
  ] as const)
    it(`${what} by an identity, and names it`, async () => {
      const ran = await verify([...IDENTITY, ...ROOT, '--bundle', bundle, BLOB]);
      assert.equal(ran.code, 0, ran.stderr);
      assert.match(ran.stderr, /^signer: dev@lab\.example \(http:\/\/localhost:5570\/oidc\)$/m);
      assert.doesNotMatch(ran.stderr, /log: not checked/);
    });

  it('an identity over a digest, with its log entry and timestamp, as JSON', async () => {
    const bundle = ['--bundle', 'keyless-3.1.1-rekor1-tsa/blob.sigstore.json'];
    const ran = await verify(['--json', ...IDENTITY, ...ROOT, ...bundle, '--use-signed-timestamps', DIGEST]);
    const { seal, ...rest } = JSON.parse(ran.stdout) as { seal: Record<string, unknown> };
    assert.deepEqual(rest, {
      exitCode: 0,
      blob: DIGEST,
      digest: DIGEST,
      outcome: 'trusted',
      rejection: null,
      trust: null,
      weakened: [],
      warnings: [],
    });
    assert.equal(seal['log'], 'verified');
    assert.ok(Array.isArray(seal['logEntries']) && seal['logEntries'].length === 1);
    assert.ok(Array.isArray(seal['timestamps']) && seal['timestamps'].length === 1);
    assert.equal(seal['scheme'], 'ecdsa-p256-sha256');
  });

  for (const algorithm of ['ecdsa-p384', 'ed25519'] as const)
    it(`a file that is too large to be held, by a key of the kind ${algorithm}`, async () => {
      const key = await generatePrivateKey(algorithm);
      const large = Buffer.alloc(17 * 1024 * 1024, 'x');
      writeFileSync(join(folder, 'large'), large);
      writeFileSync(join(folder, 'key.pub'), encodePublicKey(key.publicKey));
      const digest = algorithm === 'ed25519' ? null : 'sha256';
      writeFileSync(join(folder, 'large.sig'), sign(digest, large, key.object).toString('base64'));
      const argv = ['--json', '--key', 'key.pub', '--signature', 'large.sig', 'large'];
      const ran = await verify(argv, { cwd: folder });
      assert.equal(ran.code, 0, ran.stderr);
      assert.equal((JSON.parse(ran.stdout) as { digest: string }).digest, `sha256:${hash('sha256', large)}`);
    });

  describe('by the SHA-512 digest alone', () => {
    for (const form of ['pure', 'prehashed'] as const)
      it(`${form === 'pure' ? 'not ' : ''}a seal by the ${form} form of Ed25519`, async () => {
        const key = await generatePrivateKey('ed25519');
        const blob = Buffer.from('hello blob\n');
        const secret = key.object.export({ format: 'der', type: 'pkcs8' }).subarray(-32);
        const signature = form === 'pure' ? sign(null, blob, key.object) : ed25519ph.sign(blob, secret);
        writeFileSync(join(folder, 'ed.pub'), encodePublicKey(key.publicKey));
        writeFileSync(join(folder, 'ed.sig'), Buffer.from(signature).toString('base64'));
        const by = (name: string): Promise<Ran> =>
          verify(['--json', '--key', 'ed.pub', '--signature', 'ed.sig', name], { cwd: folder });
        const ran = await by(`sha512:${hash('sha512', blob)}`);
        const { seal, rejection } = JSON.parse(ran.stdout) as {
          readonly seal: { readonly scheme?: string };
          readonly rejection: { readonly code: string } | null;
        };
        if (form === 'pure') assert.deepEqual([ran.code, rejection?.code], [12, 'artifact-missing']);
        else assert.deepEqual([ran.code, seal.scheme, rejection], [0, 'ed25519ph', null]);
        assert.equal((await by(`sha512:${hash('sha512', 'other')}`)).code, 12);
        assert.equal((await by(`sha256:${hash('sha256', blob)}`)).code, 12);
      });
  });
});

describe('verify-blob does not accept', () => {
  for (const [what, argv, code, exit] of [
    ['another blob', [...KEY, ...BUNDLE, '_stack/trusted_root.json'], 'digest-mismatch', 12],
    ['another digest', [...KEY, ...BUNDLE, `sha256:${'ab'.repeat(32)}`], 'digest-mismatch', 12],
    ['another algorithm', [...KEY, ...BUNDLE, `sha512:${'ab'.repeat(64)}`], 'artifact-missing', 12],
    ['another key', ['--key', '_keys/wrong.pub', ...BUNDLE, BLOB], 'signature-invalid', 12],
    ['another key, by digest', ['--key', '_keys/wrong.pub', ...BUNDLE, DIGEST], 'signature-invalid', 12],
    ['a key seal for an identity', [...IDENTITY, ...ROOT, ...BUNDLE, BLOB], 'key-material', 13],
    [
      'another identity',
      [
        '--certificate-identity',
        'x@y',
        '--certificate-oidc-issuer-regexp',
        '^http',
        ...ROOT,
        '--bundle',
        'keyless-3.1.1-rekor1/blob.sigstore.json',
        BLOB,
      ],
      'identity-subject-mismatch',
      12,
    ],
    ['a seal without a log entry where a trusted root is given', [...KEY, ...ROOT, ...BUNDLE, BLOB], 'log-missing', 12],
    [
      'an attestation',
      [...IDENTITY, ...ROOT, '--bundle', 'keyless-3.1.1-rekor1/att.sigstore.json', BLOB],
      'predicate-type-mismatch',
      12,
    ],
  ] as const)
    it(what, async () => {
      const ran = await verify(argv);
      assert.equal(ran.code, exit, ran.stderr);
      assert.ok(ran.stderr.includes(`[${code}]`), ran.stderr);
      const json = await verify(['--json', ...argv]);
      const document = JSON.parse(json.stdout) as { outcome: string; exitCode: number; rejection: { code: string } };
      assert.deepEqual([document.outcome, document.exitCode, document.rejection.code], ['refused', exit, code]);
    });
});

describe('verify-blob refuses', () => {
  for (const [what, argv, message] of [
    ['key and identity', [...KEY, ...IDENTITY, ...BUNDLE, BLOB], /exactly one of: key reference/],
    ['neither', [...BUNDLE, BLOB], /--certificate-identity or --certificate-identity-regexp is required/],
    [
      'key and certificate',
      [...KEY, '--certificate', '_pki/leaf.crt', '--signature', 'blob-2.5.0/blob.sig', BLOB],
      /both say whose signature/,
    ],
    [
      'a bundle beside a signature',
      [...KEY, ...BUNDLE, '--signature', 'blob-2.5.0/blob.sig', BLOB],
      /leave --signature out/,
    ],
    ['no seal', [...KEY, BLOB], /no seal to verify: .* there is no _inputs\/blob\.txt\.sigstore\.json/],
    ['no seal for a digest', [...KEY, DIGEST], /no seal to verify: neither --bundle nor --signature was given$/m],
    ['a bundle that is not there', [...KEY, '--bundle', 'nofile.json', BLOB], /reading bundle: open nofile\.json/],
    ['a signature that is not there', [...KEY, '--signature', 'nofile', BLOB], /reading signature: open nofile/],
    ['a blob that is not there', [...KEY, ...BUNDLE, 'nofile'], /reading blob: open nofile/],
    ['a folder for a blob', [...KEY, ...BUNDLE, '_inputs'], /reading blob/],
    ['garbage for a bundle', [...KEY, '--bundle', BLOB, BLOB], /Error: /],
    [
      'another document for a bundle',
      [...KEY, '--bundle', '_stack/trusted_root.json', BLOB],
      /expected a sigstore bundle/,
    ],
    ['a digest that is none', [...KEY, ...BUNDLE, 'sha256:abc'], /is no digest/],
    ['a URL', [...KEY, ...BUNDLE, 'https://127.0.0.1/x'], /blobs are not fetched/],
    ['hardware', ['--sk', ...BUNDLE, BLOB], /not from hardware/],
    ['two blobs', [...KEY, ...BUNDLE, BLOB, BLOB], /accepts at most 1 arg/],
    [
      'own authorities beside a trusted root',
      [...IDENTITY, ...ROOT, '--ca-roots', '_pki/root.crt', ...BUNDLE, BLOB],
      /leave the other files out/,
    ],
    [
      'intermediates without roots',
      [...IDENTITY, '--ca-intermediates', '_pki/inter.crt', ...BUNDLE, BLOB],
      /--ca-intermediates needs --ca-roots/,
    ],
    [
      'roots and a chain',
      [...IDENTITY, '--ca-roots', '_pki/root.crt', '--certificate-chain', '_pki/chain.pem', ...BUNDLE, BLOB],
      /say the same/,
    ],
    ['a timestamp that is none', [...KEY, ...BUNDLE, '--rfc3161-timestamp', '_keys/cosign.pub', BLOB], /Error: /],
  ] as const)
    it(what, async () => {
      const ran = await verify(argv);
      assert.equal(ran.code, 1, ran.stderr);
      assert.match(ran.stderr, message);
      assert.equal(ran.stdout, '');
    });

  it('warns where the log is ignored, and says so in JSON', async () => {
    const ran = await verify(['--json', ...KEY, ...ROOT, '--insecure-ignore-tlog', ...BUNDLE, BLOB]);
    assert.equal(ran.code, 0, ran.stderr);
    assert.match(ran.stderr, /^WARNING: Skipping tlog verification is an insecure practice .* for the blob\.$/m);
    assert.deepEqual((JSON.parse(ran.stdout) as { weakened: string[] }).weakened, ['log-ignored']);
  });
});
