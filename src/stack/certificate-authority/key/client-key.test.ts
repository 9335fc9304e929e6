// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { decodeCertificates } from '../../../trust/index.ts';
import {
  ask,
  callOf,
  certificatesOf,
  keyBody,
  newClientKey,
  openTestAuthority,
  v2Call,
  type TestAuthority,
} from '../certificate-authority.fixture.ts';
import { CertificateRefusal } from '../refusal.ts';
import { readClientKey, requireSoundKey } from './client-key.ts';

const PERSON = 'dev@example.com';

async function refusedKey(ca: TestAuthority, body: unknown, message: RegExp): Promise<void> {
  const reply = await ask(ca.service, v2Call(await ca.issuer.personToken(), body));
  assert.equal(reply.status, 400, reply.text);
  assert.equal((JSON.parse(reply.text) as { code: number }).code, 3);
  assert.match(reply.text, message);
  assert.equal(ca.log.tree().size, 0);
}

function spkiOf(key: KeyObject): string {
  return createPublicKey(key).export({ type: 'spki', format: 'pem' });
}

/** The public half of a new key, by openssl: not every runtime can make one of each kind. */
function opensslKey(kind: string, ...options: readonly string[]): string {
  const args = ['genpkey', '-algorithm', kind, ...options.flatMap((option) => ['-pkeyopt', option])];
  const key = spawnSync('openssl', args, { encoding: 'utf8' });
  const { stdout, stderr, status } = spawnSync('openssl', ['pkey', '-pubout'], { input: key.stdout, encoding: 'utf8' });
  assert.equal(status, 0, key.stderr + stderr);
  return stdout;
}

/** An RSA public key of these numbers. */
function rsaKey(n: bigint, e: bigint): string {
  const encode = (value: bigint): string => {
    const digits = value.toString(16);
    return Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex').toString('base64url');
  };
  const key = createPublicKey({ key: { kty: 'RSA', n: encode(n), e: encode(e) }, format: 'jwk' });
  return key.export({ type: 'spki', format: 'pem' });
}

function factor(bits: number): { readonly p: bigint; readonly q: bigint } {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: bits });
  const { p = '', q = '' } = privateKey.export({ format: 'jwk' });
  const decode = (text: string): bigint => BigInt(`0x${Buffer.from(text, 'base64url').toString('hex')}`);
  return { p: decode(p), q: decode(q) };
}

function weakness(pem: string): string {
  try {
    requireSoundKey(readClientKey(Buffer.from(pem)), ['rsa']);
  } catch (error) {
    assert.ok(error instanceof CertificateRefusal && error.code === 'key-refused', String(error));
    return error.message;
  }
  return assert.fail('the key was taken');
}

describe('a key is certified', () => {
  for (const algorithm of [
    'ecdsa-p256',
    'ecdsa-p384',
    'ecdsa-p521',
    'ed25519',
    'rsa-2048',
    'rsa-3072',
    'rsa-4096',
  ] as const) {
    test(`of type ${algorithm}, with the proof that fits it`, async () => {
      await using ca = await openTestAuthority();
      const key = await newClientKey(PERSON, algorithm);
      const reply = await ask(ca.service, v2Call(await ca.issuer.personToken(), keyBody(key)));
      assert.equal(reply.status, 200, reply.text);
      const [leaf] = decodeCertificates(Buffer.from(certificatesOf(reply.text)[0] ?? ''), 'leaf');
      assert.ok(Buffer.from(key.private.publicKey.spki).equals(leaf.spki));
    });
  }

  test('as DER in version 1', async () => {
    await using ca = await openTestAuthority();
    const key = await newClientKey(PERSON);
    const body = JSON.stringify({
      publicKey: { content: Buffer.from(key.private.publicKey.spki).toString('base64'), algorithm: 'ecdsa' },
      signedEmailAddress: key.proof.toString('base64'),
    });
    const headers = { authorization: `Bearer ${await ca.issuer.personToken()}` };
    const reply = await ask(ca.service, callOf('POST', '/api/v1/signingCert', body, headers));
    assert.equal(reply.status, 201, reply.text);
  });
});

