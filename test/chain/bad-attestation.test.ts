// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Descriptor } from '../../src/oci/index.ts';
import type { Ran } from '../golden/in-process.ts';
import { GOLDEN } from '../golden/transcript.ts';
import { assertTidy } from './refusal.ts';
import { openSetting, type Setting } from './setting.ts';

// What is attested badly, or is something else than it says, from the command line: a clear refusal, and nothing in the registry.

let setting: Setting;
let image: Descriptor;
before(async () => {
  setting = await openSetting();
  image = await setting.scene.image('attested');
  file('good.json', readFileSync(join(GOLDEN, '_inputs', 'openvex.json'), 'utf8'));
});
after(() => setting[Symbol.asyncDispose]());

function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(setting.machine.work, name), content);
  return name;
}

const ATTEST = ['attest', '--key', 'plain.key'];
const VERIFY = ['verify-attestation', '--key', 'cosign.pub'];

async function attest(flags: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  return setting.bulla([...ATTEST, ...flags, setting.name(image)], env);
}

/** Fails as it should, says why in one line, and wrote nothing. */
async function refuses(
  flags: readonly string[],
  says: RegExp,
  env: Readonly<Record<string, string>> = {},
): Promise<void> {
  setting.front.forget();
  const run = await attest(flags, env);
  assert.equal(run.code, 1, run.stderr);
  assert.match(/^Error: (.*)$/m.exec(run.stderr)?.[1] ?? '', says);
  assert.equal(run.stdout, '');
  assertTidy(run.stderr);
  assert.ok(
    setting.front.requests.every(({ method }) => method === 'GET' || method === 'HEAD'),
    'nothing was written',
  );
}

describe('attest refuses', () => {
  test('a predicate that is none of its kind, too large, or not there', async () => {
    await refuses(
      ['--type', 'openvex', '--predicate', file('text', 'just text')],
      /text is no predicate: .*is not JSON/,
    );
    await refuses(['--type', 'openvex', '--predicate', file('twice', '{"a":1,"a":2}')], /the member 'a' twice/);
    await refuses(['--type', 'openvex', '--predicate', file('empty', '')], /it is empty/);
    await refuses(['--predicate', file('binary', Uint8Array.of(0xff, 0xfe, 0))], /no text in UTF-8/);
    await refuses(
      ['--type', 'vuln', '--predicate', file('deep', `${'{"a":'.repeat(500)}1${'}'.repeat(500)}`)],
      /nests deeper/,
    );
    await refuses(['--predicate', 'nowhere.json'], /reading predicate: open nowhere.json/);
    const large = file('large', `{"text":"${'x'.repeat(1_200_000)}"}`);
    await refuses(['--type', 'https://e.example/k', '--predicate', large], /large is larger than 1000000 bytes/, {
      COSIGN_MAX_ATTACHMENT_SIZE: '1MB',
    });
    await refuses(
      ['--type', 'https://e.example/k', '--predicate', large],
      /would have 1\d{6} bytes, and at most 1300000/,
      {
        COSIGN_MAX_ATTACHMENT_SIZE: '1300000',
      },
    );
  });

  test('a line that says too little or two things', async () => {
    await refuses([], /at least one of the flags in the group \[predicate statement\] is required/);
    await refuses(['--type', 'notatype', '--predicate', 'good.json'], /invalid predicate type: notatype/);
    await refuses(
      ['--statement', 'good.json', '--predicate', 'good.json'],
      /--statement says all: leave --predicate out/,
    );
    await refuses(['--predicate', 'good.json'], /COSIGN_MAX_ATTACHMENT_SIZE is 'much'/, {
      COSIGN_MAX_ATTACHMENT_SIZE: 'much',
    });
    await refuses(['--rekor-entry-type', 'intoto', '--predicate', 'good.json'], /--rekor-entry-type: /);
  });

  test('a statement about something else, or that is none', async () => {
    const about = (digest: string): string =>
      JSON.stringify({
        _type: 'https://in-toto.io/Statement/v1',
        subject: [{ digest: { sha256: digest } }],
        predicateType: 'a:b',
        predicate: {},
      });
    await refuses(['--statement', file('other.json', about('00'.repeat(32)))], /no subject with the digest sha256:/);
    await refuses(['--statement', file('none.json', '{}')], /no in-toto statement/);
    const subject = Array.from({ length: 100_000 }, () => ({ digest: { sha256: '00' } }));
    const many = JSON.stringify({
      _type: 'https://in-toto.io/Statement/v1',
      subject,
      predicateType: 'a:b',
      predicate: {},
    });
    await refuses(['--statement', file('many.json', many)], /100000 subjects, at most 1024/);
  });

  test('what is not in the form of its kind with --strict-predicate, and warns without', async () => {
    const predicate = file('provenance.json', '{"buildDefinition":{}}');
    const flags = ['--type', 'slsaprovenance1', '--predicate', predicate];
    await refuses(
      [...flags, '--strict-predicate'],
      /buildDefinition\.buildType is nothing.*\[predicate-member-missing\]/,
    );
    const run = await attest(flags);
    assert.equal(run.code, 0, run.stderr);
    assert.match(
      run.stderr,
      /^WARNING: .*runDetails is nothing, expected a member 'runDetails' \[predicate-member-missing\]$/m,
    );
    const verified = await setting.bulla([...VERIFY, '--type', 'slsaprovenance1', setting.name(image)]);
    assert.equal(verified.code, 0);
    assert.match(verified.stderr, /^WARNING: the predicate in sha256:.*\[predicate-member-missing\]$/m);
    const strict = await setting.bulla([
      ...VERIFY,
      '--type',
      'slsaprovenance1',
      '--strict-predicate',
      setting.name(image),
    ]);
    assert.equal(strict.code, 12);
    assert.match(strict.stderr, /\[predicate-malformed\]/);
  });
});

