// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { digestOf, MediaType, type Digest } from '../oci/index.ts';
import { imageJson, pushBlob, pushImage, type Answered, type Fixture } from './registry.fixture.ts';
import { serveRegistry, type RunningRegistry, type ServeRegistryOptions } from './serve.ts';

const run = promisify(execFile);
const MiB = 1024 * 1024;
let root = '';
let directories = 0;

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'bulla-serve-'));
});
after(() => rm(root, { recursive: true, force: true }));

const fresh = (): string => join(root, `data-${++directories}`);

/** Serves on a free port for the time of a test. */
async function serving(
  options: Partial<ServeRegistryOptions>,
  use: (registry: RunningRegistry, client: Pick<Fixture, 'ask'>) => Promise<void>,
): Promise<void> {
  const registry = await serveRegistry({ data: fresh(), port: 0, ...options });
  try {
    await use(registry, over(registry.url));
  } finally {
    await registry.close();
  }
}

/** Asks over HTTP what the fixture asks without. */
function over(url: string, headers: Readonly<Record<string, string>> = {}): Pick<Fixture, 'ask'> {
  return {
    ask: async (method, target, ask = {}) => {
      const body = Buffer.isBuffer(ask.body) ? ask.body : Buffer.from((ask.body ?? '') as string);
      const response = await send(new URL(target, url), method, { ...headers, ...ask.headers }, body);
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      const bytes = Buffer.concat(chunks);
      const status = response.statusCode ?? 0;
      const text = bytes.toString();
      const code = status >= 400 ? /"code":"([A-Z_]+)"/.exec(text)?.[1] : undefined;
      return { status, headers: response.headers as Answered['headers'], bytes, text, code };
    },
  };
}

