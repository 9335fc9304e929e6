// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import bcrypt from 'bcryptjs';
import { Machine } from './bulla.ts';
import { assertRefused, assertTidy } from './refusal.ts';
import {
  ask,
  judge,
  onMachine,
  post,
  Proposer,
  sealBlob,
  startUp,
  stopWell,
  tokenOf,
  upWords,
  type ChainStack,
} from './stack.ts';

// What guards a stack: the password of its keys, TLS, users, and who gets a certificate.

const PASSWORD = 'correct horse battery staple';
const TLS = join(import.meta.dirname, '..', 'interop', 'tls');

let machine: Machine;
before(() => {
  machine = new Machine();
});
after(() => machine[Symbol.dispose]());

function privateKeys(data: string): ReadonlyMap<string, string> {
  const folder = join(machine.work, data, 'keys');
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.key'));
  return new Map(names.map((name) => [name, readFileSync(join(folder, name), 'utf8')]));
}

describe('BULLA_PASSWORD', () => {
  const env = { BULLA_PASSWORD: PASSWORD };

  test('encrypts every key; it and the keys are in no output, log, process list or file', async () => {
    const stack = await startUp(machine, ['--verbose'], { env });
    const keys = privateKeys('stack');
    assert.ok(keys.size >= 11);
    for (const [name, text] of keys) {
      assert.match(text, /^-----BEGIN ENCRYPTED (?:SIGSTORE|COSIGN) PRIVATE KEY-----\n/, name);
    }
    const token = await tokenOf(machine, 'stack', 'dev@example.com', [], env);
    assert.equal(await judge(stack.endpoints, await sealBlob(stack, token)), 'trusted');
    // Signed for nobody: the refusal is logged, the token is not.
    const forged = `${token.slice(0, -8)}AAAAAAAA`;
    const proposal = new Proposer().certificate('dev@example.com');
    const refused = await post(`${stack.endpoints.fulcio}/api/v2/signingCert`, proposal, {
      authorization: `Bearer ${forged}`,
    });
    assert.equal(refused.status, 401, refused.text);
    const shown = readFileSync(`/proc/${stack.running.child.pid}/cmdline`, 'utf8');
    assert.match(shown, /up\0--data\0stack/);
    assert.ok(!shown.includes(PASSWORD));
    const doctor = await onMachine(machine, ['doctor', '--data', 'stack', '--verbose'], env);
    assert.equal(doctor.code, 0, doctor.stdout);
    const rotated = await onMachine(machine, ['keys', 'rotate', '--data', 'stack', 'ca'], env);
    assert.equal(rotated.code, 0, rotated.stderr);
    const { stdout, stderr } = await stopWell(stack);
    assert.match(stderr, /POST \/api\/v2\/signingCert 401/);
    for (const text of [stdout, stderr, refused.text, doctor.stdout, doctor.stderr, rotated.stderr]) {
      assertTidy(text.replaceAll('\t', ' '));
      for (const secret of [PASSWORD, token, forged, token.split('.')[2] ?? '', 'PRIVATE KEY'])
        assert.ok(!text.includes(secret), text);
    }
    for (const [name, text] of privateKeys('stack')) assert.match(text, /ENCRYPTED/, name);
    for (const line of machine.files()) {
      const [path = ''] = line.split(' ');
      assert.ok(!readFileSync(join(machine.work, '..', path)).includes(PASSWORD), path);
    }
  });

  test('that is wrong or missing is refused by name, and nothing is changed', async () => {
    const files = machine.files();
    for (const [given, says] of [
      [{ BULLA_PASSWORD: 'wrong' }, /the password does not open the keys/],
      [{}, /the keys are encrypted .* and no password was given/],
    ] as const) {
      const up = await machine.bulla(upWords(), { env: given });
      assertRefused(up, { code: 1, says });
      const token = await onMachine(machine, ['token', '--data', 'stack', '--subject', 'a@b.example'], given);
      assertRefused(token, { code: 1, says });
    }
    assert.deepEqual(machine.files(), files);
    const stack = await startUp(machine, [], { env });
    await stopWell(stack);
  });

  test('that is given for keys which are not encrypted is refused: nobody is to believe that they are', async () => {
    await stopWell(await startUp(machine, [], { data: 'plain' }));
    for (const [, text] of privateKeys('plain')) assert.match(text, /^-----BEGIN PRIVATE KEY-----\n/);
    const refused = await machine.bulla(upWords([], { data: 'plain' }), { env });
    assertRefused(refused, { code: 1, says: /a password was given, and .* is not encrypted/ });
    assert.ok(!refused.stderr.includes(PASSWORD));
  });
});

