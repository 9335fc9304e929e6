// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Migration, SqlDatabase } from './sql-database.ts';
import { StoreError } from './store-error.ts';

/** A driver under test. */
export interface SqlDatabaseSubject {
  readonly database: SqlDatabase;
  reopen(): Promise<SqlDatabaseSubject>;
  end(): Promise<void>;
}

const TABLES: readonly Migration[] = [
  {
    number: 1,
    name: 'things',
    sqlite: `CREATE TABLE things (name TEXT PRIMARY KEY, amount INTEGER NOT NULL, bytes BLOB);
             CREATE TABLE parts (thing TEXT NOT NULL REFERENCES things (name), name TEXT NOT NULL);`,
  },
];
const INSERT = 'INSERT INTO things (name, amount) VALUES (?, ?)';
const NAMES = 'SELECT name FROM things ORDER BY name';

/** The suite that every driver of the SQL port passes. */
export function sqlDatabaseContract(driver: string, make: () => Promise<SqlDatabaseSubject>): void {
  const withDatabase =
    (use: (database: SqlDatabase, subject: SqlDatabaseSubject) => Promise<void>) => async (): Promise<void> => {
      const subject = await make();
      try {
        await subject.database.migrate('test', TABLES);
        await use(subject.database, subject);
      } finally {
        await subject.end();
      }
    };

  describe(`${driver} is an SQL database`, () => {
    test(
      'gives back text, numbers, bytes and null',
      withDatabase(async (database) => {
        const bytes = Uint8Array.of(0, 1, 254, 255);
        await database.write(async (tx) => {
          await tx.run('INSERT INTO things VALUES (?, ?, ?)', "o'brien – ✓", 2 ** 53 - 1, bytes);
          await tx.run('INSERT INTO things VALUES (?, ?, ?)', 'empty', -1, null);
        });
        const row = await database.get<{ amount: number; bytes: Uint8Array }>(
          'SELECT amount, bytes FROM things WHERE name = ?',
          "o'brien – ✓",
        );
        assert.equal(row?.amount, 2 ** 53 - 1);
        assert.deepEqual(Buffer.from(row.bytes), Buffer.from(bytes));
        assert.equal((await database.get('SELECT bytes FROM things WHERE name = ?', 'empty'))?.['bytes'], null);
        assert.equal(await database.get('SELECT 1 FROM things WHERE name = ?', 'none'), undefined);
      }),
    );
    test(
      'counts changes',
      withDatabase(async (database) => {
        const changes = await database.write(async (tx) => {
          await tx.run(INSERT, 'a', 1);
          await tx.run(INSERT, 'b', 1);
          return [
            (await tx.run('UPDATE things SET amount = 2 WHERE amount = 1')).changes,
            (await tx.run('UPDATE things SET amount = 2 WHERE amount = 1')).changes,
          ];
        });
        assert.deepEqual(changes, [2, 0]);
      }),
    );
    test(
      'undoes a body that throws, gives its error back as it was, and keeps its neighbours in the batch',
      withDatabase(async (database) => {
        const reason = new Error('no');
        const outcomes = await Promise.allSettled(
          Array.from({ length: 10 }, (_, at) =>
            database.write(async (tx) => {
              await tx.run(INSERT, `n${at}`, at);
              if (at % 3 === 1) throw reason;
              return at;
            }),
          ),
        );
        assert.deepEqual(
          outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : outcome.reason === reason)),
          [0, true, 2, 3, true, 5, 6, true, 8, 9],
        );
        assert.deepEqual(await names(database), ['n0', 'n2', 'n3', 'n5', 'n6', 'n8', 'n9']);
      }),
    );
    test(
      'names a broken constraint and undoes what stood before it',
      withDatabase(async (database) => {
        await assert.rejects(
          database.write(async (tx) => {
            await tx.run(INSERT, 'a', 1);
            await tx.run(INSERT, 'a', 2);
          }),
          coded('constraint-failed'),
        );
        await assert.rejects(
          database.write((tx) => tx.run('INSERT INTO parts VALUES (?, ?)', 'nowhere', 'x')),
          coded('constraint-failed'),
        );
        assert.deepEqual(await names(database), []);
      }),
    );
    test(
      'names a wrong statement without its parameters',
      withDatabase(async (database) => {
        await assert.rejects(database.get('SELECT nothing FROM things WHERE name = ?', 'secret'), (error) => {
          assert.ok(error instanceof StoreError && error.code === 'statement-failed');
          assert.ok(!error.message.includes('secret'));
          return true;
        });
      }),
    );
    test(
      'shows a read nothing that is not committed',
      withDatabase(async (database) => {
        await database.write(async (tx) => {
          await tx.run(INSERT, 'a', 1);
          assert.equal((await tx.all(NAMES)).length, 1);
          assert.deepEqual(await names(database), []);
        });
        assert.deepEqual(await names(database), ['a']);
      }),
    );
    test(
      'runs writers one after the other: no increment is lost',
      withDatabase(async (database) => {
        await database.write((tx) => tx.run(INSERT, 'counter', 0));
        await Promise.all(
          Array.from({ length: 500 }, () =>
            database.write(async (tx) => {
              const row = await tx.get<{ amount: number }>("SELECT amount FROM things WHERE name = 'counter'");
              await tx.run("UPDATE things SET amount = ? WHERE name = 'counter'", (row?.amount ?? 0) + 1);
            }),
          ),
        );
        assert.equal((await database.get<{ amount: number }>('SELECT amount FROM things'))?.amount, 500);
      }),
    );
    test(
      'ends a transaction with its body',
      withDatabase(async (database) => {
        const stray = await database.write(async (tx) => () => tx.run(INSERT, 'late', 1));
        await assert.rejects(stray(), coded('closed'));
        assert.deepEqual(await names(database), []);
      }),
    );
    test(
      'finishes what was begun when it closes, and then says that it is closed',
      withDatabase(async (database, subject) => {
        const begun = database.write((tx) => tx.run(INSERT, 'a', 1));
        await database.close();
        await begun;
        await assert.rejects(database.get(NAMES), coded('closed'));
        await assert.rejects(
          database.write(async () => {}),
          coded('closed'),
        );
        const next = await subject.reopen();
        assert.deepEqual(await names(next.database), ['a']);
        await next.database.close();
      }),
    );
    test(
      'runs each migration once, in order, for each room by itself',
      withDatabase(async (database) => {
        const second = { number: 2, name: 'more', sqlite: 'ALTER TABLE things ADD COLUMN more TEXT' };
        await database.migrate('test', TABLES);
        await database.migrate('test', [...TABLES, second]);
        await database.migrate('test', [...TABLES, second]);
        await database.migrate('other', [{ number: 1, name: 'own', sqlite: 'CREATE TABLE own (a TEXT)' }]);
        assert.equal((await database.all('SELECT * FROM migrations')).length, 3);
        await assert.rejects(database.migrate('test', TABLES), coded('newer-format'));
      }),
    );
    test(
      'undoes a migration that fails, whole',
      withDatabase(async (database) => {
        const bad = { number: 2, name: 'bad', sqlite: 'CREATE TABLE half (a TEXT); CREATE TABLE things (a TEXT)' };
        await assert.rejects(database.migrate('test', [...TABLES, bad]), coded('migration-failed'));
        await assert.rejects(database.all('SELECT * FROM half'), coded('statement-failed'));
        await database.write((tx) => tx.run(INSERT, 'still works', 1));
      }),
    );
  });
}

async function names(database: SqlDatabase): Promise<string[]> {
  return (await database.all<{ name: string }>(NAMES)).map((row) => row.name);
}

function coded(code: string): (error: unknown) => boolean {
  return (error) => error instanceof StoreError && error.code === code;
}
