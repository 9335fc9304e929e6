// SPDX-License-Identifier: Apache-2.0
import type { SqlDatabase, SqlTransaction } from '../../../store/index.ts';
import { MIGRATIONS } from './tables.ts';

/** One use of a token. */
export interface TokenUse {
  readonly time: Date;
  readonly issuer: string;
  readonly subject: string;
  /** SHA-256 of its header and claims, as the issuer signed them */
  readonly token: Uint8Array;
  /** what the client calls itself */
  readonly client: string;
  readonly outcome: IssuedUse | RefusedUse;
}

export interface IssuedUse {
  readonly kind: 'issued';
  readonly rule: string;
  /** SHA-256 over token, key and proof */
  readonly request: Uint8Array;
  readonly serial: Uint8Array;
  /** SHA-256 of the SubjectPublicKeyInfo */
  readonly key: Uint8Array;
  readonly name: string;
  readonly certificate: Uint8Array;
  /** SHA-256 of the certificate that issued it */
  readonly issuer: Uint8Array;
  readonly notAfter: Date;
}

export interface RefusedUse {
  readonly kind: 'refused';
  readonly why: string;
}

/** What was answered to a request. */
export interface KeptAnswer {
  readonly certificate: Uint8Array;
  readonly issuer: Uint8Array;
}

const BATCH = 512;

interface Waiting {
  readonly use: TokenUse;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Every use of a token, and the answers that requests which are sent again get. What `record` has resolved is on the disk; those that
 * wait while one batch is written are the next.
 */
export class UseLedger {
  readonly #database: SqlDatabase;
  readonly #queue: Waiting[] = [];
  #writing = false;

  private constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** @throws StoreError */
  static async open(database: SqlDatabase): Promise<UseLedger> {
    await database.migrate('certificate-authority', MIGRATIONS);
    return new UseLedger(database);
  }

  /** @throws StoreError: it is not recorded, and must not be answered */
  record(use: TokenUse): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#queue.push({ use, resolve, reject });
    if (!this.#writing) void this.#drain();
    return promise;
  }

  /** What the same request was answered, where that lasts beyond this time. */
  async answerTo(request: Uint8Array, until: Date): Promise<KeptAnswer | undefined> {
    return this.#database.get<{ certificate: Uint8Array; issuer: Uint8Array }>(
      'SELECT certificate, issuer FROM certificate_answers WHERE request = ? AND not_after > ?',
      request,
      until.getTime(),
    );
  }

  /** How many certificates were issued by this token. */
  async issuedBy(token: Uint8Array): Promise<number> {
    const row = await this.#database.get<{ number: number }>(
      "SELECT count(*) AS number FROM certificate_token_uses WHERE token = ? AND outcome = 'issued'",
      token,
    );
    return row?.number ?? 0;
  }

  async #drain(): Promise<void> {
    this.#writing = true;
    while (this.#queue.length > 0) {
      let batch: Waiting[] = [];
      try {
        await this.#database.write(async (transaction) => {
          // Taken only now, so that whoever came while the database was busy is of this batch.
          batch = this.#queue.splice(0, BATCH);
          await writeAll(transaction, batch);
        });
        for (const { resolve } of batch) resolve();
      } catch (error) {
        // Before anything was taken: the database is closed, and everybody hears of it.
        for (const { reject } of batch.length > 0 ? batch : this.#queue.splice(0)) reject(error);
      }
    }
    this.#writing = false;
  }
}

async function writeAll(transaction: SqlTransaction, batch: readonly Waiting[]): Promise<void> {
  for (const { use } of batch) {
    if (use.outcome.kind === 'issued') await writeIssued(transaction, use, use.outcome);
    else await writeRefused(transaction, use, use.outcome);
  }
  const last = batch.at(-1);
  if (last === undefined) return;
  // Answers are kept for as long as their certificates live. Twice as many go as came, so that none pile up.
  await transaction.run(
    `DELETE FROM certificate_answers WHERE request IN
       (SELECT request FROM certificate_answers WHERE not_after < ? ORDER BY not_after LIMIT ?)`,
    last.use.time.getTime(),
    batch.length * 2,
  );
}

async function writeIssued(transaction: SqlTransaction, use: TokenUse, issued: IssuedUse): Promise<void> {
  await transaction.run(
    `INSERT INTO certificate_token_uses (time, issuer, subject, token, outcome, reason, serial, key, name, client)
     VALUES (?, ?, ?, ?, 'issued', ?, ?, ?, ?, ?)`,
    use.time.getTime(),
    use.issuer,
    use.subject,
    use.token,
    issued.rule,
    issued.serial,
    issued.key,
    issued.name,
    use.client,
  );
  await transaction.run(
    'INSERT OR REPLACE INTO certificate_answers (request, certificate, issuer, not_after) VALUES (?, ?, ?, ?)',
    issued.request,
    issued.certificate,
    issued.issuer,
    issued.notAfter.getTime(),
  );
}

async function writeRefused(transaction: SqlTransaction, use: TokenUse, refused: RefusedUse): Promise<void> {
  await transaction.run(
    `INSERT OR IGNORE INTO certificate_token_uses (time, issuer, subject, token, outcome, reason, client)
     VALUES (?, ?, ?, ?, 'refused', ?, ?)`,
    use.time.getTime(),
    use.issuer,
    use.subject,
    use.token,
    refused.why,
    use.client,
  );
}