describe('TLS and users', () => {
  test('are as for the registry: https everywhere, the registry asks who you are, the signing services do not', async () => {
    writeFileSync(join(machine.work, 'users'), `robot:${await bcrypt.hash('sesame', 4)}\n`);
    const flags = ['--tls-cert', join(TLS, 'server.crt'), '--tls-key', join(TLS, 'server.key'), '--htpasswd', 'users'];
    const stack = await startUp(machine, flags, { data: 'guarded' });
    assert.match(stack.endpoints.fulcio, /^https:\/\/127\.0\.0\.1:\d+$/);
    assert.match(readFileSync(stack.endpoints.signingConfig, 'utf8'), /"https:\/\/127\.0\.0\.1:\d+"/);
    const ca = readFileSync(join(TLS, 'ca.crt'));
    const status = (path: string, headers: Readonly<Record<string, string>> = {}): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        request(
          new URL(path, stack.endpoints.fulcio),
          { ca, headers, servername: 'localhost', agent: false },
          (answer) => resolve(answer.resume().statusCode),
        )
          .on('error', reject)
          .end();
      });
    assert.equal(await status('/v2/'), 401);
    const authorization = `Basic ${Buffer.from('robot:sesame').toString('base64')}`;
    assert.equal(await status('/v2/', { authorization }), 200);
    for (const path of [
      '/api/v2/trustBundle',
      '/api/v1/log',
      '/checkpoint',
      '/tuf/root.json',
      '/healthz',
      '/.well-known/openid-configuration',
    ])
      assert.equal(await status(path), 200, path);
    await stopWell(stack);
  });

  test('that cannot be read are refused by name', async () => {
    const refused = await machine.bulla(upWords(['--htpasswd', 'nobody'], { data: 'unguarded' }));
    assertRefused(refused, { code: 1, says: /nobody/ });
    const tls = await machine.bulla(upWords(['--tls-cert', 'users', '--tls-key', 'users'], { data: 'unguarded' }));
    assertRefused(tls, { code: 1, says: /users/ });
  });
});

