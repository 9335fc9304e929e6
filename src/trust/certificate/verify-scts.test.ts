// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import * as der from '../der/der-writer.ts';
import { keySigner } from '../key/signer.ts';
import { newTestKey, newTestKeys, newTestStack, NOW, type TestKey, type TestKeys } from './authority.fixture.ts';
import { encodeExtension } from './build-certificate.ts';
import type { CertificateRejectionCode } from './certificate-rejection.ts';
import type { Certificate } from './certificate.ts';
import { ExtensionOid } from './object-identifier.ts';
import { embeddedScts, encodeSctList, precertificateEntry, signSct, type SignedCertificateTimestamp } from './sct.ts';
import { verifyScts, type CertificateLog, type SctCheck } from './verify-scts.ts';

let keys: TestKeys;
let log: TestKey;
let otherLog: TestKey;
let issuer: Certificate;
let plain: Certificate;
before(async () => {
  keys = await newTestKeys();
  [log, otherLog] = await Promise.all([newTestKey(), newTestKey('rsa-2048')]);
  const stack = await newTestStack(keys);
  [issuer, plain] = [stack.intermediate, stack.leaf];
});

const TIME = NOW.getTime();

/** The timestamp of a log for a certificate that has none yet. */
async function timestamp(
  by: TestKey,
  certificate: Certificate = plain,
  time = TIME,
): Promise<SignedCertificateTimestamp> {
  return signSct(keySigner(by.private), precertificateEntry(certificate, issuer), time);
}

/** The certificate with these timestamps in it. */
async function withScts(...scts: readonly SignedCertificateTimestamp[]): Promise<Certificate> {
  return (await newTestStack(keys, { leaf: { extensions: { scts: encodeSctList(scts) } } })).leaf;
}

function logs(...of: readonly TestKey[]): readonly CertificateLog[] {
  return of.map((key) => ({ publicKey: key.private.publicKey }));
}

function rejects(check: SctCheck, code: CertificateRejectionCode, found?: RegExp): void {
  assert.ok(check.kind === 'rejected', check.kind);
  assert.equal(check.rejection.code, code, JSON.stringify(check.rejection));
  if (found !== undefined) assert.match(check.rejection.found, found);
}

test('accepts a certificate that a trusted log has promised to enter', async () => {
  const sct = await timestamp(log);
  const check = verifyScts(await withScts(sct), issuer, logs(otherLog, log));
  assert.ok(check.kind === 'accepted', JSON.stringify(check));
  assert.deepEqual(
    check.scts.map(({ timestamp: time }) => time),
    [TIME],
  );
});

test('accepts the timestamp of a log with an RSA key', async () => {
  assert.equal(verifyScts(await withScts(await timestamp(otherLog)), issuer, logs(otherLog)).kind, 'accepted');
});

test('accepts a timestamp with extensions, as static logs write them', async () => {
  const extensions = Buffer.from('0000050000000001', 'hex');
  const sct = await signSct(keySigner(log.private), precertificateEntry(plain, issuer), TIME, extensions);
  assert.equal(verifyScts(await withScts(sct), issuer, logs(log)).kind, 'accepted');
  rejects(
    verifyScts(await withScts({ ...sct, extensions: new Uint8Array() }), issuer, logs(log)),
    'sct-signature-invalid',
  );
});

test('accepts a timestamp that came beside the certificate', async () => {
  const sct = await signSct(keySigner(log.private), { kind: 'certificate', der: plain.der }, TIME);
  assert.equal(verifyScts(plain, issuer, logs(log), { detached: [sct] }).kind, 'accepted');
});

test('a bad timestamp takes nothing away from a good one', async () => {
  const stranger = await newTestKey();
  const bad = { ...(await timestamp(log)), timestamp: TIME + 1 };
  const certificate = await withScts(await timestamp(stranger), bad, await timestamp(log));
  assert.equal(verifyScts(certificate, issuer, logs(log)).kind, 'accepted');
});

describe('counts logs, not timestamps', () => {
  test('two of one log count once', async () => {
    const certificate = await withScts(await timestamp(log), await timestamp(log, plain, TIME + 1));
    rejects(
      verifyScts(certificate, issuer, logs(log, otherLog), { threshold: 2 }),
      'sct-threshold',
      /^2 certificate timestamps by 1 trusted/,
    );
  });
  test('one embedded and one detached of one log count once', async () => {
    const certificate = await withScts(await timestamp(log));
    const detached = [await signSct(keySigner(log.private), { kind: 'certificate', der: certificate.der }, TIME)];
    assert.equal(verifyScts(certificate, issuer, logs(log), { detached }).kind, 'accepted');
    rejects(verifyScts(certificate, issuer, logs(log), { detached, threshold: 2 }), 'sct-threshold');
  });
  test('one log that is listed twice counts once', async () => {
    const certificate = await withScts(await timestamp(log));
    rejects(verifyScts(certificate, issuer, logs(log, log), { threshold: 2 }), 'sct-threshold');
  });
  test('two logs count twice', async () => {
    const certificate = await withScts(await timestamp(log), await timestamp(otherLog));
    assert.equal(verifyScts(certificate, issuer, logs(log, otherLog), { threshold: 2 }).kind, 'accepted');
    rejects(verifyScts(certificate, issuer, logs(log, otherLog), { threshold: 3 }), 'sct-threshold');
  });
  test('a threshold of none still wants one', async () => {
    rejects(verifyScts(plain, issuer, logs(log), { threshold: 0 }), 'sct-missing');
  });
});

