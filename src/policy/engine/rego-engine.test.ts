// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { ask, missing, NOW, openEngine, toldMissing } from './engine-place.fixture.ts';
import type { EnginePlaces } from './find-engines.ts';
import { describeRegoFault, FORBIDDEN_FUNCTIONS, readRegoAnswer } from './rego-answer.ts';

// The same for both ways to run OPA: where one is not here, its tests are left out, and say what is missing.

const built =
  process.env['BULLA_REGO_WASM'] ??
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'bulla', 'rego.wasm');
const program = [
  process.env['BULLA_OPA'] ?? '',
  ...(process.env['PATH'] ?? '').split(':').map((folder) => join(folder, 'opa')),
].find((path) => path !== '' && existsSync(path));
const ways: readonly (readonly [string, EnginePlaces, string | false])[] = [
  [
    'OPA built for WASI',
    { env: { BULLA_REGO_WASM: built } },
    existsSync(built) ? false : 'OPA is not built: npm run build:rego',
  ],
  [
    'the program opa',
    { env: { BULLA_OPA: program } },
    program === undefined ? 'no program opa on the PATH, nor in BULLA_OPA' : false,
  ],
];
const unfinished = (message: RegExp) => ({ code: 'program-unfinished', message });

const SCAN = `package sigstore
default isCompliant = false
isCompliant {
  ns := time.parse_rfc3339_ns(input.predicate.metadata.scanFinishedOn)
  time.now_ns() - ns < 604800000000000      # 7 days
}`;

