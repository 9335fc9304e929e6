// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { generatePrivateKey } from '../key/private-key.ts';
import { noteKeyHash } from '../log/note-key.ts';
import { decodeClientTrustConfig } from './client-trust-config.ts';
import { encodeClientTrustConfig } from './encode-client-trust-config.ts';
import { encodeSigningConfig } from './encode-signing-config.ts';
import { encodeTrustedRoot } from './encode-trusted-root.ts';
import { decodeSigningConfig, type Service, type ServiceChoice, type SigningConfig } from './signing-config.ts';
import { decodeTrustedRoot, type TrustedRoot } from './trusted-root.ts';

const stack = join(import.meta.dirname, '../../../test/golden/_stack');
const recorded = readFileSync(join(stack, 'trusted_root.json'));
const configs = ['both', 'none', 'rekor2-tsa'];

function json(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes).toString());
}

/** The root of the public instance, from the package that ships it. */
function publicRoot(): Buffer {
  const path = createRequire(import.meta.url).resolve('@sigstore/tuf/seeds.json');
  const seeds = JSON.parse(readFileSync(path, 'utf8')) as Record<string, { targets: Record<string, string> }>;
  const [seed] = Object.values(seeds);
  const encoded = seed?.targets['trusted_root.json'];
  assert.ok(encoded !== undefined);
  return Buffer.from(encoded, 'base64');
}

describe('writes a trusted root', () => {
  test('that has every field of the one that the real tools use', () => {
    assert.deepEqual(json(encodeTrustedRoot(decodeTrustedRoot(recorded, 'recorded'))), json(recorded));
  });

  test('of the public instance, in its own order and words', () => {
    const theirs = publicRoot();
    const root = decodeTrustedRoot(theirs, 'public');
    assert.deepEqual(root.skipped, []);
    const again = decodeTrustedRoot(encodeTrustedRoot(root), 'again');
    assert.deepEqual(parts(again), parts(root));
    assert.deepEqual(json(encodeTrustedRoot(again)), json(encodeTrustedRoot(root)));
  });

  test('with the oldest of each kind first', () => {
    const root = decodeTrustedRoot(recorded, 'recorded');
    const [log] = root.logs;
    const [certificateLog] = root.certificateLogs;
    const [authority] = root.certificateAuthorities;
    const [clock] = root.timestampAuthorities;
    assert.ok(log && certificateLog && authority && clock);
    const old = { start: new Date('2020-01-01T00:00:00Z'), end: new Date('2021-01-01T00:00:00.5Z') };
    const written = encodeTrustedRoot({
      ...root,
      logs: [log, { ...log, validFor: old }],
      certificateLogs: [certificateLog, { ...certificateLog, validFor: old }],
      certificateAuthorities: [authority, { ...authority, validFor: old }],
      timestampAuthorities: [clock, { ...clock, issuer: { ...clock.issuer, validFor: old } }],
    });
    const again = decodeTrustedRoot(written, 'again');
    for (const first of [
      again.logs[0],
      again.certificateLogs[0],
      again.certificateAuthorities[0],
      again.timestampAuthorities[0]?.issuer,
    ])
      assert.deepEqual(first?.validFor, old);
  });

  test('with who operates each service, in version 0.2 only', () => {
    const root = decodeTrustedRoot(recorded, 'recorded');
    const operator = 'lab.example';
    const operated: TrustedRoot = {
      logs: root.logs.map((log) => ({ ...log, operator, checkpointKeyId: Uint8Array.of(1, 2, 3, 4) })),
      certificateLogs: root.certificateLogs.map((log) => ({ ...log, operator })),
      certificateAuthorities: root.certificateAuthorities.map((authority) => ({ ...authority, operator })),
      timestampAuthorities: root.timestampAuthorities.map((authority) => ({ ...authority, operator })),
      skipped: [],
    };
    const newer = decodeTrustedRoot(encodeTrustedRoot(operated, { version: '0.2' }), 'newer');
    assert.deepEqual(parts(newer), parts(operated));
    assert.equal(Buffer.from(encodeTrustedRoot(operated)).includes('operator'), false);
  });

  test('with the id of a Rekor v2 log as its clients look for it: the whole hash of the key under its host', async () => {
    const { publicKey } = await generatePrivateKey('ed25519');
    const root: TrustedRoot = {
      ...decodeTrustedRoot(recorded, 'recorded'),
      logs: [
        {
          baseUrl: 'http://127.0.0.2:3003',
          publicKey,
          logId: noteKeyHash('127.0.0.2', publicKey),
          validFor: { start: new Date('2026-01-01T00:00:00Z') },
        },
      ],
    };
    const [log] = decodeTrustedRoot(encodeTrustedRoot(root), 'again').logs;
    assert.equal(log?.logId.length, 32);
    assert.deepEqual(Buffer.from(log.logId), noteKeyHash('127.0.0.2', publicKey));
  });

  test('never with a log that would be trusted at all times, or whose key has no name', async () => {
    const root = decodeTrustedRoot(recorded, 'recorded');
    const [log] = root.logs;
    assert.ok(log !== undefined);
    const { baseUrl, publicKey, logId } = log;
    const always = { ...root, logs: [{ baseUrl, publicKey, logId }] };
    assert.throws(() => encodeTrustedRoot(always), { code: 'trusted-root-malformed', message: /logs\[0\]/ });
    const odd = { ...root, certificateLogs: [{ publicKey: { ...publicKey, algorithm: 'rsa-2500' as const } }] };
    assert.throws(() => encodeTrustedRoot(odd), { code: 'key-unsupported', message: /rsa-2500/ });
  });
});

