// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { hash, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import {
  decodeTimestampResponse,
  encodeCertificates,
  encodeTimestampRequest,
  timestampAuthority,
  verifyTimestamp,
  type TimestampRequest,
} from '../../trust/index.ts';
import { HttpClient, readBody, serve, type Call, type Reply } from '../../wire/index.ts';
import { createClockGuard, type ClockGuard } from './clock-guard.ts';
import { createTimestampService, type TimestampAuthorityService } from './timestamp-service.ts';
import { newTestAuthority, type TestAuthority } from './timestamp.fixture.ts';

const NOW = new Date('2026-06-01T00:00:05.999Z');
const SIGNATURE = Buffer.from('the signature that is timestamped');
const QUERY = 'application/timestamp-query';

let authority: TestAuthority;
let folder = '';
before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'bulla-timestamp-'));
  authority = await newTestAuthority();
});
after(() => rmSync(folder, { recursive: true, force: true }));

function steadyClock(now: Date = NOW): ClockGuard {
  return createClockGuard({ now: () => now, monotonic: () => 0 });
}

function newService(clock: ClockGuard = steadyClock(), includeChain = false): TimestampAuthorityService {
  return createTimestampService({ issuer: authority.issuer, clock, includeChain });
}

/** A request without a socket; faults are put into words as a server does. */
async function ask(
  { service }: TimestampAuthorityService,
  method: string,
  target: string,
  body: Uint8Array | string = '',
  headers: Call['headers'] = { 'content-type': QUERY },
): Promise<Reply> {
  const bytes = Buffer.from(body);
  const halves = [bytes.subarray(0, bytes.length >> 1), bytes.subarray(bytes.length >> 1)];
  const chunks = (async function* () {
    yield* halves;
  })();
  return service.answer({ method, target, headers, body: chunks }).catch((error: unknown) => service.fault(error));
}

const stamp = (service: TimestampAuthorityService, body: Uint8Array) => ask(service, 'POST', '/api/v1/timestamp', body);

function stampJson(service: TimestampAuthorityService, text: string): Promise<Reply> {
  return ask(service, 'POST', '/api/v1/timestamp', text, { 'content-type': 'application/json; charset=utf-8' });
}

function requestFor(more: Partial<TimestampRequest> = {}): Uint8Array {
  const digest = { algorithm: 'sha256', bytes: hash('sha256', SIGNATURE, 'buffer') } as const;
  return encodeTimestampRequest({ digest, certificates: false, ...more });
}

/** The text of an answer that is not in DER. */
function textOf({ body }: Reply): string {
  assert.ok(typeof body === 'string');
  return body;
}

function bytesOf({ body }: Reply): Uint8Array {
  assert.ok(body instanceof Uint8Array);
  return body;
}

function granted(reply: Reply) {
  assert.equal(reply.status, 201);
  assert.equal(reply.headers['content-type'], 'application/timestamp-reply');
  const response = decodeTimestampResponse(bytesOf(reply));
  assert.ok(response.kind === 'granted');
  return response.token;
}

function refused(reply: Reply, status: number, failure: string, text: RegExp): void {
  assert.equal(reply.status, status);
  assert.equal(reply.headers['content-type'], 'application/timestamp-reply');
  const response = decodeTimestampResponse(bytesOf(reply));
  assert.ok(response.kind === 'refused');
  assert.deepEqual(response.failures, [failure]);
  assert.match(response.text, text);
}

