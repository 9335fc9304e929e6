// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { decodePrivateKey, decodePublicKey, KEY_ALGORITHMS } from '../../trust/index.ts';
import { runRecorded, type Ran, type RecordingHostOptions } from '../recording-host.fixture.ts';
import { command as generate } from './generate-key-pair.ts';

const GOLDEN = join(import.meta.dirname, '../../../test/golden/_keys');
const ENV = { COSIGN_PASSWORD: 'pw' };

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'bulla-keys-'));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

const run = (argv: readonly string[], options: RecordingHostOptions = { env: ENV }): Promise<Ran> =>
  runRecorded(argv, { cwd, ...options });
const bytes = (name: string): Buffer => readFileSync(join(cwd, name));
const opens = async (name: string, password: string): Promise<string> => {
  const key = await decodePrivateKey(bytes(name), { what: name, passwords: [Buffer.from(password)] });
  return key.publicKey.hint;
};
const hintOf = (name: string): string => decodePublicKey(bytes(name), name).hint;

describe('generate-key-pair', () => {
  it('writes cosign.key for its owner only, and the cosign.pub that belongs to it', async () => {
    const { code, stdout, stderr } = await run(['generate-key-pair']);
    assert.equal(code, 0);
    assert.equal(stdout, '');
    assert.equal(stderr, 'Private key written to cosign.key\nPublic key written to cosign.pub\n');
    assert.deepEqual(readdirSync(cwd).toSorted(), ['cosign.key', 'cosign.pub']);
    assert.equal(statSync(join(cwd, 'cosign.key')).mode & 0o777, 0o600);
    assert.match(bytes('cosign.key').toString(), /^-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n/);
    assert.equal(await opens('cosign.key', 'pw'), hintOf('cosign.pub'));
  });

  it('takes the kinds of key that trust makes', () => {
    const { algorithm } = generate.flags;
    assert.ok(algorithm?.kind === 'string');
    assert.deepEqual(algorithm.choices, KEY_ALGORITHMS);
  });

  it('makes the kind that was asked for, and tells a machine', async () => {
    const { stdout } = await run([
      'generate-key-pair',
      '--algorithm',
      'ed25519',
      '--output-key-prefix',
      'ci',
      '--json',
    ]);
    assert.deepEqual(JSON.parse(stdout), {
      privateKey: 'ci.key',
      publicKey: 'ci.pub',
      algorithm: 'ed25519',
      hint: hintOf('ci.pub'),
    });
  });

  it('asks for the password twice on a terminal', async () => {
    const { code, host } = await run(['generate-key-pair'], { answers: ['secret', 'secret'] });
    assert.equal(code, 0);
    assert.equal(host.questions.length, 2);
    assert.equal(await opens('cosign.key', 'secret'), hintOf('cosign.pub'));
  });

  it('writes nothing where the two passwords differ', async () => {
    const { code, stderr } = await run(['generate-key-pair'], { answers: ['secret', 'secrte'] });
    assert.equal(code, 1);
    assert.match(stderr, /Error:.* passwords do not match\n/);
    assert.deepEqual(readdirSync(cwd), []);
  });

  it('writes nothing where there is no password', async () => {
    const { code, stderr } = await run(['generate-key-pair'], {});
    assert.equal(code, 1);
    assert.match(stderr, /^Error: the new private key needs a password: .*COSIGN_PASSWORD.*\n$/);
    assert.deepEqual(readdirSync(cwd), []);
  });

  for (const name of ['cosign.key', 'cosign.pub']) {
    it(`leaves a ${name} that exists where the answer is no`, async () => {
      writeFileSync(join(cwd, name), 'precious');
      const { code, stderr, host } = await run(['generate-key-pair'], { env: ENV, answers: [false] });
      assert.equal(code, 1);
      assert.match(stderr, new RegExp(`File ${name} already exists. Overwrite\\?\n`));
      assert.deepEqual(host.questions, ['Are you sure you would like to continue?']);
      assert.match(stderr, /user declined the prompt/);
      assert.deepEqual(readdirSync(cwd), [name]);
      assert.equal(bytes(name).toString(), 'precious');
    });
  }

  for (const terminal of [true, false]) {
    it(`replaces files where the answer ${terminal ? 'at the terminal' : 'in the pipe'} is yes`, async () => {
      writeFileSync(join(cwd, 'cosign.key'), 'old');
      const { code } = await run(['generate-key-pair'], { env: ENV, answers: [true], terminal });
      assert.equal(code, 0);
      assert.equal(await opens('cosign.key', 'pw'), hintOf('cosign.pub'));
    });
  }

  it('does not take a piped password for an answer', async () => {
    writeFileSync(join(cwd, 'cosign.key'), 'precious');
    const { code, stderr } = await run(['generate-key-pair'], { stdin: 'yes\n' });
    assert.equal(code, 1);
    assert.equal(stderr, 'Error: cosign.key already exists\nhint: --yes replaces it\n');
    assert.equal(bytes('cosign.key').toString(), 'precious');
  });

  it('replaces files without asking with --yes', async () => {
    writeFileSync(join(cwd, 'cosign.key'), 'old');
    assert.equal((await run(['generate-key-pair', '-y'])).code, 0);
    assert.equal(await opens('cosign.key', 'pw'), hintOf('cosign.pub'));
  });

  it('replaces neither file where one cannot be written', async () => {
    const { code, stderr } = await run(['generate-key-pair', '--output-key-prefix', 'missing/ci']);
    assert.equal(code, 1);
    assert.match(stderr, /^Error: cannot write .*missing\/ci\.key: no such file or directory\n$/);
  });

  for (const [argv, text] of [
    [['--kms', 'awskms://x'], /^Error: --kms: this version makes keys in files only/],
    [['k8s://ns/secret'], /^Error: k8s:\/\/ns\/secret: this version writes keys to files only/],
    [['--algorithm', 'rsa-1024'], /: expected one of ecdsa-p256, .*rsa-2048/],
    [['--algorithm', 'ed25591'], /\(did you mean ed25519\?\)\n$/],
    [['--output-key-prefix='], /^Error: --output-key-prefix is empty/],
  ] as const) {
    it(`refuses ${argv.join(' ')}`, async () => {
      const { code, stderr } = await run(['generate-key-pair', ...argv]);
      assert.equal(code, 1);
      assert.match(stderr, text);
      assert.deepEqual(readdirSync(cwd), []);
    });
  }
});