describe('a key is refused', () => {
  test('of every kind that is not certified', async () => {
    await using ca = await openTestAuthority();
    const proof = Buffer.from('AAAA');
    for (const [pem, message] of [
      [spkiOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey), /RSA with 1024 bits/],
      [opensslKey('EC', 'ec_paramgen_curve:secp256k1'), /secp256k1/],
      [opensslKey('EC', 'ec_paramgen_curve:P-224'), /could not be parsed/],
      [opensslKey('ED448'), /could not be parsed/],
      [opensslKey('X25519'), /could not be parsed/],
      [Buffer.from('3000', 'hex').toString('latin1'), /could not be parsed/],
      [opensslKey('RSA-PSS'), /could not be parsed/],
      [
        generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }),
        /private/,
      ],
      ['-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n', /could not be parsed/],
      ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBmQ', /neither PEM nor DER/],
      ['{"kty":"EC"}', /neither PEM nor DER/],
      ['-'.repeat(20_000), /at most 16384 are read/],
    ] as const) {
      await refusedKey(ca, keyBody({ pem, proof }), message);
    }
    const headers = { authorization: `Bearer ${await ca.issuer.personToken()}` };
    const identity = Buffer.alloc(32);
    identity[0] = 1;
    const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), identity]);
    const body = JSON.stringify({ publicKey: { content: der.toString('base64') }, signedEmailAddress: 'AAAA' });
    const small = await ask(ca.service, callOf('POST', '/api/v1/signingCert', body, headers));
    assert.equal(small.status, 400);
    assert.match(small.text, /small order/);
  });

  test('of RSA that is weak although it is long', () => {
    const { p, q } = factor(2048);
    assert.match(weakness(rsaKey(p * q, 3n)), /exponent 3/);
    assert.match(weakness(rsaKey(p * q, 65539n)), /exponent is 65539/);
    assert.match(weakness(rsaKey(p * q * 3n, 65537n)), /(?:small factor|multiple of 8)/);
    // the next number that is prime to all small ones, close to p: Fermat finds such factors at once
    assert.match(weakness(rsaKey(close(p), 65537n)), /lie close together/);
    assert.match(weakness(rsaKey(((p * q) << 4n) | 1n, 65537n)), /2052 bits, expected a multiple of 8/);
  });

  test('of RSA as faulty chips make it', () => {
    // Powers of 65537 modulo the product of the small primes, and so modulo each of them.
    let product = 1n;
    for (let number = 2n; number < 168n; number++) if (gcd(number, product) === 1n) product *= number;
    let residue = 1n;
    for (let power = 0; power < 12_345; power++) residue = (residue * 65537n) % product;
    const modulus = (((1n << 2047n) + (1n << 2040n)) / product) * product + residue;
    const good = modulus.toString(2).length === 2048 ? modulus : modulus + product;
    let candidate = good;
    // no small factor beyond those primes either
    while ([...primes(168n, 752n)].some((prime) => candidate % prime === 0n)) candidate += product * 2n;
    assert.match(weakness(rsaKey(candidate, 65537n)), /faulty chips/);
  });

  test('that a setting does not have', async () => {
    await using ca = await openTestAuthority({ clientKeys: ['ecdsa-p384'] });
    await refusedKey(ca, keyBody(await newClientKey(PERSON)), /of type ecdsa-p256, expected ecdsa-p384/);
  });
});

describe('a proof is refused', () => {
  test('by another key, over another subject, over nothing, and none at all', async () => {
    await using ca = await openTestAuthority();
    const key = await newClientKey(PERSON);
    const other = await newClientKey(PERSON);
    const elsewhere = await newClientKey('other@example.com');
    for (const proof of [other.proof, Buffer.alloc(70), Buffer.concat([key.proof, Buffer.from([0])])])
      await refusedKey(ca, keyBody({ pem: key.pem, proof }), /signature supplied in the request could not be verified/);
    await refusedKey(ca, keyBody(elsewhere), /could not be verified/);
    await refusedKey(ca, keyBody({ pem: key.pem, proof: Buffer.alloc(0) }), /no 'proofOfPossession'/);
    await refusedKey(
      ca,
      { publicKeyRequest: { publicKey: { content: key.pem }, proofOfPossession: '!!' } },
      /not base64/,
    );
  });

  test('over the subject, where the token has an address', async () => {
    await using ca = await openTestAuthority();
    const key = await newClientKey('subject-1');
    const token = await ca.issuer.token({ sub: 'subject-1', email: PERSON, email_verified: true });
    assert.equal((await ask(ca.service, v2Call(token, keyBody(key)))).status, 400);
  });
});

