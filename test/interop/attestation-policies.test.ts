// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { after, describe } from 'node:test';
import { interop, opaVariable, type ClientRun } from './clients.ts';
import { writeIn } from './keyless.ts';
import { BULLA, keyFile, Lab, pushImages, SINGLE, succeed } from './lab.ts';

// `verify-attestation --policy` of bulla and of the real cosigns, side by side: the same policies over the same attestations.

const lab = new Lab();
after(() => lab.close());

const KIND = 'https://example.com/kind/v1';
const ATTEST = ['attest', '--key', keyFile('cosign.key'), '--type', KIND];
const VERIFY = ['verify-attestation', '--key', keyFile('cosign.pub'), '--insecure-ignore-tlog', '--type', KIND];
const PREDICATE = { level: 3, by: 'ci', list: [{ id: 'a' }, { id: 'b' }], scanned: { at: '2026-01-02T03:04:05Z' } };

type Policies = Readonly<Record<string, string>>;
const cue = (text: string): Policies => ({ 'policy.cue': text });
const rego = (text: string): Policies => ({ 'policy.rego': `package signature\n${text}` });

/** Policies in CUE of which both programs approve; in all of these nothing is left to chance between versions of CUE. */
const CUE_APPROVES: readonly Policies[] = [
  cue(''),
  cue('predicateType: string\n'),
  cue(`predicateType: "${KIND}"\npredicate: {level: >=3 & <5, by: "ci" | "cd"}\n`),
  cue('package any\npredicate: level: int\n'),
  cue('#Item: {id: =~"^[a-z]$"}\npredicate: list: [...#Item]\n'),
  cue('subject: [{digest: sha256: =~"^[0-9a-f]{64}$"}]\n'),
  cue('import "time"\npredicate: scanned: at: time.Time\n'),
  cue('import items "list"\npredicate: list: items.MinItems(2)\n'),
  cue('predicate: {level: int, twice: level * 2}\n'),
  cue('predicate: other: int | *4\n'),
  cue('predicate: other?: int\n'),
  // what is not there passes, and bulla warns of it
  cue('predicate: other: int\n'),
  cue('predicate: other: {deep: {er: >5}}\n'),
  cue('predicate: {level: 3, other: "a" | "b"}\n'),
  { 'one.cue': 'package a\npredicate: level: >2\n', 'two.cue': 'package a\npredicate: level: <4\n' },
  { 'one.cue': 'package a\n#Level: <4\n', 'two.cue': 'package a\npredicate: level: #Level\n' },
  { 'one.cue': 'predicate: level: >2\n', 'two.cue': 'package a\npredicate: level: <4\n' },
];

const CUE_REFUSES: readonly Policies[] = [
  cue('predicate: level: 4\n'),
  cue('predicate: level: string\n'),
  cue('predicate: {level: 4, other: int}\n'),
  cue('predicateType: "https://example.com/other"\n'),
  cue('predicate: list: [{id: "b"}, ...]\n'),
  cue('predicate: close({level: int, by: string})\n'),
  cue('#P: {level: int}\npredicate: #P\n'),
  cue('import items "list"\npredicate: list: items.MaxItems(1)\n'),
  cue('subject: [{digest: sha256: "00"}]\n'),
  cue('x: _|_\n'),
  cue('if predicate.other == 1 {x: 1}\npredicate: {...}\n'),
  // wrong in themselves
  cue('predicate: {\n'),
  cue('predicate: level: 1\npredicate: level: 2\n'),
  cue('import "example.com/other"\nx: other.y\n'),
  { 'one.cue': 'package a\n', 'two.cue': 'package b\n' },
  { 'one.cue': 'predicate: level: 3\n', 'two.cue': 'predicate: level: 4\n' },
];

