// SPDX-License-Identifier: Apache-2.0
import type { ExpectedSigners } from '../../image/index.ts';
import type { Digest } from '../../oci/index.ts';
import { printable } from '../../trust/index.ts';
import { CodedError } from '../../wire/index.ts';
import type { ExceptionMiss } from '../decision.ts';
import type { FaultList } from '../document/fault.ts';
import type { ExceptionDocument } from '../document/settings.ts';
import type { DatedSeal } from '../evaluate/seal-demand.ts';
import { openSealedStatement } from '../sealed-statement.ts';
import { readException, type StatedException } from './exception-statement.ts';

/** An exception, with who signed it. */
export interface PreparedException extends StatedException {
  readonly source: string;
  /** of the bundle or envelope that was read */
  readonly document: Digest;
  /** of the statement's bytes */
  readonly statement: Digest;
  /** by whom the settings name, or why not */
  readonly by: DatedSeal | Pick<ExceptionMiss, 'code' | 'found' | 'expected'>;
}

/** All exceptions, by what they are about. */
export interface PreparedExceptions {
  readonly byDigest: ReadonlyMap<Digest, readonly PreparedException[]>;
  readonly byRepository: ReadonlyMap<string, readonly PreparedException[]>;
  /** milliseconds */
  readonly maxLifetime: number;
}

/** A week: what takes longer is no emergency. */
export const DEFAULT_MAX_LIFETIME: number = 7 * 24 * 60 * 60 * 1000;

/**
 * Verifies exceptions once, so that a decision costs no signature. One that cannot be used is told and counts for nothing; it keeps no policy
 * from being loaded.
 */
export async function prepareExceptions(
  documents: readonly ExceptionDocument[],
  signers: readonly ExpectedSigners[],
  maxLifetime: number,
  faults: FaultList,
): Promise<PreparedExceptions> {
  const all: PreparedException[] = [];
  for (const document of documents) {
    try {
      const exception = await prepare(document, signers);
      all.push(exception);
      if ('code' in exception.by) {
        const { found, expected } = exception.by;
        faults.add(
          'warning',
          'exception-unusable',
          document.place,
          `counts for nothing: ${found}, expected ${expected}`,
        );
      }
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      const message = `counts for nothing: ${printable(error.message, 300)}`;
      faults.add('warning', 'exception-unusable', document.place, message);
    }
  }
  return { byDigest: groupBy(all, 'digests'), byRepository: groupBy(all, 'repositories'), maxLifetime };
}

async function prepare(
  { source, bytes }: ExceptionDocument,
  signers: readonly ExpectedSigners[],
): Promise<PreparedException> {
  const { digest, statement, payload, by } = await openSealedStatement(bytes, source, signers);
  const stated = readException(statement);
  const expected = 'a signature by whom the settings name for exceptions';
  return {
    ...stated,
    source,
    document: digest,
    statement: payload,
    by: 'code' in by ? { code: 'exception-signer', found: `${by.found} [${by.code}]`, expected } : by,
  };
}

function groupBy<K extends 'digests' | 'repositories'>(
  all: readonly PreparedException[],
  by: K,
): ReadonlyMap<PreparedException[K][number], readonly PreparedException[]> {
  const groups = new Map<PreparedException[K][number], PreparedException[]>();
  for (const exception of all)
    for (const key of new Set<PreparedException[K][number]>(exception[by])) {
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [exception]);
      else group.push(exception);
    }
  return groups;
}
