// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, test, type TestContext } from 'node:test';
import fc from 'fast-check';
import {
  decodeNote,
  encodeNoteKey,
  generatePrivateKey,
  noteKey,
  verifyCosignatures,
  type NoteKey,
  type PrivateKey,
} from '../../trust/index.ts';
import { CodedError, HttpClient, serve, type Service } from '../../wire/index.ts';
import type { AppendLog } from '../log/append-log.ts';
import { openMemoryLog } from '../log/memory-log.fixture.ts';
import { checkpoints } from './rekor.fixture.ts';
import { witnessClient } from './witness-client.ts';
import { newWitness, type TestWitness } from './witness.fixture.ts';
import { decodeWitnessPolicy } from './witness-policy.ts';

const ORIGIN = 'log.example';

interface Lab {
  readonly log: AppendLog;
  readonly key: PrivateKey;
  readonly noteKey: NoteKey;
  grow(entries: number): Promise<void>;
}

async function newLab(key?: PrivateKey): Promise<Lab> {
  const signer = key ?? (await generatePrivateKey('ed25519'));
  const log = await openMemoryLog({ signCheckpoint: checkpoints(ORIGIN, ORIGIN, signer) });
  const grow = async (entries: number): Promise<void> => {
    for (let count = 0; count < entries; count++) {
      const leaf = Buffer.from(`entry ${log.tree().size} ${Math.random()}`);
      await log.append({ leaf, identity: hash('sha256', leaf, 'buffer'), terms: [] });
    }
  };
  return { log, key: signer, noteKey: noteKey(ORIGIN, signer.publicKey), grow };
}

async function served(context: TestContext, service: Service): Promise<string> {
  const server = await serve({ service, host: '127.0.0.1', port: 0 });
  context.after(() => server.close());
  return `http://127.0.0.1:${server.address.port}`;
}

const http = new HttpClient({ retry: { attempts: 1 } });

/** Asks as the log would. */
async function cosign(
  { log }: Lab,
  policy: string,
  options: { readonly required?: boolean; readonly oldSize?: number; readonly warn?: (message: string) => void } = {},
): Promise<readonly string[]> {
  const { required = true, oldSize = 0, warn } = options;
  const client = witnessClient({
    policy: decodeWitnessPolicy(policy, 'policy'),
    http,
    required,
    timeoutMs: 2000,
    ...(warn === undefined ? {} : { warn }),
  });
  return await ask(log, client, oldSize);
}

async function ask(
  log: AppendLog,
  client: ReturnType<typeof witnessClient>,
  oldSize: number,
): Promise<readonly string[]> {
  const { size, checkpoint } = log.tree();
  const proofFrom = async (from: number) => await log.consistency(from, size);
  return await client.cosign(checkpoint, oldSize, await proofFrom(oldSize), proofFrom);
}

function namesUnder({ log }: Lab, lines: readonly string[], witnesses: readonly TestWitness[]): readonly string[] {
  const note = decodeNote(log.tree().checkpoint + lines.join(''), 'it');
  return verifyCosignatures(
    note,
    witnesses.map(({ key }) => key),
  ).map(({ name }) => name);
}