const REGO_APPROVES: readonly Policies[] = [
  rego('allow { true }\n'),
  rego('allow = true\n'),
  rego('default allow = false\nallow { input.predicate.level >= 3 }\n'),
  rego('import rego.v1\ndefault allow := false\nallow if { some item in input.predicate.list; item.id == "b" }\n'),
  rego(`allow { input.predicateType == "${KIND}"; count(input.subject) == 1; startswith(input._type, "https://") }\n`),
  rego('allow { time.now_ns() > time.parse_rfc3339_ns(input.predicate.scanned.at) }\n'),
  { ...rego('allow { data.levels.least <= input.predicate.level }\n'), 'levels.rego': 'package levels\nleast := 3\n' },
  { 'one.rego': 'package signature\nallow { true }\n', 'two.rego': 'package signature\ndefault allow = false\n' },
  { ...cue('predicate: level: 3\n'), ...rego('allow { input.predicate.by == "ci" }\n') },
];

const REGO_REFUSES: readonly Policies[] = [
  rego('default allow = false\n'),
  rego('default allow = false\nallow { input.predicate.level >= 4 }\n'),
  rego('allow { input.predicate.other }\n'),
  rego('allow = "yes"\n'),
  rego('allow = {"result": true}\n'),
  rego('allow = 1 / 0\n'),
  rego('allow = true { true }\nallow = false { true }\n'),
  rego('x = 1\n'),
  rego('allow {{\n'),
  { 'policy.rego': 'package other\nallow { true }\n' },
  { 'policy.rego': 'package sigstore\nisCompliant { true }\n' },
  { 'one.rego': 'package signature\nallow { true }\n', 'two.rego': 'package signature\nallow {{\n' },
  { ...cue('predicate: level: 4\n'), ...rego('allow { true }\n') },
  { ...cue('predicate: level: 3\n'), ...rego('default allow = false\n') },
];

/** No policies by their names. */
const NO_POLICIES: readonly Policies[] = [
  { 'policy.txt': '' },
  { policy: '' },
  { 'policy.CUE': '' },
  { 'p.json': '{}' },
];

let pushed = 0;

/** An image with these attested of it, youngest last. */
async function attested(...predicates: readonly object[]): Promise<string> {
  const registry = await (started ??= lab.serveBulla());
  const image = `${await pushImages(registry, `policies/${++pushed}`)}@${SINGLE}`;
  const home = lab.folder();
  for (const predicate of predicates) {
    const file = writeIn(home, 'predicate.json', JSON.stringify(predicate));
    const flags = ['--format', 'both', '--predicate', file, image];
    await succeed(BULLA, [...ATTEST, ...flags], home, { COSIGN_PASSWORD: 'pw' });
  }
  return image;
}
let started: ReturnType<Lab['serveBulla']> | undefined;

async function judge(
  program: string,
  policies: Policies,
  image: string,
  more: readonly string[] = [],
): Promise<ClientRun> {
  const home = lab.folder();
  const named = Object.entries(policies).flatMap(([name, text]) => {
    writeIn(home, name, text);
    return ['--policy', name];
  });
  return await lab.run(program, [...VERIFY, ...named, ...more, image], { home, env: opa });
}
let opa: Readonly<Record<string, string>> = {};

/** All of them end alike: accepted, or refused with nothing printed. */
async function alike(programs: readonly string[], image: string, policies: Policies, accepts: boolean): Promise<void> {
  const text = JSON.stringify(policies);
  const judged = programs.map(async (program) => ({ program, run: await judge(program, policies, image) }));
  for (const { program, run } of await Promise.all(judged)) {
    assert.equal(run.code === 0, accepts, `${program}: ${text}: ${run.stderr}`);
    if (program === BULLA && !accepts) assert.ok([1, 12].includes(run.code), `${text}: ${run.stderr}`);
    assert.equal(run.stdout !== '', accepts, `${program}: ${text}`);
  }
}

