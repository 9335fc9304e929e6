// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createPrivateKey, scryptSync } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { xsalsa20poly1305 } from '@noble/ciphers/salsa.js';
import { CodedError, encodeBase64 } from '../../wire/index.ts';
import { TrustError, type TrustErrorCode } from '../error.ts';
import { encodeCosignKey } from './cosign-key.ts';
import { decodePem, encodePem } from './pem.ts';
import {
  decodePrivateKey,
  encryptPrivateKey,
  generatePrivateKey,
  privateKeyNeedsPassword,
  type PrivateKey,
} from './private-key.ts';
import { decodePublicKey, encodePublicKey, KEY_ALGORITHMS } from './public-key.ts';
import { keySigner } from './signer.ts';
import { verifySignature } from './verify-signature.ts';

const golden = join(import.meta.dirname, '../../../test/golden');
const MESSAGE = Buffer.from('sixty jars of oil');

function file(path: string): Buffer {
  return readFileSync(join(golden, path));
}

async function decode(bytes: Uint8Array | string, ...passwords: string[]): Promise<PrivateKey> {
  const options = { what: 'the.key', passwords: passwords.map((password) => Buffer.from(password)) };
  return decodePrivateKey(typeof bytes === 'string' ? Buffer.from(bytes) : bytes, options);
}

