// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { suite, test } from 'node:test';
import { TrustError } from '../error.ts';
import { generatePrivateKey } from '../key/private-key.ts';
import { certificateSigner, randomSerialNumber } from './build-certificate.ts';
import { issueRoot, type Issuer } from './issue-authority.ts';
import { issueServerCertificate, type ServerRequest } from './issue-server.ts';

const [start, end] = [new Date('2030-01-01T00:00:00Z'), new Date('2031-01-01T00:00:00Z')];

async function authority(): Promise<Issuer> {
  const key = await generatePrivateKey('ecdsa-p256');
  const name = { commonName: 'authority' };
  const request = {
    name,
    publicKey: key.publicKey,
    serialNumber: randomSerialNumber(),
    notBefore: start,
    notAfter: end,
  };
  const signer = certificateSigner(key);
  return { certificate: await issueRoot(request, 0, signer), signer };
}

async function asked(given: Partial<ServerRequest> = {}): Promise<ServerRequest> {
  const { publicKey } = await generatePrivateKey('ecdsa-p256');
  const name = { commonName: 'gate' };
  return {
    name,
    hosts: ['gate.svc'],
    publicKey,
    serialNumber: randomSerialNumber(),
    notBefore: start,
    notAfter: end,
    ...given,
  };
}

suite('a certificate for a server', () => {
  test('is what OpenSSL takes for its hosts, and for no other', async () => {
    const issuer = await authority();
    const hosts = ['gate.bulla.svc', 'gate.bulla.svc.cluster.local', '127.0.0.1', '::1', '2001:db8::7:0'];
    const { der } = await issueServerCertificate(await asked({ hosts }), issuer);
    const certificate = new X509Certificate(der);
    const parent = new X509Certificate(issuer.certificate.der);
    assert.equal(certificate.verify(parent.publicKey), true);
    assert.equal(certificate.checkIssued(parent), true);
    assert.equal(certificate.ca, false);
    assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1']);
    assert.equal(certificate.checkHost('gate.bulla.svc'), 'gate.bulla.svc');
    assert.equal(certificate.checkHost('gate.other.svc'), undefined);
    for (const address of ['127.0.0.1', '::1', '2001:db8::7:0']) assert.equal(certificate.checkIP(address), address);
    assert.equal(certificate.checkIP('127.0.0.2'), undefined);
  });

  for (const [what, given] of Object.entries({
    'no host': { hosts: [] },
    'a host with a line feed': { hosts: ['a\nb'] },
    'a wildcard': { hosts: ['*.svc'] },
    'an address that is none': { hosts: ['256.1.1.1'] },
    'another that is none': { hosts: ['1::2::3'] },
    'a longer life than its issuer': { notAfter: new Date('2032-01-01T00:00:00Z') },
  }))
    test(`is not issued with ${what}`, async () => {
      const issuer = await authority();
      await assert.rejects(issueServerCertificate(await asked(given), issuer), (error: unknown) => {
        return error instanceof TrustError && error.code === 'certificate-unissuable';
      });
    });
});
