// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { decodeSigningConfig, type Service, type SigningConfig } from '../../trust/index.ts';
import { silentServer } from '../token/token-transport.fixture.ts';
import { chooseSigningServices, namedServices, openWitnesses } from './signing-services.ts';

const STACK = join(import.meta.dirname, '../../../test/golden/_stack');
const now = new Date('2026-11-22T07:00:00Z');
const recorded = (name: string): SigningConfig => decodeSigningConfig(readFileSync(join(STACK, name)), name);
const BASE = 'http://localhost:5570';

describe('the services of a signing config', () => {
  it('are those that cosign 3 takes: the newest log, and a clock with it', () => {
    assert.deepEqual(chooseSigningServices(recorded('sc-both.json'), { now, certificate: true }), {
      certificateAuthority: { url: `${BASE}/fulcio` },
      logs: [{ url: `${BASE}/rekor2`, majorApiVersion: 2 }],
      timestampAuthorities: [{ url: `${BASE}/tsa/api/v1/timestamp` }],
      identityProvider: { url: `${BASE}/oidc` },
    });
  });

  it('are an older log for a format that has no place for the newest', () => {
    const { logs } = chooseSigningServices(recorded('sc-both.json'), { now, certificate: true, logVersions: [1] });
    assert.deepEqual(logs, [{ url: `${BASE}/rekor1`, majorApiVersion: 1 }]);
  });

  it('are none but the log and the clock where one has a key, and nothing where the config says so', () => {
    const services = chooseSigningServices(recorded('sc-both.json'), { now, certificate: false });
    assert.deepEqual(Object.keys(services), ['logs', 'timestampAuthorities']);
    const none = chooseSigningServices(recorded('sc-none.json'), { now, certificate: true });
    assert.deepEqual([none.logs, none.timestampAuthorities], [[], []]);
  });

  it('must say when a certificate was used: a log of Rekor v2 alone does not, and is enough for a key', () => {
    const alone: SigningConfig = { ...recorded('sc-rekor2-tsa.json'), timestampAuthorities: [] };
    assert.throws(() => chooseSigningServices(alone, { now, certificate: true }), {
      code: 'timestamp-required',
      message: /name a timestamp authority as well/,
    });
    assert.equal(chooseSigningServices(alone, { now, certificate: false }).logs.length, 1);
  });

  it('must be there: a certificate authority, valid now and of a version that is spoken here', () => {
    const config = recorded('sc-both.json');
    const without = { ...config, certificateAuthorities: [] };
    assert.throws(() => chooseSigningServices(without, { now, certificate: true }), { code: 'authority-missing' });
    const [authority] = config.certificateAuthorities as readonly [Service];
    const newer = { ...config, certificateAuthorities: [{ ...authority, majorApiVersion: 9 }] };
    assert.throws(() => chooseSigningServices(newer, { now, certificate: true }), { code: 'service-missing' });
    const before = new Date('2020-01-01T00:00:00Z');
    assert.throws(() => chooseSigningServices(config, { now: before, certificate: true }), { code: 'service-missing' });
  });
});

describe('services that somebody names', () => {
  it('are those, and no others', () => {
    assert.deepEqual(namedServices({}), { logs: [], timestampAuthorities: [] });
    assert.deepEqual(
      namedServices({ fulcio: 'https://f.example', rekor: 'https://r.example/x', issuer: 'https://i.example' }),
      {
        certificateAuthority: { url: 'https://f.example/' },
        logs: [{ url: 'https://r.example/x', majorApiVersion: 1 }],
        timestampAuthorities: [],
        identityProvider: { url: 'https://i.example' },
      },
    );
  });

  it('are refused where an address is none, or has a password, which no message shows', () => {
    for (const addresses of [{ fulcio: 'x' }, { rekor: 'file:///etc/passwd' }, { timestamp: 'https://' }])
      assert.throws(() => namedServices(addresses), { code: 'setting-malformed' });
    assert.throws(
      () => namedServices({ rekor: 'https://me:hunter2@r.example' }),
      ({ code, message }: Error & { code: string }) => code === 'setting-malformed' && !message.includes('hunter2'),
    );
  });

  it('must say when a certificate was used', () => {
    const addresses = { fulcio: 'https://f.example', rekor: 'https://r.example', rekorVersion: 2 } as const;
    assert.throws(() => namedServices(addresses), { code: 'timestamp-required' });
    assert.equal(namedServices({ ...addresses, timestamp: 'https://t.example' }).logs.length, 1);
  });

  it('become witnesses, clocks first, without anybody being asked', () => {
    const silent = silentServer();
    const services = namedServices({ rekor: 'https://r.example', timestamp: 'https://t.example/stamp' });
    const witnesses = openWitnesses(services, { http: silent.client });
    assert.deepEqual(
      witnesses.map(({ kind, name }) => `${kind} ${name}`),
      ['timestamp-authority https://t.example/stamp', 'log https://r.example/'],
    );
    assert.deepEqual(silent.lines(), []);
  });
});