async function refused(decoding: Promise<PrivateKey>, code: TrustErrorCode, pattern: RegExp): Promise<void> {
  await assert.rejects(decoding, (error) => {
    assert.ok(error instanceof TrustError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    assert.ok(error.message.startsWith('the.key ') && !error.message.includes('\n'), error.message);
    return true;
  });
}

/** The JSON inside a key file by cosign, changed, and packed again. */
function changed(
  name: string,
  change: (file: {
    kdf: { name: string; params: { N: number; r: number; p: number }; salt: string };
    cipher: { name: string; nonce: string };
    ciphertext: string;
  }) => void,
): string {
  const [block] = decodePem(file(name).toString(), name);
  const json = JSON.parse(Buffer.from(block?.bytes ?? []).toString());
  change(json);
  return encodePem('ENCRYPTED SIGSTORE PRIVATE KEY', Buffer.from(JSON.stringify(json)));
}

// DER in hex, for files that no tool writes.
const tlv = (tag: string, ...parts: string[]): string => {
  const content = parts.join('');
  return `${tag}${(content.length / 2).toString(16).padStart(2, '0')}${content}`;
};
const sequence = (...parts: string[]): string => tlv('30', ...parts);
const oid = (hex: string): string => tlv('06', hex);
const SALT = tlv('04', '00'.repeat(8));
const HMAC_SHA256 = oid('2a864886f70d0209');
const AES_256 = sequence(oid('60864801650304012a'), tlv('04', '00'.repeat(16)));
const pbkdf2 = (iterations: string, prf: string): string =>
  sequence(oid('2a864886f70d01050c'), sequence(SALT, iterations, sequence(prf, '0500')));
const pbes2 = (kdf: string, cipher: string, more = ''): Uint8Array =>
  Buffer.from(
    sequence(sequence(oid('2a864886f70d01050d'), sequence(kdf, cipher)), tlv('04', '00'.repeat(16)), more),
    'hex',
  );

describe('opens what cosign wrote', () => {
  const names = readdirSync(join(golden, '_keys')).filter((name) => name.endsWith('.key'));

  test('there are keys of all kinds', () => assert.equal(names.length, 10));

  for (const name of names) {
    test(name, async () => {
      const key = await decode(file(`_keys/${name}`), name === 'emptypw.key' ? '' : 'pw');
      assert.equal(encodePublicKey(key.publicKey), file(`_keys/${name.replace('.key', '.pub')}`).toString());
    });
  }

  test('a key by cosign 2', async () => {
    const key = await decode(file('_keys/v2/cosign.key'), 'pw');
    assert.equal(encodePublicKey(key.publicKey), file('_keys/v2/cosign.pub').toString());
  });

  test('a key under the label of old', async () => {
    const text = file('_keys/cosign.key').toString().replaceAll('SIGSTORE', 'COSIGN');
    assert.equal((await decode(text, 'pw')).publicKey.algorithm, 'ecdsa-p256');
  });
});

describe('reads plain private keys', () => {
  for (const name of ['p256', 'p384', 'p521', 'ed25519', 'rsa2048', 'rsa3072', 'rsa4096']) {
    test(`${name}.pem`, async () => {
      const key = await decode(file(`_keys/${name}.pem`));
      assert.equal(encodePublicKey(key.publicKey), file(`_keys/imp-${name}.pub`).toString());
    });
    test(`${name} as JWK`, async () => {
      const jwk = createPrivateKey(file(`_keys/${name}.pem`)).export({ format: 'jwk' });
      const key = await decode(JSON.stringify(jwk));
      assert.equal(encodePublicKey(key.publicKey), file(`_keys/imp-${name}.pub`).toString());
    });
  }
  for (const name of ['ec-params-first.pem', 'pkcs8.pem', 'pkcs8.der', 'compressed.pem']) {
    test(`OpenSSL's ${name}`, async () => {
      const key = await decode(file(`openssl-keys/${name}`));
      assert.equal(encodePublicKey(key.publicKey), file('openssl-keys/p256.pub').toString());
    });
  }
});

describe('opens encrypted PKCS #8 as OpenSSL writes it', () => {
  const names = readdirSync(join(golden, 'openssl-keys')).filter((name) => name.startsWith('pbes2'));
  test('there are files of all kinds', () => assert.equal(names.length, 6));
  for (const name of names) {
    test(name, async () => {
      const key = await decode(file(`openssl-keys/${name}`), 'pw');
      assert.equal(encodePublicKey(key.publicKey), file('openssl-keys/p256.pub').toString());
    });
    test(`${name} with another password`, async () => {
      await refused(
        decode(file(`openssl-keys/${name}`), 'no'),
        'password-wrong',
        /does not open with the given password/,
      );
    });
  }
});

describe('passwords', () => {
  test('are asked for if none was given, and only where one is needed', async () => {
    for (const name of ['_keys/cosign.key', '_keys/encp8.pem', 'openssl-keys/pbes2.der']) {
      assert.ok(privateKeyNeedsPassword(file(name)), name);
      await refused(decode(file(name)), 'key-encrypted', /is encrypted and no password was given/);
    }
    for (const name of [
      '_keys/p256.pem',
      '_keys/cosign.pub',
      'openssl-keys/pkcs8.der',
      'openssl-keys/traditional-encrypted.pem',
    ]) {
      assert.ok(!privateKeyNeedsPassword(file(name)), name);
    }
    assert.ok(!privateKeyNeedsPassword(Buffer.from('-----BEGIN what')));
  });

  test('are tried in the order given, until one fits', async () => {
    const key = await decode(file('_keys/cosign.key'), 'pw\n', 'pw');
    assert.equal(encodePublicKey(key.publicKey), file('_keys/cosign.pub').toString());
  });

  test('an empty one is one', async () => {
    assert.equal((await decode(file('_keys/emptypw.key'), '')).publicKey.algorithm, 'ecdsa-p256');
    await refused(decode(file('_keys/cosign.key'), ''), 'password-wrong', /./);
  });

  test('a changed ciphertext is not told from a wrong password', async () => {
    const text = changed('_keys/cosign.key', (json) => {
      json.ciphertext = encodeBase64(
        Buffer.from(json.ciphertext, 'base64').map((byte, index) => (index === 30 ? byte ^ 1 : byte)),
      );
    });
    await refused(decode(text, 'pw'), 'password-wrong', /./);
  });

  test('what opens and is no key is not taken for one', async () => {
    await refused(decode(await encodeCosignKey(Buffer.from('no key'), Buffer.from('pw')), 'pw'), 'password-wrong', /./);
  });
});

describe('writes what cosign reads', () => {
  test('the same members in the same order, the same costs, lines of 64 characters', async () => {
    const key = await generatePrivateKey('ecdsa-p256');
    const text = await encryptPrivateKey(key, Buffer.from('pw'));
    const shapeOf = (pem: string): string => {
      const [block] = decodePem(pem, 'it');
      return Buffer.from(block?.bytes ?? [])
        .toString()
        .replace(/"(salt|nonce|ciphertext)":"([^"]*)"/g, (_, name, value) => `${name} of ${value.length}`);
    };
    const theirs = file('_keys/cosign.key').toString();
    assert.equal(shapeOf(text), shapeOf(theirs));
    assert.equal(
      shapeOf(text),
      '{"kdf":{"name":"scrypt","params":{"N":65536,"r":8,"p":1},salt of 44},"cipher":{"name":"nacl/secretbox",nonce of 32},ciphertext of 208}',
    );
    assert.deepEqual(
      text.split('\n').map((line) => line.length),
      theirs.split('\n').map((line) => line.length),
    );
    assert.ok(privateKeyNeedsPassword(Buffer.from(text)));
    assert.equal((await decode(text, 'pw')).publicKey.hint, key.publicKey.hint);
  });

  test('never the same twice', async () => {
    const key = await generatePrivateKey('ed25519');
    assert.notEqual(await encryptPrivateKey(key, Buffer.from('')), await encryptPrivateKey(key, Buffer.from('')));
  });

  test('the private key that cosign had, from the same private key', async () => {
    const theirs = await decode(file('_keys/imp-p384.key'), 'pw');
    const ours = await decode(file('_keys/p384.pem'));
    assert.ok(ours.object.equals(theirs.object));
    const again = await decode(await encryptPrivateKey(theirs, Buffer.from('other')), 'other');
    assert.ok(again.object.equals(theirs.object));
  });
});

