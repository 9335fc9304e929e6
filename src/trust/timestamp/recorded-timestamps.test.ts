// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeCertificates } from '../certificate/certificate-chain.ts';
import { DerReader } from '../der/der-reader.ts';
import { GOLDEN, goldenBundles, signatureOf } from '../log/golden-bundle.fixture.ts';
import { timestampAuthority } from './timestamp-authority.ts';
import { decodeTimestampRequest, encodeTimestampRequest } from './timestamp-request.ts';
import { decodeTimestampResponse } from './timestamp-response.ts';
import { verifyTimestamp } from './verify-timestamp.ts';

const chain = decodeCertificates(readFileSync(join(GOLDEN, '_stack/tsa-chain.pem')), 'tsa-chain.pem');
const authorities = [timestampAuthority(chain, { validFor: { start: new Date('2026-11-22T05:59:56Z') } })];
const recorded = [...goldenBundles(['keyless-3.1.1-rekor1-tsa', 'keyless-3.1.1-tsa-only'])].flatMap(([path, bundle]) =>
  bundle.timestamps.map((timestamp) => ({ path, timestamp, signature: signatureOf(bundle) })),
);

describe('what a real timestamp authority gave the real cosign', () => {
  test('is accepted, in every bundle', () => {
    assert.equal(recorded.length, 8);
    for (const { path, timestamp, signature } of recorded) {
      const check = verifyTimestamp(timestamp, signature, authorities);
      assert.ok(check.kind === 'accepted', `${path}: ${JSON.stringify(check)}`);
      assert.match(check.time.toISOString(), /^2026-11-22T07:0/);
    }
  });

  test('is rejected for the signature of another bundle', () => {
    for (const { timestamp, signature } of recorded)
      for (const other of recorded) {
        if (Buffer.compare(other.signature, signature) === 0) continue;
        const check = verifyTimestamp(timestamp, other.signature, authorities);
        assert.ok(check.kind === 'rejected' && check.rejection.code === 'timestamp-imprint-mismatch');
      }
  });

  test('is rejected before the authority was trusted', () => {
    const late = [timestampAuthority(chain, { validFor: { start: new Date('2026-11-23') } })];
    for (const { timestamp, signature } of recorded) {
      const check = verifyTimestamp(timestamp, signature, late);
      assert.ok(check.kind === 'rejected' && check.rejection.code === 'timestamp-authority-not-trusted');
    }
  });

  test('is rejected with any octet changed, but for those that nobody signs and that say nothing', () => {
    const ignored = new Map<string, number>();
    for (const { timestamp, signature } of recorded.slice(0, 1))
      for (const at of timestamp.keys()) {
        const check = verifyTimestamp(timestamp.with(at, (timestamp[at] ?? 0) ^ 1), signature, authorities);
        if (check.kind === 'accepted') ignored.set(unsignedPlace(timestamp, at), at);
      }
    assert.deepEqual([...ignored.keys()].toSorted(), ['digest algorithms', 'status', 'version']);
  });

  test('is rejected, in codes, whatever is changed', () => {
    const edits = fc.array(fc.record({ at: fc.nat(), octet: fc.nat(255), cut: fc.nat(2) }), {
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(fc.constantFrom(...recorded), edits, ({ timestamp, signature }, all) => {
        const changed = all.reduce<Uint8Array>((bytes, { at, octet, cut }) => {
          const place = at % (bytes.length + 1);
          return Uint8Array.from([...bytes.subarray(0, place), octet, ...bytes.subarray(place + cut)]);
        }, timestamp);
        const check = verifyTimestamp(changed, signature, authorities);
        assert.ok(check.kind === 'rejected' || changed.length === timestamp.length);
      }),
      { numRuns: 500 },
    );
  });

  test('answers a request that is read and written as cosign wrote it', () => {
    const query = readFileSync(join(GOLDEN, '_http/POST-tsa_api_v1_timestamp.req'));
    const request = decodeTimestampRequest(query);
    assert.deepEqual([request.certificates, request.nonce], [false, undefined]);
    assert.deepEqual(Buffer.from(encodeTimestampRequest(request)), query);
    const response = decodeTimestampResponse(readFileSync(join(GOLDEN, '_http/POST-tsa_api_v1_timestamp.resp')));
    assert.ok(response.kind === 'granted');
    assert.deepEqual(Buffer.from(response.token.info.imprint.bytes), Buffer.from(request.digest.bytes));
  });
});

/** The names of the places in a response that are outside of what is signed. */
function unsignedPlace(timestamp: Uint8Array, at: number): string {
  const response = new DerReader(timestamp, 'it').sequence();
  const within = (octets: Uint8Array): boolean =>
    at >= octets.byteOffset - timestamp.byteOffset && at < octets.byteOffset - timestamp.byteOffset + octets.length;
  if (within(response.element())) return 'status';
  const contentInfo = response.sequence();
  contentInfo.oid();
  const signedData = contentInfo.enter(0xa0).sequence();
  if (within(signedData.element())) return 'version';
  if (within(signedData.element())) return 'digest algorithms';
  return `octet ${at}`;
}