describe('rejects', () => {
  test('a certificate without a timestamp', () => rejects(verifyScts(plain, issuer, logs(log)), 'sct-missing'));

  test('the timestamp of another certificate', async () => {
    const other = (await newTestStack(keys, { leaf: { notAfter: new Date('2026-06-01T00:11:00Z') } })).leaf;
    rejects(verifyScts(await withScts(await timestamp(log, other)), issuer, logs(log)), 'sct-signature-invalid');
  });

  test('the timestamp of a certificate by another issuer', async () => {
    const certificate = await withScts(await timestamp(log));
    rejects(verifyScts(certificate, plain, logs(log)), 'sct-signature-invalid');
  });

  test('a timestamp by an unknown log', async () => {
    const certificate = await withScts(await timestamp(log));
    rejects(verifyScts(certificate, issuer, logs(otherLog)), 'sct-log-unknown');
    const none = verifyScts(certificate, issuer, []);
    rejects(none, 'sct-log-unknown');
    assert.ok(none.kind === 'rejected' && /none is given/.test(none.rejection.expected));
  });

  test('a timestamp by an unknown log in the name of a trusted one', async () => {
    const { logId } = await timestamp(log);
    const forged = { ...(await timestamp(await newTestKey())), logId };
    rejects(verifyScts(await withScts(forged), issuer, logs(log)), 'sct-signature-invalid');
  });

  test('a timestamp whose time was changed', async () => {
    const certificate = await withScts({ ...(await timestamp(log)), timestamp: TIME - 1 });
    rejects(verifyScts(certificate, issuer, logs(log)), 'sct-signature-invalid');
  });

  test('a timestamp that says it was signed in another way', async () => {
    const sct = await timestamp(log);
    for (const change of [{ hashAlgorithm: 5 }, { signatureAlgorithm: 1 }, { signatureAlgorithm: 0 }])
      rejects(verifyScts(await withScts({ ...sct, ...change }), issuer, logs(log)), 'sct-signature-invalid');
  });

  test('a detached timestamp embedded, and an embedded one detached', async () => {
    const detached = await signSct(keySigner(log.private), { kind: 'certificate', der: plain.der }, TIME);
    rejects(verifyScts(await withScts(detached), issuer, logs(log)), 'sct-signature-invalid');
    rejects(verifyScts(plain, issuer, logs(log), { detached: [await timestamp(log)] }), 'sct-signature-invalid');
  });

  test('a timestamp from outside the period in which its log is trusted', async () => {
    const certificate = await withScts(await timestamp(log));
    const trusted = (start: number, end?: number): readonly CertificateLog[] => [
      {
        publicKey: log.private.publicKey,
        validFor: { start: new Date(start), ...(end === undefined ? {} : { end: new Date(end) }) },
      },
    ];
    assert.equal(verifyScts(certificate, issuer, trusted(TIME)).kind, 'accepted');
    assert.equal(verifyScts(certificate, issuer, trusted(TIME - 1, TIME)).kind, 'accepted');
    rejects(verifyScts(certificate, issuer, trusted(TIME + 1)), 'sct-log-not-trusted');
    rejects(verifyScts(certificate, issuer, trusted(TIME - 2, TIME - 1)), 'sct-log-not-trusted');
    const twice = [...trusted(TIME + 1), ...trusted(TIME - 1, TIME)];
    assert.equal(verifyScts(certificate, issuer, twice).kind, 'accepted');
  });

  test('a list that cannot be read', async () => {
    const sct = await timestamp(log);
    const good = (await withScts(sct)).extensions.get(ExtensionOid.sctList)?.value ?? new Uint8Array();
    const tls = good.subarray(good[1] === 0x81 ? 3 : 2);
    const lists: Readonly<Record<string, Uint8Array>> = {
      empty: der.octetString(Uint8Array.of(0, 0)),
      'not an octet string': der.nullValue(),
      'beside something else': Buffer.concat([good, der.nullValue()]),
      'cut off': der.octetString(tls.subarray(0, -1)),
      'with something behind': der.octetString(tls, Uint8Array.of(0)),
      'of version 2': der.octetString(tls.subarray(0, 4), Uint8Array.of(1), tls.subarray(5)),
      'with a time beyond all counting': der.octetString(tls.subarray(0, 37), Buffer.alloc(8, 0xff), tls.subarray(45)),
    };
    for (const [name, value] of Object.entries(lists)) {
      const extensions = { scts: encodeExtension(ExtensionOid.sctList, value) };
      const { leaf } = await newTestStack(keys, { leaf: { extensions } });
      const check = verifyScts(leaf, issuer, logs(log));
      assert.ok(check.kind === 'rejected' && check.rejection.code === 'sct-malformed', name);
    }
  });

  test('a crowd of timestamps', async () => {
    const sct = await timestamp(log);
    assert.equal(embeddedScts(await withScts(...Array.from({ length: 16 }, () => sct))).length, 16);
    rejects(
      verifyScts(await withScts(...Array.from({ length: 17 }, () => sct)), issuer, logs(log)),
      'sct-malformed',
      /more than 16/,
    );
  });
});