describe('verify-attestation', () => {
  test('takes no signature for an attestation, and verify no attestation for a signature', async () => {
    const signed = await setting.scene.image('signed');
    await setting.scene.seal(signed, setting.keys.signer, { formats: ['bundle', 'legacy'] });
    const run = await setting.bulla([...VERIFY, '--type', 'https://sigstore.dev/cosign/other', setting.name(signed)]);
    assert.equal(run.code, 10, run.stderr);
    assert.match(run.stderr, /nobody attested this digest/);
    const attested = await setting.scene.image('attested only');
    const made = await setting.bulla([
      ...ATTEST,
      '--type',
      'openvex',
      '--predicate',
      'good.json',
      '--format',
      'both',
      setting.name(attested),
    ]);
    assert.equal(made.code, 0, made.stderr);
    assert.equal((await setting.verify(attested)).code, 10);
  });

  test('refuses a policy in no language that it knows, and one without anybody to expect', async () => {
    const policy = await setting.bulla([...VERIFY, '--policy', 'p.yaml', setting.name(image)]);
    assert.equal(policy.code, 1);
    assert.match(policy.stderr, /--policy p\.yaml: invalid policy format, expected \.cue or \.rego/);
    const nobody = await setting.bulla(['verify-attestation', setting.name(image)]);
    assert.equal(nobody.code, 1);
    assert.match(nobody.stderr, /--key is required/);
  });

  test('writes what was attested, and why not, as JSON', async () => {
    const made = await attest(['--type', 'openvex', '--predicate', 'good.json']);
    assert.equal(made.code, 0, made.stderr);
    const run = await setting.bulla([...VERIFY, '--type', 'openvex', '--json', setting.name(image)]);
    assert.equal(run.code, 0, run.stderr);
    const [seal] =
      (JSON.parse(run.stdout) as { images: { seals: Record<string, unknown>[] }[] }).images[0]?.seals ?? [];
    assert.equal(seal?.['predicateType'], 'https://openvex.dev/ns');
    assert.deepEqual(seal?.['faults'], []);
    const refused = await setting.bulla([...VERIFY, '--type', 'vuln', '--json', setting.name(image)]);
    assert.equal(refused.code, 12);
    const document = JSON.parse(refused.stdout) as { images: { reason: string; rejected: { code: string }[] }[] };
    assert.equal(document.images[0]?.reason, 'none-accepted');
    assert.ok(document.images[0]?.rejected.every(({ code }) => code === 'predicate-type-mismatch'));
  });
});