async function send(
  url: URL,
  method: string,
  headers: Readonly<Record<string, string>>,
  body: Buffer,
): Promise<IncomingMessage> {
  const agent = false; // a connection each: none is left over when a registry stops
  const request = httpRequest(url, { agent, method, headers: { 'content-length': `${body.byteLength}`, ...headers } });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

/** A registry in a process of its own, to be killed or watched. */
async function spawnRegistry(
  data: string,
  wrapper: readonly string[] = [],
): Promise<{ child: ChildProcess; url: string; pid: number }> {
  const program = join(root, `serve-${++directories}.ts`);
  const module = JSON.stringify(new URL('serve.ts', import.meta.url).href);
  await writeFile(
    program,
    `import { serveRegistry } from ${module};
     const registry = await serveRegistry({ data: ${JSON.stringify(data)}, port: 0 });
     process.stdout.write(registry.url + ' ' + process.pid + '\\n');
     process.on('SIGTERM', () => void registry.close());\n`,
  );
  const [command, ...rest] = [...wrapper, process.execPath, program];
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  for await (const line of createInterface(child.stdout)) {
    const [url = '', pid] = line.split(' ');
    return { child, url, pid: Number(pid) };
  }
  throw new Error('the registry did not start');
}

describe('a registry that is served', () => {
  test('is reached at its URL on a free port, makes its data directory, and stops', async () => {
    const data = join(fresh(), 'new');
    const registry = await serveRegistry({ data, port: 0 });
    assert.equal(registry.url, `http://127.0.0.1:${registry.address.port}`);
    assert.ok(registry.address.port > 0);
    const { digest } = await pushImage(over(registry.url), 'team/app', 'v1', 'layer');
    assert.equal((await registry.repository('team/app').resolve('v1'))?.digest, digest);
    assert.equal(registry.repository('team/app').name, `127.0.0.1:${registry.address.port}/team/app`);
    await registry.close();
    await registry.close();
    await assert.rejects(over(registry.url).ask('GET', '/v2/'), { code: 'ECONNREFUSED' });
    await serving({ data }, async (again, client) => {
      assert.equal((await client.ask('GET', '/v2/team/app/manifests/v1')).status, 200);
      assert.notEqual(again.url, '');
    });
  });

  test('refuses a data directory that another one owns', async () => {
    await serving({}, async (registry) => {
      assert.notEqual(registry.url, '');
      const data = join(root, `data-${directories}`);
      await assert.rejects(serveRegistry({ data, port: 0 }), { name: 'StoreError', code: 'in-use' });
    });
  });

  test('frees its data directory where it cannot listen', async () => {
    await serving({}, async ({ address }) => {
      const data = fresh();
      for (let again = 0; again < 2; again++) {
        await assert.rejects(serveRegistry({ data, port: address.port }), {
          name: 'WireError',
          code: 'listen-failed',
          message: new RegExp(`^cannot listen on 127\\.0\\.0\\.1:${address.port}: .*(EADDRINUSE|in use)`),
        });
      }
    });
  });

  test('finishes requests under way when it stops', async () => {
    const registry = await serveRegistry({ data: fresh(), port: 0 });
    const bytes = randomBytes(100_000);
    const url = new URL(`/v2/a/blobs/uploads/?digest=${digestOf(bytes)}`, registry.url);
    const request = httpRequest(url, { method: 'POST', headers: { 'content-length': `${bytes.byteLength}` } });
    const answered = once(request, 'response') as Promise<[IncomingMessage]>;
    request.write(bytes.subarray(0, 50_000));
    await once(request, 'socket').then(([socket]) =>
      once(socket as NodeJS.EventEmitter, 'connect').catch(() => undefined),
    );
    await new Promise((resolve) => setTimeout(resolve, 50));
    const closing = registry.close();
    request.end(bytes.subarray(50_000));
    const [response] = await answered;
    response.resume();
    assert.equal(response.statusCode, 201);
    await closing;
  });

  test('ends requests that do not end when it has waited', async () => {
    const registry = await serveRegistry({ data: fresh(), port: 0, limits: { closeMs: 50 } });
    const request = httpRequest(new URL(`/v2/a/blobs/uploads/?digest=${digestOf(Buffer.from('x'))}`, registry.url), {
      method: 'POST',
      headers: { 'content-length': '100' },
    });
    const failed = once(request, 'error');
    request.write('x');
    await new Promise((resolve) => setTimeout(resolve, 50));
    await registry.close();
    const [error] = (await failed) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNRESET');
  });

  test('does not wait for connections that ask nothing, or only half a request', async () => {
    const registry = await serveRegistry({ data: fresh(), port: 0, limits: { closeMs: 1_000_000 } });
    const sockets = ['', 'GET /v2/ HT', 'GET /v2/ HTTP/1.1\r\nHost: h\r\n\r\n'].map((text) => {
      const socket = connect(registry.address.port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.resume();
      socket.write(text);
      return socket;
    });
    await once(sockets[2] as Socket, 'data');
    await registry.close();
    for (const socket of sockets) socket.destroy();
  });

  test('takes the URL that it is told', async () => {
    await serving({ url: 'https://registry.example.com/' }, async (registry) => {
      assert.equal(registry.url, 'https://registry.example.com');
      assert.equal(registry.repository('team/app').name, 'registry.example.com/team/app');
    });
    for (const url of ['', 'registry.example.com', 'ftp://x', 'https://x/path', 'https://user:secret@x']) {
      await assert.rejects(serveRegistry({ data: fresh(), port: 0, url }), (error: Error) => {
        assert.equal((error as Error & { code?: string }).code, 'url-malformed');
        assert.ok(!error.message.includes('secret'));
        return true;
      });
    }
  });

  test('refuses a rule that is none before it touches anything', async () => {
    const data = fresh();
    await assert.rejects(serveRegistry({ data, port: 0, writeOnce: ['nonsense'] }), { code: 'rule-malformed' });
    await assert.rejects(readdir(data), { code: 'ENOENT' });
  });
});

describe('an address that others reach', () => {
  const PASSWORDS = 'alice:$2y$04$abcdefghijklmnopqrstuv0123456789ABCDEFGHIJKLMNOPQRSTU\n';

  for (const host of ['0.0.0.0', '::', '192.0.2.1', '::ffff:192.0.2.1', 'registry.example.com']) {
    test(`(${host}) is refused without TLS and users, each missing one named`, async () => {
      const users = join(root, 'users');
      await writeFile(users, PASSWORDS);
      const tls = { cert: 'cert.pem', key: 'key.pem' };
      for (const [options, lacks] of [
        [{}, 'TLS (--tls-cert, --tls-key) and users (--htpasswd)'],
        [{ htpasswd: users }, 'TLS (--tls-cert, --tls-key)'],
        [{ tls }, 'users (--htpasswd)'],
      ] as const) {
        await assert.rejects(serveRegistry({ data: fresh(), host, port: 0, ...options }), {
          name: 'RegistryServeError',
          code: 'listen-refused',
          message: `refusing to listen on ${host} without ${lacks}: only loopback addresses are open then, unless --insecure-listen`,
        });
      }
    });
  }

  test('is taken with insecureListen, and each start warns', async () => {
    for (let start = 0; start < 2; start++) {
      const warnings: string[] = [];
      const onWarning = (message: string) => warnings.push(message);
      // 0.0.0.0 is what is listened on; only loopback is spoken to.
      await serving({ host: '0.0.0.0', insecureListen: true, onWarning }, async ({ address }) => {
        assert.equal((await over(`http://127.0.0.1:${address.port}`).ask('GET', '/v2/')).status, 200);
      });
      assert.deepEqual(warnings, [
        'the registry listens on 0.0.0.0 without TLS (--tls-cert, --tls-key) and users (--htpasswd): whoever reaches it can read and write',
      ]);
    }
  });

  for (const host of ['127.0.0.1', '127.9.8.7', 'localhost']) {
    test(`is none of ${host}`, async () => {
      const warnings: string[] = [];
      await serving({ host, onWarning: (message) => warnings.push(message) }, async ({ address }) => {
        assert.ok(address.port > 0);
      });
      assert.deepEqual(warnings, []);
    });
  }
});

describe('TLS and users', () => {
  test('are asked of every client', async (t) => {
    const [cert, key, users] = [join(root, 'cert.pem'), join(root, 'key.pem'), join(root, 'htpasswd')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
    const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    const made = await run('openssl', ['req', '-x509', ...ec, ...subject, '-keyout', key, '-out', cert]).catch(
      () => undefined,
    );
    if (made === undefined) return t.skip('openssl is not installed');
    const { hash } = await import('bcryptjs');
    await writeFile(users, `alice:${await hash('opensesame', 4)}\n`);
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const other = join(root, 'other.pem');
    await writeFile(other, privateKey.export({ type: 'pkcs8', format: 'pem' }));
    await assert.rejects(serveRegistry({ data: fresh(), port: 0, tls: { cert, key: other } }), {
      code: 'tls-malformed',
      message: `cannot use ${cert} with ${other}: the key is not that of the certificate`,
    });
    await serving({ tls: { cert, key }, htpasswd: users }, async (registry) => {
      assert.match(registry.url, /^https:\/\/127\.0\.0\.1:\d+$/);
      const ca = await readFile(cert);
      const status = async (authorization?: string): Promise<number | undefined> => {
        const headers = authorization === undefined ? {} : { authorization };
        const request = httpsRequest(new URL('/v2/', registry.url), { ca, headers });
        request.end();
        const [response] = (await once(request, 'response')) as [IncomingMessage];
        response.resume();
        if (response.statusCode === 401) {
          assert.equal(response.headers['www-authenticate'], 'Basic realm="bulla registry", charset="UTF-8"');
        }
        return response.statusCode;
      };
      assert.equal(await status(), 401);
      assert.equal(await status(`Basic ${btoa('alice:wrong')}`), 401);
      assert.equal(await status(`Basic ${btoa('alice:opensesame')}`), 200);
    });
  });

  test('that cannot be read stop the start, with the file named and no secret', async () => {
    const junk = join(root, 'junk.pem');
    await writeFile(junk, 'SECRET junk');
    for (const tls of [
      { cert: junk, key: junk },
      { cert: join(root, 'missing.pem'), key: junk },
    ]) {
      await assert.rejects(serveRegistry({ data: fresh(), port: 0, tls }), (error: Error) => {
        assert.equal((error as Error & { code?: string }).code, 'tls-malformed');
        assert.ok(error.message.includes(tls.cert) && !error.message.includes('SECRET'));
        return true;
      });
    }
    await assert.rejects(serveRegistry({ data: fresh(), port: 0, htpasswd: junk }), { code: 'htpasswd-malformed' });
  });
});

describe('what was answered 2xx', () => {
  test('was flushed before, by fdatasync or fsync, file and directory and database', async (t) => {
    if ((await run('strace', ['-V']).catch(() => undefined)) === undefined) return t.skip('strace is not installed');
    const trace = join(root, 'trace');
    const calls = 'trace=fdatasync,fsync,rename,renameat,renameat2,writev,write,sendto,sendmsg';
    const started = await spawnRegistry(fresh(), ['strace', '-f', '-y', '-s', '200', '-e', calls, '-o', trace]);
    const client = over(started.url);
    const large = randomBytes(100_000);
    await pushBlob(client, 'a/b', large);
    await pushImage(client, 'a/b', 'v1', 'a small layer');
    process.kill(started.pid, 'SIGTERM'); // strace itself lets no signal through
    await once(started.child, 'exit');
    const lines = (await readFile(trace, 'utf8')).split('\n');
    const at = (from: number, pattern: RegExp): number =>
      lines.findIndex((line, index) => index > from && pattern.test(line));
    // The large blob: content, then its name, then the name's directory, then its rows, then the answer.
    const content = at(-1, /f(data)?sync\(\d+<[^>]*\/staging\//);
    const renamed = at(content, /rename.*\/staging\/.*\/objects\/blobs\/sha256\//);
    const directory = at(renamed, /fsync\(\d+<[^>]*\/objects\/blobs\/sha256\/[0-9a-f]{2}>/);
    const rows = at(directory, /f(data)?sync\(\d+<[^>]*registry\.db-wal>/);
    const created = at(-1, /HTTP\/1\.1 201 Created/);
    assert.ok(
      content >= 0 && renamed > content && directory > renamed && rows > directory,
      lines.slice(0, 200).join('\n'),
    );
    assert.ok(created > rows, 'the answer was sent before the flush');
    // Each later 201 (two small blobs, one manifest) has a flush of the database since the one before.
    let last = created;
    for (let answers = 0; answers < 3; answers++) {
      const flushed = at(last, /f(data)?sync\(\d+<[^>]*registry\.db-wal>/);
      const next = at(last, /HTTP\/1\.1 201 Created/);
      assert.ok(flushed > last && next > flushed, `answer ${answers} was sent before the flush`);
      last = next;
    }
  });

  test('is there, whole, after the process was killed, and nothing half-uploaded shows', async () => {
    const data = fresh();
    const acknowledged: { digest: Digest; tag: string; layer: Digest; content: Buffer }[] = [];
    for (let life = 0; life < 3; life++) {
      const { child, url } = await spawnRegistry(data);
      const client = over(url);
      let enough = acknowledged.length + 20;
      const pushing = Array.from({ length: 8 }, async (_, caller) => {
        for (let at = 0; ; at++) {
          const content = randomBytes(at % 2 === 0 ? 1000 : 60_000);
          const tag = `t-${life}-${caller}-${at}`;
          const config = await pushBlob(client, 'a/b', '{}');
          const layer = await pushBlob(client, 'a/b', content);
          const bytes = imageJson(config, [layer]);
          const put = await client.ask('PUT', `/v2/a/b/manifests/${tag}`, {
            headers: { 'content-type': MediaType.imageManifest },
            body: bytes,
          });
          assert.equal(put.status, 201);
          acknowledged.push({ digest: digestOf(bytes), tag, layer: layer.digest, content });
          if (acknowledged.length >= enough) {
            enough = Infinity;
            child.kill('SIGKILL');
          }
        }
      });
      await Promise.allSettled(pushing);
      if (child.signalCode === null) await once(child, 'exit');
      assert.equal(child.signalCode, 'SIGKILL');
    }
    await serving({ data }, async (registry) => {
      const repository = registry.repository('a/b');
      for (const { digest, tag, layer, content } of acknowledged) {
        assert.equal((await repository.resolve(tag))?.digest, digest);
        assert.deepEqual(Buffer.from((await repository.blob(layer, content.byteLength)) ?? []), content);
      }
      assert.deepEqual(await readdir(join(data, 'staging')), []);
      assert.ok(acknowledged.length >= 60);
    });
  });
});

describe('a blob of 256 MiB', () => {
  test('goes in and out without being held in memory', async (t) => {
    if (process.platform !== 'linux') return t.skip('memory is read from /proc');
    const { child, url } = await spawnRegistry(fresh());
    const peak = async (): Promise<number> =>
      Number(/VmHWM:\s+(\d+) kB/.exec(await readFile(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024;
    const chunk = randomBytes(MiB);
    const hash = createHash('sha256');
    for (let at = 0; at < 256; at++) hash.update(chunk);
    const digest = `sha256:${hash.digest('hex')}`;
    await pushImage(over(url), 'a', 'v1', 'warm');
    const begun = await over(url).ask('POST', '/v2/a/blobs/uploads/');
    const idle = await peak();
    const request = httpRequest(new URL(`${begun.headers['location']}?digest=${digest}`, url), {
      method: 'PUT',
      headers: { 'content-length': `${256 * MiB}` },
    });
    const answered = once(request, 'response') as Promise<[IncomingMessage]>;
    for (let at = 0; at < 256; at++) if (!request.write(chunk)) await once(request, 'drain');
    request.end();
    const [created] = await answered;
    created.resume();
    assert.equal(created.statusCode, 201);
    const got = createHash('sha256');
    const response = await send(new URL(`/v2/a/blobs/${digest}`, url), 'GET', {}, Buffer.alloc(0));
    for await (const part of response) got.update(part as Buffer);
    assert.equal(`sha256:${got.digest('hex')}`, digest);
    const grown = (await peak()) - idle;
    assert.ok(grown < 128, `memory grew by ${grown.toFixed(0)} MiB`);
    child.kill('SIGTERM');
    const [code] = (await once(child, 'exit')) as [number | null];
    assert.equal(code, 0);
  });
});

describe('a client that dawdles, or many', () => {
  const bun = process.versions['bun'] !== undefined; // its node:http has neither limit

  test('is given up where its headers do not come', { skip: bun }, async () => {
    await serving({ limits: { headersMs: 100 } }, async ({ address }) => {
      const socket = connect(address.port, '127.0.0.1');
      let got = '';
      socket.on('data', (chunk: Buffer) => (got += chunk.toString()));
      socket.write('GET /v2/ HTTP/1.1\r\nX-Slow: ');
      await once(socket, 'close');
      assert.match(got, /^HTTP\/1\.1 408 /);
    });
  });

  test('is turned away beyond the number of connections', { skip: bun }, async () => {
    await serving({ limits: { connections: 2 } }, async ({ address }) => {
      const open = async (): Promise<Socket> => {
        const socket = connect(address.port, '127.0.0.1');
        socket.on('error', () => undefined);
        socket.write('GET /v2/ HTTP/1.1\r\nHost: h\r\n\r\n');
        await Promise.race([once(socket, 'data'), once(socket, 'close')]);
        return socket;
      };
      const sockets = [await open(), await open(), await open()];
      assert.deepEqual(
        sockets.map((socket) => socket.bytesRead > 0),
        [true, true, false],
      );
      for (const socket of sockets) socket.destroy();
    });
  });
});

describe('an upload whose connection breaks', () => {
  test('shows nothing, and goes on where it ended', async () => {
    await serving({}, async (registry, client) => {
      const bytes = randomBytes(300_000);
      const digest = digestOf(bytes);
      const begun = await client.ask('POST', '/v2/a/blobs/uploads/');
      const location = begun.headers['location'] ?? '';
      const broken = httpRequest(new URL(location, registry.url), {
        method: 'PATCH',
        headers: { 'content-length': `${bytes.byteLength}` },
      });
      broken.on('error', () => undefined);
      broken.write(bytes.subarray(0, 200_000));
      let received = 0;
      while (received < 199_999) {
        const status = await client.ask('GET', location);
        received = Number(status.headers['range']?.slice(2));
      }
      broken.destroy();
      assert.equal((await client.ask('GET', `/v2/a/blobs/${digest}`)).status, 404);
      const rest = { headers: { 'content-range': '200000-299999' }, body: bytes.subarray(200_000) };
      let resumed = await client.ask('PATCH', location, rest);
      while (resumed.status === 409) resumed = await client.ask('PATCH', location, rest);
      assert.equal(resumed.status, 202);
      assert.equal((await client.ask('PUT', `${location}?digest=${digest}`)).status, 201);
      assert.deepEqual((await client.ask('GET', `/v2/a/blobs/${digest}`)).bytes, bytes);
    });
  });
});
