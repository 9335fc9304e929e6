// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { CLIENT_CERTIFICATE, CLIENT_KEY, SERVER_KEY, TEST_ROOT } from './certificates.fixture.ts';
import { readBody } from './body.ts';
import { serve, serveTls } from './loopback-server.fixture.ts';
import { openTransport, type TransportOptions, type TransportRequest } from './transport.ts';

// On Node this is NodeTransport, on Bun FetchTransport: both pass the same tests.

const NONE: TransportOptions = { environment: {} };
const timeouts = { connectMs: 5000, headersMs: 5000, idleMs: 5000 };

function get(url: URL | string, more: Partial<TransportRequest> = {}): TransportRequest {
  return { method: 'GET', url: new URL(url), headers: {}, signal: new AbortController().signal, timeouts, ...more };
}

async function text(request: TransportRequest, options: TransportOptions = NONE): Promise<string> {
  const transport = await openTransport(options);
  try {
    const response = await transport.request(request);
    return new TextDecoder().decode(await readBody(response, 1_000_000, 'the answer'));
  } finally {
    transport.close();
  }
}

async function fails(code: string, pattern: RegExp, what: () => Promise<unknown>): Promise<void> {
  await assert.rejects(what, (error: Error & { code?: unknown }) => {
    assert.equal(error.code, code, error.stack ?? '');
    assert.match(error.message, pattern);
    assert.ok(!error.message.includes('\n'));
    return true;
  });
}

async function* megabyte(): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < 100; at++) yield new Uint8Array(10_000);
}

async function* broken(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(10);
  throw Object.assign(new Error('the disk is gone'), { code: 'disk' });
}

async function* tenBytes(): AsyncGenerator<Uint8Array> {
  yield new Uint8Array(10);
}

/** A resolver that knows one address. */
function lookup(address: string): TransportOptions {
  return { ...NONE, lookup: () => Promise.resolve([{ address, family: address.includes(':') ? 6 : 4 }]) };
}

test('sends method, headers and bytes, and gives status, headers and body', async () => {
  await using server = await serve((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.writeHead(201, { 'x-answer': 'yes', 'www-authenticate': ['Basic realm="a"', 'Bearer realm="b"'] });
      const { 'x-ask': ask, 'content-length': length, host } = request.headers;
      response.end(JSON.stringify({ ask, length, host, body: Buffer.concat(chunks).toString() }));
    });
  });
  const transport = await openTransport(NONE);
  const body = new TextEncoder().encode('hello');
  const response = await transport.request(get(server.url, { method: 'PUT', headers: { 'x-ask': '1' }, body }));
  assert.equal(response.status, 201);
  assert.equal(response.headers['x-answer'], 'yes');
  assert.equal(response.headers['www-authenticate'], 'Basic realm="a", Bearer realm="b"');
  const told = JSON.parse(new TextDecoder().decode(await readBody(response, 1000, 'it'))) as unknown;
  assert.deepEqual(told, { ask: '1', length: '5', host: server.url.host, body: 'hello' });
  transport.close();
});

test('streams a body with its length announced, and asks for an unpacked answer', async () => {
  await using server = await serve((request, response) => {
    let size = 0;
    request.on('data', (chunk: Buffer) => (size += chunk.length));
    request.on('end', () =>
      response.end(
        `${request.headers['content-length']} ${request.headers['transfer-encoding']} ${size} ${request.headers['accept-encoding'] ?? 'identity'}`,
      ),
    );
  });
  const request = get(server.url, { method: 'PUT', body: { length: 1_000_000, open: megabyte } });
  assert.equal(await text(request), '1000000 undefined 1000000 identity');
});

test("a source that fails, or is not as long as announced, fails the request with the source's error", async () => {
  await using server = await serve((request, response) => {
    request.resume().on('end', () => response.end());
  });
  await fails('disk', /the disk is gone/, () =>
    text(get(server.url, { method: 'PUT', body: { length: 20, open: broken } })),
  );
  for (const length of [9, 11]) {
    await fails('protocol-violation', new RegExp(`not the ${length} bytes`), () =>
      text(get(server.url, { method: 'PUT', body: { length, open: tenBytes } })),
    );
  }
});