for (const [name, places, skip] of ways)
  describe(name, { skip }, () => {
    it('decides by isCompliant, in Rego v0 and v1', async () => {
      await using rego = await openEngine('rego', places);
      const texts = [
        'package sigstore\nisCompliant { input.x == 1 }',
        'package sigstore\nisCompliant if input.x == 1',
        'package sigstore\nimport rego.v1\ndefault isCompliant := false\nisCompliant if input.x == 1',
        'package sigstore\nimport future.keywords.if\nisCompliant if { input.x == 1 }',
      ];
      for (const text of texts) {
        assert.deepEqual(await ask(rego, text, { x: 1 }), { kind: 'approved' }, text);
        const refused = await ask(rego, text, { x: 2 });
        assert.ok(refused.kind === 'refused' && /isCompliant is (false|undefined)/.test(refused.found), text);
      }
    });

    it('decides by allow of the package signature', async () => {
      await using rego = await openEngine('rego', places);
      const text = 'package signature\nallow { input.predicate.by == "ci" }';
      assert.deepEqual(await ask(rego, text, { predicate: { by: 'ci' } }), { kind: 'approved' });
      assert.equal((await ask(rego, text, { predicate: { by: 'me' } })).kind, 'refused');
    });

    it('takes objects with result, error and warning', async () => {
      await using rego = await openEngine('rego', places);
      const text = `package sigstore
isCompliant[response] {
  response := {"result": input.x < 3, "error": sprintf("x is %v, expected less than 3", [input.x]), "warning": "x is going away"}
}`;
      assert.deepEqual(await ask(rego, text, { x: 2 }), { kind: 'approved', warning: 'x is going away' });
      const refused = await ask(rego, text, { x: 5 });
      assert.ok(
        refused.kind === 'refused' && /x is 5, expected less than 3/.test(refused.found),
        JSON.stringify(refused),
      );
    });

    it('knows what time it is, which is the time of the decision', async () => {
      await using rego = await openEngine('rego', places);
      const finished = (at: string): object => ({ predicate: { metadata: { scanFinishedOn: at } } });
      assert.equal((await ask(rego, SCAN, finished('2026-06-01T00:00:00Z'))).kind, 'approved');
      assert.equal((await ask(rego, SCAN, finished('2026-05-01T00:00:00Z'))).kind, 'refused');
      const later = new Date(NOW.getTime() + 30 * 24 * 60 * 60 * 1000);
      assert.equal((await ask(rego, SCAN, finished('2026-06-01T00:00:00Z'), later)).kind, 'refused');
      assert.equal((await ask(rego, SCAN, { predicate: {} })).kind, 'refused');
      const check = await rego.check(SCAN);
      assert.ok(check.kind === 'program' && check.program.readsClock);
      const still = await rego.check('package sigstore\nisCompliant { input.x == 1 }');
      assert.ok(still.kind === 'program' && !still.program.readsClock);
      for (const call of ['io.jwt.decode_verify(input.t, {})', 'crypto.x509.parse_and_verify_certificates(input.t)']) {
        const hidden = await rego.check(`package sigstore\nisCompliant { ${call} }`);
        assert.ok(hidden.kind === 'program' && hidden.program.readsClock, call);
      }
    });

    it('keeps numbers as they are written', async () => {
      await using rego = await openEngine('rego', places);
      const text = 'package sigstore\nisCompliant { input.n == 9007199254740993 }';
      const check = await rego.check(text);
      assert.ok(check.kind === 'program');
      const of = async (json: string): Promise<string> =>
        (await rego.run(check.program, { over: 'statement', bytes: Buffer.from(json), now: NOW })).kind;
      assert.equal(await of('{"n": 9007199254740993}'), 'approved');
      assert.equal(await of('{"n": 9007199254740992}'), 'refused');
    });

    it('finds what is wrong with a policy without an input', async () => {
      await using rego = await openEngine('rego', places);
      const faults = {
        'package sigstore\nisCompliant { input.x == }': /line 2: unexpected/,
        'package sigstore\nisCompliant { y == 1 }': /line 2: .*unsafe/,
        'package other\nisCompliant { input.x == 1 }':
          /its package is other, expected sigstore with the rule isCompliant/,
        'package sigstore\ncompliant { input.x == 1 }': /no rule isCompliant/,
        'isCompliant { true }': /package expected|line 1/,
        'package sigstore\nisCompliant { nothing(1) }': /undefined function nothing/,
      };
      for (const [text, message] of Object.entries(faults)) {
        const check = await rego.check(text);
        assert.ok(check.kind === 'fault' && message.test(check.message), `${text}: ${JSON.stringify(check)}`);
      }
    });

    it('has nothing that reaches a network or the environment, or is another thing each time', async () => {
      await using rego = await openEngine('rego', places);
      const calls = {
        'http.send': 'http.send({"method": "get", "url": "http://127.0.0.1:1/"}).status_code == 200',
        'net.lookup_ip_addr': 'net.lookup_ip_addr("localhost") != set()',
        'opa.runtime': 'opa.runtime().env.PATH != ""',
        'rand.intn': 'rand.intn("a", 5) == 1',
        'uuid.rfc4122': 'uuid.rfc4122("a") != ""',
      };
      for (const [call, body] of Object.entries(calls)) {
        assert.ok(FORBIDDEN_FUNCTIONS.includes(call));
        const check = await rego.check(`package sigstore\nisCompliant { ${body} }`);
        assert.ok(
          check.kind === 'fault' && check.message.includes(`undefined function ${call} (here policies reach`),
          JSON.stringify(check),
        );
      }
      // a schema may name another one by its address
      const schema = '{"$ref": "http://127.0.0.1:1/schema.json"}';
      const answer = await ask(
        rego,
        `package sigstore\nisCompliant { json.match_schema({}, ${JSON.stringify(schema)})[0] }`,
        {},
      );
      assert.equal(answer.kind, 'refused', JSON.stringify(answer));
    });

    it('matches expressions that would backtrack in no time', async () => {
      await using rego = await openEngine('rego', places);
      const text = 'package sigstore\nisCompliant { not regex.match("^(a+)+$", input.x) }';
      assert.equal((await ask(rego, text, { x: `${'a'.repeat(50_000)}!` })).kind, 'approved');
    });

    it('is ended where it does not end, and works again after', async () => {
      await using rego = await openEngine('rego', { ...places, deadlineMs: 4000 });
      const loop = 'package sigstore\nisCompliant { s := numbers.range(1, 3000); s[a]; s[b]; s[c]; a * b * c == -1 }';
      await assert.rejects(ask(rego, loop, {}), unfinished(/a policy in Rego .* more than 4000 ms/));
      assert.equal((await ask(rego, 'package sigstore\nisCompliant { true }', {})).kind, 'approved');
    });
  });