/** The levels in the attestations that were printed, in their order. */
function levelsOf({ stdout }: ClientRun): readonly number[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => {
      const { payload } = JSON.parse(line) as { readonly payload: string };
      const statement = Buffer.from(payload, 'base64').toString();
      return (JSON.parse(statement) as { readonly predicate: { readonly level: number } }).predicate.level;
    })
    .toSorted((a, b) => a - b);
}

describe('verify-attestation --policy', () => {
  interop('in CUE approves and refuses as both cosigns do', ['cosign-2', 'cosign-3'], async ([two, three]) => {
    const image = await attested(PREDICATE);
    for (const policies of CUE_APPROVES) await alike([two, three, BULLA], image, policies, true);
    for (const policies of CUE_REFUSES) await alike([two, three, BULLA], image, policies, false);
  });

  // cosign 2 of Debian is built without Rego
  interop('in Rego approves and refuses as cosign 3 does', ['cosign-3', 'opa'], async ([three, engine]) => {
    opa = opaVariable(engine);
    const image = await attested(PREDICATE);
    for (const policies of REGO_APPROVES) await alike([three, BULLA], image, policies, true);
    for (const policies of REGO_REFUSES) await alike([three, BULLA], image, policies, false);
  });

  interop('in neither is refused by its name', ['cosign-2', 'cosign-3'], async (programs) => {
    const image = await attested(PREDICATE);
    for (const policies of NO_POLICIES)
      for (const program of [...programs, BULLA]) {
        const run = await judge(program, policies, image);
        assert.equal(run.code, 1, run.stderr);
        assert.match(run.stderr, /invalid policy format, expected \.cue/);
      }
  });

  interop('reads the format that is asked for alone', ['cosign-3'], async ([three]) => {
    const image = await attested(PREDICATE);
    const old = ['--new-bundle-format=false'];
    for (const program of [three, BULLA]) {
      assert.equal((await judge(program, cue('predicate: level: 3\n'), image, old)).code, 0, program);
      assert.notEqual((await judge(program, cue('predicate: level: 4\n'), image, old)).code, 0, program);
    }
  });

  interop('asks all of several attestations, as cosign does', ['cosign-2', 'cosign-3'], async ([two, three]) => {
    const image = await attested({ ...PREDICATE, level: 1 }, PREDICATE, { ...PREDICATE, level: 2 });
    const programs = [two, three, BULLA];
    for (const level of [1, 2, 3]) await alike(programs, image, cue(`predicate: level: ${level}\n`), false);
    await alike(programs, image, cue('predicate: level: >=1\n'), true);
    const printed = async (program: string, more: readonly string[] = []): Promise<readonly number[]> =>
      levelsOf(await judge(program, cue('predicate: level: <4\n'), image, more));
    assert.deepEqual(await printed(BULLA), [1, 1, 2, 2, 3, 3], 'the bundle and the envelope of each');
    assert.deepEqual(await printed(three), [1, 2, 3]);
    const old = ['--new-bundle-format=false'];
    assert.deepEqual(await printed(BULLA, old), await printed(three, old));
  });

  interop('is more careful than cosign where it computes with what is not there', ['cosign-3'], async ([three]) => {
    const image = await attested(PREDICATE);
    const policy = cue('predicate: {...}\nok: true & (predicate.other > 3)\n');
    assert.equal((await judge(three, policy, image)).code, 0);
    assert.equal((await judge(BULLA, policy, image)).code, 12);
    const open = cue('predicate: other: int\n');
    assert.equal((await judge(BULLA, open, image, ['--strict-predicate'])).code, 12);
  });

  interop('has Rego v1 without an import, which cosign does not read', ['cosign-3', 'opa'], async ([three, engine]) => {
    opa = opaVariable(engine);
    const image = await attested(PREDICATE);
    const policy = rego('allow if { input.predicate.level == 3 }\n');
    assert.equal((await judge(three, policy, image)).code, 1);
    assert.equal((await judge(BULLA, policy, image)).code, 0);
  });
});
