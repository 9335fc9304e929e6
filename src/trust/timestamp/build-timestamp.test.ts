// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { newTestKey } from '../certificate/authority.fixture.ts';
import { certificateSigner, randomSerialNumber } from '../certificate/build-certificate.ts';
import { encodeCertificates } from '../certificate/certificate-chain.ts';
import type { Certificate } from '../certificate/certificate.ts';
import { issueIntermediate, issueRoot, issueTimestampCertificate } from '../certificate/issue-authority.ts';
import { TrustError, type TrustErrorCode } from '../error.ts';
import { encodePem } from '../key/pem.ts';
import { generatePrivateKey, type PrivateKey } from '../key/private-key.ts';
import { KEY_ALGORITHMS, type KeyAlgorithm } from '../key/public-key.ts';
import { buildTimestampResponse, createTimestampIssuer, type TimestampIssuer } from './build-timestamp.ts';
import { timestampAuthority } from './timestamp-authority.ts';
import { decodeTimestampRequest, encodeTimestampRequest, type TimestampRequest } from './timestamp-request.ts';
import { decodeTimestampResponse } from './timestamp-response.ts';
import { verifyTimestamp, type TimestampCheck } from './verify-timestamp.ts';

const SIGNATURE = Buffer.from('the signature that is timestamped');
const NOW = new Date('2026-06-01T00:00:05.999Z');
const LIFE = { notBefore: new Date('2026-01-01'), notAfter: new Date('2036-01-01') };

interface Authority {
  readonly issuer: TimestampIssuer;
  readonly chain: readonly [Certificate, Certificate, Certificate];
  readonly key: PrivateKey;
}

/** An authority as the stack makes one: root, intermediate, leaf. */
async function newAuthority(algorithm: KeyAlgorithm): Promise<Authority> {
  const [rootKey, aboveKey, key] = await Promise.all([
    generatePrivateKey('ecdsa-p256'),
    generatePrivateKey('ecdsa-p256'),
    generatePrivateKey(algorithm),
  ]);
  const asked = (commonName: string, { publicKey }: PrivateKey) => ({
    name: { organization: 'test', commonName },
    publicKey,
    serialNumber: randomSerialNumber(),
    ...LIFE,
  });
  const root = await issueRoot(asked('root', rootKey), 1, certificateSigner(rootKey));
  const by = { certificate: root, signer: certificateSigner(rootKey) };
  const above = await issueIntermediate(asked('intermediate', aboveKey), 'time-stamping', by);
  const leaf = await issueTimestampCertificate(asked('leaf', key), {
    certificate: above,
    signer: certificateSigner(aboveKey),
  });
  const chain = [leaf, above, root] as const;
  return { issuer: await createTimestampIssuer(certificateSigner(key), chain), chain, key };
}

function requestFor(signature: Uint8Array, more: Partial<TimestampRequest> = {}): TimestampRequest {
  const digest = { algorithm: 'sha256', bytes: hash('sha256', signature, 'buffer') } as const;
  return { digest, certificates: false, ...more };
}

async function respond({ issuer }: Authority, request: TimestampRequest, includeChain = false): Promise<Uint8Array> {
  const grant = { serialNumber: randomSerialNumber(), time: NOW, includeChain };
  return buildTimestampResponse(request, issuer, grant);
}

function accepted(check: TimestampCheck): Extract<TimestampCheck, { kind: 'accepted' }> {
  assert.ok(check.kind === 'accepted', check.kind === 'rejected' ? JSON.stringify(check.rejection) : '');
  return check;
}

async function refuses(act: () => Promise<unknown>, code: TrustErrorCode, pattern: RegExp): Promise<void> {
  await assert.rejects(act, (error) => {
    assert.ok(error instanceof TrustError && error.code === code, String(error));
    assert.match(error.message, pattern);
    return true;
  });
}