describe('a timestamp authority', () => {
  test('gives a timestamp that verifies, for each digest and with the nonce that was sent', async () => {
    const service = newService();
    for (const algorithm of ['sha256', 'sha384', 'sha512'] as const) {
      const nonce = Buffer.from('8001020304050607', 'hex');
      const digest = { algorithm, bytes: hash(algorithm, SIGNATURE, 'buffer') };
      const reply = await stamp(service, requestFor({ digest, nonce }));
      granted(reply);
      const check = verifyTimestamp(bytesOf(reply), SIGNATURE, [timestampAuthority(authority.chain)], { nonce });
      assert.ok(check.kind === 'accepted', JSON.stringify(check));
      assert.deepEqual(check.time, new Date('2026-06-01T00:00:05Z'));
      assert.deepEqual(check.info.accuracy, { seconds: 1, milliseconds: 0, microseconds: 0 });
      assert.equal(check.info.policy, '1.3.6.1.4.1.57264.2');
    }
  });

  test('sends no certificate unless asked, then its own, or the whole chain where that is set', async () => {
    const without = granted(await stamp(newService(), requestFor()));
    const own = granted(await stamp(newService(), requestFor({ certificates: true })));
    const all = granted(await stamp(newService(undefined, true), requestFor({ certificates: true })));
    const unasked = granted(await stamp(newService(undefined, true), requestFor()));
    const lengths = [without, own, all, unasked].map(({ certificates }) => certificates.length);
    assert.deepEqual(lengths, [0, 1, 3, 0]);
  });

  test('gives each timestamp a number of its own', async () => {
    const service = newService();
    const numbers = new Set<string>();
    for (let round = 0; round < 600; round++) {
      const reply = await stamp(service, requestFor());
      const check = verifyTimestamp(bytesOf(reply), SIGNATURE, [timestampAuthority(authority.chain)]);
      assert.ok(check.kind === 'accepted');
      numbers.add(Buffer.from(check.info.serialNumber).toString('hex'));
    }
    assert.equal(numbers.size, 600);
  });

  test('takes the same in JSON, with a nonce exact to its last digit', async () => {
    const artifactHash = hash('sha256', SIGNATURE, 'base64');
    const text = `{"artifactHash":"${artifactHash}","hashAlgorithm":"SHA256","certificates":true,"nonce":9223372036854775807,"tsaPolicyOID":"1.3.6.1.4.1.57264.2"}`;
    const reply = await stampJson(newService(), text);
    assert.equal(granted(reply).certificates.length, 1);
    const nonce = Buffer.from('7fffffffffffffff', 'hex');
    const check = verifyTimestamp(bytesOf(reply), SIGNATURE, [timestampAuthority(authority.chain)], { nonce });
    assert.equal(check.kind, 'accepted');
  });

  test('serves its chain from the certificate that signs to the root, and answers a ping', async () => {
    const service = newService();
    const chain = await ask(service, 'GET', '/api/v1/timestamp/certchain');
    assert.equal(chain.headers['content-type'], 'application/pem-certificate-chain');
    const pem = textOf(chain).match(/-----BEGIN[^]*?-----END CERTIFICATE-----\n/g) ?? [];
    const subjects = pem.map((one) => /CN=(.*)/.exec(new X509Certificate(one).subject)?.[1]);
    assert.deepEqual(subjects, ['leaf', 'intermediate', 'root']);
    const ping = await ask(service, 'GET', '/ping?x=1');
    assert.deepEqual([ping.status, ping.body], [200, '.']);
  });

  test('is given another key and certificate while it runs', async () => {
    const service = newService();
    const next = await newTestAuthority();
    const old = bytesOf(await stamp(service, requestFor()));
    service.replace(next.issuer);
    const reply = bytesOf(await stamp(service, requestFor()));
    const accepts = (bytes: Uint8Array, { chain }: TestAuthority) =>
      verifyTimestamp(bytes, SIGNATURE, [timestampAuthority(chain)]).kind;
    assert.deepEqual(
      [accepts(old, authority), accepts(old, next), accepts(reply, authority), accepts(reply, next)],
      ['accepted', 'rejected', 'rejected', 'accepted'],
    );
    const served = await ask(service, 'GET', '/api/v1/timestamp/certchain');
    assert.equal(served.body, encodeCertificates(next.chain));
  });

  test('ends a request with the key that it began with', async () => {
    const service = newService();
    const next = await newTestAuthority();
    const { promise, resolve } = Promise.withResolvers<void>();
    const slow = (async function* () {
      await promise;
      yield requestFor();
    })();
    const headers = { 'content-type': QUERY };
    const reply = service.service.answer({ method: 'POST', target: '/api/v1/timestamp', headers, body: slow });
    service.replace(next.issuer);
    resolve();
    const check = verifyTimestamp(bytesOf(await reply), SIGNATURE, [timestampAuthority(authority.chain)]);
    assert.equal(check.kind, 'accepted');
  });

  test('answers over HTTP', async () => {
    const server = await serve({ service: newService().service, host: '127.0.0.1', port: 0 });
    try {
      const url = new URL(`http://127.0.0.1:${server.address.port}/api/v1/timestamp`);
      const headers = { 'content-type': QUERY };
      const request = { method: 'POST', url, headers, body: requestFor() };
      const bytes = await new HttpClient().exchange(request, (response) => {
        assert.equal(response.status, 201);
        return readBody(response, 10_000, 'the answer');
      });
      const check = verifyTimestamp(bytes, SIGNATURE, [timestampAuthority(authority.chain)]);
      assert.equal(check.kind, 'accepted');
    } finally {
      await server.close();
    }
  });
});

