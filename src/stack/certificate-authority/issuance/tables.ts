// SPDX-License-Identifier: Apache-2.0
import type { Migration } from '../../../store/index.ts';

/** Who has used which token for what, and what is answered to a request that is sent again. Tokens themselves are never kept. */
const uses: Migration = {
  number: 1,
  name: 'token uses',
  sqlite: `
    CREATE TABLE certificate_token_uses (
      number INTEGER PRIMARY KEY,
      -- milliseconds since 1970
      time INTEGER NOT NULL,
      issuer TEXT NOT NULL,
      subject TEXT NOT NULL,
      -- SHA-256 of header and claims of the token, as they were signed
      token BLOB NOT NULL,
      outcome TEXT NOT NULL CHECK (outcome IN ('issued', 'refused')),
      -- the rule that admitted it, or why it was refused
      reason TEXT NOT NULL,
      serial BLOB,
      -- SHA-256 of the SubjectPublicKeyInfo
      key BLOB,
      name TEXT,
      -- what the client calls itself
      client TEXT NOT NULL
    ) STRICT;
    CREATE INDEX certificate_token_uses_by_token ON certificate_token_uses (token);
    -- a token that is refused again and again for the same reason is one line
    CREATE UNIQUE INDEX certificate_token_refusals ON certificate_token_uses (token, reason) WHERE outcome = 'refused';

    CREATE TABLE certificate_answers (
      -- SHA-256 over token, key and proof
      request BLOB NOT NULL PRIMARY KEY,
      certificate BLOB NOT NULL,
      -- SHA-256 of the certificate that issued it
      issuer BLOB NOT NULL,
      not_after INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX certificate_answers_by_end ON certificate_answers (not_after);
  `,
};

/** The authority's tables, step by step. A released step is never changed. */
export const MIGRATIONS: readonly Migration[] = [uses];