describe('witnesses cosign what they have seen to grow', () => {
  for (const type of ['ed25519', 'ml-dsa-44'] as const)
    test(`with ${type}, from the first tree on`, async (context) => {
      const lab = await newLab();
      const witness = newWitness('witness.example/one', [lab.noteKey], { type });
      const policy = `witness one ${witness.vkey} ${await served(context, witness.service)}\nquorum one\n`;
      const client = witnessClient({ policy: decodeWitnessPolicy(policy, 'policy'), http, required: true });
      let oldSize = 0;
      for (const more of [1, 1, 5, 300]) {
        await lab.grow(more);
        const lines = await ask(lab.log, client, oldSize);
        assert.deepEqual(namesUnder(lab, lines, [witness]), ['witness.example/one']);
        oldSize = lab.log.tree().size;
      }
      assert.equal(witness.seen.get(ORIGIN)?.size, 307);
      // The client remembers what the witness has seen, so that each checkpoint takes one request.
      assert.equal(witness.requests.length, 4);
      assert.match(witness.requests[3] ?? '', /^old 7\n/);
    });

  test('after telling which tree they have seen, where that is another than the log thinks', async (context) => {
    const lab = await newLab();
    const witness = newWitness('w', [lab.noteKey]);
    const policy = `witness w ${witness.vkey} ${await served(context, witness.service)}\nquorum w\n`;
    await lab.grow(3);
    await cosign(lab, policy);
    await lab.grow(4);
    // a restarted log that takes the newest tree for shown, and one that takes nothing for it
    for (const oldSize of [7, 0, 2])
      assert.deepEqual(namesUnder(lab, await cosign(lab, policy, { oldSize }), [witness]), ['w']);
  });

  test('and those that are known by several keys are asked all the same: lines by others are skipped', async (context) => {
    const lab = await newLab();
    await lab.grow(1);
    const witness = newWitness('w', [lab.noteKey]);
    const other = newWitness('w', [lab.noteKey]);
    const both: Service = {
      ...witness.service,
      answer: async (call) => {
        const body: Uint8Array[] = [];
        for await (const chunk of call.body) body.push(chunk);
        const copy = () => ({
          ...call,
          body: (async function* () {
            yield* body;
          })(),
        });
        const [one, two] = [await other.service.answer(copy()), await witness.service.answer(copy())];
        assert.ok(typeof one.body === 'string' && typeof two.body === 'string');
        return { ...two, body: one.body + two.body };
      },
    };
    const lines = await cosign(lab, `witness w ${witness.vkey} ${await served(context, both)}\nquorum w\n`);
    assert.equal(lines.length, 1);
    assert.deepEqual(namesUnder(lab, lines, [witness]), ['w']);
  });
});

