// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { compileIdentity, noteKey, type ExpectedIdentity, type NoteKey } from '../../trust/index.ts';
import { CodedError, HttpClient, serve } from '../../wire/index.ts';
import { appendLogReader, httpLogReader, type LogReader } from './log-reader.ts';
import { monitorLog, type MonitorReport, type Watch } from './monitor-log.ts';
import { decodeMonitorState, encodeMonitorState, newMonitorState, type MonitorState } from './monitor-state.ts';
import { CLAIMS, newPipeline, WORKFLOW } from './pipeline.fixture.ts';
import {
  ask,
  checkpoints,
  dsseV1,
  envelope,
  hashedRekordV1,
  hashedRekordV2,
  newRekorV1,
  newRekorV2,
  newSigner,
  statement,
  type TestRekor,
  type TestSigner,
} from './rekor.fixture.ts';
import { openMemoryLog } from '../log/memory-log.fixture.ts';

const ORIGIN = 'log.example';
const NOBODY: Watch = { identities: [] };

const workflows = async (): Promise<ExpectedIdentity> =>
  await compileIdentity({
    issuer: { exact: CLAIMS.issuer ?? '' },
    subject: { expression: '^https://github\\.com/Example/' },
  });

function noteKeyOf({ key }: TestRekor): NoteKey {
  return noteKey(ORIGIN, key.publicKey);
}

async function look(
  rekor: TestRekor,
  state: MonitorState,
  watch: Watch = NOBODY,
  reader?: LogReader,
): Promise<MonitorReport> {
  return await monitorLog({ reader: reader ?? appendLogReader(rekor.log), key: noteKeyOf(rekor), state, watch });
}

async function enter({ service }: TestRekor, signer: TestSigner, message: string): Promise<void> {
  const answered = await ask(service, 'POST', '/api/v2/log/entries', await hashedRekordV2(signer, message));
  assert.equal(answered.status, 201, answered.text);
}

async function fill({ log }: Pick<TestRekor, 'log'>, entries: number, word = 'entry'): Promise<void> {
  for (let count = 0; count < entries; count++) {
    const leaf = Buffer.from(`${word} ${log.tree().size}`);
    await log.append({ leaf, identity: hash('sha256', leaf, 'buffer'), terms: [] });
  }
}

/** Another log with the same key. */
async function forkOf({ key }: TestRekor): Promise<LogReader & { readonly log: TestRekor['log'] }> {
  const log = await openMemoryLog({ signCheckpoint: checkpoints(ORIGIN, ORIGIN, key) });
  return { ...appendLogReader(log), log };
}

describe('a monitor reads a log', () => {
  test('from its beginning, then what is new, across tiles, however often', async () => {
    const rekor = await newRekorV2(ORIGIN);
    let state = newMonitorState(ORIGIN);
    for (const more of [0, 1, 254, 1, 1, 300, 0]) {
      await fill(rekor, more);
      const report = await look(rekor, state);
      assert.equal(report.read, more);
      assert.equal(report.unreadable.length, more); // these are no entries of Rekor
      assert.equal(report.checkpoint.size, rekor.log.tree().size);
      // as it lies in a file between two looks
      state = decodeMonitorState(encodeMonitorState(report.state), 'state.json');
      assert.deepEqual(state, { ...report.state, edge: state.edge });
    }
  });

  test('over HTTP as well', async (context) => {
    const rekor = await newRekorV2(ORIGIN);
    await fill(rekor, 300);
    const server = await serve({ service: rekor.service, host: '127.0.0.1', port: 0 });
    const http = new HttpClient({ retry: { attempts: 1 } });
    context.after(async () => {
      await http.close();
      await server.close();
    });
    const address = `http://127.0.0.1:${server.address.port}`;
    for (const baseUrl of [address, `${address}/api/v2/`]) {
      const report = await look(rekor, newMonitorState(ORIGIN), NOBODY, httpLogReader({ http, baseUrl }));
      assert.equal(report.read, 300);
    }
    await assert.rejects(
      look(rekor, newMonitorState(ORIGIN), NOBODY, httpLogReader({ http, baseUrl: `${address}/elsewhere` })),
      /there is no checkpoint/,
    );
  });

  test('where a partial tile is gone, from the whole one', async () => {
    const rekor = await newRekorV2(ORIGIN);
    await fill(rekor, 10);
    const old = rekor.log.tree().checkpoint;
    await fill(rekor, 300);
    const inner = appendLogReader(rekor.log);
    const reader = {
      checkpoint: async () => old,
      tile: async (path: string) => (path.includes('.p/') ? undefined : await inner.tile(path)),
    };
    assert.equal((await look(rekor, newMonitorState(ORIGIN), NOBODY, reader)).read, 10);
  });
});

