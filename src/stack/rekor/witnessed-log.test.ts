// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SqliteDatabase } from '../../store/index.ts';
import {
  decodeLogEntry,
  decodeNote,
  generatePrivateKey,
  leafHash,
  noteKey,
  verifyCosignatures,
} from '../../trust/index.ts';
import { HttpClient, serve, type Service } from '../../wire/index.ts';
import { openAppendLog } from '../log/open-append-log.ts';
import { ask, checkpoints, hashedRekordV2, newSigner } from './rekor.fixture.ts';
import { createRekorV2Service } from './rekor-v2.ts';
import { witnessClient } from './witness-client.ts';
import { newWitness } from './witness.fixture.ts';
import { decodeWitnessPolicy } from './witness-policy.ts';

const ORIGIN = 'log.example';
const ENTRIES = '/api/v2/log/entries';

test('a log on disk answers with cosigned checkpoints; without its witness 503, and a retry gets the entry that was kept', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'bulla-witnessed-'));
  const database = await SqliteDatabase.open(join(folder, 'log.db'));
  const key = await generatePrivateKey('ed25519');
  const witness = newWitness('witness.example', [noteKey(ORIGIN, key.publicKey)]);
  let away = false;
  const service: Service = {
    ...witness.service,
    answer: async (call) => (away ? { status: 503, headers: {} } : await witness.service.answer(call)),
  };
  const server = await serve({ service, host: '127.0.0.1', port: 0 });
  const http = new HttpClient({ retry: { attempts: 1 } });
  const policy = `witness w ${witness.vkey} http://127.0.0.1:${server.address.port}\nquorum w\n`;
  const log = await openAppendLog({
    database,
    name: 'witnessed',
    origin: ORIGIN,
    now: () => new Date(),
    signCheckpoint: checkpoints(ORIGIN, ORIGIN, key),
    witnesses: witnessClient({ policy: decodeWitnessPolicy(policy, 'policy'), http, required: true }),
  });
  context.after(async () => {
    await log.close();
    await database.close();
    await server.close();
    await http.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const rekor = createRekorV2Service({ log, origin: ORIGIN, publicKey: key.publicKey }).service;
  const enter = async (request: object) => await ask(rekor, 'POST', ENTRIES, request);

  const witnessed = (answer: Buffer): number => {
    const entry = decodeLogEntry(answer, 'the answer');
    const note = decodeNote(entry.inclusionProof?.checkpoint ?? '', 'the checkpoint');
    assert.equal(verifyCosignatures(note, [witness.key]).length, 1);
    return entry.logIndex;
  };
  const first = await enter(await hashedRekordV2(await newSigner(), 'one'));
  assert.equal(first.status, 201, first.text);
  assert.equal(witnessed(first.octets), 0);

  away = true;
  const request = await hashedRekordV2(await newSigner(), 'two');
  const withheld = await enter(request);
  assert.deepEqual([withheld.status, withheld.headers['retry-after']], [503, '1']);
  assert.match((await ask(rekor, 'GET', '/checkpoint')).text, /^log\.example\n1\n/);
  away = false;
  const again = await enter(request);
  assert.equal(again.status, 201, again.text);
  assert.equal(witnessed(again.octets), 1);
  assert.equal(witness.seen.get(ORIGIN)?.size, 2);
});

test('several logs have the same witnesses, which know each by its own name: that of a new year, smaller than the one before', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'bulla-witnessed-'));
  const origins = ['2026.log.example', '2027.log.example'];
  const keys = await Promise.all(origins.map(() => generatePrivateKey('ed25519')));
  const known = keys.map(({ publicKey }, at) => noteKey(origins[at] ?? '', publicKey));
  const witness = newWitness('witness.example', known);
  const server = await serve({ service: witness.service, host: '127.0.0.1', port: 0 });
  const http = new HttpClient({ retry: { attempts: 1 } });
  const policy = `witness w ${witness.vkey} http://127.0.0.1:${server.address.port}\nquorum w\n`;
  const witnesses = witnessClient({ policy: decodeWitnessPolicy(policy, 'policy'), http, required: true });
  const logs = await Promise.all(
    keys.map(async (key, at) => {
      const [origin, database] = [origins[at] ?? '', await SqliteDatabase.open(join(folder, `${at}.db`))];
      const signCheckpoint = checkpoints(origin, origin, key);
      const log = await openAppendLog({
        database,
        name: 'log',
        origin,
        now: () => new Date(),
        signCheckpoint,
        witnesses,
      });
      return { log, database };
    }),
  );
  context.after(async () => {
    for (const { log, database } of logs) {
      await log.close();
      await database.close();
    }
    await server.close();
    await http.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const sizes: number[] = [];
  for (const [at, which] of [0, 0, 0, 1, 0, 1, 1, 1, 1, 0].entries()) {
    const leaf = Buffer.from(`${at}`);
    const one = logs[which]?.log;
    const { tree } = (await one?.append({ leaf, identity: leafHash(leaf), terms: [] })) ?? {};
    assert.equal(verifyCosignatures(decodeNote(tree?.checkpoint ?? '', 'it'), [witness.key]).length, 1);
    sizes.push(tree?.size ?? 0);
  }
  assert.deepEqual(sizes, [1, 2, 3, 1, 4, 2, 3, 4, 5, 5]);
  // each was told the proof from where that log stood, at once
  assert.equal(witness.requests.length, sizes.length);
});