describe('import-key-pair', () => {
  for (const name of ['p256.pem', 'p384.pem', 'p521.pem', 'ed25519.pem', 'rsa2048.pem', 'cosign.key']) {
    it(`turns ${name} into a key pair`, async () => {
      const { code, stderr } = await run(['import-key-pair', '--key', join(GOLDEN, name)]);
      assert.equal(code, 0, stderr);
      assert.equal(await opens('import-cosign.key', 'pw'), hintOf('import-cosign.pub'));
      const source = await decodePrivateKey(readFileSync(join(GOLDEN, name)), {
        what: name,
        passwords: [Buffer.from('pw')],
      });
      assert.equal(hintOf('import-cosign.pub'), source.publicKey.hint);
    });
  }

  it('reads the key from a variable', async () => {
    const env = { ...ENV, SEAL: readFileSync(join(GOLDEN, 'p256.pem'), 'utf8') };
    assert.equal((await run(['import-key-pair', '-k', 'env://SEAL', '-o', 'seal'], { env })).code, 0);
    assert.deepEqual(readdirSync(cwd).toSorted(), ['seal.key', 'seal.pub']);
  });

  it('asks for the old password where the variable holds the new one', async () => {
    const { code, host } = await run(['import-key-pair', '-k', join(GOLDEN, 'cosign.key')], {
      env: { COSIGN_PASSWORD: 'new' },
      answers: ['pw'],
    });
    assert.equal(code, 0);
    assert.deepEqual(host.questions, [`Enter password for ${join(GOLDEN, 'cosign.key')}:`]);
    assert.equal(await opens('import-cosign.key', 'new'), hintOf('import-cosign.pub'));
  });

  for (const [what, argv, options, text] of [
    ['no key', [], {}, /^Error: --key is required/],
    ['a public key', ['-k', join(GOLDEN, 'cosign.pub')], { env: ENV }, /holds a public key, expected a private one\n$/],
    ['a key that is too short', ['-k', join(GOLDEN, 'rsa1024.pem')], { env: ENV }, /RSA with 1024 bits/],
    ['a curve that is not used', ['-k', join(GOLDEN, 'k1.pem')], { env: ENV }, /secp256k1/],
    [
      'a wrong password',
      ['-k', join(GOLDEN, 'cosign.key')],
      { env: { COSIGN_PASSWORD: 'no' } },
      /does not open with the given password/,
    ],
    [
      'a missing file',
      ['-k', 'nope'],
      { env: ENV },
      /^Error: reading private key: open nope: no such file or directory\n$/,
    ],
  ] as const) {
    it(`refuses ${what} and writes nothing`, async () => {
      const { code, stderr } = await run(['import-key-pair', ...argv], options);
      assert.equal(code, 1);
      assert.match(stderr, text);
      assert.deepEqual(readdirSync(cwd), []);
    });
  }
});

