// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { encodeBundle, encodeNoteKey, encodePublicKey, encodeTrustedRoot, noteKey } from '../../trust/index.ts';
import {
  IMAGE,
  ISSUER,
  newTestSigstore,
  SIGNED,
  SUBJECT,
  type TestSigstore,
} from '../../trust/keyless-seal.fixture.ts';
import { newTestWitness, type TestWitness } from '../../trust/log/log.fixture.ts';
import { cosignHeader } from '../output/verdict-cosign.ts';
import { runRecorded, type Ran } from '../recording-host.fixture.ts';

// Who watches the log is named on the command line: trusted roots name no witnesses.

const golden = join(import.meta.dirname, '../../../test/golden');
const DIGEST = IMAGE.kind === 'digest' ? `sha256:${IMAGE.hex}` : '';
const IDENTITY = ['--certificate-identity', SUBJECT, '--certificate-oidc-issuer', ISSUER];
const [one, two, three] = [
  newTestWitness('one.example'),
  newTestWitness('two.example'),
  newTestWitness('three.example'),
];

let cwd: string;
let stack: TestSigstore;
before(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'bulla-witnesses-'));
  stack = await newTestSigstore();
  writeFileSync(join(cwd, 'root.json'), encodeTrustedRoot(stack.trustedRoot));
});
after(() => rmSync(cwd, { recursive: true, force: true }));

const keys = (...of: readonly TestWitness[]): readonly string[] =>
  of.flatMap(({ key }) => ['--witness-key', encodeNoteKey(key)]);

/** Verifies a seal under whose checkpoint these have put their lines. */
async function verify(cosignedBy: readonly TestWitness[], flags: readonly string[]): Promise<Ran> {
  const bundle = await stack.seal({ logs: [stack.logV2], stamped: [SIGNED], entry: { cosignedBy } });
  writeFileSync(join(cwd, 'seal.json'), encodeBundle(bundle));
  const argv = ['--no-network', 'verify-blob', ...IDENTITY, '--trusted-root', 'root.json', '--bundle', 'seal.json'];
  return runRecorded([...argv, ...flags, DIGEST], { cwd, now: SIGNED });
}

interface Document {
  readonly outcome: string;
  readonly seal: {
    readonly logEntries: readonly { readonly witnesses: readonly object[]; readonly cosignatureLines: number }[];
  };
}

