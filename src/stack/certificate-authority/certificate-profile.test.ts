// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { decodeCertificates, type Certificate } from '../../trust/index.ts';
import {
  ask,
  AUDIENCE,
  certificatesOf,
  keyBody,
  newAuthority,
  newClientKey,
  openTestAuthority,
  rulesOf,
  TestIssuer,
  v2Call,
  type TestAuthority,
} from './certificate-authority.fixture.ts';
import { HttpClient } from '../../wire/index.ts';
import { decodeIssuers } from './issuers/decode-issuers.ts';
import type { CertificateAuthorityOptions } from './open-certificate-authority.ts';

const ARC = '1.3.6.1.4.1.57264.1';
const SCT_LIST = '1.3.6.1.4.1.11129.2.4.2';

/** An authority with one issuer elsewhere, whose keys are answered without a socket. */
async function openFor(
  issuer: TestIssuer,
  config: Readonly<Record<string, unknown>>,
  changes: Partial<CertificateAuthorityOptions> = {},
): Promise<TestAuthority> {
  const file = JSON.stringify({ 'oidc-issuers': { [issuer.url]: { 'client-id': AUDIENCE, ...config } } });
  const http = new HttpClient({
    transport: {
      close() {},
      async request({ url }) {
        const discovery = { issuer: issuer.url, jwks_uri: `${issuer.url}/keys` };
        const body = Buffer.from(JSON.stringify(url.pathname.endsWith('/keys') ? issuer.keys : discovery));
        return {
          status: 200,
          headers: {},
          body: (async function* () {
            yield body;
          })(),
          discard: async () => {},
        };
      },
    },
  });
  return openTestAuthority({
    issuers: await decodeIssuers(Buffer.from(file), 'issuers.json'),
    rules: await rulesOf(`rules: [{ name: all, issuer: ${issuer.url}, everyone: true }]`),
    http,
    ...changes,
  });
}

async function certify(
  ca: TestAuthority,
  token: string,
  challenge: string,
): Promise<{ readonly leaf: Certificate; readonly pems: readonly string[] }> {
  const reply = await ask(ca.service, v2Call(token, keyBody(await newClientKey(challenge))));
  assert.equal(reply.status, 200, reply.text);
  const pems = certificatesOf(reply.text);
  return { leaf: decodeCertificates(Buffer.from(pems[0] ?? ''), 'leaf')[0], pems };
}

