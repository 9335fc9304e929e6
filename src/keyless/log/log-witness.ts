// SPDX-License-Identifier: Apache-2.0
import {
  decodeLogBody,
  matchLogEntry,
  TrustError,
  type LogEntry,
  type LoggedSignature,
  type LogWitness,
  type TransparencyLog,
} from '../../trust/index.ts';
import { WireError, type HttpClient } from '../../wire/index.ts';
import { badAnswer, type ServiceAnswer } from '../service/ask-service.ts';
import { parseServiceAddress } from '../service/service-address.ts';

/** A transparency log that signatures are entered into. */
export interface LogService {
  /** what paths are added to */
  readonly url: string;
  /** of Rekor */
  readonly majorApiVersion: 1 | 2;
}

/** How a log is asked. */
export interface LogWitnessOptions {
  readonly http: HttpClient;
  /**
   * Logs that one trusts, as a trusted root lists them. A log of Rekor v2 that has the signature already may answer with nothing but its
   * place; its entry is then put together from the tiles of the log, under the name that the log has here.
   */
  readonly logs?: readonly TransparencyLog[];
}

/** What came of entering a signature: the entry, and the answer that it stood in. */
export interface Entered {
  readonly entry: LogEntry;
  readonly answer: ServiceAnswer;
}

/**
 * A transparency log. It is told of a signature, its key or certificate and the digest of what was signed; the entry that comes back is about
 * this signature, with its proof and checkpoint, or it is an error. A signature that the log has already gives the entry that it has: so it
 * may be told twice. Whether anybody trusts the log is for whoever has a trusted root.
 *
 * @throws KeylessError `setting-malformed`; when asked `service-refused`, `service-unavailable`, `answer-malformed`, `answer-mismatch`,
 * `signature-unloggable`, and WireError as the client does
 * @see https://github.com/sigstore/rekor/blob/main/openapi.yaml
 * @see https://github.com/sigstore/rekor-tiles/blob/main/api/proto/rekor_service.proto
 * @example
 * const log = logWitness({ url: 'https://rekor.example', majorApiVersion: 1 }, { http: new HttpClient() });
 */
export function logWitness(service: LogService, options: LogWitnessOptions): LogWitness {
  const url = parseServiceAddress(service.url, 'the address of the transparency log');
  const { majorApiVersion } = service;
  return {
    kind: 'log',
    name: url.href,
    enter: async (signed) => {
      const { entry, answer } =
        majorApiVersion === 1
          ? await (await import('./enter-rekor-v1.ts')).enterRekorV1(url, signed, options.http)
          : await (await import('./enter-rekor-v2.ts')).enterRekorV2(url, signed, options);
      return requireEntry(entry, signed, majorApiVersion, answer);
    },
  };
}

// What bundles of version 0.3 must have, and what readers of the other version would not find.
function requireEntry(entry: LogEntry, signed: LoggedSignature, version: 1 | 2, answer: ServiceAnswer): LogEntry {
  if (entry.inclusionProof?.checkpoint === undefined)
    throw badAnswer(answer, 'answer-malformed', 'an entry without a proof that it is in the log');
  if (version === 1 && (entry.signedEntryTimestamp === undefined || entry.integratedTime === undefined))
    throw badAnswer(answer, 'answer-malformed', 'an entry without the promise and time that a log of Rekor v1 gives');
  const mismatch = matchLogEntry(entry, signed);
  if (mismatch !== undefined)
    throw badAnswer(
      answer,
      mismatch.code === 'log-entry-malformed' ? 'answer-malformed' : 'answer-mismatch',
      `${mismatch.found}, expected ${mismatch.expected}`,
    );
  if (entry.kindVersion !== undefined) return entry;
  const { kind, version: kindVersion } = decodeLogBody(entry.canonicalizedBody);
  return { ...entry, kindVersion: { kind, version: kindVersion } };
}

/** What an answer says, or the error for one that cannot be read. */
export function readAnswer<T>(answer: ServiceAnswer, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TrustError || error instanceof WireError)) throw error;
    throw badAnswer(answer, 'answer-malformed', `what cannot be read: ${error.message}`);
  }
}