let p256: Authority;
let folder = '';
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bulla-timestamp-'));
  p256 = await newAuthority('ecdsa-p256');
});
after(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

describe('a timestamp that is given', () => {
  for (const algorithm of KEY_ALGORITHMS)
    test(`with a key of ${algorithm} is accepted, with the time to the second`, async () => {
      const authority = algorithm === 'ecdsa-p256' ? p256 : await newAuthority(algorithm);
      const response = await respond(authority, requestFor(SIGNATURE));
      const check = accepted(verifyTimestamp(response, SIGNATURE, [timestampAuthority(authority.chain)]));
      assert.deepEqual(check.time, new Date('2026-06-01T00:00:05Z'));
      assert.deepEqual(check.info.accuracy, { seconds: 1, milliseconds: 0, microseconds: 0 });
      assert.equal(check.info.policy, '1.3.6.1.4.1.57264.2');
    });

  test('for SHA-384 and SHA-512 as well', async () => {
    for (const algorithm of ['sha384', 'sha512'] as const) {
      const digest = { algorithm, bytes: hash(algorithm, SIGNATURE, 'buffer') };
      const response = await respond(p256, { digest, certificates: false });
      accepted(verifyTimestamp(response, SIGNATURE, [timestampAuthority(p256.chain)]));
    }
  });

  test('repeats the nonce, also one that would be negative, and has the number that it was given', async () => {
    for (const nonce of [Buffer.from([0x80, 1]), Buffer.from([7]), Buffer.alloc(19, 0xff)]) {
      const response = await respond(p256, requestFor(SIGNATURE, { nonce }));
      accepted(verifyTimestamp(response, SIGNATURE, [timestampAuthority(p256.chain)], { nonce }));
    }
    const serialNumber = Buffer.from([0xff, 2, 3]);
    const grant = { serialNumber, time: NOW };
    const response = await buildTimestampResponse(requestFor(SIGNATURE), p256.issuer, grant);
    const decoded = decodeTimestampResponse(response);
    assert.ok(decoded.kind === 'granted');
    assert.equal(Buffer.from(decoded.token.info.serialNumber).toString('hex'), '00ff0203');
  });

  test('has the certificates that were asked for', async () => {
    const certificatesOf = async (asked: boolean, includeChain: boolean): Promise<readonly string[]> => {
      const response = await respond(p256, requestFor(SIGNATURE, { certificates: asked }), includeChain);
      const decoded = decodeTimestampResponse(response);
      assert.ok(decoded.kind === 'granted');
      return decoded.token.certificates.map((der) => Buffer.from(der).toString('hex'));
    };
    const chain = p256.chain.map(({ der }) => Buffer.from(der).toString('hex'));
    assert.deepEqual(await certificatesOf(false, false), []);
    assert.deepEqual(await certificatesOf(false, true), []);
    assert.deepEqual(await certificatesOf(true, false), chain.slice(0, 1));
    assert.deepEqual(await certificatesOf(true, true), chain);
  });

  test('is not given under a policy that the authority does not have', async () => {
    accepted(
      verifyTimestamp(await respond(p256, requestFor(SIGNATURE, { policy: '1.3.6.1.4.1.57264.2' })), SIGNATURE, [
        timestampAuthority(p256.chain),
      ]),
    );
    await refuses(
      () => respond(p256, requestFor(SIGNATURE, { policy: '1.2.3' })),
      'timestamp-policy-unsupported',
      /1\.2\.3 is asked for, expected 1\.3\.6/,
    );
  });

  test('is not given at a time at which the certificate is not valid', async () => {
    for (const time of [new Date('2025-12-31'), new Date('2036-01-02'), new Date(Number.NaN)])
      await refuses(
        () => buildTimestampResponse(requestFor(SIGNATURE), p256.issuer, { serialNumber: Buffer.from([1]), time }),
        'timestamp-unissuable',
        /certificate valid/,
      );
  });
});

describe('an authority is not made ready', () => {
  test('with the key of another', async () => {
    const { signer } = await newTestKey();
    await refuses(() => createTimestampIssuer(signer, p256.chain), 'timestamp-unissuable', /another key/);
  });

  test('with a certificate for something else', async () => {
    const [, above, root] = p256.chain;
    await refuses(
      () => createTimestampIssuer(p256.issuer.signer, [above, root]),
      'timestamp-unissuable',
      /certificate/,
    );
  });

  test('with a chain that does not hold, or none', async () => {
    const [leaf, , root] = p256.chain;
    await refuses(() => createTimestampIssuer(p256.issuer.signer, [leaf, root]), 'timestamp-unissuable', /issued by/);
    await refuses(() => createTimestampIssuer(p256.issuer.signer, [leaf]), 'timestamp-unissuable', /one certificate/);
  });

  test('with a policy that is no object identifier', async () => {
    await refuses(() => createTimestampIssuer(p256.issuer.signer, p256.chain, 'policy'), 'der-unencodable', /policy/);
  });
});

const openssl = spawnSync('openssl', ['version']).status === 0;

describe('OpenSSL', { skip: openssl ? false : 'openssl is not here' }, () => {
  test('accepts what is given, with certificates in it and without', async () => {
    const [leaf, above, root] = p256.chain;
    const data = write('data', SIGNATURE);
    const ca = write('root.pem', encodeCertificates([root]));
    const untrusted = write('untrusted.pem', encodeCertificates([leaf, above]));
    for (const certificates of [false, true]) {
      const response = write('response', await respond(p256, requestFor(SIGNATURE, { certificates }), certificates));
      const verify = (...args: readonly string[]): string =>
        execFileSync('openssl', ['ts', '-verify', '-in', response, '-CAfile', ca, '-untrusted', untrusted, ...args], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'pipe'],
        });
      assert.match(verify('-data', data, '-attime', String((NOW.getTime() / 1000) | 0)), /Verification: OK/);
    }
  });

  test('reads it as it is meant', async () => {
    const response = write(
      'response',
      await respond(p256, requestFor(SIGNATURE, { nonce: Buffer.from([0x12, 0x34]) })),
    );
    const text = execFileSync('openssl', ['ts', '-reply', '-in', response, '-text'], { encoding: 'utf8' });
    assert.match(text, /Status: Granted/);
    assert.match(text, /Policy OID: 1\.3\.6\.1\.4\.1\.57264\.2/);
    assert.match(text, /Time stamp: Jun {2}1 00:00:05 2026 GMT/);
    assert.match(text, /Accuracy: 0x01 seconds/);
    assert.match(text, /Nonce: 0x1234/);
  });

  test('asks, and is answered', async () => {
    const data = write('data', SIGNATURE);
    const query = write('query', '');
    execFileSync('openssl', ['ts', '-query', '-data', data, '-sha384', '-cert', '-out', query], { stdio: 'pipe' });
    const request = decodeTimestampRequest(readFileSync(query));
    assert.equal(request.digest.algorithm, 'sha384');
    assert.ok(request.nonce !== undefined && request.certificates);
    const response = write('response', await respond(p256, request, true));
    const ca = write('root.pem', encodeCertificates([p256.chain[2]]));
    const args = ['ts', '-verify', '-in', response, '-queryfile', query, '-CAfile', ca, '-attime', '1780272005'];
    assert.match(
      execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }),
      /Verification: OK/,
    );
  });

  for (const algorithm of ['ecdsa-p256', 'ecdsa-p384', 'rsa-2048'] as const)
    test(`gives timestamps of its own with ${algorithm}, and they are accepted`, async () => {
      const authority = algorithm === 'ecdsa-p256' ? p256 : await newAuthority(algorithm);
      const [leaf, above, root] = authority.chain;
      const pkcs8 = authority.key.object.export({ type: 'pkcs8', format: 'der' });
      const config = [
        '[tsa]',
        'default_tsa = one',
        '[one]',
        `serial = ${write('serial', '01\n')}`,
        `signer_cert = ${write('leaf.pem', encodeCertificates([leaf]))}`,
        `certs = ${write('chain.pem', encodeCertificates([above, root]))}`,
        `signer_key = ${write('leaf.key', encodePem('PRIVATE KEY', pkcs8))}`,
        'signer_digest = sha256',
        'default_policy = 1.2.3.4.1',
        'digests = sha256, sha384, sha512',
        'accuracy = secs:1, millisecs:500, microsecs:100',
        'clock_precision_digits = 3',
        'ess_cert_id_chain = yes',
        'ess_cert_id_alg = sha256',
      ].join('\n');
      const nonce = Buffer.from([9, 9]);
      const query = write('query', encodeTimestampRequest(requestFor(SIGNATURE, { nonce, certificates: true })));
      const args = ['ts', '-reply', '-queryfile', query, '-config', write('tsa.cnf', config), '-section', 'one'];
      const response = execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });
      const known = timestampAuthority(authority.chain);
      const check = accepted(verifyTimestamp(response, SIGNATURE, [known], { nonce }));
      assert.deepEqual(check.info.accuracy, { seconds: 1, milliseconds: 500, microseconds: 100 });
      const issuers = timestampAuthority([above, root]);
      assert.equal(issuers.leaf, undefined);
      accepted(verifyTimestamp(response, SIGNATURE, [issuers], { nonce }));
    });
});
