// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { isJsonObject, parseJson } from '../../wire/index.ts';
import { decodeBundle } from '../bundle/decode-bundle.ts';
import { decodePublicKey } from '../key/public-key.ts';
import { decodeCertificates } from './certificate-chain.ts';
import { certificateIdentity } from './certificate-identity.ts';
import { decodeCertificate, type Certificate } from './certificate.ts';
import { verifyChain } from './verify-chain.ts';
import { verifyScts } from './verify-scts.ts';

// Certificates that others issued and the real cosign accepted: a private stack, and an authority made with openssl.

const golden = join(import.meta.dirname, '../../../test/golden');

function file(path: string): Buffer {
  return readFileSync(join(golden, path));
}

const fulcio = { chain: decodeCertificates(file('_stack/fulcio-chain.pem'), 'fulcio-chain.pem') };
const logs = [{ publicKey: decodePublicKey(file('_stack/ctfe.pub'), 'ctfe.pub') }];

/** Each leaf that Fulcio issued in the recordings, by where it was found. */
function recordedLeaves(): ReadonlyMap<string, Certificate> {
  const found = new Map<string, Certificate>();
  for (const path of globSync('keyless-*/*.sigstore.json', { cwd: golden })) {
    const { material } = decodeBundle(file(path), path);
    assert.ok(material.kind === 'certificate' && material.chain[0] !== undefined);
    found.set(path, decodeCertificate(material.chain[0], path));
  }
  const v1 = '_http/POST-fulcio_api_v1_signingCert.resp';
  found.set(v1, decodeCertificates(file(v1), v1)[0]);
  const v2 = '_http/POST-fulcio_api_v2_signingCert.resp';
  const [pem] = file(v2)
    .toString()
    .match(/-----BEGIN[^]*?-----END CERTIFICATE-----/) ?? [''];
  found.set(v2, decodeCertificates(Buffer.from(pem.replaceAll('\\n', '\n')), v2)[0]);
  return found;
}

describe('a recorded leaf', () => {
  const leaves = recordedLeaves();
  test('is there in four kinds of recording', () => assert.ok(leaves.size >= 4, String(leaves.size)));
  for (const [path, leaf] of leaves) {
    const used = new Date(leaf.notBefore.getTime() + 60_000);

    test(`of ${path} verifies with its chain and timestamp`, () => {
      const chain = verifyChain(leaf, [fulcio], [used], 'code-signing');
      assert.ok(chain.kind === 'accepted', JSON.stringify(chain));
      const scts = verifyScts(leaf, chain.issuer, logs);
      assert.ok(scts.kind === 'accepted', JSON.stringify(scts));
      const identity = certificateIdentity(leaf);
      assert.deepEqual(identity, {
        kind: 'accepted',
        identity: { kind: 'email', subject: 'dev@lab.example', claims: { issuer: 'http://localhost:5570/oidc' } },
      });
    });

    test(`of ${path} does not verify later, or as another authority's`, () => {
      const late = verifyChain(leaf, [fulcio], [used, new Date(leaf.notAfter.getTime() + 1000)], 'code-signing');
      assert.ok(late.kind === 'rejected' && late.rejection.code === 'certificate-expired');
      const other = { chain: decodeCertificates(file('_pki/chain.pem'), 'chain.pem') };
      const elsewhere = verifyChain(leaf, [other], [used], 'code-signing');
      assert.ok(elsewhere.kind === 'rejected' && elsewhere.rejection.code === 'certificate-issuer-unknown');
    });
  }
});

test('the recorded trusted root gives the same authority and log', () => {
  const root = parseJson(file('_stack/trusted_root.json'), { what: 'trusted_root.json' });
  assert.ok(isJsonObject(root));
  const text = JSON.stringify(root);
  for (const certificate of fulcio.chain) assert.ok(text.includes(Buffer.from(certificate.der).toString('base64')));
  assert.ok(logs[0] !== undefined && text.includes(logs[0].publicKey.hint));
});

test('the timestamp authority verifies for timestamps, and for nothing else', () => {
  const [leaf, ...above] = decodeCertificates(file('_stack/tsa-chain.pem'), 'tsa-chain.pem');
  const [root, ...others] = above;
  assert.ok(root !== undefined);
  const tsa = { chain: [root, ...others] } as const;
  const time = new Date('2026-11-23T00:00:00Z');
  assert.equal(verifyChain(leaf, [tsa], [time], 'time-stamping').kind, 'accepted');
  const check = verifyChain(leaf, [tsa], [time], 'code-signing');
  assert.ok(check.kind === 'rejected' && check.rejection.code === 'certificate-purpose');
});

test('a leaf of somebody’s own authority verifies, with all of its claims, and has no timestamp', () => {
  const [leaf] = decodeCertificates(file('_pki/leaf.crt'), 'leaf.crt');
  const [intermediate] = decodeCertificates(file('_pki/inter.crt'), 'inter.crt');
  const own = { chain: [intermediate, ...decodeCertificates(file('_pki/root.crt'), 'root.crt')] } as const;
  const chain = verifyChain(leaf, [fulcio, own], [new Date('2030-01-01T00:00:00Z')], 'code-signing');
  assert.ok(chain.kind === 'accepted', JSON.stringify(chain));
  const identity = certificateIdentity(leaf);
  assert.ok(identity.kind === 'accepted');
  assert.deepEqual(identity.identity.claims, {
    issuer: 'https://oidc.example',
    githubWorkflowTrigger: 'push',
    githubWorkflowSha: '0123',
    githubWorkflowName: 'build',
    githubWorkflowRepository: 'o/r',
    githubWorkflowRef: 'refs/heads/main',
  });
  const scts = verifyScts(leaf, chain.issuer, logs);
  assert.ok(scts.kind === 'rejected' && scts.rejection.code === 'sct-missing');
});

test('the library agrees on who issued whom', () => {
  const [intermediate, root] = fulcio.chain.map(({ der }) => new X509Certificate(der));
  assert.ok(intermediate !== undefined && root !== undefined);
  for (const leaf of recordedLeaves().values()) {
    const second = new X509Certificate(leaf.der);
    assert.ok(second.checkIssued(intermediate) && second.verify(intermediate.publicKey));
  }
  assert.ok(intermediate.verify(root.publicKey));
});