describe('writes a signing config', () => {
  for (const name of configs)
    test(`that has every field of sc-${name}.json`, () => {
      const theirs = readFileSync(join(stack, `sc-${name}.json`));
      assert.deepEqual(json(encodeSigningConfig(decodeSigningConfig(theirs, name))), json(theirs));
    });

  test('that reads back as what was written, whatever it was', () => {
    fc.assert(
      fc.property(signingConfigs, (config) => {
        assert.deepEqual(decodeSigningConfig(encodeSigningConfig(config), 'again'), config);
      }),
    );
  });
});

test('writes a client trust config, with both', () => {
  const config = {
    trustedRoot: decodeTrustedRoot(recorded, 'recorded'),
    signingConfig: decodeSigningConfig(readFileSync(join(stack, 'sc-both.json')), 'sc-both.json'),
  };
  const again = decodeClientTrustConfig(encodeClientTrustConfig(config), 'again');
  assert.deepEqual(again.signingConfig, config.signingConfig);
  assert.deepEqual(json(encodeTrustedRoot(again.trustedRoot)), json(recorded));
});

const times = fc.date({ min: new Date(0), max: new Date('2099-01-01T00:00:00Z'), noInvalidDate: true });
const periods = fc
  .tuple(times, times, fc.boolean())
  .map(([a, b, ends]) => (ends ? { start: a < b ? a : b, end: a < b ? b : a } : { start: a }));
const services: fc.Arbitrary<Service> = fc
  .record(
    {
      url: fc.webUrl({ validSchemes: ['http', 'https'] }),
      majorApiVersion: fc.nat(),
      operator: fc.string({ unit: 'grapheme' }),
      validFor: fc.option(periods, { nil: undefined }),
    },
    { noNullPrototype: true },
  )
  .map(({ validFor, ...service }) => ({ ...service, ...(validFor === undefined ? {} : { validFor }) }));
const choices: fc.Arbitrary<ServiceChoice> = fc.oneof(
  fc.constantFrom<ServiceChoice>({ kind: 'none' }, { kind: 'any' }, { kind: 'all' }),
  fc.integer({ min: 1, max: 100 }).map((count) => ({ kind: 'exact' as const, count })),
);
const signingConfigs: fc.Arbitrary<SigningConfig> = fc.record(
  {
    certificateAuthorities: fc.array(services, { maxLength: 4 }),
    identityProviders: fc.array(services, { maxLength: 4 }),
    logs: fc.array(services, { maxLength: 4 }),
    logChoice: choices,
    timestampAuthorities: fc.array(services, { maxLength: 4 }),
    timestampChoice: choices,
  },
  { noNullPrototype: true },
);

/** What a root says, without objects of the runtime, which compare by nothing useful. */
function parts(root: TrustedRoot): unknown {
  const der = (chain: readonly { readonly der: Uint8Array }[]): readonly string[] =>
    chain.map((certificate) => Buffer.from(certificate.der).toString('base64'));
  const hex = (bytes: Uint8Array | undefined): string | undefined => bytes && Buffer.from(bytes).toString('hex');
  return {
    logs: root.logs.map(({ publicKey, logId, checkpointKeyId, ...log }) => [
      log,
      publicKey.hint,
      hex(logId),
      hex(checkpointKeyId),
    ]),
    certificateLogs: root.certificateLogs.map(({ publicKey, ...log }) => [log, publicKey.hint]),
    certificateAuthorities: root.certificateAuthorities.map(({ chain, ...authority }) => [authority, der(chain)]),
    timestampAuthorities: root.timestampAuthorities.map(({ leaf, issuer: { chain, ...issuer }, ...authority }) => [
      authority,
      issuer,
      der(leaf === undefined ? chain : [leaf, ...chain]),
    ]),
  };
}