test('a connection is kept for the next request, also after a discarded answer', async () => {
  await using server = await serve((_request, response) => response.end('x'.repeat(1000)));
  const transport = await openTransport(NONE);
  await readBody(await transport.request(get(server.url)), 1000, 'it');
  await (await transport.request(get(server.url))).discard();
  await (await transport.request(get(server.url, { method: 'HEAD' }))).discard();
  assert.equal(server.connections(), 1);
  transport.close();
});

test('an answer may come before the request was sent to its end', async () => {
  await using server = await serve((request, response) => {
    response.writeHead(413, { 'content-length': '3', connection: 'close' });
    response.end('no!');
    request.on('data', () => undefined);
  });
  let opened = 0;
  async function* open(): AsyncGenerator<Uint8Array> {
    opened++;
    for (let at = 0; at < 1000; at++) {
      yield new Uint8Array(10_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const transport = await openTransport(NONE);
  const response = await transport.request(get(server.url, { method: 'PUT', body: { length: 10_000_000, open } }));
  assert.equal(response.status, 413);
  await response.discard();
  assert.equal(opened, 1);
  transport.close();
});

test('a refused connection, a reset and something else than HTTP are errors of their own', async () => {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => probe.once('listening', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  await fails('unreachable', /refused/, () => text(get(`http://127.0.0.1:${port}/`)));

  await using server = await serve((request, response) => {
    if (request.url === '/reset') {
      request.socket.destroy();
      return;
    }
    response.writeHead(200, request.url === '/endless' ? {} : { 'content-length': '100' });
    response.write('abc');
    setTimeout(() => request.socket.destroy(), 20);
  });
  await fails('connection-reset', /reset|closed/, () => text(get(new URL('/reset', server.url))));
  for (const path of ['/half', '/endless'])
    await fails('connection-reset', /reset|closed|aborted/, () => text(get(new URL(path, server.url))));

  const other = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.end('220 mail.test ESMTP ready\r\n');
  });
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const address = other.address() as AddressInfo;
  await assert.rejects(text(get(`http://127.0.0.1:${address.port}/`)), (error: Error & { code?: unknown }) => {
    assert.ok(error.code === 'protocol-violation' || error.code === 'connection-reset', String(error.code));
    return true;
  });
  other.close();
});

test('a header that cannot be sent is an error, and is not shown', async () => {
  await using server = await serve((_request, response) => response.end());
  await assert.rejects(
    text(get(server.url, { headers: { authorization: 'secret\r\nx: y' } })),
    (error: Error & { code?: unknown }) => {
      assert.ok(error.code === 'protocol-violation' || error.code === 'unreachable', String(error.code));
      assert.ok(!error.message.includes('secret'));
      return true;
    },
  );
  assert.equal(server.requests.length, 0);
});

test('a header without end is refused', async () => {
  await using server = await serve((_request, response) => {
    const headers: Record<string, string> = {};
    for (let at = 0; at < 20; at++) headers[`x-${at}`] = 'a'.repeat(7000);
    response.writeHead(200, headers).end('x');
  });
  await fails('protocol-violation', /header.*too large/, () => text(get(server.url)));
});

test('silence before, within and after the header ends in a timeout', async () => {
  await using server = await serve((request, response) => {
    if (request.url === '/mute') return;
    response.writeHead(200, request.url === '/endless' ? {} : { 'content-length': '100' });
    response.write('abc');
  });
  const short = { connectMs: 100, headersMs: 100, idleMs: 100 };
  await fails('timeout', /did not answer within/, () => text(get(new URL('/mute', server.url), { timeouts: short })));
  for (const path of ['/', '/endless']) {
    const request = get(new URL(path, server.url), { timeouts: short });
    await fails('timeout', /fell silent for 100 ms/, () => text(request));
  }
});

test('a signal ends a request and a body with its reason', async () => {
  await using server = await serve((request, response) => {
    if (request.url === '/mute') return;
    response.writeHead(200, request.url === '/endless' ? {} : { 'content-length': '100' });
    response.write('abc');
  });
  for (const path of ['/mute', '/half', '/endless']) {
    const controller = new AbortController();
    const reason = new Error('enough');
    const pending = text(get(new URL(path, server.url), { signal: controller.signal }));
    setTimeout(() => controller.abort(reason), 50);
    await assert.rejects(pending, (error) => error === reason);
  }
  await assert.rejects(text(get(server.url, { signal: AbortSignal.abort(new Error('before')) })), /before/);
});

test('leaving a body early ends its connection', async () => {
  let closed: () => void;
  const gone = new Promise<void>((resolve) => (closed = resolve));
  await using server = await serve((request, response) => {
    request.socket.on('close', () => closed());
    const more = (): void =>
      void (response.write('x'.repeat(65_536)) ? setImmediate(more) : response.once('drain', more));
    more();
  });
  await fails('too-large', /more than the 100000 bytes/, async () => {
    const transport = await openTransport(NONE);
    await readBody(await transport.request(get(server.url)), 100_000, 'the answer');
  });
  await gone;
});

test('trusts a root that is given, checks the name, shows a client certificate', async () => {
  await using server = await serveTls((request, response) => {
    const peer = (request.socket as TLSSocket).getPeerCertificate?.();
    response.end(`${(request.socket as TLSSocket).servername} ${String(peer?.subject?.CN)}`);
  });
  const named = `https://localhost:${server.port}/`;
  const ca = [TEST_ROOT];
  await fails('tls-failed', /root that is not trusted|issuer that is not trusted/, () => text(get(named)));
  await fails('tls-failed', /another name/, () => text(get(server.url, { tls: { ca } })));
  assert.match(await text(get(named, { tls: { ca } })), /^localhost/);
  assert.match(await text(get(named, { tls: { extraCa: ca } })), /^localhost/);
  assert.ok(await text(get(server.url, { tls: { insecure: true } })));
  assert.match(await text(get(server.url, { tls: { ca, serverName: 'registry.test' } })), /^registry\.test/);
  const shown = await text(get(named, { tls: { ca, cert: CLIENT_CERTIFICATE, key: CLIENT_KEY } }));
  // Bun's server does not tell what it was shown.
  assert.equal(shown, process.versions['bun'] === undefined ? 'localhost client' : shown);
  await fails('tls-failed', /does not speak TLS|TLS handshake|TLS failed/, async () => {
    await using plain = await serve((_request, response) => response.end());
    await text(get(`https://localhost:${plain.port}/`, { tls: { ca } }));
  });
});

test('a client certificate with a key that is not its own, or that cannot be read, is said before anything is sent', async () => {
  await using server = await serveTls((_, response) => response.end('x'));
  const encrypted = createPrivateKey(CLIENT_KEY).export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'secret',
  });
  for (const key of [SERVER_KEY, encrypted, 'no key']) {
    const tls = { ca: [TEST_ROOT], cert: CLIENT_CERTIFICATE, key };
    await fails('tls-failed', /the given certificates or the key cannot be used/, () => text(get(server.url, { tls })));
  }
});

