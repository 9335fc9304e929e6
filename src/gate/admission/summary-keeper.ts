// SPDX-License-Identifier: Apache-2.0
import type { Digest } from '../../oci/index.ts';
import {
  makeVsa,
  PolicyError,
  vsaStatement,
  type Decision,
  type SummaryOptions,
  type VerificationSummary,
} from '../../policy/index.ts';
import type { Migration, SqlDatabase } from '../../store/index.ts';
import { encodeBundle, signBundle, type Signer, type Witness } from '../../trust/index.ts';

/** Verification summaries that a gate keeps, so that what it has verified is admitted while the registry does not answer. */
export interface SummaryKeeper {
  /**
   * Those of a digest that were made of evidence read under the same key of `PullCredentials`; bundles as JSON.
   *
   * @throws StoreError
   */
  find(scope: string, digest: Digest): Promise<readonly Uint8Array[]>;
  /**
   * Signs and keeps one. What no summary can be made of (an exception, another summary, no policy) is passed over.
   *
   * @throws StoreError; as the signer
   */
  keep(scope: string, decision: Decision, now: Date): Promise<void>;
}

/** Who signs summaries. */
export interface SummaryKeeperOptions extends Pick<SummaryOptions, 'verifier' | 'versions' | 'policyUri'> {
  readonly signer: Signer;
  readonly witnesses?: readonly Witness[];
  /** milliseconds after which none is kept; no policy set lets one count for longer */
  readonly keptMs?: number;
}

/** The gate's tables, step by step. A released step is never changed. */
const MIGRATIONS: readonly Migration[] = [
  {
    number: 1,
    name: 'summaries',
    sqlite: `
      CREATE TABLE admission_summaries (
        scope TEXT NOT NULL,
        digest TEXT NOT NULL,
        repository TEXT NOT NULL,
        policy TEXT NOT NULL,
        made INTEGER NOT NULL,
        document BLOB NOT NULL,
        PRIMARY KEY (scope, digest, repository, policy)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX admission_summaries_made ON admission_summaries (made);
    `,
  },
];

const WEEK = 7 * 24 * 3600 * 1000;
const MAX_FOUND = 50;

/**
 * Keeps summaries in a database.
 *
 * @throws StoreError as `migrate`
 */
export async function openSummaryKeeper(database: SqlDatabase, options: SummaryKeeperOptions): Promise<SummaryKeeper> {
  await database.migrate('admission', MIGRATIONS);
  return new SqlSummaryKeeper(database, options);
}

class SqlSummaryKeeper implements SummaryKeeper {
  readonly #database: SqlDatabase;
  readonly #options: SummaryKeeperOptions;

  constructor(database: SqlDatabase, options: SummaryKeeperOptions) {
    this.#database = database;
    this.#options = options;
  }

  async find(scope: string, digest: Digest): Promise<readonly Uint8Array[]> {
    const rows = await this.#database.all<{ document: Uint8Array }>(
      'SELECT document FROM admission_summaries WHERE scope = ? AND digest = ? ORDER BY made DESC LIMIT ?',
      scope,
      digest,
      MAX_FOUND,
    );
    return rows.map(({ document }) => document);
  }

  async keep(scope: string, decision: Decision, now: Date): Promise<void> {
    if (decision.outcome !== 'trusted') return;
    const { signer, witnesses = [], keptMs = WEEK, ...said } = this.#options;
    const summary = summaryOf(decision, { ...said, now });
    if (summary === undefined) return;
    const { digest, repository } = summary;
    const document = encodeBundle(await signBundle(vsaStatement(summary), signer, witnesses));
    await this.#database.write(async (transaction) => {
      await transaction.run(
        `INSERT INTO admission_summaries (scope, digest, repository, policy, made, document) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET made = excluded.made, document = excluded.document`,
        scope,
        digest,
        repository,
        decision.policyHash,
        now.getTime(),
        document,
      );
      await transaction.run('DELETE FROM admission_summaries WHERE made < ?', now.getTime() - keptMs);
    });
  }
}

function summaryOf(decision: Decision, options: SummaryOptions): VerificationSummary | undefined {
  try {
    return makeVsa(decision, options);
  } catch (error) {
    if (error instanceof PolicyError && error.code === 'summary-impossible') return undefined;
    throw error;
  }
}