describe('who gets a certificate', () => {
  let stack: ChainStack;
  const proposer = new Proposer();
  const production = 'https://ci.example.com/platform/release';

  function rules(text: (issuer: string) => string): void {
    writeFileSync(join(machine.work, 'ruled', 'rules.yaml'), text(stack.endpoints.issuer));
  }

  async function certificate(
    subject: string,
    flags: readonly string[] = [],
  ): Promise<{ status: number; text: string }> {
    const token = await tokenOf(machine, 'ruled', subject, flags);
    return await post(`${stack.endpoints.fulcio}/api/v2/signingCert`, proposer.certificate(subject), {
      authorization: `Bearer ${token}`,
    });
  }

  before(async () => {
    stack = await startUp(machine, [], { data: 'ruled' });
  });
  after(async () => {
    await stopWell(stack);
  });

  test('is everybody with a token of the built-in issuer after the first start, which wrote that rule', async () => {
    assert.match(readFileSync(join(machine.work, 'ruled', 'rules.yaml'), 'utf8'), /everyone: true/);
    assert.equal((await certificate('dev@example.com')).status, 200);
    assert.equal((await certificate(production)).status, 200);
  });

  test('is who the edited rules admit, after a restart; the refusal names what was asked for, and up prints the rules', async () => {
    rules(
      (issuer) =>
        `rules: [{ name: production, issuer: '${issuer}', claims: { sub: '${production}', environment: production } }]\n`,
    );
    await stopWell(stack);
    stack = await startUp(machine, [], { data: 'ruled' });
    assert.match(stack.running.stderr(), /Who gets a certificate:\n {2}production: .*environment/);
    assert.equal((await certificate(production, ['--claim', 'environment=production'])).status, 200);
    for (const [subject, flags] of [
      ['dev@example.com', []],
      [production, []],
      [production, ['--claim', 'environment=staging']],
      ['https://ci.example.com/platform/release2', ['--claim', 'environment=production']],
    ] as const) {
      const { status, text } = await certificate(subject, flags);
      assert.equal(status, 403, text);
      assert.match(text, /rule 'production'/);
    }
  });

  test('is nobody of whom no rule knows: no rules, no certificates', async () => {
    rules(() => 'rules: []\n');
    await stopWell(stack);
    stack = await startUp(machine, [], { data: 'ruled' });
    const { status, text } = await certificate('dev@example.com');
    assert.equal(status, 403, text);
    const doctor = await onMachine(machine, ['doctor', '--data', 'ruled', '--json']);
    const { well, findings } = JSON.parse(doctor.stdout) as {
      well: boolean;
      findings: readonly { name: string; outcome: string; detail: string }[];
    };
    assert.equal(well, true, doctor.stdout);
    assert.equal(findings.find(({ name }) => name === 'certificates')?.outcome, 'skipped');
    assert.equal(doctor.code, 0);
  });

  test('is not decided by rules that cannot be read: the stack does not start, and says which file is wrong', async () => {
    await stopWell(stack);
    const file = join(machine.work, 'ruled', 'rules.yaml');
    const good = readFileSync(file, 'utf8');
    for (const bad of [
      'rules: nobody\n',
      '{',
      'rules: [{ name: x }]\n',
      `rules: [{ name: x, issuer: 'http://a.example', everyone: true, claim: {} }]\n`,
      '\u0000',
    ]) {
      writeFileSync(file, bad);
      assertRefused(await machine.bulla(upWords([], { data: 'ruled' })), { code: 1, says: /rules\.yaml/ });
    }
    writeFileSync(file, Buffer.alloc(5 * 1024 * 1024, '#'));
    assertRefused(await machine.bulla(upWords([], { data: 'ruled' })), { code: 1, says: /rules\.yaml/ });
    writeFileSync(file, good);
    for (const flag of ['--rules', '--issuers', '--accounts', '--witness-policy']) {
      const missing = await machine.bulla(upWords([flag, 'absent.yaml'], { data: 'ruled' }));
      assertRefused(missing, { code: 1, says: /cannot read .*absent\.yaml/ });
      writeFileSync(join(machine.work, 'wrong.yaml'), 'surprise: [');
      const wrong = await machine.bulla(upWords([flag, 'wrong.yaml'], { data: 'ruled' }));
      assertRefused(wrong, { code: 1, says: /wrong\.yaml/ });
    }
    stack = await startUp(machine, [], { data: 'ruled' });
  });

  test('may be who has a token of an issuer of the issuers file, once a rule names it', async () => {
    const { TestIssuer } = await import('../../src/stack/certificate-authority/certificate-authority.fixture.ts');
    const { createServer } = await import('node:http');
    const server = createServer((asked, answer) => {
      const document = asked.url === '/keys' ? issuer.keys : { issuer: issuer.url, jwks_uri: `${issuer.url}/keys` };
      answer.setHeader('content-type', 'application/json').end(JSON.stringify(document));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    assert.ok(address !== null && typeof address === 'object');
    const issuer = await TestIssuer.open(`http://127.0.0.1:${address.port}`);
    try {
      writeFileSync(
        join(machine.work, 'issuers.yaml'),
        `oidc-issuers:\n  ${issuer.url}:\n    issuer-url: ${issuer.url}\n    client-id: sigstore\n    type: email\n`,
      );
      const asked = async (): Promise<{ status: number; text: string }> =>
        await post(`${stack.endpoints.fulcio}/api/v2/signingCert`, proposer.certificate('dev@example.com'), {
          authorization: `Bearer ${await issuer.personToken()}`,
        });
      // an issuer that is not listed is unknown, one that no rule names admits nobody
      assert.equal((await asked()).status, 401);
      await stopWell(stack);
      stack = await startUp(machine, ['--issuers', 'issuers.yaml'], { data: 'ruled' });
      assert.equal((await asked()).status, 403);
      writeFileSync(
        join(machine.work, 'others.yaml'),
        `rules: [{ name: people, issuer: '${issuer.url}', claims: { email: dev@example.com } }]\n`,
      );
      await stopWell(stack);
      stack = await startUp(machine, ['--issuers', 'issuers.yaml', '--rules', 'others.yaml'], { data: 'ruled' });
      const good = await asked();
      assert.equal(good.status, 200, good.text);
    } finally {
      server.close();
    }
  });
});

describe('bulla token', () => {
  let stack: ChainStack;
  before(async () => {
    stack = await startUp(machine, [], { data: 'minting' });
  });
  after(async () => {
    await stopWell(stack);
  });

  function claimsOf(token: string): Readonly<Record<string, unknown>> {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Readonly<
      Record<string, unknown>
    >;
  }

  test('makes one while the stack runs, and changes nothing', async () => {
    const files = machine.files().filter((line) => !/-wal|-shm/.test(line));
    const mail = claimsOf(await tokenOf(machine, 'minting', 'dev@example.com', ['--lifetime', '90s']));
    assert.deepEqual(
      [mail['iss'], mail['aud'], mail['email'], mail['email_verified']],
      [stack.endpoints.issuer, 'sigstore', 'dev@example.com', true],
    );
    assert.equal(Number(mail['exp']) - Number(mail['iat']), 90);
    const uri = claimsOf(
      await tokenOf(machine, 'minting', 'https://ci.example.com/x', [
        '--claim',
        'a=b=c',
        '--claim',
        'ref=',
        '--audience',
        'other',
      ]),
    );
    assert.deepEqual(
      [uri['sub'], uri['a'], uri['ref'], uri['aud'], uri['email']],
      ['https://ci.example.com/x', 'b=c', '', 'other', undefined],
    );
    assert.deepEqual(
      machine.files().filter((line) => !/-wal|-shm/.test(line)),
      files,
    );
    const { stdout } = await onMachine(machine, ['token', '--data', 'minting', '--subject', 'a@b.example', '--json']);
    assert.match((JSON.parse(stdout) as { token: string }).token, /^ey[\w-]+\.ey[\w-]+\.[\w-]+$/);
  });

  const refused: readonly (readonly [flags: readonly string[], says: RegExp])[] = [
    [[], /--subject is required/],
    [['--subject', 'no-address'], /subject/],
    [['--subject', 'a@b@c'], /subject/],
    [['--subject', 'a b@example.com'], /subject/],
    [['--subject', 'x'.repeat(5000)], /subject/],
    [['--subject', 'a@b.example', '--claim', 'novalue'], /expected NAME=VALUE/],
    [['--subject', 'a@b.example', '--claim', '=x'], /expected NAME=VALUE/],
    [['--subject', 'a@b.example', '--claim', 'x=1', '--claim', 'x=2'], /given twice/],
    [['--subject', 'a@b.example', '--claim', 'iss=http://other.example'], /iss/],
    [['--subject', 'a@b.example', '--claim', 'email_verified=true'], /email_verified/],
    [['--subject', 'a@b.example', '--claim', 'exp=99999999999'], /exp/],
    [['--subject', 'a@b.example', '--lifetime', '0s'], /a token cannot live 0 s/],
    [['--subject', 'a@b.example', '--lifetime', '10000h'], /a token cannot live/],
    [['--subject', 'a@b.example', '--lifetime', '-5s'], /lifetime/],
    [['--subject', 'a@b.example', '--audience', ''], /audience/],
  ];
  for (const [flags, says] of refused) {
    test(`refuses ${flags.join(' ').slice(0, 70) || 'to name nobody'}`, async () => {
      assertRefused(await onMachine(machine, ['token', '--data', 'minting', ...flags]), { code: 1, says });
    });
  }

  test('is the built-in issuer: its keys verify what was made', async () => {
    const { createLocalJWKSet, jwtVerify } = await import('jose');
    const token = await tokenOf(machine, 'minting', 'dev@example.com');
    const { issuer } = stack.endpoints;
    const { jwks_uri: keys } = JSON.parse((await ask(`${issuer}/.well-known/openid-configuration`)).text) as {
      jwks_uri: string;
    };
    const set = createLocalJWKSet(JSON.parse((await ask(keys)).text) as Parameters<typeof createLocalJWKSet>[0]);
    const { payload } = await jwtVerify(token, set, { issuer, audience: 'sigstore' });
    assert.equal(payload['email'], 'dev@example.com');
  });
});