test('takes the roots that SSL_CERT_FILE names, and says so where it cannot be read', async () => {
  const { mkdtempSync, rmSync, writeFileSync } = await import('node:fs');
  const { tmpdir } = await import('node:os');
  const directory = mkdtempSync(`${tmpdir()}/bulla-roots-`);
  await using server = await serveTls((_request, response) => response.end('ok'));
  const url = `https://localhost:${server.port}/`;
  try {
    writeFileSync(`${directory}/root.pem`, TEST_ROOT);
    assert.equal(await text(get(url), { environment: { SSL_CERT_FILE: `${directory}/root.pem` } }), 'ok');
    assert.equal(await text(get(url), { environment: { SSL_CERT_DIR: directory } }), 'ok');
    const missing = { environment: { SSL_CERT_FILE: `${directory}/none.pem` } };
    await fails('tls-failed', /SSL_CERT_FILE names .*none\.pem/, () => text(get(url), missing));
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('connects to no name that resolves out of reach, and to the address that was checked', async () => {
  await using server = await serve((request, response) => response.end(request.headers.host));
  await using secure = await serveTls((request, response) => response.end(request.headers.host));
  const url = `http://registry.test:${server.port}/`;
  for (const address of ['127.0.0.1', '10.0.0.1', '169.254.169.254', '::ffff:192.168.0.1', 'fd00::1', '0.0.0.0']) {
    await fails('address-refused', /registry\.test.* is a (loopback|private|link-local) address/, () =>
      text(get(url, { reach: 'public' }), lookup(address)),
    );
  }
  assert.equal(server.connections(), 0);
  assert.equal(await text(get(url, { reach: 'loopback' }), lookup('127.0.0.1')), `registry.test:${server.port}`);
  // The name is resolved once, and TLS asks for it, not for the address.
  const tls = { ca: [TEST_ROOT] };
  const guarded = get(`https://registry.test:${secure.port}/`, { reach: 'loopback', tls });
  assert.equal(await text(guarded, lookup('127.0.0.1')), `registry.test:${secure.port}`);
  const wrong = get(`https://other.test:${secure.port}/`, { reach: 'loopback', tls });
  await fails('tls-failed', /another name/, () => text(wrong, lookup('127.0.0.1')));
  for (const literal of [
    'http://127.0.0.1',
    'http://[::1]',
    'http://0x7f.1',
    'http://2130706433',
    'http://[::ffff:7f00:1]',
    'http://localhost',
  ]) {
    await fails('address-refused', /loopback address/, () =>
      text(get(`${literal}:${server.port}/`, { reach: 'public' })),
    );
  }
});

test('a connection that was made without a reach serves no request that has one', async () => {
  await using server = await serve((_request, response) => response.end('ok'));
  const transport = await openTransport({
    ...NONE,
    lookup: () => Promise.resolve([{ address: '10.1.2.3', family: 4 }]),
  });
  await readBody(await transport.request(get(`http://localhost:${server.port}/`)), 10, 'it');
  await fails('address-refused', /loopback address/, () =>
    transport.request(get(`http://localhost:${server.port}/`, { reach: 'public' })),
  );
  transport.close();
});

/** A proxy that leads every name to one port here. */
async function proxyTo(port: number, seen: string[], status = 200): Promise<http.Server> {
  const proxy = http.createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${String(request.headers['proxy-authorization'])}`);
    response.end('by proxy');
  });
  proxy.on('connect', (request, socket) => {
    seen.push(`CONNECT ${request.url} ${String(request.headers['proxy-authorization'])}`);
    socket.on('error', () => undefined);
    if (status !== 200) {
      socket.end(`HTTP/1.1 ${status} no\r\n\r\n`);
      return;
    }
    const onward = net.connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 ok\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  return proxy;
}

test('goes through proxies, with their password and without showing it to the server', async () => {
  const headers: (string | undefined)[] = [];
  await using server = await serveTls((request, response) => {
    headers.push(request.headers['proxy-authorization']);
    response.end('through');
  });
  const seen: string[] = [];
  const proxy = await proxyTo(server.port, seen);
  const via = `http://me:p%40ss@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const options = { environment: { HTTPS_PROXY: via, http_proxy: via, NO_PROXY: 'direct.test' } };
  const tls = { ca: [TEST_ROOT] };
  assert.equal(await text(get('https://registry.test/x', { tls }), options), 'through');
  assert.equal(await text(get('http://registry.test/y?z=1'), options), 'by proxy');
  const password = `Basic ${Buffer.from('me:p@ss').toString('base64')}`;
  assert.deepEqual(seen, [`CONNECT registry.test:443 ${password}`, `GET http://registry.test/y?z=1 ${password}`]);
  assert.deepEqual(headers, [undefined]);
  await fails('tls-failed', /another name/, () => text(get('https://other.test/', { tls }), options));
  proxy.closeAllConnections?.();
  proxy.close();
});

test('a proxy that refuses is an unreachable server, and its password stays unsaid', async () => {
  const proxy = await proxyTo(1, [], 407);
  const via = `http://me:secret@127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  await assert.rejects(
    text(get('https://registry.test/'), { environment: { HTTPS_PROXY: via } }),
    (error: Error & { code?: unknown }) => {
      assert.ok(
        ['unreachable', 'connection-reset', 'protocol-violation'].includes(String(error.code)),
        String(error.code),
      );
      assert.ok(!error.message.includes('secret'));
      return true;
    },
  );
  proxy.closeAllConnections?.();
  proxy.close();
});

test('a failure on the way through a proxy names the proxy, which may be what failed, without its password', async () => {
  const { promise, resolve } = Promise.withResolvers<number>();
  const closed = net.createServer().listen(0, '127.0.0.1', () => resolve((closed.address() as AddressInfo).port));
  const port = await promise;
  closed.close();
  const via = `http://me:secret@127.0.0.1:${port}`;
  const options = { environment: { HTTPS_PROXY: via, HTTP_PROXY: via } };
  for (const url of ['http://registry.test/', 'https://registry.test/']) {
    await fails('unreachable', new RegExp(`^(?!.*secret).*proxy 127\\.0\\.0\\.1:${port}`), () =>
      text(get(url), options),
    );
  }
});
