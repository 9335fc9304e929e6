// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { CLIENT_TRUST_CONFIG_MEDIA_TYPE, decodeClientTrustConfig } from './client-trust-config.ts';
import {
  chooseServices,
  decodeSigningConfig,
  SIGNING_CONFIG_MEDIA_TYPE,
  type Service,
  type ServiceChoice,
} from './signing-config.ts';

const CONFIG = {
  mediaType: SIGNING_CONFIG_MEDIA_TYPE,
  caUrls: [
    {
      url: 'https://fulcio.example.com',
      majorApiVersion: 1,
      validFor: { start: '2026-01-01T00:00:00Z' },
      operator: 'example.com',
    },
  ],
  oidcUrls: [{ url: 'https://issuer.example.com', majorApiVersion: 1 }],
  rekorTlogUrls: [{ url: 'https://log.example.com', majorApiVersion: 2, operator: 'example.com' }],
  rekorTlogConfig: { selector: 'EXACT', count: 1 },
  tsaUrls: [],
  tsaConfig: {},
};

const encode = (value: object): Uint8Array => Buffer.from(JSON.stringify(value));
const decode = (changes: object): unknown => decodeSigningConfig(encode({ ...CONFIG, ...changes }), 'config');

describe('reads a signing config', () => {
  test('of version 0.2', () => {
    const config = decodeSigningConfig(encode(CONFIG), 'config');
    assert.deepEqual(config.certificateAuthorities, [
      {
        url: 'https://fulcio.example.com',
        majorApiVersion: 1,
        validFor: { start: new Date('2026-01-01T00:00:00Z') },
        operator: 'example.com',
      },
    ]);
    assert.deepEqual(config.logChoice, { kind: 'exact', count: 1 });
    assert.deepEqual(config.timestampChoice, { kind: 'none' });
  });

  test('with selectors by name and by number', () => {
    const read = (selector: unknown): unknown =>
      decodeSigningConfig(encode({ ...CONFIG, tsaConfig: { selector } }), 'config').timestampChoice;
    assert.deepEqual(['ALL', 1, 'ANY', 2].map(read), [
      { kind: 'all' },
      { kind: 'all' },
      { kind: 'any' },
      { kind: 'any' },
    ]);
  });

  test('and refuses what is none', () => {
    const malformed = { code: 'signing-config-malformed' };
    assert.throws(() => decode({ mediaType: 'application/vnd.dev.sigstore.signingconfig.v0.1+json' }), {
      code: 'signing-config-unsupported',
      message: /v0\.1/,
    });
    assert.throws(() => decode({ unknown: 1 }), malformed);
    assert.throws(() => decode({ tsaConfig: { selector: 'SOME' } }), malformed);
    assert.throws(() => decode({ tsaConfig: { selector: 'EXACT' } }), malformed);
    assert.throws(() => decode({ tsaUrls: [{ url: 'file:///etc/passwd', majorApiVersion: 1 }] }), malformed);
    assert.throws(() => decode({ tsaUrls: [{ url: 'https://', majorApiVersion: 1 }] }), malformed);
    assert.throws(() => decode({ tsaUrls: Array.from({ length: 257 }, () => ({ url: 'https://a' })) }), malformed);
  });
});

const service = (url: string, majorApiVersion: number, start: string, operator: string, end?: string): Service => ({
  url,
  majorApiVersion,
  validFor: { start: new Date(start), ...(end === undefined ? {} : { end: new Date(end) }) },
  operator,
});

describe('chooses services', () => {
  const now = new Date('2026-06-01T00:00:00Z');
  const choose = (
    services: readonly Service[],
    choice: ServiceChoice,
    versions: readonly number[] = [1, 2],
  ): readonly string[] => chooseServices(services, choice, { versions, now, what: 'log' }).map(({ url }) => url);
  const A1 = service('a1', 1, '2025-01-01', 'a');
  const A2 = service('a2', 2, '2026-01-01', 'a');
  const A2new = service('a2new', 2, '2026-05-01', 'a');
  const A2future = service('a2future', 2, '2027-01-01', 'a');
  const A2past = service('a2past', 2, '2026-05-02', 'a', '2026-05-03');
  const B2 = service('b2', 2, '2026-02-01', 'b');
  const all = [A1, A2, A2new, A2future, A2past, B2];

  test('any: the newest of those that are valid now, of the highest version', () =>
    assert.deepEqual(choose(all, { kind: 'any' }), ['a2new']));
  test('all: one of each operator, newest first', () =>
    assert.deepEqual(choose(all, { kind: 'all' }), ['a2new', 'b2']));
  test('a number of them, of distinct operators', () => {
    assert.deepEqual(choose(all, { kind: 'exact', count: 2 }), ['a2new', 'b2']);
    assert.throws(() => choose(all, { kind: 'exact', count: 3 }), {
      code: 'service-missing',
      message: /wants 3 operators.* 2 can/,
    });
  });
  test('only of a version that is spoken here', () => {
    assert.deepEqual(choose(all, { kind: 'any' }, [1]), ['a1']);
    assert.throws(() => choose(all, { kind: 'any' }, [3]), { code: 'service-missing' });
  });
  test('never one that is not valid now', () =>
    assert.throws(() => choose([A2future, A2past], { kind: 'any' }), { code: 'service-missing' }));
  test('none where none is listed; but it is an error where a number is wanted, or nothing says how many', () => {
    assert.deepEqual(choose([], { kind: 'any' }), []);
    assert.deepEqual(choose([], { kind: 'none' }), []);
    assert.throws(() => choose([], { kind: 'exact', count: 1 }), { code: 'service-missing' });
    assert.throws(() => choose([A1], { kind: 'none' }), { code: 'service-missing' });
  });
});

describe('reads a client trust config', () => {
  const trustedRoot = JSON.parse(
    readFileSync(join(import.meta.dirname, '../../../test/golden/_stack/trusted_root.json'), 'utf8'),
  ) as object;
  const whole = { mediaType: CLIENT_TRUST_CONFIG_MEDIA_TYPE, trustedRoot, signingConfig: CONFIG };

  test('with both of its parts', () => {
    const config = decodeClientTrustConfig(encode(whole), 'it');
    assert.equal(config.trustedRoot.logs.length, 2);
    assert.equal(config.signingConfig.logs.length, 1);
  });

  test('and refuses one without either, of another kind, or with more', () => {
    const malformed = { code: 'client-trust-config-malformed' };
    for (const name of ['mediaType', 'trustedRoot', 'signingConfig'])
      assert.throws(() => decodeClientTrustConfig(encode({ ...whole, [name]: undefined }), 'it'), malformed);
    assert.throws(() => decodeClientTrustConfig(encode({ ...whole, more: 1 }), 'it'), malformed);
    assert.throws(
      () => decodeClientTrustConfig(encode({ ...whole, signingConfig: { ...CONFIG, more: 1 } }), 'it'),
      malformed,
    );
  });
});
