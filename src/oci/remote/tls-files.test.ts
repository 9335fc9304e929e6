// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { CLIENT_CERTIFICATE, CLIENT_KEY, SERVER_KEY } from '../../wire/http/certificates.fixture.ts';
import { MediaType } from '../media-type.ts';
import type { RemoteTls } from './options.ts';
import { RecordingTransport } from './recording-transport.fixture.ts';
import { openRemoteRepository } from './remote-repository.ts';
import { imageNamed } from './sample.fixture.ts';
import { readTlsFiles } from './tls-files.ts';

const certificate = (name: string): string => `-----BEGIN CERTIFICATE-----\n${name}\n-----END CERTIFICATE-----`;

const ENCRYPTED_KEY = createPrivateKey(CLIENT_KEY).export({
  type: 'pkcs8',
  format: 'pem',
  cipher: 'aes-256-cbc',
  passphrase: 'secret',
});

/** A directory with files, for the time of a test. */
function withFiles(files: Readonly<Record<string, string>>): { path: string } & Disposable {
  const path = mkdtempSync(`${tmpdir()}/bulla-certs-`);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(`${path}/${name}`.replace(/\/[^/]*$/, ''), { recursive: true });
    writeFileSync(`${path}/${name}`, text);
  }
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

const unwarned = (warning: string): void => assert.fail(warning);

test("takes roots and a client certificate from docker's directory for the host and port", () => {
  using directory = withFiles({
    'registry.test:5000/ca.crt': `${certificate('a')}\n${certificate('b')}\n`,
    'registry.test:5000/other.crt': certificate('c'),
    'registry.test:5000/client.cert': CLIENT_CERTIFICATE,
    'registry.test:5000/client.key': CLIENT_KEY,
    'registry.test/ca.crt': certificate('elsewhere'),
  });
  const tls = { certsDirectories: [`${directory.path}/none`, directory.path] };
  assert.deepEqual(readTlsFiles('registry.test:5000', tls, {}, unwarned), {
    extraCa: [certificate('a'), certificate('b'), certificate('c')],
    cert: CLIENT_CERTIFICATE,
    key: CLIENT_KEY,
  });
  assert.deepEqual(readTlsFiles('registry.test:5001', tls, {}, unwarned), {});
});

test("looks in the user's directories before the machine's", () => {
  using home = withFiles({ '.config/containers/certs.d/registry.test/ca.crt': certificate('mine') });
  assert.deepEqual(readTlsFiles('registry.test', {}, { HOME: home.path }, unwarned), {
    extraCa: [certificate('mine')],
  });
  assert.deepEqual(readTlsFiles('registry.test', {}, { XDG_CONFIG_HOME: `${home.path}/.config` }, unwarned).extraCa, [
    certificate('mine'),
  ]);
});

test('files that are named stand alone', () => {
  using files = withFiles({
    'ca.pem': certificate('ca'),
    'c.pem': CLIENT_CERTIFICATE,
    'k.pem': CLIENT_KEY,
    'registry.test/ca.crt': certificate('x'),
  });
  const named = {
    caFile: `${files.path}/ca.pem`,
    certFile: `${files.path}/c.pem`,
    keyFile: `${files.path}/k.pem`,
    serverName: 'other.test',
    insecure: true,
  };
  assert.deepEqual(readTlsFiles('registry.test', { ...named, certsDirectories: [files.path] }, {}, unwarned), {
    ca: [certificate('ca')],
    cert: CLIENT_CERTIFICATE,
    key: CLIENT_KEY,
    serverName: 'other.test',
    insecure: true,
  });
});

test('what cannot be used is an error that names the file', () => {
  using files = withFiles({
    'empty.pem': '',
    'key.pem': CLIENT_KEY,
    'cert.pem': CLIENT_CERTIFICATE,
    'other.pem': SERVER_KEY,
    'locked.pem': ENCRYPTED_KEY,
    'nonsense.pem': certificate('c'),
    'orphan/client.key': CLIENT_KEY,
    'bare/client.cert': CLIENT_CERTIFICATE,
    'swapped/client.cert': CLIENT_CERTIFICATE,
    'swapped/client.key': SERVER_KEY,
    'broken/ca.crt': 'x',
  });
  const client = (cert: string, key: string): RemoteTls => ({
    certFile: `${files.path}/${cert}.pem`,
    keyFile: `${files.path}/${key}.pem`,
  });
  const cases: [string, RemoteTls, RegExp][] = [
    ['registry.test', { caFile: `${files.path}/none.pem` }, /none\.pem cannot be read/],
    ['registry.test', { caFile: files.path }, /cannot be read/],
    ['registry.test', { caFile: `${files.path}/empty.pem` }, /empty\.pem holds no certificate/],
    ['registry.test', { caFile: `${files.path}/key.pem` }, /key\.pem holds no certificate \(expected PEM\)/],
    ['registry.test', { certFile: `${files.path}/key.pem` }, /belong together: only .*key\.pem was given/],
    ['registry.test', client('cert', 'other'), /other\.pem is not the key of the certificate .*cert\.pem/],
    ['registry.test', client('cert', 'locked'), /locked\.pem is encrypted, expected a key without a password/],
    ['registry.test', client('cert', 'nonsense'), /nonsense\.pem holds no key that can be read/],
    ['registry.test', client('nonsense', 'key'), /nonsense\.pem holds no certificate that can be read/],
    ['registry.test', { caFile: '/dev/zero' }, /\/dev\/zero cannot be read/],
    ['swapped', { certsDirectories: [files.path] }, /client\.key is not the key of the certificate .*client\.cert/],
    ['orphan', { certsDirectories: [files.path] }, /client\.key has no certificate beside it/],
    ['bare', { certsDirectories: [files.path] }, /client\.key cannot be read/],
    ['broken', { certsDirectories: [files.path] }, /ca\.crt holds no certificate/],
  ];
  for (const [host, tls, message] of cases) {
    assert.throws(() => readTlsFiles(host, tls, {}, unwarned), { name: 'RegistryError', code: 'tls-failed', message });
  }
});

test('of several client certificates the first is used, and that is said', () => {
  using files = withFiles({
    'host/a.cert': CLIENT_CERTIFICATE,
    'host/a.key': CLIENT_KEY,
    'host/b.cert': certificate('b'),
    'host/b.key': SERVER_KEY,
  });
  const warnings: string[] = [];
  const tls = readTlsFiles('host', { certsDirectories: [files.path] }, {}, (warning) => warnings.push(warning));
  assert.equal(tls.cert, CLIENT_CERTIFICATE);
  assert.match(warnings.join(), /2 client certificates: a\.cert is used/);
});

test('the files are read for requests over TLS, once, and not for plain ones', async () => {
  using files = withFiles({ 'registry.test/ca.crt': certificate('ca') });
  const answer = { body: imageNamed('x'), headers: { 'content-type': MediaType.imageManifest } };
  const transport = new RecordingTransport(() => answer);
  const options = { transport, credentials: 'anonymous', tls: { certsDirectories: [files.path] } } as const;
  const repository = openRemoteRepository({ registry: 'registry.test', repository: 'a' }, options);
  await repository.manifest('v1');
  await repository.manifest('v2');
  assert.deepEqual(transport.asked[0]?.tls, { extraCa: [certificate('ca')] });
  assert.equal(transport.asked[1]?.tls, transport.asked[0]?.tls);
  const plain = openRemoteRepository(
    { registry: 'localhost:5000', repository: 'a' },
    { transport, credentials: 'anonymous' },
  );
  await plain.manifest('v1');
  assert.equal(transport.asked[2]?.tls, undefined);
});
