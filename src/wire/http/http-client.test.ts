// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WireError } from '../wire-error.ts';
import { readBody } from './body.ts';
import type { Clock } from './clock.ts';
import { HttpClient, type HttpClientOptions, type HttpRequest } from './http-client.ts';
import { serve } from './loopback-server.fixture.ts';
import type { HttpHeaders, Transport, TransportRequest, TransportResponse } from './transport.ts';

interface Scripted {
  readonly status?: number;
  readonly headers?: HttpHeaders;
  readonly body?: string;
  readonly remoteAddress?: string;
  /** the body fails after what it has */
  readonly breaks?: boolean;
  readonly error?: Error;
}

/** Records what it is asked and answers from a script; opens no socket. The last line of the script is repeated. */
class RecordingTransport implements Transport {
  readonly asked: TransportRequest[] = [];
  readonly #script: Scripted[];

  constructor(...script: Scripted[]) {
    this.#script = script;
  }

  request(request: TransportRequest): Promise<TransportResponse> {
    this.asked.push(request);
    const line = (this.#script.length > 1 ? this.#script.shift() : this.#script[0]) ?? {};
    if (line.error !== undefined) return Promise.reject(line.error);
    async function* body(): AsyncGenerator<Uint8Array> {
      yield new TextEncoder().encode(line.body ?? 'ok');
      if (line.breaks === true) throw new WireError('connection-reset', 'reset');
    }
    return Promise.resolve({
      status: line.status ?? 200,
      headers: line.headers ?? {},
      ...(line.remoteAddress === undefined ? {} : { remoteAddress: line.remoteAddress }),
      body: body(),
      discard: () => Promise.resolve(),
    });
  }

  close(): void {
    // nothing is open
  }
}

/** A clock on which sleeping takes no time. */
class TestClock implements Clock {
  time = 1_000_000;
  readonly slept: number[] = [];

  now(): number {
    return this.time;
  }

  sleep(milliseconds: number): Promise<void> {
    this.slept.push(milliseconds);
    this.time += milliseconds;
    return Promise.resolve();
  }
}

const get = (url: string, more: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'GET',
  url: new URL(url),
  ...more,
});

function client(
  transport: Transport,
  options: Partial<HttpClientOptions> = {},
): { http: HttpClient; clock: TestClock } {
  const clock = new TestClock();
  return { clock, http: new HttpClient({ transport, clock, random: () => 0.5, ...options }) };
}

async function ask(http: HttpClient, request: HttpRequest): Promise<string> {
  return http.exchange(
    request,
    async (response) => `${response.status} ${new TextDecoder().decode(await readBody(response, 100, 'it'))}`,
  );
}

test('tries again what may pass, with growing waits, and then answers what there is', async () => {
  const transport = new RecordingTransport({ status: 503 });
  const { http, clock } = client(transport);
  assert.equal(await ask(http, get('https://a.test/')), '503 ok');
  assert.equal(transport.asked.length, 5);
  assert.deepEqual(clock.slept, [125, 250, 500, 1000]);
});

test('waits as Retry-After says, but not beyond the deadline', async () => {
  const transport = new RecordingTransport({ status: 429, headers: { 'retry-after': '3' } }, {});
  const patient = client(transport);
  assert.equal(await ask(patient.http, get('https://a.test/')), '200 ok');
  assert.deepEqual(patient.clock.slept, [3125]);

  const stubborn = new RecordingTransport({ status: 429, headers: { 'retry-after': '3600' } });
  const { http, clock } = client(stubborn);
  assert.equal(await ask(http, get('https://a.test/', { deadline: clock.now() + 60_000 })), '429 ok');
  assert.equal(stubborn.asked.length, 1);
  assert.deepEqual(clock.slept, []);
});

test('a reset, before or within the answer, is tried again, and told with the number of attempts', async () => {
  const within = new RecordingTransport(
    { breaks: true, body: 'half' },
    { error: new WireError('connection-reset', 'reset') },
    {},
  );
  assert.equal(await ask(client(within).http, get('https://a.test/')), '200 ok');
  const always = new RecordingTransport({ breaks: true });
  await assert.rejects(ask(client(always).http, get('https://a.test/')), {
    code: 'connection-reset',
    message: 'reset (tried 5 times)',
  });
});