describe('a monitor reports', () => {
  test('entries by an identity of yours that you do not know of, and no others', async () => {
    const rekor = await newRekorV2(ORIGIN);
    const [ours, theirs] = [await newPipeline(), await newPipeline({ kind: 'email', value: 'dev@example.com' })];
    await enter(rekor, ours, 'a release');
    await enter(rekor, theirs, 'something');
    await enter(rekor, await newSigner(), 'by a key');
    await enter(rekor, ours, 'a surprise');
    const watch: Watch = {
      identities: [await workflows()],
      expected: ({ body }) =>
        body.kind === 'hashedrekord' &&
        Buffer.from(body.digest.bytes).toString('hex') === hash('sha256', 'a release', 'hex'),
    };
    const { unexpected, read, unreadable, state } = await look(rekor, newMonitorState(ORIGIN), watch);
    assert.deepEqual([read, unreadable, unexpected.map(({ index }) => index)], [4, [], [3]]);
    assert.deepEqual(
      unexpected[0]?.identities.map(({ subject, claims }) => [subject, claims.sourceRepositoryUri]),
      [[WORKFLOW, CLAIMS.sourceRepositoryUri]],
    );
    assert.deepEqual((await look(rekor, state, watch)).unexpected, []); // once
    assert.deepEqual(
      (await look(rekor, newMonitorState(ORIGIN), { identities: [await workflows()] })).unexpected.map(
        ({ index }) => index,
      ),
      [0, 3],
    );
  });

  test('entries by a key of yours', async () => {
    const rekor = await newRekorV2(ORIGIN);
    const [ours, theirs] = [await newSigner(), await newSigner()];
    await enter(rekor, theirs, 'one');
    await enter(rekor, ours, 'two');
    const keys = [hash('sha256', ours.key.publicKey.spki, 'hex')];
    const { unexpected } = await look(rekor, newMonitorState(ORIGIN), { identities: [], keys });
    assert.deepEqual(
      unexpected.map(({ index, keys: by }) => [index, by]),
      [[1, keys]],
    );
  });

  test('entries of Rekor v1 in the same way, envelopes too', async () => {
    const rekor = await newRekorV1(ORIGIN);
    const ours = await newPipeline();
    const document = JSON.stringify(envelope([ours], statement('0'.repeat(64))));
    for (const proposal of [
      await hashedRekordV1(await newSigner(), 'x'),
      await hashedRekordV1(ours, 'x'),
      dsseV1([ours], document),
    ])
      assert.equal((await ask(rekor.service, 'POST', '/api/v1/log/entries', proposal)).status, 201);
    const origin = `${ORIGIN} - 1193050959916656506`;
    const { unexpected } = await look(rekor, newMonitorState(origin), { identities: [await workflows()] });
    assert.deepEqual(
      unexpected.map(({ index }) => index),
      [1, 2],
    );
  });
});

