// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { KeylessError } from '../../error.ts';
import { findIdentityToken, type FindIdentityTokenOptions, type FoundToken } from '../find-identity-token.ts';
import { failureWithout, testIssuer } from '../test-issuer.fixture.ts';
import { silentServer } from '../token-transport.fixture.ts';
import { frame, svidResponse, workloadAgent, type AgentAnswer } from './workload-agent.fixture.ts';
import { parseWorkloadAddress } from './workload-api.ts';
import { decodeJwtSvids, encodeAudience } from './workload-message.ts';

const ID = 'spiffe://prod.example/ns/release/sa/signer';
let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bulla-spiffe-'));
});
after(() => rm(folder, { recursive: true, force: true }));

let sockets = 0;
function newSocket(): string {
  return join(folder, `${++sockets}.sock`);
}

function search(spiffe: string | undefined, more: Partial<FindIdentityTokenOptions> = {}): Promise<FoundToken> {
  const nowhere = join(folder, 'nowhere');
  const paths = { token: nowhere, machine: nowhere, spiffeSocket: nowhere, ...more.paths };
  return findIdentityToken({
    client: silentServer().client,
    environment: { SPIFFE_ENDPOINT_SOCKET: spiffe },
    ...more,
    paths,
  });
}

async function token(sub: string = ID): Promise<string> {
  const issuer = await testIssuer('https://oidc.prod.example');
  return await issuer.sign({ sub, aud: ['sigstore'] });
}

