// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { encodeSignStatement, signBundle, verifyBundle } from '../trust/index.ts';
import { HttpClient, serve, type Call, type Reply, type RunningServer } from '../wire/index.ts';
import { expectedSeal, initializeTrust, loadTrust, namedServices, openKeylessSigner, openWitnesses } from './index.ts';
import { MIRROR, TestRepository } from './root/tuf-repository.fixture.ts';
import { FULCIO, openSigstoreDouble, SIGNED, TSA, type SigstoreDouble } from './sigstore-double.fixture.ts';

// The same over sockets: real requests, and processes that know nothing of each other.

const STACK = join(import.meta.dirname, '../../test/golden/_stack');
const HEX = 'ab'.repeat(32);

describe('over loopback', () => {
  let double: SigstoreDouble;
  let repository: TestRepository;
  let server: RunningServer;
  let base: string;
  let folder: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'bulla-loopback-'));
    double = await openSigstoreDouble();
    repository = new TestRepository({ 'trusted_root.json': readFileSync(join(STACK, 'trusted_root.json'), 'utf8') });
    server = await serve({
      host: '127.0.0.1',
      port: 0,
      service: { answer, fault: () => ({ status: 500, headers: {} }) },
    });
    base = `http://127.0.0.1:${server.address.port}`;
    writeFileSync(join(folder, 'root.json'), repository.root());
  });
  after(async () => {
    await server.close();
    rmSync(folder, { recursive: true, force: true });
  });

  // Each service of the double below a path of its own on one port.
  const PLACES = [
    ['/fulcio', FULCIO],
    ['/rekor1', 'https://log.example/rekor1'],
    ['/tsa', new URL(TSA).origin],
    ['/tuf', MIRROR],
  ] as const;

  async function answer(call: Call): Promise<Reply> {
    const [place, origin] = PLACES.find(([path]) => call.target.startsWith(`${path}/`)) ?? assert.fail(call.target);
    const url = new URL(`${origin}${call.target.slice(place.length)}`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of call.body) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    if (place === '/tuf') {
      const found = repository.files.get(call.target.slice('/tuf/'.length));
      return found === undefined ? { status: 404, headers: {}, body: '' } : { status: 200, headers: {}, body: found };
    }
    const headers = Object.fromEntries(
      Object.entries(call.headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
    );
    return double.server.client.exchange(
      { method: call.method, url, headers, ...(body.length === 0 ? {} : { body: new Uint8Array(body) }) },
      async (response) => {
        const parts: Uint8Array[] = [];
        for await (const chunk of response.body) parts.push(chunk);
        const type = response.headers['content-type'] ?? 'text/plain';
        return {
          status: response.status,
          headers: { 'content-type': type },
          body: new Uint8Array(Buffer.concat(parts)),
        };
      },
    );
  }

  it('signs without a key, and the seal holds', async () => {
    const http = new HttpClient();
    const services = namedServices({
      fulcio: `${base}/fulcio`,
      rekor: `${base}/rekor1`,
      timestamp: `${base}/tsa${new URL(TSA).pathname}`,
    });
    const signer = await openKeylessSigner({ authority: { url: `${base}/fulcio` }, token: double.token, http });
    const statement = encodeSignStatement({ algorithm: 'sha256', hex: HEX }, {});
    const bundle = await signBundle(statement, signer, openWitnesses(services, { http }));
    const { trustedRoot } = double;
    const expectation = await expectedSeal(signer, services, { trustedRoot, now: SIGNED });
    assert.ok(expectation.kind === 'identities');
    const image = { kind: 'digest', algorithm: 'sha256', hex: HEX } as const;
    const check = await verifyBundle(bundle, image, { identities: expectation.identities, ...expectation.evidence });
    assert.equal(check.kind, 'accepted', JSON.stringify(check));
    await http.close();
  });

  it('says that nobody is there as that, and not as a refusal', async () => {
    const http = new HttpClient();
    const nowhere = await serve({
      host: '127.0.0.1',
      port: 0,
      service: { answer, fault: () => ({ status: 500, headers: {} }) },
    });
    const url = `http://127.0.0.1:${nowhere.address.port}`;
    await nowhere.close();
    await assert.rejects(openKeylessSigner({ authority: { url }, token: double.token, http }), { code: 'unreachable' });
    const where = { env: {}, home: folder, cwd: folder, now: new Date(), http };
    await assert.rejects(initializeTrust({ ...where, mirror: url, root: 'root.json' }), { code: 'unreachable' });
  });

  it('initialises and loads the trusted root from several processes at a time, which leave one state', async () => {
    const home = join(folder, 'home');
    const http = new HttpClient();
    await initializeTrust({
      env: {},
      home,
      cwd: folder,
      now: new Date(),
      http,
      mirror: `${base}/tuf`,
      root: 'root.json',
    });
    const kept = join(home, '.sigstore/root/bulla');
    for (const name of readdirSync(kept)) if (name !== 'initialized.json') rmSync(join(kept, name));
    const door = (room: string): string =>
      JSON.stringify(pathToFileURL(join(import.meta.dirname, '..', room, 'index.ts')).href);
    const program = `
      const { loadTrust } = await import(${door('keyless')});
      const { HttpClient } = await import(${door('wire')});
      const { origin } = await loadTrust({ env: {}, home: ${JSON.stringify(home)}, cwd: '.', now: new Date(), http: new HttpClient() });
      process.stdout.write(origin.kind + ' ' + origin.rootVersion);
      process.exit(0);
    `;
    const outputs = await Promise.all(Array.from({ length: 3 }, () => run(program)));
    assert.deepEqual(outputs, ['tuf 1', 'tuf 1', 'tuf 1']);
    assert.equal(readdirSync(kept).length, 2);
    const { origin } = await loadTrust({ env: {}, home, cwd: folder, now: new Date(), http });
    assert.ok(origin.kind === 'tuf' && origin.kept);
    await http.close();
  });
});

function run(program: string): Promise<string> {
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve) => {
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    child.once('close', () => resolve(text));
  });
}