describe('a monitor raises the alarm', () => {
  const alarm = { code: 'log-inconsistent' } as const;

  test('where the log has forked since the last look', async () => {
    const rekor = await newRekorV2(ORIGIN);
    await fill(rekor, 5);
    const { state } = await look(rekor, newMonitorState(ORIGIN));
    const fork = await forkOf(rekor);
    await fill(fork, 5, 'other');
    await assert.rejects(look(rekor, state, NOBODY, fork), alarm);
    await fill(fork, 20);
    await assert.rejects(look(rekor, state, NOBODY, fork), alarm);
  });

  test('where it has shrunk', async () => {
    const rekor = await newRekorV2(ORIGIN);
    await fill(rekor, 5);
    const { state } = await look(rekor, newMonitorState(ORIGIN));
    const fork = await forkOf(rekor);
    await fill(fork, 4);
    await assert.rejects(look(rekor, state, NOBODY, fork), { ...alarm, message: /has shrunk from 5 entries to 4/ });
  });

  test('where it shows other entries than it has signed, or hides some', async () => {
    const rekor = await newRekorV2(ORIGIN);
    await fill(rekor, 5);
    const inner = appendLogReader(rekor.log);
    const changing = (change: (tile: Buffer) => Buffer | undefined): LogReader => ({
      ...inner,
      tile: async (path) => change(Buffer.from((await inner.tile(path)) ?? [])),
    });
    const changed = changing((tile) => Buffer.from(tile.toString('latin1').replace('entry 3', 'entry 9'), 'latin1'));
    await assert.rejects(look(rekor, newMonitorState(ORIGIN), NOBODY, changed), {
      ...alarm,
      message: /has signed a tree of 5 entries/,
    });
    for (const reader of [
      changing(() => undefined),
      changing((tile) => tile.subarray(0, -1)),
      changing((tile) => tile.subarray(0, 9)),
      changing(() => Buffer.alloc(0)),
    ])
      await assert.rejects(look(rekor, newMonitorState(ORIGIN), NOBODY, reader), alarm);
  });

  test('where its checkpoint is by another key, or of another log', async () => {
    const [rekor, other] = [await newRekorV2(ORIGIN), await newRekorV2(ORIGIN)];
    await assert.rejects(look(rekor, newMonitorState(ORIGIN), NOBODY, appendLogReader(other.log)), {
      ...alarm,
      message: /its key has not signed/,
    });
    await assert.rejects(look(rekor, newMonitorState('other.example')), {
      ...alarm,
      message: /expected 'other\.example'/,
    });
  });

  test('but never because the log cannot be reached', async () => {
    const rekor = await newRekorV2(ORIGIN);
    const http = new HttpClient({ retry: { attempts: 1 } });
    const reader = httpLogReader({ http, baseUrl: 'http://127.0.0.1:9' });
    await assert.rejects(
      look(rekor, newMonitorState(ORIGIN), NOBODY, reader),
      (error) => error instanceof CodedError && error.code !== 'log-inconsistent',
    );
  });
});

test('a state that was cut, changed or mixed up is refused, and never taken for a fork', async () => {
  const rekor = await newRekorV2(ORIGIN);
  await fill(rekor, 5);
  const { state } = await look(rekor, newMonitorState(ORIGIN));
  const text = Buffer.from(encodeMonitorState(state)).toString('utf8');
  const changed = [
    text.replace('"size": 5', '"size": 6'),
    text.replace('"size": 5', '"size": 7'),
    text.replace('"size": 5', '"size": -1'),
    text.replace(/"rootHash": ".{4}/, '"rootHash": "AAAA'),
    text.replace('"edge"', '"ridge"'),
    '{}',
    '[]',
    'null',
  ];
  for (const one of changed)
    assert.throws(
      () => decodeMonitorState(Buffer.from(one), 'state.json'),
      { code: 'settings-malformed', message: /^state\.json/ },
      one,
    );
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.string({ maxLength: 3 }), (at, piece) => {
      try {
        decodeMonitorState(Buffer.from(text.slice(0, at) + piece + text.slice(at + 1)), 'state.json');
      } catch (error) {
        assert.ok(error instanceof CodedError, String(error));
      }
    }),
  );
});