describe('attest-blob and verify-blob-attestation', () => {
  const check = (...flags: readonly string[]): Promise<Ran> =>
    setting.bulla(['verify-blob-attestation', '--key', 'cosign.pub', '--type', 'openvex', ...flags]);

  test('lay the attestation beside the file, and refuse it for another file, type, key or form', async () => {
    file('release', 'release 1');
    file('other', 'release 2');
    const made = await setting.bulla([
      'attest-blob',
      '--key',
      'plain.key',
      '--type',
      'openvex',
      '--predicate',
      'good.json',
      'release',
    ]);
    assert.equal(made.code, 0, made.stderr);
    const bundle = ['--bundle', 'release.att.sigstore.json'];
    assert.equal((await check('release')).code, 0);
    assert.equal((await check(...bundle, 'other')).code, 12);
    assert.equal((await check(...bundle, '--check-claims=false')).code, 0);
    assert.equal((await check(...bundle, '--type', 'vuln', 'release')).code, 12);
    assert.equal((await check(...bundle, '--key', 'cosign.pub', '--digest', '00'.repeat(32))).code, 12);
    const signature = await setting.bulla(['verify-blob', '--key', 'cosign.pub', ...bundle, 'release']);
    assert.equal(signature.code, 12, 'an attestation is no signature');
  });

  test('take no signature for an attestation, and garbage for nothing', async () => {
    const signed = await setting.bulla(['sign-blob', '--key', 'plain.key', 'release']);
    assert.equal(signed.code, 0, signed.stderr);
    const run = await check('--bundle', 'release.sigstore.json', 'release');
    assert.equal(run.code, 12);
    assert.match(run.stderr, /a signature of the file/);
    for (const garbage of ['', '{', '{"payload":1,"payloadType":2}', 'null'])
      for (const flag of ['--bundle', '--signature']) {
        const broken = await check(flag, file('garbage', garbage), 'release');
        assert.notEqual(broken.code, 0);
        assertTidy(broken.stderr);
      }
  });

  test('write nothing where the line is wrong', async () => {
    const wrong = [
      ['--predicate', 'good.json'],
      ['--hash', 'abc', '--predicate', 'good.json', '--bundle', 'out.json'],
      ['--predicate', 'good.json', '--bundle', 'no/such/folder.json', 'release'],
      ['--statement', 'good.json', '--bundle', 'out.json'],
    ];
    for (const flags of wrong) {
      const run = await setting.bulla(['attest-blob', '--key', 'plain.key', '--type', 'openvex', ...flags]);
      assert.equal(run.code, 1, flags.join(' '));
      assertTidy(run.stderr);
    }
    assert.ok(!existsSync(join(setting.machine.work, 'out.json')));
  });
});

describe('provenance', () => {
  test('asks for what no variable says, and attests what they say', async () => {
    const nothing = await setting.bulla(['provenance']);
    assert.equal(nothing.code, 1);
    assert.match(nothing.stderr, /--builder-id is required: who ran the build\?/);
    const wrong = await setting.bulla([
      'provenance',
      '--builder-id',
      'a:b',
      '--build-type',
      'a:b',
      '--source',
      'a:b',
      '--commit',
      'HEAD',
    ]);
    assert.match(wrong.stderr, /--commit 'HEAD' is no commit/);
    const variables = { GITLAB_CI: 'true', CI_PROJECT_URL: 'https://gitlab.example.com/a', CI_RUNNER_ID: '1' };
    const printed = await setting.bulla(['provenance'], variables);
    assert.equal(printed.code, 0, printed.stderr);
    const name = setting.name(await setting.scene.image('built'));
    const made = await setting.bulla(['provenance', '--key', 'plain.key', name], variables);
    assert.equal(made.code, 0, made.stderr);
    const run = await setting.bulla([...VERIFY, '--type', 'slsaprovenance1', '--strict-predicate', name]);
    assert.equal(run.code, 0, run.stderr);
    const { payload } = JSON.parse(run.stdout) as { readonly payload: string };
    const { predicate } = JSON.parse(Buffer.from(payload, 'base64').toString()) as { readonly predicate: unknown };
    assert.deepEqual(predicate, JSON.parse(printed.stdout));
  });
});