describe('a tree that too few have seen', () => {
  const failing = (status: number, body = ''): Service => ({
    answer: async () => ({ status, headers: {}, body }),
    fault: () => ({ status: 500, headers: {} }),
  });

  test('is withheld where the policy is required, and shown with a warning where it is not', async (context) => {
    const lab = await newLab();
    await lab.grow(2);
    const [good, bad] = [newWitness('good', [lab.noteKey]), newWitness('bad', [lab.noteKey])];
    const policy = [
      `witness good ${good.vkey} ${await served(context, good.service)}`,
      `witness bad ${bad.vkey} ${await served(context, failing(500))}`,
      'group both all good bad',
      'quorum both',
    ].join('\n');
    await assert.rejects(cosign(lab, policy), {
      code: 'witness-failed',
      message: /the policy of witnesses is not met: witness bad: .* answers 500/,
    });
    const warnings: string[] = [];
    const lines = await cosign(lab, policy, { required: false, warn: (message) => warnings.push(message) });
    assert.deepEqual(namesUnder(lab, lines, [good, bad]), ['good']);
    assert.match(warnings.join(), /witness bad/);
  });

  test('is shown where the others make up for those that fail', async (context) => {
    const lab = await newLab();
    await lab.grow(2);
    const witnesses = ['a', 'b', 'c'].map((name) => newWitness(name, [lab.noteKey]));
    const [a, b, c] = witnesses;
    assert.ok(a !== undefined && b !== undefined && c !== undefined);
    const policy = [
      `witness a ${a.vkey} ${await served(context, a.service)}`,
      `witness b ${b.vkey} ${await served(context, failing(503))}`,
      `witness c ${c.vkey} ${await served(context, c.service)}`,
      'group most 2 a b c',
      'quorum most',
    ].join('\n');
    assert.deepEqual(namesUnder(lab, await cosign(lab, policy), witnesses), ['a', 'c']);
  });

  test('because the log has forked: a witness that has seen the other branch does not sign', async (context) => {
    const lab = await newLab();
    const fork = await newLab(lab.key);
    await Promise.all([lab.grow(4), fork.grow(4)]);
    const witness = newWitness('w', [lab.noteKey]);
    const policy = `witness w ${witness.vkey} ${await served(context, witness.service)}\nquorum w\n`;
    await cosign(lab, policy);
    await assert.rejects(cosign(fork, policy), /it has seen another tree of 4 entries/);
    await fork.grow(3);
    await assert.rejects(cosign(fork, policy), /it has seen a tree that this one does not follow/);
    assert.equal(Buffer.compare(witness.seen.get(ORIGIN)?.root ?? Buffer.alloc(0), lab.log.tree().rootHash), 0);
  });

  test('because the log was set back: a witness that has seen more does not sign', async (context) => {
    const lab = await newLab();
    const old = await newLab(lab.key);
    await Promise.all([lab.grow(9), old.grow(4)]);
    const witness = newWitness('w', [lab.noteKey]);
    const policy = `witness w ${witness.vkey} ${await served(context, witness.service)}\nquorum w\n`;
    await cosign(lab, policy);
    await assert.rejects(cosign(old, policy), /it has seen a tree of 9 entries, more than the log's 4/);
  });

  test('because a witness answers what is none of its cosignatures', async (context) => {
    const lab = await newLab();
    await lab.grow(1);
    const [witness, other] = [newWitness('w', [lab.noteKey]), newWitness('w', [lab.noteKey])];
    const answers = ['', 'text', '— w AAAAAAAA\n', lab.log.tree().checkpoint, '\n\n', 'x'.repeat(300_000)];
    for (const body of answers) {
      const policy = `witness w ${witness.vkey} ${await served(context, failing(200, body))}\nquorum w\n`;
      await assert.rejects(cosign(lab, policy), { code: 'witness-failed' }, body.slice(0, 40));
    }
    const stranger = `witness w ${witness.vkey} ${await served(context, other.service)}\nquorum w\n`;
    await assert.rejects(cosign(lab, stranger), /its answer has no cosignature by its key/);
    for (const body of ['', '-1\n', '01\n', 'x\n', '5'])
      await assert.rejects(
        cosign(lab, `witness w ${witness.vkey} ${await served(context, failing(409, body))}\nquorum w\n`),
        /answers 409/,
      );
    const endless = failing(409, '0\n');
    await assert.rejects(
      cosign(lab, `witness w ${witness.vkey} ${await served(context, endless)}\nquorum w\n`),
      /another tree of 0 entries/,
    );
  });

  test('because a witness does not answer', async (context) => {
    const lab = await newLab();
    await lab.grow(1);
    const witness = newWitness('w', [lab.noteKey]);
    const silent: Service = {
      answer: async () => await new Promise(() => {}),
      fault: () => ({ status: 500, headers: {} }),
    };
    const url = await (async () => {
      const server = await serve({ service: silent, host: '127.0.0.1', port: 0, limits: { closeMs: 10 } });
      context.after(() => server.close());
      return `http://127.0.0.1:${server.address.port}`;
    })();
    const policy = decodeWitnessPolicy(`witness w ${witness.vkey} ${url}\nquorum w\n`, 'policy');
    const client = witnessClient({ policy, http, required: true, timeoutMs: 50 });
    await assert.rejects(ask(lab.log, client, 0), { code: 'witness-failed' });
  });
});

describe('a policy', () => {
  const keys = ['a', 'b', 'c', 'd'].map((name) => newWitness(name, []).vkey);
  const [a = '', b = '', c = '', d = ''] = keys;
  const read = (...lines: readonly string[]) => decodeWitnessPolicy(lines.join('\n'), 'witnesses.txt');

  test('is met by one witness, by as many as a group asks for, by groups of groups, or by nobody', () => {
    const define = [`witness a ${a}`, `witness b ${b}`, `witness c ${c}`, `witness d ${d}`];
    const met = (rules: readonly string[], ...names: readonly string[]) =>
      read(...define, ...rules).isMet(new Set(names));
    assert.deepEqual([met(['quorum a'], 'a'), met(['quorum a'], 'b'), met(['quorum none'])], [true, false, true]);
    const two = ['group g 2 a b c', 'quorum g'];
    assert.deepEqual([met(two, 'a', 'c'), met(two, 'a', 'd'), met(two, 'b')], [true, false, false]);
    const nested = ['group x any a b', 'group y all c d', 'group z all x y', 'quorum z'];
    assert.deepEqual(
      [met(nested, 'a', 'c', 'd'), met(nested, 'c', 'd'), met(nested, 'a', 'b', 'c')],
      [true, false, false],
    );
    assert.deepEqual(
      [read(...define, ...nested).least, read(...define, ...two).least, read('quorum none').least],
      [3, 2, 0],
    );
  });

  test('has comments, tabs, empty lines, logs and addresses', async () => {
    const { publicKey } = await generatePrivateKey('ed25519');
    const log = encodeNoteKey(noteKey(ORIGIN, publicKey));
    const policy = read(
      '# a comment',
      '',
      `\tlog ${log}\thttps://log.example/`,
      `  witness a ${a} https://witness.example/prefix/ `,
      'quorum a',
    );
    assert.equal(policy.logs[0]?.key.name, ORIGIN);
    assert.equal(policy.witnesses[0]?.url, 'https://witness.example/prefix');
  });

  test('that contradicts itself is refused with its line', async () => {
    const { publicKey } = await generatePrivateKey('ed25519');
    const log = encodeNoteKey(noteKey(ORIGIN, publicKey));
    const renamed = newWitness('a', []);
    const wrong: readonly (readonly string[])[] = [
      [],
      ['quorum a'],
      [`witness a ${a}`, 'quorum a', 'quorum a'],
      [`witness a ${a}`, `witness a ${b}`, 'quorum a'],
      [`witness a ${a}`, `witness b ${a}`, 'quorum a'],
      [`witness none ${a}`, 'quorum none'],
      [`witness a ${log}`, 'quorum a'],
      [`log ${a}`, 'quorum none'],
      [`log ${log}`, `log ${log}`, 'quorum none'],
      [`witness a ${a}`, 'group g 2 a', 'quorum g'],
      [`witness a ${a}`, 'group g 0 a', 'quorum g'],
      [`witness a ${a}`, 'group g 01 a', 'quorum g'],
      [`witness a ${a}`, 'group g all', 'quorum g'],
      [`witness a ${a}`, 'group g any a a', 'quorum g'],
      [`witness a ${a}`, 'group g any a', 'group h any a', 'quorum g'],
      ['group g any h', 'group h any g', 'quorum g'],
      [`witness a ${a} ftp://witness.example`, 'quorum a'],
      [`witness a ${a} https://w.example more`, 'quorum a'],
      [`witness a ${renamed.vkey.slice(0, -4)}`, 'quorum a'],
      ['wittness a', 'quorum none'],
      ['quorum none\r'],
      ['quorum'],
    ];
    for (const lines of wrong)
      assert.throws(
        () => read(...lines),
        { code: 'settings-malformed', message: /^witnesses\.txt/ },
        lines.join(' | '),
      );
    assert.throws(() => read('# fine', 'wittness a'), /line 2/);
  });

  test('that nobody can be asked about is refused when the log is set up', () => {
    const policy = read(`witness a ${a}`, `witness b ${b} http://127.0.0.1:9`, 'group g all a b', 'quorum g');
    assert.throws(() => witnessClient({ policy, http, required: true }), { code: 'settings-malformed' });
  });

  test('is read or refused, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.string(),
            fc.constantFrom(`witness a ${a}`, 'group g any a', 'quorum g', 'quorum a', 'group', 'log'),
          ),
        ),
        (lines) => {
          try {
            read(...lines);
          } catch (error) {
            assert.ok(error instanceof CodedError && error.code === 'settings-malformed', String(error));
          }
        },
      ),
    );
  });
});