describe('generates', () => {
  for (const algorithm of KEY_ALGORITHMS) {
    test(algorithm, async () => {
      const key = await generatePrivateKey(algorithm);
      assert.equal(key.publicKey.algorithm, algorithm);
      const again = decodePublicKey(Buffer.from(encodePublicKey(key.publicKey)), 'it');
      assert.equal(again.hint, key.publicKey.hint);
      assert.notEqual(await verifySignature(again, MESSAGE, await keySigner(key).sign(MESSAGE)), undefined);
    });
  }
});

describe('bounds what a file asks of the machine, before any work is done', () => {
  const costs = {
    'more memory than 256 MiB': { N: 2 ** 18, r: 9, p: 1 },
    'a larger block than 256 MiB can hold': { N: 65536, r: 2 ** 20, p: 1 },
    'more rounds than eight times those of cosign': { N: 65536, r: 8, p: 9 },
    'numbers whose product overflows': { N: 2 ** 52, r: 2 ** 52, p: 2 ** 52 },
  };
  for (const [name, params] of Object.entries(costs)) {
    test(name, async () => {
      const text = changed('_keys/cosign.key', (json) => {
        json.kdf.params = params;
      });
      await refused(decode(text, 'pw'), 'kdf-too-expensive', /asks scrypt for N=\d+, r=\d+, p=\d+, at most 256 MiB/);
    });
  }

  test('more than ten million rounds of PBKDF2', async () => {
    const dear = pbes2(pbkdf2('02047fffffff', HMAC_SHA256), AES_256);
    await refused(decode(dear, 'pw'), 'kdf-too-expensive', /asks for 2147483647 rounds of PBKDF2/);
  });

  test('more memory for scrypt in PKCS #8', async () => {
    const dear = pbes2(sequence(oid('2b06010401da47040b'), sequence(SALT, '0203400000', '020108', '020101')), AES_256);
    await refused(decode(dear, 'pw'), 'kdf-too-expensive', /asks scrypt for N=4194304, r=8, p=1/);
  });

  test('and takes less, as older files have it: N=32768', async () => {
    const params = { N: 32768, r: 8, p: 1 };
    const secret = scryptSync('pw', Buffer.alloc(32), 32, { ...params, maxmem: 64 * 1024 * 1024 });
    const ciphertext = xsalsa20poly1305(secret, Buffer.alloc(24)).encrypt(file('openssl-keys/pkcs8.der'));
    const text = changed('_keys/cosign.key', (json) => {
      json.kdf = { name: 'scrypt', params, salt: encodeBase64(Buffer.alloc(32)) };
      json.cipher.nonce = encodeBase64(Buffer.alloc(24));
      json.ciphertext = encodeBase64(ciphertext);
    });
    assert.equal(encodePublicKey((await decode(text, 'pw')).publicKey), file('openssl-keys/p256.pub').toString());
  });
});

