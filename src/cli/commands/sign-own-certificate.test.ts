// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { newTestKeys, newTestStack, NOW, type TestStack } from '../../trust/certificate/authority.fixture.ts';
import { decodeBundle, encodeCertificates, encodePem } from '../../trust/index.ts';
import { runRecorded, type Ran } from '../recording-host.fixture.ts';

// Sealing with a key and the certificate that somebody's own authority has issued for it. No socket is opened.

const golden = join(import.meta.dirname, '../../../test/golden');
const IMAGE = 'oci-layout:layout@sha256:4ed3e85154810a05dc77ab478fdda7d11d9cde6414c29ad820d5e542ee8aebe6';
const CERTIFIED = ['--key', 'leaf.key', '--certificate', 'leaf.pem'];
const CHAIN = ['--certificate-chain', 'chain.pem'];
const WHO = ['--certificate-identity', 'dev@example.com', '--certificate-oidc-issuer', 'https://issuer.example'];
const OWN = [
  '--insecure-ignore-tlog',
  '--insecure-ignore-sct',
  '--ca-roots',
  'root.pem',
  '--ca-intermediates',
  'inter.pem',
];

let folder: string;
let stack: TestStack;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bulla-certificate-'));
  const keys = await newTestKeys();
  stack = await newTestStack(keys);
  const { root, intermediate, leaf } = stack;
  const pem = (key: typeof keys.leaf): string =>
    encodePem('PRIVATE KEY', key.private.object.export({ format: 'der', type: 'pkcs8' }));
  for (const [name, content] of [
    ['leaf.key', pem(keys.leaf)],
    ['other.key', pem(keys.root)],
    ['leaf.pem', encodeCertificates([leaf])],
    ['whole.pem', encodeCertificates([leaf, intermediate])],
    ['chain.pem', encodeCertificates([intermediate, root])],
    ['root.pem', encodeCertificates([root])],
    ['inter.pem', encodeCertificates([intermediate])],
    ['blob.txt', 'hello blob\n'],
  ] as const)
    writeFileSync(join(folder, name), content);
});
after(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  rmSync(join(folder, 'layout'), { recursive: true, force: true });
  cpSync(join(golden, '_base'), join(folder, 'layout'), { recursive: true });
});

function run(...argv: readonly string[]): Promise<Ran> {
  return runRecorded(['--no-network', ...argv], { cwd: folder, now: NOW });
}