test('what is not idempotent is sent once, unless it is known to do no harm', async () => {
  for (const [more, times] of [
    [{}, 1],
    [{ repeatable: true }, 5],
  ] as const) {
    const transport = new RecordingTransport({ error: new WireError('connection-reset', 'reset') });
    await assert.rejects(ask(client(transport).http, { method: 'POST', url: new URL('https://a.test/'), ...more }));
    assert.equal(transport.asked.length, times);
  }
});

test('what will not pass is not tried again', async () => {
  for (const script of [{ status: 404 }, { status: 400 }, { status: 501 }]) {
    const transport = new RecordingTransport(script);
    await ask(client(transport).http, get('https://a.test/'));
    assert.equal(transport.asked.length, 1);
  }
  for (const code of ['tls-failed', 'unreachable', 'protocol-violation'] as const) {
    const transport = new RecordingTransport({ error: new WireError(code, 'no') });
    await assert.rejects(ask(client(transport).http, get('https://a.test/')), { code });
    assert.equal(transport.asked.length, 1);
  }
});

function to(location: string, status = 307): Scripted {
  return { status, headers: { location } };
}

test('follows redirects of reads, at most five, and drops secrets on the way to another origin', async () => {
  const transport = new RecordingTransport(
    to('/next'),
    to('https://b.test/x?signature=1'),
    to('https://a.test/back', 302),
    {},
  );
  const headers = { authorization: 'Bearer secret', cookie: 'c', accept: '*/*' };
  assert.equal(await ask(client(transport).http, get('https://a.test/', { headers })), '200 ok');
  assert.deepEqual(
    transport.asked.map(({ url, headers: sent }) => [url.href, sent]),
    [
      ['https://a.test/', headers],
      ['https://a.test/next', headers],
      ['https://b.test/x?signature=1', { accept: '*/*' }],
      ['https://a.test/back', { accept: '*/*' }],
    ],
  );
  const circle = new RecordingTransport(to('https://a.test/'));
  await assert.rejects(ask(client(circle).http, get('https://a.test/')), {
    code: 'redirect-refused',
    message: /more than 5 times/,
  });
  assert.equal(circle.asked.length, 6);
  await assert.rejects(ask(client(new RecordingTransport({ status: 302 })).http, get('https://a.test/')), {
    code: 'protocol-violation',
  });
  for (const location of ['file:///etc/passwd', 'ftp://a.test/', 'data:,x']) {
    await assert.rejects(ask(client(new RecordingTransport(to(location))).http, get('https://a.test/')), {
      code: 'redirect-refused',
    });
  }
});

test('a redirect cannot bring a user and password of its own', async () => {
  const transport = new RecordingTransport({ status: 302, headers: { location: 'https://me:you@b.test/' } }, {});
  await ask(client(transport).http, get('https://a.test/'));
  assert.equal(transport.asked[1]?.url.href, 'https://b.test/');
});

test('a write is redirected only where its body goes with it', async () => {
  const put = { method: 'PUT', url: new URL('https://a.test/'), body: new Uint8Array(3) };
  const kept = new RecordingTransport({ status: 308, headers: { location: '/b' } }, {});
  assert.equal(await ask(client(kept).http, put), '200 ok');
  assert.deepEqual(kept.asked[1]?.body, put.body);
  const lost = new RecordingTransport({ status: 302, headers: { location: '/b' } });
  await assert.rejects(ask(client(lost).http, put), { code: 'redirect-refused', message: /PUT with a redirect/ });
});