describe('names what it does not take', () => {
  const unsupported = {
    '_keys/k1.pem': /of type secp256k1/,
    '_keys/rsa1024.pem': /of type RSA with 1024 bits/,
    'openssl-keys/p224.pem': /of type P-224/,
    'openssl-keys/brainpool.pem': /of type brainpoolP256r1/,
    'openssl-keys/ed448.pem': /of type Ed448/,
    'openssl-keys/x25519.pem': /of type X25519/,
    'openssl-keys/rsa-pss.pem': /of type RSA-PSS/,
    'openssl-keys/rsa-e3.pem': /of type RSA with the exponent 3/,
    'openssl-keys/explicit-parameters.pem': /of type EC with explicit parameters/,
    'openssl-keys/openssh.pem': /OpenSSH private key, expected PEM \(ssh-keygen -p -m PKCS8 -f FILE converts it\)/,
    'openssl-keys/traditional-encrypted.pem': /encrypted in OpenSSL's old way, expected encrypted PKCS#8/,
    'openssl-keys/pbes1.pem': /encrypted with the encryption 1\.2\.840\.113549\.1\.12\.1\.3, expected PBES2/,
    'openssl-keys/certificate.pem': /is a certificate, expected a key/,
  };
  for (const [name, pattern] of Object.entries(unsupported)) {
    test(name, async () => refused(decode(file(name), 'pw'), 'key-unsupported', pattern));
  }

  test('another key derivation', async () => {
    const text = changed('_keys/cosign.key', (json) => {
      json.kdf.name = 'argon2id';
    });
    await refused(decode(text, 'pw'), 'key-unsupported', /encrypted with argon2id, expected scrypt/);
  });

  test('another cipher or pseudo-random function in PKCS #8', async () => {
    const rc2 = sequence(oid('2a864886f70d0302'), tlv('04', '00'.repeat(8)));
    await refused(
      decode(pbes2(pbkdf2('02020800', HMAC_SHA256), rc2), 'pw'),
      'key-unsupported',
      /the cipher 1\.2\.840\.113549\.3\.2, expected AES-CBC/,
    );
    const gost = pbkdf2('02020800', oid('2a85030701010402'));
    await refused(decode(pbes2(gost, AES_256), 'pw'), 'key-unsupported', /the pseudo-random function 1\.2\.643\./);
  });

  test('another cipher', async () => {
    const text = changed('_keys/cosign.key', (json) => {
      json.cipher.name = 'aes\u001b';
    });
    await refused(decode(text, 'pw'), 'key-unsupported', /encrypted with aes\\u\{1b\}, expected nacl\/secretbox/);
  });
});

describe('says that it was given a public key', () => {
  for (const name of ['_keys/cosign.pub', 'openssl-keys/p256.pub.der', 'openssl-keys/rsa2560.pkcs1.pub']) {
    test(name, async () => refused(decode(file(name)), 'key-is-public', /holds a public key, expected a private one/));
  }
  test('as JWK', async () => refused(decode('{"kty":"OKP","crv":"Ed25519","x":"AA"}'), 'key-is-public', /./));
});

describe('refuses a key whose halves do not belong together', () => {
  const mine = createPrivateKey(file('_keys/p256.pem')).export({ format: 'jwk' });
  const other = createPrivateKey(file('openssl-keys/pkcs8.pem')).export({ format: 'jwk' });

  test('ECDSA, as JWK', async () => {
    await refused(
      decode(JSON.stringify({ ...mine, x: other.x, y: other.y })),
      'key-malformed',
      /do not belong together|make no private key/,
    );
  });

  test('ECDSA, as PEM', async () => {
    const der = Buffer.from(file('openssl-keys/pkcs8.der'));
    const point = Buffer.from(`${mine.x}`, 'base64url');
    Buffer.concat([point, Buffer.from(`${mine.y}`, 'base64url')]).copy(der, der.length - 64);
    await refused(decode(encodePem('PRIVATE KEY', der)), 'key-malformed', /do not belong together|broken P-256/);
  });

  test('Ed25519', async () => {
    const { x } = createPrivateKey(file('_keys/ed25519.pem')).export({ format: 'jwk' });
    const { d } = (await generatePrivateKey('ed25519')).object.export({ format: 'jwk' });
    await refused(decode(JSON.stringify({ kty: 'OKP', crv: 'Ed25519', x, d })), 'key-malformed', /make no private key/);
  });

  test('RSA', async () => {
    const jwk = createPrivateKey(file('_keys/rsa2048.pem')).export({ format: 'jwk' });
    const { n } = createPrivateKey(file('openssl-keys/rsa2560.pem')).export({ format: 'jwk' });
    await refused(decode(JSON.stringify({ ...jwk, n })), 'key-malformed', /./);
  });
});