async function openssl(pem: string, ...args: readonly string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bulla-x509-'));
  try {
    await writeFile(join(folder, 'leaf.pem'), pem);
    const { stdout, stderr, status } = spawnSync('openssl', [...args, join(folder, 'leaf.pem')], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return stdout;
  } finally {
    await rm(folder, { recursive: true });
  }
}

const BUILD = {
  sub: 'repo:example/app:environment:production',
  event_name: 'push',
  sha: 'c0ffee',
  workflow: 'release',
  repository: 'example/app',
  ref: 'refs/heads/main',
  job_workflow_ref: 'example/app/.github/workflows/release.yml@refs/heads/main',
  job_workflow_sha: 'c0ffee',
  runner_environment: 'github-hosted',
  repository_id: '123456',
  repository_owner: 'example',
  repository_owner_id: '42',
  workflow_ref: 'example/app/.github/workflows/release.yml@refs/heads/main',
  workflow_sha: 'c0ffee',
  run_id: '7',
  run_attempt: '1',
  repository_visibility: 'private',
  environment: 'production',
};

describe('a certificate of a build', () => {
  const github = (): Promise<TestIssuer> => TestIssuer.open('https://token.actions.githubusercontent.com', 'RS256');
  const config = { type: 'ci-provider', 'ci-provider': 'github' };

  test('has the extensions of the specification in their order, the timestamp last', async () => {
    const issuer = await github();
    await using ca = await openFor(issuer, config);
    const { leaf } = await certify(ca, await issuer.token(BUILD), BUILD.sub);
    assert.deepEqual(
      [...leaf.extensions.keys()],
      [
        '2.5.29.15',
        '2.5.29.37',
        '2.5.29.14',
        '2.5.29.35',
        '2.5.29.17',
        ...[1, 2, 3, 4, 5, 6].map((number) => `${ARC}.${number}`),
        ...[8, ...Array.from({ length: 16 }, (_, index) => 9 + index)].map((number) => `${ARC}.${number}`),
        SCT_LIST,
      ],
    );
    const critical = [...leaf.extensions.values()].filter((extension) => extension.critical).map(({ oid }) => oid);
    assert.deepEqual(critical, ['2.5.29.15', '2.5.29.17']);
  });

  test('has raw octets in 1 to 6, and a DER UTF8String from 8 on', async () => {
    const issuer = await github();
    await using ca = await openFor(issuer, config);
    const { leaf } = await certify(ca, await issuer.token(BUILD), BUILD.sub);
    const octets = (number: number): string =>
      Buffer.from(leaf.extensions.get(`${ARC}.${number}`)?.value ?? []).toString('latin1');
    assert.equal(octets(1), issuer.url);
    assert.equal(octets(5), 'example/app');
    assert.equal(octets(8), `\u000c${String.fromCharCode(issuer.url.length)}${issuer.url}`);
    assert.equal(octets(13), '\u000c\u0006c0ffee');
    assert.equal(octets(23), '\u000c\u000aproduction');
    assert.equal(octets(24), `\u000c${String.fromCharCode(BUILD.sub.length)}${BUILD.sub}`);
  });

  test('lives ten minutes from now, has no subject, a random positive number, the key identifiers and one use', async () => {
    const issuer = await github();
    const now = new Date();
    await using ca = await openFor(issuer, config, { now: () => now });
    const { leaf, pems } = await certify(ca, await issuer.token(BUILD, now), BUILD.sub);
    assert.equal(leaf.notBefore.getTime(), Math.floor(now.getTime() / 1000) * 1000);
    assert.equal(leaf.notAfter.getTime() - leaf.notBefore.getTime(), 600_000);
    assert.equal(Buffer.from(leaf.subject).toString('hex'), '3000');
    assert.ok(leaf.serialNumber.length <= 20 && (leaf.serialNumber[0] ?? 0x80) < 0x80);
    assert.deepEqual([...(leaf.keyUsage ?? [])], ['digitalSignature']);
    assert.deepEqual(leaf.extendedKeyUsage, ['1.3.6.1.5.5.7.3.3']);
    const [issued] = ca.issuance.authority.chain;
    assert.ok(Buffer.from(leaf.authorityKeyIdentifier ?? []).equals(issued.subjectKeyIdentifier ?? new Uint8Array()));
    assert.deepEqual(leaf.subjectAltNames, [
      { kind: 'uri', value: 'https://github.com/example/app/.github/workflows/release.yml@refs/heads/main' },
    ]);
    // a second opinion
    const [first, second, third] = pems.map((pem) => new X509Certificate(pem));
    assert.ok(first && second && third);
    assert.ok(first.checkIssued(second) && first.verify(second.publicKey) && second.verify(third.publicKey));
    const text = await openssl(pems[0] ?? '', 'x509', '-noout', '-text', '-in');
    assert.match(text, /X509v3 Key Usage: critical\s+Digital Signature\n/);
    assert.match(text, /X509v3 Extended Key Usage: \s+Code Signing\n/);
    assert.match(text, /X509v3 Subject Alternative Name: critical\s+URI:https:\/\/github\.com\/example\/app/);
    assert.match(text, /CT Precertificate SCTs: \s+Signed Certificate Timestamp:\s+Version\s+: v1/);
    assert.doesNotMatch(text, /Basic Constraints/);
  });
});

test('a username is an otherName of its own type, in a critical extension', async () => {
  const issuer = await TestIssuer.open('https://login.example.com');
  await using ca = await openFor(issuer, { type: 'username', 'subject-domain': 'example.com' });
  const { leaf, pems } = await certify(ca, await issuer.token({ sub: 'dev' }), 'dev');
  assert.deepEqual(leaf.subjectAltNames, [{ kind: 'username', value: 'dev!example.com' }]);
  assert.equal(leaf.extensions.get('2.5.29.17')?.critical, true);
  assert.match(
    await openssl(pems[0] ?? '', 'x509', '-noout', '-text', '-in'),
    /othername: ?1\.3\.6\.1\.4\.1\.57264\.1\.7/i,
  );
});

for (const algorithm of ['ecdsa-p256', 'ecdsa-p384'] as const) {
  test(`an authority with ${algorithm} keys issues what openssl accepts`, async () => {
    const authority = await newAuthority(algorithm);
    await using ca = await openTestAuthority({ authority });
    const { leaf, pems } = await certify(ca, await ca.issuer.personToken(), 'dev@example.com');
    assert.equal(leaf.signatureAlgorithm, algorithm === 'ecdsa-p256' ? 'ecdsa-sha256' : 'ecdsa-sha384');
    const folder = await mkdtemp(join(tmpdir(), 'bulla-chain-'));
    try {
      const files = ['leaf.pem', 'intermediate.pem', 'root.pem'];
      for (const [index, name] of files.entries()) await writeFile(join(folder, name), pems[index] ?? '');
      const [leafFile = '', intermediate = '', root = ''] = files.map((name) => join(folder, name));
      const args = ['verify', '-x509_strict', '-CAfile', root, '-untrusted', intermediate, leafFile];
      const { stdout, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
      assert.match(stdout, /: OK/, stderr);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}