test('a server that speaks https, or is elsewhere, cannot send us to this machine or its networks', async () => {
  const home = new URL('https://registry.test/');
  const cases: [string, string, string][] = [
    ['http://cdn.test/x', '1.1.1.1', 'redirect-refused'],
    ['https://127.0.0.1/x', '1.1.1.1', 'address-refused'],
    ['https://localhost/x', '1.1.1.1', 'address-refused'],
    ['https://10.1.1.1/x', '1.1.1.1', 'address-refused'],
    ['https://[::ffff:192.168.0.1]/x', '1.1.1.1', 'address-refused'],
    ['https://169.254.169.254/latest/meta-data', '1.1.1.1', 'address-refused'],
    ['https://169.254.169.254/latest/meta-data', '10.0.0.1', 'address-refused'],
    ['https://[::1]/x', '10.0.0.1', 'address-refused'],
  ];
  for (const [location, remoteAddress, code] of cases) {
    const transport = new RecordingTransport({ status: 307, headers: { location }, remoteAddress }, {});
    await assert.rejects(ask(client(transport).http, { ...get(home.href), home }), { code }, location);
    assert.equal(transport.asked.length, 1, location);
  }
});

/** The requests that a redirect from one server to another makes. */
async function redirected(home: string, location: string, remoteAddress?: string): Promise<TransportRequest[]> {
  const answer = remoteAddress === undefined ? {} : { remoteAddress };
  const transport = new RecordingTransport({ status: 307, headers: { location }, ...answer }, {});
  const { http } = client(transport, { lookup: () => Promise.resolve([{ address: '10.9.9.9', family: 4 }]) });
  await ask(http, { ...get(home), home: new URL(home) });
  return transport.asked;
}

test('a server with such an address itself may, and names are bound to the same reach', async () => {
  const [first, second] = await redirected('https://registry.test/', 'https://10.1.1.1/x', '10.0.0.1');
  assert.equal(first?.reach, undefined);
  assert.equal(second?.reach, 'private');
  assert.equal((await redirected('https://registry.test/', 'https://10.1.1.1/x'))[1]?.reach, 'private'); // resolved, where the transport does not tell
  assert.equal((await redirected('http://localhost:5000/', 'http://127.0.0.1:9000/x'))[1]?.reach, 'loopback');
  assert.equal((await redirected('https://registry.test/', 'https://cdn.test/x', '1.1.1.1'))[1]?.reach, 'public');
  assert.equal(
    (await redirected('https://registry.test/', 'https://registry.test:8443/x', '1.1.1.1'))[1]?.reach,
    undefined,
  );
});

test('the client certificate is shown to the server only that it is meant for', async () => {
  const transport = new RecordingTransport({ status: 307, headers: { location: 'https://b.test/' } }, {});
  const tls = { ca: ['root'], cert: 'c', key: 'k', serverName: 's' };
  await ask(client(transport).http, get('https://a.test/', { tls }));
  assert.deepEqual(
    transport.asked.map((request) => request.tls),
    [tls, { ca: ['root'] }],
  );
});

test('a deadline ends an exchange, and the body of an opened answer has its own', async () => {
  await using server = await serve((_request, response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write('drip'), 20);
    response.on('close', () => clearInterval(timer));
  });
  const http = new HttpClient();
  const request = (): HttpRequest => get(server.url.href, { deadline: Date.now() + 150 });
  await assert.rejects(
    http.exchange(request(), (response) => readBody(response, 1e9, 'it')),
    { code: 'timeout', message: /within the deadline/ },
  );
  const opened = await http.open(request(), () => 200);
  await assert.rejects(readBody(opened, 1e9, 'it'), { code: 'timeout', message: /within the deadline/ });
  assert.equal(server.requests.length, 2); // a deadline is never tried again
  await http.close();
});

test("a caller's signal ends the waits between attempts too", async () => {
  const controller = new AbortController();
  const http = new HttpClient({ transport: new RecordingTransport({ status: 503 }), random: () => 0.999 });
  const pending = ask(http, get('https://a.test/', { signal: controller.signal }));
  setTimeout(() => controller.abort(new Error('enough')), 20);
  await assert.rejects(pending, /enough/);
});

test('a body is read up to its cap and not further', async () => {
  const huge = new RecordingTransport({ headers: { 'content-length': '101' } });
  await assert.rejects(ask(client(huge).http, get('https://a.test/')), {
    code: 'too-large',
    message: 'it has 101 bytes, at most 100 are read',
  });
  const long = new RecordingTransport({ body: 'x'.repeat(101) });
  await assert.rejects(ask(client(long).http, get('https://a.test/')), { code: 'too-large' });
});