describe('public-key', () => {
  const pem = readFileSync(join(GOLDEN, 'cosign.pub'), 'utf8');

  it('prints what cosign wrote beside the private key', async () => {
    assert.equal((await run(['public-key', '--key', join(GOLDEN, 'cosign.key')])).stdout, pem);
  });

  it('opens the key with a piped password that ends in a newline', async () => {
    const { stdout } = await run(['public-key', '--key', join(GOLDEN, 'cosign.key')], { stdin: 'pw\n' });
    assert.equal(stdout, pem);
  });

  it('takes a public key, and a plain private one without asking for a password', async () => {
    assert.equal((await run(['public-key', '--key', join(GOLDEN, 'cosign.pub')], {})).stdout, pem);
    const { stdout } = await run(['public-key', '--key', join(GOLDEN, 'p256.pem')], {});
    assert.equal(stdout, readFileSync(join(GOLDEN, 'imp-p256.pub'), 'utf8'));
  });

  it('writes to a file', async () => {
    copyFileSync(join(GOLDEN, 'cosign.key'), join(cwd, 'cosign.key'));
    const { stdout, stderr } = await run(['public-key', '--key', 'cosign.key', '--outfile', 'out.pub']);
    assert.equal(stdout, '');
    assert.equal(stderr, 'Public key written to out.pub\n');
    assert.equal(bytes('out.pub').toString(), pem);
  });

  it('tells a machine', async () => {
    const { stdout } = await run(['public-key', '--key', join(GOLDEN, 'cosign.pub'), '--json']);
    const hint = decodePublicKey(Buffer.from(pem), 'cosign.pub').hint;
    assert.deepEqual(JSON.parse(stdout), { algorithm: 'ecdsa-p256', hint, publicKey: pem });
  });

  for (const [what, argv, code, text] of [
    ['no key', [], 'usage', /exactly one of: key reference \(--key\), or hardware token \(--sk\) must be provided/],
    ['an empty key', ['--key', ''], 'usage', /exactly one of/],
    ['a token', ['--sk'], 'flag-refused', /hardware tokens are not supported/],
    [
      'a URL',
      ['--key', 'https://user:secret@example.com/k'],
      'key-reference-unsupported',
      /^https:\/\/…@example\.com\/k: keys are not fetched/,
    ],
    ['a KMS', ['--key', 'awskms://alias/x'], 'key-reference-unsupported', /awskms keys are not supported/],
    ['a plugin', ['--key', 'foo://x'], 'key-reference-unsupported', /foo keys are not supported/],
    ['PKCS#11', ['--key', 'pkcs11:token=x'], 'key-reference-unsupported', /pkcs11 keys are not supported/],
    ['a variable that is not set', ['--key', 'env://UNSET'], 'variable-missing', /env var \$UNSET not found/],
    ['a variable of the language', ['--key', 'env://__proto__'], 'variable-missing', /not found/],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const ran = await run(['public-key', '--json', ...argv]);
      assert.equal(ran.code, 1);
      const { error } = JSON.parse(ran.stdout) as { error: { code: string; message: string } };
      assert.equal(error.code, code);
      assert.match(error.message, text);
    });
  }

  it('never shows what a variable holds', async () => {
    const { stderr } = await run(['public-key', '--key', 'env://SECRET'], { env: { SECRET: 'hunter2 is no key' } });
    assert.doesNotMatch(stderr, /hunter2/);
  });
});
