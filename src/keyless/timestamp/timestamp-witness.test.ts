// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import {
  decodeTimestampRequest,
  decodeTimestampResponse,
  encodeTimestampRefusal,
  verifyTimestamp,
  type TimestampFailure,
} from '../../trust/index.ts';
import { CodedError } from '../../wire/index.ts';
import { openSigstoreDouble, SIGNED, TSA, type SigstoreDouble } from '../sigstore-double.fixture.ts';
import { tokenServer } from '../token/token-transport.fixture.ts';
import { timestampWitness } from './timestamp-witness.ts';

const SIGNATURE = Buffer.from('a signature');

describe('asking for a timestamp', () => {
  let double: SigstoreDouble;
  before(async () => {
    double = await openSigstoreDouble();
  });

  const answering = (body: Uint8Array | string, status = 200) => {
    const server = tokenServer(() => ({ status, body }));
    return { server, timestamp: () => timestampWitness({ url: TSA }, { http: server.client }).timestamp(SIGNATURE) };
  };

  it('gets one over this signature, which holds against the trusted root', async () => {
    const { client: http } = double.server;
    const clock = timestampWitness({ url: TSA }, { http });
    assert.equal(clock.name, TSA);
    const check = verifyTimestamp(await clock.timestamp(SIGNATURE), SIGNATURE, double.trustedRoot.timestampAuthorities);
    assert.ok(check.kind === 'accepted' && check.time.getTime() === SIGNED.getTime());
  });

  it('asks for the certificates only where the format needs them, and with another nonce each time', async () => {
    const { client: http } = double.server;
    const nonces = new Set<string>();
    for (const certificates of [false, true]) {
      const response = decodeTimestampResponse(
        await timestampWitness({ url: TSA }, { http, certificates }).timestamp(SIGNATURE),
      );
      assert.ok(response.kind === 'granted');
      assert.equal(response.token.certificates.length > 0, certificates);
      const asked = decodeTimestampRequest(double.server.asked.at(-1)?.body as Uint8Array);
      assert.equal(asked.certificates, certificates);
      assert.deepEqual(Buffer.from(asked.digest.bytes), hash('sha256', SIGNATURE, 'buffer'));
      nonces.add(Buffer.from(asked.nonce ?? []).toString('hex'));
    }
    assert.equal(nonces.size, 2);
    assert.ok([...nonces].every((nonce) => nonce.length === 16));
  });

  it('refuses a timestamp over something else, and one that was made for another request', async () => {
    const { client: http } = double.server;
    const other = await timestampWitness({ url: TSA }, { http }).timestamp(Buffer.from('another signature'));
    await assert.rejects(answering(other).timestamp(), { code: 'answer-mismatch', message: /something else/ });
    const same = await timestampWitness({ url: TSA }, { http }).timestamp(SIGNATURE);
    await assert.rejects(answering(same).timestamp(), { code: 'answer-mismatch', message: /nonce/ });
    const recorded = readFileSync(
      join(import.meta.dirname, '../../../test/golden/_http/POST-tsa_api_v1_timestamp.resp'),
    );
    await assert.rejects(answering(recorded).timestamp(), { code: 'answer-mismatch' });
  });

  it('tells why an authority grants none', async () => {
    const refusal = (failure: TimestampFailure): Uint8Array => encodeTimestampRefusal(failure, 'in its own words');
    await assert.rejects(answering(refusal('badAlg')).timestamp(), {
      code: 'service-refused',
      message: `the timestamp authority ${TSA} grants no timestamp (badAlg: in its own words)`,
    });
    await assert.rejects(answering(refusal('timeNotAvailable')).timestamp(), { code: 'service-unavailable' });
    await assert.rejects(answering('no', 400).timestamp(), { code: 'service-refused' });
    const { server, timestamp } = answering('no', 503);
    await assert.rejects(timestamp(), { code: 'service-unavailable' });
    assert.equal(server.asked.length, 5);
  });

  it('throws nothing but coded errors, whatever is answered', async () => {
    const good = await timestampWitness({ url: TSA }, { http: double.server.client }).timestamp(SIGNATURE);
    await assert.rejects(answering(Buffer.alloc(300_000)).timestamp(), { code: 'too-large' });
    await fc.assert(
      fc.asyncProperty(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const broken = Uint8Array.from(good);
        broken[at] = (broken[at] ?? 0) ^ change;
        await assert.rejects(answering(broken).timestamp(), CodedError);
      }),
      { numRuns: 200 },
    );
  });

  it('refuses an address that is none, before anything is signed', () => {
    assert.throws(() => timestampWitness({ url: 'tsa.example' }, { http: double.server.client }), {
      code: 'setting-malformed',
    });
  });
});