describe('openssl', () => {
  for (const digest of ['sha256', 'sha512'])
    test(`asks with ${digest} and accepts the answer`, async () => {
      const [file, query, reply] = ['signature', 'query', 'reply'].map((name) => join(folder, `${digest}.${name}`));
      assert.ok(file !== undefined && query !== undefined && reply !== undefined);
      writeFileSync(file, SIGNATURE);
      execFileSync('openssl', ['ts', '-query', '-data', file, `-${digest}`, '-cert', '-out', query], { stdio: 'pipe' });
      const asked = execFileSync('cat', [query]);
      writeFileSync(reply, bytesOf(await stamp(newService(steadyClock(new Date())), asked)));
      const root = join(folder, `${digest}.root`);
      const above = join(folder, `${digest}.above`);
      writeFileSync(root, encodeCertificates([authority.chain[2]]));
      writeFileSync(above, encodeCertificates([authority.chain[1]]));
      const verify = ['ts', '-verify', '-queryfile', query, '-in', reply, '-CAfile', root, '-untrusted', above];
      const out = execFileSync('openssl', verify, { encoding: 'utf8', stdio: 'pipe' });
      assert.match(out, /Verification: OK/);
    });
});

describe('a timestamp is refused', () => {
  const bad: readonly (readonly [string, () => Uint8Array, number, string, RegExp])[] = [
    ['for what is not DER', () => Buffer.from('nonsense'), 400, 'badDataFormat', /timestamp request/],
    ['for nothing', () => new Uint8Array(), 400, 'badDataFormat', /timestamp request/],
    ['for more than 1 KiB', () => Buffer.alloc(1025, 0x30), 413, 'badDataFormat', /more than the 1024 bytes/],
    ['for SHA-1', () => sha1Request(), 400, 'badAlg', /SHA-1, expected SHA-256/],
    ['for a digest of another length', () => shortDigest(), 400, 'badDataFormat', /20 octets, expected 32/],
    ['with extensions', () => withExtensions(), 400, 'unacceptedExtension', /extensions/],
    [
      'under a policy that it does not have',
      () => requestFor({ policy: '1.2.3' }),
      400,
      'unacceptedPolicy',
      /1\.2\.3 is asked for, expected 1\.3\.6\.1\.4\.1\.57264\.2/,
    ],
  ];
  for (const [name, request, status, failure, text] of bad)
    test(name, async () => refused(await stamp(newService(), request()), status, failure, text));

  test('by an announced length alone', async () => {
    const headers = { 'content-type': QUERY, 'content-length': '1025' };
    refused(await ask(newService(), 'POST', '/api/v1/timestamp', '', headers), 413, 'badDataFormat', /1024/);
  });

  test('while its certificate is not valid, and says so', async () => {
    const service = newService(steadyClock(new Date('2037-01-01')));
    refused(await stamp(service, requestFor()), 503, 'systemFailure', /a certificate valid/);
  });

  test('while the clock is not believed: 503 until an operator resumes', async () => {
    let wall = NOW.getTime();
    const clock = createClockGuard({ now: () => new Date(wall), monotonic: () => 0 });
    const service = newService(clock);
    granted(await stamp(service, requestFor()));
    wall += 2000;
    refused(await stamp(service, requestFor()), 503, 'timeNotAvailable', /the clock .* jumped ahead by 2\.000 s/);
    wall -= 2000;
    refused(await stamp(service, requestFor()), 503, 'timeNotAvailable', /clock-is-right\) or restart/);
    const artifactHash = hash('sha256', SIGNATURE, 'base64');
    const json = await stampJson(service, JSON.stringify({ artifactHash, hashAlgorithm: 'sha256' }));
    assert.equal(json.status, 503);
    assert.match(textOf(json), /jumped/);
    assert.equal((await ask(service, 'GET', '/api/v1/timestamp/certchain')).status, 200);
    clock.resume();
    granted(await stamp(service, requestFor()));
  });

  test('when its signer fails, without a word of why', async () => {
    const { issuer } = authority;
    const signer = {
      ...issuer.signer,
      sign: () => {
        throw new Error('the KMS at /secret/path');
      },
    };
    const service = createTimestampService({ issuer: { ...issuer, signer }, clock: steadyClock() });
    const reply = await stamp(service, requestFor());
    refused(reply, 500, 'systemFailure', /^the timestamp authority failed; its log says why$/);
  });
});