describe('--witness-key', () => {
  it('counts an entry only if all witnesses that are named have cosigned its checkpoint', async () => {
    assert.equal((await verify([one, two, three], keys(one, two))).code, 0);
    const refused = await verify([one, three], keys(one, two));
    assert.equal(refused.code, 12);
    assert.match(
      refused.stderr,
      /an entry whose checkpoint was cosigned by one\.example, expected by at least 2 of the witnesses one\.example, two\.example \[witness-threshold\]/,
    );
  });

  it('or as many of them as --witness-threshold says', async () => {
    for (const [threshold, code] of [
      ['1', 0],
      ['2', 0],
      ['3', 12],
    ] as const)
      assert.equal(
        (await verify([one, three], [...keys(one, two, three), '--witness-threshold', threshold])).code,
        code,
      );
  });

  it('is shown in JSON: which of them, when, and how many lines there are of whomever', async () => {
    const ran = await verify([one, two, three], ['--json', ...keys(two)]);
    const { seal } = JSON.parse(ran.stdout) as Document;
    const [entry] = seal.logEntries;
    assert.deepEqual(entry?.witnesses, [{ name: 'two.example', time: SIGNED.toISOString() }]);
    assert.equal(entry.cosignatureLines, 3);
  });

  it('names nobody where no key is given: a name is easily written', async () => {
    const ran = await verify([one, two], ['--json']);
    const { outcome, seal } = JSON.parse(ran.stdout) as Document;
    assert.deepEqual([ran.code, outcome], [0, 'trusted']);
    assert.deepEqual([seal.logEntries[0]?.witnesses, seal.logEntries[0]?.cosignatureLines], [[], 2]);
    assert.doesNotMatch(ran.stdout, /one\.example/);
  });

  it('is asked of images as well, and of keys with a trusted root', async () => {
    const image =
      'oci-layout:keyless-3.1.1-rekor1/layout@sha256:4ed3e85154810a05dc77ab478fdda7d11d9cde6414c29ad820d5e542ee8aebe6';
    const who = [
      '--certificate-identity',
      'dev@lab.example',
      '--certificate-oidc-issuer',
      'http://localhost:5570/oidc',
    ];
    const root = ['--trusted-root', '_stack/trusted_root.json'];
    const argv = ['--no-network', 'verify', ...root];
    const unseen = await runRecorded([...argv, ...who, ...keys(one), image], { cwd: golden });
    assert.equal(unseen.code, 12);
    assert.match(unseen.stderr, /cosigned by none of them, .* \[witness-threshold\]/);
    const shown = await runRecorded([...argv, '--json', ...who, image], { cwd: golden });
    assert.match(shown.stdout, /"witnesses": \[\],\s+"cosignatureLines": 0/);
    const key = ['--key', '_keys/cosign.pub'];
    const keyed = image.replace('keyless-3.1.1-rekor1', 'key-tlog-3.1.1-rekor2');
    assert.equal((await runRecorded([...argv, ...key, keyed], { cwd: golden })).code, 0);
    assert.equal((await runRecorded([...argv, ...key, ...keys(one), keyed], { cwd: golden })).code, 12);
  });

  it('is said among the checks', () => {
    const evidence = { trustedRoot: stack.trustedRoot, witnesses: { keys: [one.key, two.key], threshold: 1 } };
    const header = cosignHeader({ image: 'x' }, { signers: { kind: 'identities', identities: [], evidence } });
    assert.match(header, /^ {2}- What the log said was cosigned by at least 1 of 2 witnesses$/m);
  });

  it('refuses what is no witness, and more witnesses than there are', async () => {
    const log = encodeNoteKey(noteKey('log.example', stack.logV2.log.publicKey));
    const renewed = newTestWitness('one.example');
    const [, id = '', ...rest] = encodeNoteKey(one.key).split('+');
    const octets = rest.join('+');
    const cases: readonly (readonly [flags: readonly string[], says: RegExp])[] = [
      [['--witness-key', log], /log\.example is the key of a log, expected one that cosigns/],
      [keys(one, renewed), /one\.example was given with two keys/],
      [[...keys(one), '--witness-threshold', '2'], /asks for 2 witnesses, and --witness-key names 1/],
      [[...keys(one, one), '--witness-threshold', '2'], /asks for 2 witnesses, and --witness-key names 1/],
      [[...keys(one), '--witness-threshold', '0'], /expected a whole number from 1/],
      [['--witness-threshold', '1'], /--witness-threshold needs --witness-key/],
      [[...keys(one), '--insecure-ignore-tlog'], /--insecure-ignore-tlog asks for no log/],
      [['--witness-key', ''], /is no key for notes/],
      [['--witness-key', `one.example+${id}`], /is no key for notes/],
      [['--witness-key', `other.example+${id}+${octets}`], /expected the id/],
      [['--witness-key', encodePublicKey(stack.logV2.log.publicKey).split('\n')[1] ?? ''], /is no key for notes/],
    ];
    for (const [flags, says] of cases) {
      const ran = await verify([one], flags);
      assert.equal(ran.code, 1, ran.stderr);
      assert.match(ran.stderr, says);
    }
    const argv = ['--no-network', 'verify-blob', '--key', join(golden, '_keys/cosign.pub'), '--bundle', 'seal.json'];
    const keyed = await runRecorded([...argv, ...keys(one), DIGEST], { cwd });
    assert.deepEqual([keyed.code, /--witness-key needs --trusted-root FILE/.test(keyed.stderr)], [1, true]);
  });

  it('does not count one key under two names', async () => {
    const name = 'second.example';
    const octets = Buffer.from(encodeNoteKey(one.key).split('+').slice(2).join('+'), 'base64');
    const id = hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), octets]), 'hex').slice(0, 8);
    const ran = await verify([one], [...keys(one), '--witness-key', `${name}+${id}+${octets.toString('base64')}`]);
    assert.equal(ran.code, 1);
    assert.match(ran.stderr, /second\.example has the key of one\.example: a witness counts once/);
  });
});