describe('a certificate signing request', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'bulla-csr-'));
  });
  after(() => rmSync(folder, { recursive: true }));

  function requestBy(options: readonly string[], subject = '/CN=whoever I like/O=somebody else'): string {
    const file = join(folder, 'csr.pem');
    const args = [
      'req',
      '-new',
      ...options,
      '-nodes',
      '-keyout',
      join(folder, 'key.pem'),
      '-subj',
      subject,
      '-out',
      file,
    ];
    const { status, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return readFileSync(file, 'utf8');
  }

  const P256 = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  const bodyOf = (pem: string | Buffer): unknown => ({
    certificateSigningRequest: Buffer.from(pem).toString('base64'),
  });

  test('is its own proof, and nothing else in it is read', async () => {
    await using ca = await openTestAuthority();
    const config = [
      ...P256,
      '-addext',
      'subjectAltName=email:boss@example.com',
      '-addext',
      'basicConstraints=critical,CA:TRUE',
    ];
    for (const options of [P256, config, ['-newkey', 'rsa:3072']]) {
      const pem = requestBy(options);
      const reply = await ask(ca.service, v2Call(await ca.issuer.personToken(), bodyOf(pem)));
      assert.equal(reply.status, 200, reply.text);
      const [leaf] = decodeCertificates(Buffer.from(certificatesOf(reply.text)[0] ?? ''), 'leaf');
      assert.deepEqual(leaf.subjectAltNames, [{ kind: 'email', value: PERSON }]);
      assert.equal(leaf.subject.length, 2);
      assert.equal(leaf.basicConstraints, undefined);
    }
  });

  test('is taken in version 1 as well, and the same one again gets the same certificate', async () => {
    await using ca = await openTestAuthority();
    const body = JSON.stringify(bodyOf(requestBy(P256)));
    const headers = { authorization: `Bearer ${await ca.issuer.personToken()}` };
    const first = await ask(ca.service, callOf('POST', '/api/v1/signingCert', body, headers));
    const again = await ask(ca.service, callOf('POST', '/api/v1/signingCert', body, headers));
    assert.equal(first.status, 201, first.text);
    assert.equal(again.text, first.text);
  });

  test('is refused broken, with another signature, with a weak key, with SHA-1, and beside a key', async () => {
    await using ca = await openTestAuthority();
    const pem = requestBy(P256);
    const der = Buffer.from(pem.split('\n').slice(1, -2).join(''), 'base64');
    const other = Buffer.from(der);
    other[other.length - 1] = (other.at(-1) ?? 0) ^ 1;
    await refusedKey(ca, bodyOf(other), /not signed by the key in it/);
    await refusedKey(ca, bodyOf(der.subarray(0, -4)), /could not be parsed/);
    await refusedKey(ca, bodyOf('garbage'), /could not be parsed/);
    await refusedKey(ca, bodyOf(requestBy(['-newkey', 'rsa:1024'])), /RSA with 1024 bits/);
    await refusedKey(ca, bodyOf(requestBy([...P256, '-sha1'])), /not signed by the key in it/);
    const key = await newClientKey(PERSON);
    await refusedKey(ca, { ...(bodyOf(pem) as object), ...(keyBody(key) as object) }, /expected one of both/);
    await refusedKey(ca, {}, /neither a public key nor a certificate signing request/);
  });
});

function gcd(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

function* primes(from: bigint, to: bigint): Generator<bigint> {
  for (let number = from; number < to; number++) {
    let prime = true;
    for (let divisor = 2n; divisor * divisor <= number; divisor++) prime &&= number % divisor !== 0n;
    if (prime) yield number;
  }
}

/** The product of p and a number a little above it, without small factors. */
function close(p: bigint): bigint {
  const small = [...primes(2n, 752n)];
  let q = p + 2n;
  while (small.some((prime) => q % prime === 0n)) q += 2n;
  return p * q;
}