describe('a request in JSON is refused', () => {
  const digest = hash('sha256', SIGNATURE, 'base64');
  const good = { artifactHash: digest, hashAlgorithm: 'sha256' };
  for (const [name, text, message] of [
    ['that is not JSON', '{', /is not JSON/],
    ['that is no object', '[]', /no members/],
    ['without a digest', '{"hashAlgorithm":"sha256"}', /no artifactHash/],
    ['without an algorithm', JSON.stringify({ artifactHash: digest }), /no hashAlgorithm/],
    ['for SHA-1', JSON.stringify({ ...good, hashAlgorithm: 'sha1' }), /"sha1", expected sha256/],
    ['for a name of Object', JSON.stringify({ ...good, hashAlgorithm: 'constructor' }), /"constructor", expected/],
    ['with a digest of another length', JSON.stringify({ ...good, hashAlgorithm: 'sha384' }), /32 octets, expected 48/],
    ['with base64 that is none', JSON.stringify({ ...good, artifactHash: '!' }), /artifactHash is not base64/],
    ['with a nonce below zero', JSON.stringify({ ...good, nonce: -1 }), /nonce that is no whole number/],
    ['with half a nonce', JSON.stringify({ ...good, nonce: 1.5 }), /nonce that is no whole number/],
    ['with a nonce as text', JSON.stringify({ ...good, nonce: '1' }), /nonce that is no whole number/],
    [
      'with a nonce of 64 bits',
      `{"nonce":9223372036854775808,${JSON.stringify(good).slice(1)}`,
      /nonce that is no whole number/,
    ],
    ['with a policy that is none', JSON.stringify({ ...good, tsaPolicyOID: 'x' }), /no object identifier/],
    ['with another policy', JSON.stringify({ ...good, tsaPolicyOID: '1.2.3' }), /the policy 1\.2\.3 is asked for/],
    ['with certificates that are no truth', JSON.stringify({ ...good, certificates: 1 }), /neither true nor false/],
    ['with a member that is unknown', JSON.stringify({ ...good, extensions: [] }), /the member "extensions"/],
  ] as const)
    test(name, async () => {
      const reply = await stampJson(newService(), text);
      assert.equal(reply.status, 400);
      assert.equal(reply.headers['content-type'], 'application/json');
      const { code, message: found } = JSON.parse(textOf(reply)) as { code: number; message: string };
      assert.equal(code, 400);
      assert.match(found, message);
    });
});

describe('whatever is sent', () => {
  test('another path, method or content type is named', async () => {
    const service = newService();
    const lost = await ask(service, 'GET', '/api/v1/timestamps');
    assert.equal(lost.status, 404);
    const got = await ask(service, 'GET', '/api/v1/timestamp');
    assert.deepEqual([got.status, got.headers['allow']], [405, 'POST']);
    const typeless = await ask(service, 'POST', '/api/v1/timestamp', requestFor(), {});
    assert.equal(typeless.status, 415);
    assert.match(textOf(typeless), /application\/timestamp-query, application\/json/);
    for (const name of ['/constructor', '__proto__', '']) assert.equal((await ask(service, 'GET', name)).status, 404);
  });

  test('the answer is a refusal and never a fault of the server: random and changed requests', async () => {
    const service = newService();
    const good = requestFor({ nonce: Buffer.from([1, 2, 3]), certificates: true, policy: '1.3.6.1.4.1.57264.2' });
    const changed = fc
      .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
      .map((changes) => {
        const bytes = Uint8Array.from(good);
        for (const [at, octet] of changes) bytes[at] = octet;
        return bytes;
      });
    const bytes = fc.oneof(changed, fc.uint8Array({ maxLength: 200 }));
    await fc.assert(
      fc.asyncProperty(bytes, async (request) => {
        const reply = await stamp(service, request);
        assert.ok([201, 400].includes(reply.status), String(reply.status));
        decodeTimestampResponse(bytesOf(reply));
      }),
    );
    const members = fc.record(
      {
        artifactHash: fc.oneof(fc.constant(hash('sha256', SIGNATURE, 'base64')), fc.string()),
        hashAlgorithm: fc.oneof(fc.constant('sha256'), fc.string()),
        certificates: fc.oneof(fc.boolean(), fc.jsonValue()),
        nonce: fc.oneof(fc.nat(), fc.jsonValue()),
        tsaPolicyOID: fc.oneof(fc.constant('1.3.6.1.4.1.57264.2'), fc.string()),
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(fc.oneof(members, fc.jsonValue()), async (value) => {
        const reply = await stampJson(service, JSON.stringify(value));
        assert.ok([201, 400, 413].includes(reply.status), JSON.stringify(value));
      }),
    );
  });
});

/** Requests that trust's encoder does not write. */
function sha1Request(): Uint8Array {
  return Buffer.from(`302402010130 1f 3007 06052b0e03021a 0414${'00'.repeat(20)}`.replaceAll(' ', ''), 'hex');
}

function shortDigest(): Uint8Array {
  const sha256 = '300b0609608648016503040201';
  return Buffer.from(`3028020101 3023 ${sha256} 0414${'00'.repeat(20)}`.replaceAll(' ', ''), 'hex');
}

function withExtensions(): Uint8Array {
  const good = requestFor();
  const extensions = Buffer.from('a00f300d0603551d0f0101ff040302 0780'.replaceAll(' ', ''), 'hex');
  const bytes = Buffer.concat([good, extensions]);
  bytes[1] = (bytes[1] ?? 0) + extensions.length;
  return bytes;
}
