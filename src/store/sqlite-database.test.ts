// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { openDataDirectory } from './data-directory.ts';
import { sqlDatabaseContract, type SqlDatabaseSubject } from './sql-database.contract.ts';
import { SqliteDatabase } from './sqlite-database.ts';
import { StoreError } from './store-error.ts';

async function make(root?: string): Promise<SqlDatabaseSubject> {
  const directory = root ?? (await mkdtemp(join(tmpdir(), 'bulla-sql-')));
  const database = await SqliteDatabase.open(join(directory, 'db'));
  return {
    database,
    reopen: () => make(directory),
    end: async () => {
      await database.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

sqlDatabaseContract('SQLite', () => make());

/** A program that writes numbered rows from many callers and prints each once it is acknowledged. */
const WRITER = `
import { SqliteDatabase } from ${JSON.stringify(new URL('sqlite-database.ts', import.meta.url).href)};
import { openDataDirectory } from ${JSON.stringify(new URL('data-directory.ts', import.meta.url).href)};
const directory = await openDataDirectory(process.argv[2]);
const database = await SqliteDatabase.open(directory.path + '/db');
await database.migrate('test', [{ number: 1, name: 'rows', sqlite: 'CREATE TABLE rows (n INTEGER PRIMARY KEY)' }]);
let n = (await database.get('SELECT coalesce(max(n), 0) AS n FROM rows')).n;
process.stdout.write('ready\\n');
for (let caller = 0; caller < 16; caller++) void (async () => {
  for (;;) { const mine = ++n; await database.write((tx) => tx.run('INSERT INTO rows VALUES (?)', mine)); process.stdout.write(mine + '\\n'); }
})();
`;

describe('a copy', () => {
  test('holds what was committed at one moment, whole, while others write', async () => {
    const root = await mkdtemp(join(tmpdir(), 'bulla-sql-'));
    const database = await SqliteDatabase.open(join(root, 'db'));
    try {
      const pairs = 'CREATE TABLE pairs (n INTEGER NOT NULL, side TEXT NOT NULL, padding BLOB NOT NULL)';
      await database.migrate('test', [{ number: 1, name: 'pairs', sqlite: pairs }]);
      const state = { writing: true, acknowledged: 0 };
      const writer = (async () => {
        for (let n = 1; state.writing; n++) {
          await database.write(async (tx) => {
            for (const side of ['a', 'b']) await tx.run('INSERT INTO pairs VALUES (?, ?, zeroblob(2000))', n, side);
          });
          state.acknowledged = n;
        }
      })();
      while (state.acknowledged < 500) await new Promise((resolve) => setImmediate(resolve));
      const { acknowledged } = state;
      await database.copyTo(join(root, 'copy'));
      state.writing = false;
      await writer;
      const copy = await SqliteDatabase.open(join(root, 'copy'));
      const odd = await copy.all('SELECT n FROM pairs GROUP BY n HAVING count(*) <> 2 LIMIT 10');
      const row = await copy.get<{ most: number; count: number }>(
        'SELECT max(n) AS most, count(*) AS count FROM pairs',
      );
      await copy.close();
      assert.deepEqual(odd, []);
      assert.ok(row !== undefined && row.most >= acknowledged && row.count === row.most * 2, JSON.stringify(row));
    } finally {
      await database.close();
      await rm(root, { recursive: true, force: true });
    }
  });

  test('is not written over another file, and not left behind by half', async () => {
    const root = await mkdtemp(join(tmpdir(), 'bulla-sql-'));
    const database = await SqliteDatabase.open(join(root, 'db'));
    try {
      await writeFile(join(root, 'mine'), 'mine');
      const coded = (code: string) => (error: unknown) => error instanceof StoreError && error.code === code;
      await assert.rejects(database.copyTo(join(root, 'mine')), coded('exists'));
      assert.equal(await readFile(join(root, 'mine'), 'utf8'), 'mine');
      await assert.rejects(database.copyTo(join(root, 'missing', 'copy')), coded('io-failed'));
    } finally {
      await database.close();
      await rm(root, { recursive: true, force: true });
    }
  });
});

describe('a process that is killed', () => {
  test('leaves every acknowledged row and no lock', async (t) => {
    const root = await mkdtemp(join(tmpdir(), 'bulla-sql-'));
    try {
      const program = join(root, 'writer.ts');
      await writeFile(program, WRITER);
      const acknowledged: number[] = [];
      for (let life = 0; life < 3; life++) {
        const child = spawn(process.execPath, [program, join(root, 'data')], { stdio: ['ignore', 'pipe', 'inherit'] });
        t.after(() => child.kill('SIGKILL'));
        let lines = 0;
        for await (const line of createInterface(child.stdout)) {
          if (line !== 'ready') acknowledged.push(Number(line));
          else {
            await assert.rejects(openDataDirectory(join(root, 'data')), (error) => {
              assert.ok(error instanceof StoreError && error.code === 'in-use', String(error));
              assert.match(error.message, /in use by another process/);
              return true;
            });
          }
          if (++lines === 300) child.kill('SIGKILL');
        }
        if (child.signalCode === null) await once(child, 'exit');
        assert.equal(child.signalCode, 'SIGKILL');
      }
      const directory = await openDataDirectory(join(root, 'data'));
      const database = await SqliteDatabase.open(join(directory.path, 'db'));
      const rows = new Set((await database.all<{ n: number }>('SELECT n FROM rows')).map((row) => row.n));
      assert.ok(acknowledged.length >= 800);
      assert.deepEqual(
        acknowledged.filter((n) => !rows.has(n)),
        [],
      );
      await database.close();
      directory.release();
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
});

describe('a data directory', () => {
  test('has one owner at a time, and the next one after it was released', async () => {
    const root = await mkdtemp(join(tmpdir(), 'bulla-data-'));
    try {
      const first = await openDataDirectory(join(root, 'new', 'one'));
      await assert.rejects(openDataDirectory(first.path), { code: 'in-use' });
      first.release();
      first.release();
      const second = await openDataDirectory(first.path);
      second.release();
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });

  test('says what it could not do where it cannot be made', async () => {
    const root = await mkdtemp(join(tmpdir(), 'bulla-data-'));
    try {
      await writeFile(join(root, 'file'), '');
      await assert.rejects(openDataDirectory(join(root, 'file')), { code: 'io-failed' });
      await assert.rejects(openDataDirectory(join(root, 'file', 'below')), { code: 'io-failed' });
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
});

describe('a file that is no database', () => {
  test('is called corrupt and left as it is', async () => {
    const root = await mkdtemp(join(tmpdir(), 'bulla-sql-'));
    try {
      await writeFile(join(root, 'db'), 'this is not a database, '.repeat(1000));
      await assert.rejects(SqliteDatabase.open(join(root, 'db')), { code: 'corrupt' });
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
});