describe('refuses as no key', () => {
  const broken: Readonly<Record<string, readonly [string, RegExp]>> = {
    'an encrypted key without its salt': [
      changed('_keys/cosign.key', (json) => Object.assign(json.kdf, { salt: 1 })),
      /no text 'salt'/,
    ],
    'an encrypted key without costs': [
      changed('_keys/cosign.key', (json) => Object.assign(json.kdf, { params: [] })),
      /no object 'params'/,
    ],
    'a cost that is no whole number': [
      changed('_keys/cosign.key', (json) => Object.assign(json.kdf.params, { N: 1.5 })),
      /no whole number 'N'/,
    ],
    'a cost that is no power of two': [
      changed('_keys/cosign.key', (json) => Object.assign(json.kdf.params, { N: 65535 })),
      /expected a power of two/,
    ],
    'a cost below one': [
      changed('_keys/cosign.key', (json) => Object.assign(json.kdf.params, { p: 0 })),
      /expected a power of two above 1 and positive factors/,
    ],
    'a short nonce': [
      changed('_keys/cosign.key', (json) => Object.assign(json.cipher, { nonce: 'AAAA' })),
      /a nonce of 3 bytes, expected 24/,
    ],
    'an encrypted private key with more in it than belongs there': [
      encodePem('ENCRYPTED PRIVATE KEY', pbes2(pbkdf2('02020800', HMAC_SHA256), AES_256, '0500')),
      /holds a broken encrypted private key/,
    ],
    'an encrypted private key with a padded cost': [
      encodePem('ENCRYPTED PRIVATE KEY', pbes2(pbkdf2('0203000800', HMAC_SHA256), AES_256)),
      /holds a broken encrypted private key/,
    ],
    'two private keys': [file('_keys/p384.pem').toString() + file('_keys/p521.pem').toString(), /2 keys/],
    'an encrypted private key with nothing in it': [
      encodePem('ENCRYPTED PRIVATE KEY', Buffer.from('30053001000400', 'hex')),
      /holds/,
    ],
  };
  for (const [name, [text, pattern]] of Object.entries(broken)) {
    test(name, async () => refused(decode(text, 'pw'), 'key-malformed', pattern));
  }
});

test('no message repeats a secret', async () => {
  const secrets = [
    '{"kty":"OKP","crv":"Ed25519","d":"c2VjcmV0c2VjcmV0","x":',
    '{"kty":"OKP","crv":"Ed25519","d":"c2VjcmV0c2VjcmV0","x":7}',
    '{"kty":"EC","crv":"P-256","d":"c2VjcmV0c2VjcmV0","x":"AQ","y":"AQ"}',
    'c2VjcmV0c2VjcmV0',
    '-----BEGIN c2VjcmV0c2VjcmV0 PRIVATE KEY-----',
    '-----BEGIN PRIVATE KEY-----\nc2VjcmV0c2VjcmV0*\n-----END PRIVATE KEY-----',
    '-----BEGIN PRIVATE KEY-----\nc2VjcmV0c2VjcmV0\n-----END PRIVATE KEY-----',
  ];
  for (const secret of secrets) {
    await assert.rejects(decode(secret, 'c2VjcmV0c2VjcmV0'), (error) => {
      assert.ok(error instanceof CodedError, String(error));
      assert.ok(
        !error.message.includes('c2Vj') && error.cause === undefined,
        `${error.message} (${String(error.cause)})`,
      );
      return true;
    });
  }
  await assert.rejects(decode(file('_keys/cosign.key'), 'hunter2'), (error) => !String(error).includes('hunter2'));
});