describe('OPA built for WASI', { skip: ways[0]?.[2] ?? false }, () => {
  it('is ended where it takes too much memory', async () => {
    await using rego = await openEngine('rego', { ...ways[0]?.[1], deadlineMs: 60_000 });
    const text = `package sigstore
isCompliant { a := numbers.range(1, 20000000); b := numbers.range(1, 20000000); count(a) + count(b) == 1 }`;
    await assert.rejects(ask(rego, text, {}), unfinished(/needs more than 640 MiB/));
    assert.equal((await ask(rego, 'package sigstore\nisCompliant { true }', {})).kind, 'approved');
  });
});

describe('what a rule says', () => {
  const of = (value: Parameters<typeof readRegoAnswer>[1], rule = 'data.sigstore.isCompliant'): string => {
    const answer = readRegoAnswer(rule, value);
    return answer.kind === 'approved' ? `approved ${answer.warning ?? ''}`.trim() : answer.found;
  };

  it('passes only where it is true', () => {
    assert.equal(of(true), 'approved');
    assert.equal(of(false), 'isCompliant is false');
    assert.equal(of(undefined), 'isCompliant is undefined: none of its rules holds');
    for (const value of [1, 'true', null, [], {}, [true], { result: 'true' }, { result: 1 }, [[]]])
      assert.doesNotMatch(of(value), /^approved/, JSON.stringify(value));
    assert.match(of('yes'), /^isCompliant is "yes", expected true or false$/);
  });

  it('is one of several objects that passes, or all their errors', () => {
    assert.equal(of([{ result: false, error: 'no' }, { result: true }]), 'approved');
    assert.equal(of({ result: true, warning: 'old' }), 'approved old');
    assert.equal(
      of([
        { result: false, error: 'one' },
        { error: 'two', warning: 'three' },
      ]),
      'one; two; three',
    );
    assert.equal(of([{ result: false }]), 'isCompliant is [{"result":false}]');
  });

  it('takes objects of isCompliant only', () => {
    assert.equal(of({ result: true }, 'data.signature.allow'), 'allow is {"result":true}, expected true or false');
  });

  it('is one line without control characters', () => {
    const text = of([{ result: false, error: `a\nb\u001b[31m${'c'.repeat(5000)}` }]);
    assert.doesNotMatch(text, /[\n\u001b]/);
    assert.ok(text.length < 1000);
    assert.equal(describeRegoFault('1 error occurred: policy1.rego:3: rego_parse_error: bad\n\tx\n\t^'), 'line 3: bad');
  });
});

describe('Rego', () => {
  it('says what is missing where its engine is not here', async () => {
    const rows: readonly (readonly [EnginePlaces, RegExp])[] = [
      [{}, /install the program opa, or .* npm run build:rego/],
      [{ env: { BULLA_OPA: '/nowhere/opa' } }, /BULLA_OPA is \/nowhere\/opa, and there is no such program/],
      [{ env: { BULLA_REGO_WASM: 'a.wasm' } }, /BULLA_REGO_WASM is a\.wasm, and there is no such file/],
      // a program that lies in the working folder is nobody's choice
      [{ env: { PATH: '.:' } }, /not here/],
    ];
    for (const [where, told] of rows) assert.match(await toldMissing(where, 'rego'), told);
    assert.equal(await missing('cel'), false);
  });
});
