// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { WireError } from '../../wire/index.ts';
import { TrustError } from '../error.ts';
import { decodePublicKey } from '../key/public-key.ts';
import { decodeCertificates } from './certificate-chain.ts';
import { certificateIdentity } from './certificate-identity.ts';
import { decodeCertificateRequest, verifyCertificateRequest } from './certificate-request.ts';
import { certificateKey, decodeCertificate, type Certificate } from './certificate.ts';
import { describeName } from './distinguished-name.ts';
import { embeddedScts, precertificateEntry } from './sct.ts';
import { verifyChain } from './verify-chain.ts';
import { verifyScts } from './verify-scts.ts';

const golden = join(import.meta.dirname, '../../../test/golden');

function file(path: string): Buffer {
  return readFileSync(join(golden, path));
}

const [intermediate, root] = decodeCertificates(file('_stack/fulcio-chain.pem'), 'it');
assert.ok(root !== undefined);
const authority = { chain: [intermediate, root] } as const;
const [ownLeaf] = decodeCertificates(file('_pki/leaf.crt'), 'it');
const [leaf] = decodeCertificates(file('_http/POST-fulcio_api_v1_signingCert.resp'), 'it');
const logs = [{ publicKey: decodePublicKey(file('_stack/ctfe.pub'), 'it') }];
const used = new Date(leaf.notBefore.getTime() + 60_000);

/** Runs something on bytes from outside; it may refuse them, in its own words. */
function staysTyped(act: () => unknown): void {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof TrustError || error instanceof WireError, String(error));
    assert.ok(error.message.length < 1000 && !error.message.includes('\n'), error.message);
  }
}

/** One to four bytes set, cut out or put in. */
function mutationsOf(seed: Uint8Array): fc.Arbitrary<Uint8Array> {
  const edit = fc.record({
    at: fc.nat(seed.length),
    byte: fc.nat(255),
    cut: fc.nat(2),
    grow: fc.uint8Array({ maxLength: 2 }),
  });
  return fc.array(edit, { minLength: 1, maxLength: 4 }).map((edits) =>
    edits.reduce<Uint8Array>((bytes, { at, byte, cut, grow }) => {
      const position = at % (bytes.length + 1);
      return Buffer.concat([bytes.subarray(0, position), grow, Uint8Array.of(byte), bytes.subarray(position + cut)]);
    }, seed),
  );
}

/** All that verification asks of a leaf. True if it is taken for one that Fulcio issued and a log has. */
function judge(certificate: Certificate): boolean {
  staysTyped(() => certificateKey(certificate, 'it'));
  staysTyped(() => embeddedScts(certificate));
  describeName(certificate.issuer);
  const identity = certificateIdentity(certificate);
  const chain = verifyChain(certificate, [authority], [used], 'code-signing');
  const scts = verifyScts(certificate, intermediate, logs);
  for (const check of [identity, chain, scts]) {
    if (check.kind === 'accepted') continue;
    for (const text of [check.rejection.found, check.rejection.expected])
      assert.ok(text.length < 1000 && !/\p{Cc}/u.test(text), text);
  }
  return chain.kind === 'accepted' && scts.kind === 'accepted';
}

test('the certificate that is mutated is a good one', () => assert.ok(judge(leaf)));

describe('throws nothing but coded errors, and accepts no certificate that nobody issued', () => {
  test('with one byte changed to each other value at each place', () => {
    // Each place is taken; the values are those that turn tags and lengths into others.
    for (let at = 0; at < leaf.der.length; at++) {
      for (const mask of [0x01, 0x02, 0x04, 0x20, 0x80, 0xff]) {
        const bytes = Buffer.from(leaf.der);
        bytes[at] = (bytes[at] ?? 0) ^ mask;
        staysTyped(() => assert.equal(judge(decodeCertificate(bytes, 'it')), false, `${mask} at ${at}`));
      }
    }
  });

  test('cut off at each place', () => {
    for (let length = 0; length < leaf.der.length; length++)
      assert.throws(() => decodeCertificate(leaf.der.subarray(0, length), 'it'), TrustError);
  });

  for (const [name, seed] of Object.entries({
    'by Fulcio': leaf.der,
    'by openssl': ownLeaf.der,
    'of an authority': root.der,
  })) {
    test(`with some bytes changed, ${name}`, () => {
      fc.assert(
        fc.property(mutationsOf(seed), (bytes) => {
          staysTyped(() => {
            const certificate = decodeCertificate(bytes, 'it');
            assert.ok(!judge(certificate) || Buffer.from(seed).equals(bytes));
          });
        }),
        { numRuns: 3000 },
      );
    });
  }

  test('as an authority with some bytes changed', () => {
    fc.assert(
      fc.property(mutationsOf(intermediate.der), (bytes) => {
        staysTyped(() => {
          const issuer = decodeCertificate(bytes, 'it');
          const check = verifyChain(leaf, [{ chain: [issuer, root] }], [used], 'code-signing');
          assert.ok(check.kind === 'rejected' || Buffer.from(intermediate.der).equals(bytes));
          precertificateEntry(leaf, issuer);
        });
      }),
      { numRuns: 3000 },
    );
  });

  test('as a request with some bytes changed', () => {
    const pem = file('_pki/leaf.csr').toString();
    const seed = Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64');
    assert.ok(verifyCertificateRequest(decodeCertificateRequest(seed, 'it')));
    fc.assert(
      fc.property(mutationsOf(seed), (bytes) => {
        staysTyped(() => {
          const verified = verifyCertificateRequest(decodeCertificateRequest(bytes, 'it'));
          assert.ok(!verified || seed.equals(bytes));
        });
      }),
      { numRuns: 3000 },
    );
    fc.assert(
      fc.property(mutationsOf(Buffer.from(pem)), (bytes) => staysTyped(() => decodeCertificateRequest(bytes, 'it'))),
    );
  });

  test('as a file of certificates with some bytes changed', () => {
    const seed = file('_stack/fulcio-chain.pem');
    fc.assert(
      fc.property(mutationsOf(seed), (bytes) => staysTyped(() => decodeCertificates(bytes, 'it'))),
      { numRuns: 1000 },
    );
  });

  test('of any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        staysTyped(() => decodeCertificate(bytes, 'it'));
        staysTyped(() => decodeCertificates(bytes, 'it'));
        staysTyped(() => decodeCertificateRequest(bytes, 'it'));
        describeName(bytes);
      }),
    );
  });
});