describe('a SPIFFE agent', () => {
  test('gives a JWT-SVID for the audience, over gRPC on its Unix socket', async () => {
    const issuer = await testIssuer('https://oidc.prod.example');
    const path = newSocket();
    await using agent = await workloadAgent(path, async ({ headers, body }) => {
      assert.equal(headers[':method'], 'POST');
      assert.equal(headers[':path'], '/SpiffeWorkloadAPI/FetchJWTSVID');
      assert.equal(headers['content-type'], 'application/grpc');
      assert.equal(headers['te'], 'trailers');
      assert.equal(headers['workload.spiffe.io'], 'true');
      // one frame: not compressed, ten bytes; field 1 with eight letters
      assert.deepEqual([...body], [0, 0, 0, 0, 10, 0x0a, 8, ...Buffer.from('sigstore')]);
      const other = await issuer.sign({ sub: 'spiffe://prod.example/other', aud: ['sigstore'] });
      return {
        message: svidResponse([
          [ID, await issuer.sign({ sub: ID, aud: ['sigstore'] })],
          ['spiffe://prod.example/other', other],
        ]),
      };
    });
    for (const address of [`unix://${path}`, `unix:${path}`, path]) {
      const found = await search(address);
      assert.equal(found.source, 'spiffe');
      assert.equal(found.token.challenge, ID);
      await issuer.verify(found.token.text, 'sigstore');
    }
    assert.equal(agent.calls.length, 3);
  });

  test('is found on a port of this machine, and at its usual socket', async () => {
    const text = await token();
    await using local = await workloadAgent(undefined, () => ({ message: svidResponse([[ID, text]]) }));
    assert.equal((await search(`tcp://127.0.0.1:${local.port}`)).token.text, text);
    const path = newSocket();
    await using usual = await workloadAgent(path, () => ({ message: svidResponse([[ID, text]]) }));
    assert.equal((await search(undefined, { paths: { spiffeSocket: path } })).token.text, text);
    assert.equal((await search(undefined, { provider: 'spiffe', paths: { spiffeSocket: path } })).source, 'spiffe');
    assert.equal(local.calls.length + usual.calls.length, 3);
  });

  test('that cannot answer now is asked again', async () => {
    const text = await token();
    const path = newSocket();
    await using agent = await workloadAgent(path, (_call, count): AgentAnswer => {
      if (count === 1) return { grpcStatus: '14', grpcMessage: 'starting' };
      if (count === 2) return { hangUp: true };
      return { message: svidResponse([[ID, text]]) };
    });
    assert.equal((await search(path)).token.text, text);
    assert.equal(agent.calls.length, 3);
  });

  test('that does not know this workload says so, once', async () => {
    const path = newSocket();
    await using agent = await workloadAgent(path, () => ({ grpcStatus: '7', grpcMessage: 'no identity issued' }));
    await assert.rejects(search(path), {
      code: 'token-refused',
      message: /gRPC status 7, no identity issued \(register an entry for this workload/,
    });
    assert.equal(agent.calls.length, 1);
    // where nobody named it, it is one of those who have no token
    await assert.rejects(search(undefined, { paths: { spiffeSocket: path } }), {
      code: 'token-not-found',
      message: /spiffe \(the SPIFFE agent gives no identity token: gRPC status 7/,
    });
  });

  const broken: Record<string, [AgentAnswer, string, RegExp]> = {
    'no identity': [{ message: svidResponse([]) }, 'token-refused', /no identity for this workload/],
    'an identity without a token': [{ message: svidResponse([[ID, '']]) }, 'token-unavailable', /without a token/],
    'the status of HTTP': [{ status: 404, body: Buffer.from('x') }, 'token-unavailable', /HTTP status 404/],
    'a status that is none': [{ grpcStatus: 'fine' }, 'token-unavailable', /gRPC status fine/],
    'an unknown failure': [{ grpcStatus: '2' }, 'token-unavailable', /gRPC status 2$/],
    'nothing, and calls it success': [{}, 'token-unavailable', /not one message/],
    'a compressed message': [{ body: Buffer.of(1, 0, 0, 0, 0) }, 'token-unavailable', /not one message/],
    'two messages': [
      { body: Buffer.concat([frame(svidResponse([])), frame(svidResponse([]))]) },
      'token-unavailable',
      /not one/,
    ],
    'half a message': [{ body: frame(Buffer.alloc(20, 0x0a)).subarray(0, 12) }, 'token-unavailable', /not one message/],
    'a message that is none': [{ message: Buffer.alloc(20, 0xff) }, 'token-unavailable', /ten bytes/],
    megabytes: [{ body: Buffer.alloc(1_000_000) }, 'token-unavailable', /more than 262144 bytes/],
  };
  for (const [name, [answer, code, message]] of Object.entries(broken)) {
    test(`that answers ${name} gives no token`, async () => {
      const path = newSocket();
      await using agent = await workloadAgent(path, () => answer);
      await assert.rejects(search(path), { code, message });
      assert.equal(agent.calls.length, 1);
    });
  }

  test('whose socket is not there, or is none, cannot be asked', async () => {
    await assert.rejects(search(newSocket()), {
      code: 'token-unavailable',
      message: /socket is not there \(tried 5 times\)/,
    });
    const file = newSocket();
    await writeFile(file, '');
    await assert.rejects(search(file), { code: 'token-unavailable', message: /nobody listens at its socket/ });
    await assert.rejects(search(undefined, { paths: { spiffeSocket: file } }), {
      code: 'token-not-found',
      message: /SPIFFE_ENDPOINT_SOCKET is not set, and there is no socket/,
    });
  });

  test('that gives a token for somebody else is refused, and the token does not show', async () => {
    const issuer = await testIssuer('https://oidc.prod.example');
    const text = await issuer.sign({ sub: ID, aud: ['other'] });
    const path = newSocket();
    await using agent = await workloadAgent(path, () => ({ message: svidResponse([[ID, text]]) }));
    const error = await failureWithout([text], () => search(path));
    assert.equal(agent.calls.length, 1);
    assert.ok(error instanceof KeylessError);
    assert.equal(error.code, 'token-audience');
  });

  test('that is given up ends the call', async () => {
    const controller = new AbortController();
    const path = newSocket();
    const never = new Promise<AgentAnswer>(() => undefined);
    await using agent = await workloadAgent(path, () => {
      controller.abort(new Error('interrupted'));
      return never;
    });
    await assert.rejects(search(path, { signal: controller.signal }), /interrupted/);
    assert.equal(agent.calls.length, 1);
  });
});

test('an address is a Unix socket, or a port of this machine', () => {
  assert.deepEqual(parseWorkloadAddress('unix:///run/agent.sock', 'X'), { path: '/run/agent.sock' });
  assert.deepEqual(parseWorkloadAddress('tcp://[::1]:8081', 'X'), { host: '::1', port: 8081 });
  for (const text of [
    'unix://run/agent.sock',
    'unix:agent.sock',
    'agent.sock',
    'tcp://10.0.0.1:8081',
    'tcp://localhost:8081',
    'tcp://127.0.0.1',
    'tcp://127.0.0.1:8081/path',
    'tcp://user@127.0.0.1:8081',
    'http://127.0.0.1:8081',
    '',
  ]) {
    assert.throws(() => parseWorkloadAddress(text, 'X'), { code: 'setting-malformed', message: /^X is '/ });
  }
});

test('an audience of any length is encoded as Protocol Buffers have it', () => {
  assert.deepEqual([...encodeAudience('x'.repeat(300)).subarray(0, 4)], [0x0a, 0xac, 0x02, 0x78]);
  assert.deepEqual([...encodeAudience('é')], [0x0a, 2, 0xc3, 0xa9]);
});

test('whatever an agent answers, it is identities or a KeylessError', () => {
  const message = fc.oneof(
    fc.uint8Array({ maxLength: 64 }),
    fc.array(fc.tuple(fc.string(), fc.string())).map((identities) => svidResponse(identities)),
  );
  fc.assert(
    fc.property(message, (bytes) => {
      try {
        for (const { svid } of decodeJwtSvids(bytes)) assert.notEqual(svid, '');
      } catch (error) {
        assert.ok(error instanceof KeylessError, String(error));
      }
    }),
  );
});