describe('sign --certificate', () => {
  for (const [what, flags, certificates] of [
    ['alone', [], 1],
    ['with its chain', CHAIN, 3],
    ['in one file with what is above it', ['--certificate', 'whole.pem'], 2],
  ] as const)
    it(`${what} seals as who the certificate names, in both formats`, async () => {
      for (const format of ['bundle', 'legacy']) {
        rmSync(join(folder, 'layout'), { recursive: true, force: true });
        cpSync(join(golden, '_base'), join(folder, 'layout'), { recursive: true });
        const signed = await run(
          'sign',
          ...CERTIFIED,
          ...flags,
          '--format',
          format,
          '--output-certificate',
          'out.pem',
          IMAGE,
        );
        assert.equal(signed.code, 0, signed.stderr);
        assert.equal(readFileSync(join(folder, 'out.pem'), 'utf8').match(/BEGIN CERTIFICATE/g)?.length, certificates);
        const verified = await run('verify', '--json', ...WHO, ...OWN, IMAGE);
        assert.equal(verified.code, 0, verified.stderr);
        const { images } = JSON.parse(verified.stdout) as {
          readonly images: readonly {
            readonly seals: readonly { readonly format: string; readonly signer: object }[];
          }[];
        };
        assert.deepEqual(
          images[0]?.seals.map((seal) => [seal.format, (seal.signer as { readonly subject: string }).subject]),
          [[format, 'dev@example.com']],
        );
      }
    });

  it('is accepted of no authority but the one that issued it', async () => {
    assert.equal((await run('sign', ...CERTIFIED, IMAGE)).code, 0);
    const flags = ['--insecure-ignore-tlog', '--insecure-ignore-sct', '--ca-roots', join(golden, '_pki/root.crt')];
    const verified = await run('verify', ...WHO, ...flags, IMAGE);
    assert.equal(verified.code, 12);
    assert.match(verified.stderr, /\[certificate-/);
  });

  it('leads to its root by the chain that lies beside it, where nobody lists those between, as in cosign', async () => {
    const known = ['--insecure-ignore-tlog', '--insecure-ignore-sct'];
    assert.equal((await run('sign', ...CERTIFIED, ...CHAIN, '--format', 'legacy', IMAGE)).code, 0);
    for (const [flags, code] of [
      [['--ca-roots', 'root.pem'], 0],
      [['--certificate-chain', 'root.pem'], 0],
      [['--ca-roots', join(golden, '_pki/root.crt')], 12],
      [['--ca-roots', 'root.pem', '--ca-intermediates', join(golden, '_pki/inter.crt')], 12],
    ] as const) {
      const verified = await run('verify', ...WHO, ...known, ...flags, IMAGE);
      assert.equal(verified.code, code, `${flags.join(' ')}: ${verified.stderr}`);
    }
  });

  it('is not accepted by way of a root that lies among the intermediates alone', async () => {
    assert.equal((await run('sign', ...CERTIFIED, IMAGE)).code, 0);
    const flags = ['--insecure-ignore-tlog', '--insecure-ignore-sct', '--ca-roots', join(golden, '_pki/root.crt')];
    const verified = await run('verify', ...WHO, ...flags, '--ca-intermediates', 'chain.pem', IMAGE);
    assert.equal(verified.code, 12, verified.stderr);
    assert.match(verified.stderr, /\[certificate-issuer-unknown\]/);
  });

  it('of another key, or that is none, is refused, and nothing is sealed', async () => {
    for (const [argv, message] of [
      [
        ['--key', 'other.key', '--certificate', 'leaf.pem'],
        /the certificate in leaf\.pem is not of the key that --key names/,
      ],
      [['--key', 'leaf.key', '--certificate', 'root.pem'], /the certificate in root\.pem is not of the key/],
      [['--key', 'leaf.key', '--certificate', 'blob.txt'], /blob\.txt/],
      [['--key', 'leaf.key', '--certificate', 'nofile'], /reading certificate: open nofile/],
      [[...CERTIFIED, '--certificate-chain', 'nofile'], /reading certificate: open nofile/],
      [['--key', 'leaf.key', ...CHAIN], /--certificate-chain needs --certificate/],
      [['--certificate', 'leaf.pem', '--yes'], /--certificate is of a key that one has: give --key too/],
    ] as const) {
      const ran = await run('sign', ...argv, IMAGE);
      assert.equal(ran.code, 1, ran.stderr);
      assert.match(ran.stderr, message);
      assert.equal((await run('verify', ...WHO, ...OWN, IMAGE)).code, 10);
    }
  });
});

describe('sign-blob --certificate', () => {
  it('writes a bundle that names it, which verify-blob takes', async () => {
    const signed = await run('sign-blob', ...CERTIFIED, ...CHAIN, '--bundle', 'blob.json', 'blob.txt');
    assert.equal(signed.code, 0, signed.stderr);
    const { material } = decodeBundle(readFileSync(join(folder, 'blob.json')), 'it');
    assert.ok(material.kind === 'certificate');
    assert.deepEqual(Buffer.from(material.chain[0] ?? []), Buffer.from(stack.leaf.der));
    const verified = await run('verify-blob', ...WHO, ...OWN, '--bundle', 'blob.json', 'blob.txt');
    assert.equal(verified.code, 0, verified.stderr);
    const other = await run('verify-blob', ...WHO, ...OWN, '--bundle', 'blob.json', 'leaf.pem');
    assert.equal(other.code, 12, other.stderr);
  });

  it('writes no file for the certificate of another key', async () => {
    const flags = ['--key', 'other.key', '--certificate', 'leaf.pem', '--bundle', 'never.json'];
    assert.equal((await run('sign-blob', ...flags, 'blob.txt')).code, 1);
    assert.ok(!existsSync(join(folder, 'never.json')));
  });
});
