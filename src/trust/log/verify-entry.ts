// SPDX-License-Identifier: Apache-2.0
import { WireError } from '../../wire/index.ts';
import type { LogEntry } from '../bundle/log-entry.ts';
import { describePeriod, describeTime, isWithin } from '../certificate/validity-period.ts';
import { sameOctets } from '../der/same-octets.ts';
import { TrustError } from '../error.ts';
import { printable } from '../printable.ts';
import { defaultKeyDetails, encodeLogBody, type KeyDefault, type LogBody } from './canonical-body.ts';
import { verifyCosignatures, type Cosignature } from './cosignature.ts';
import { decodeLogBody } from './decode-canonical-body.ts';
import { logRejection, nearerLogMiss, type LogRejection } from './log-rejection.ts';
import { digestOfSigned, keyOfSigned, type LoggedSignature } from './logged-signature.ts';
import { matchLogBody } from './match-log-body.ts';
import { leafHash } from './merkle.ts';
import type { NoteKey } from './note-key.ts';
import { encodePromise } from './promise.ts';
import { nameOfLog, type TransparencyLog } from './transparency-log.ts';
import { verifyLogSignature } from './verify-log-signature.ts';
import { verifyProof } from './verify-proof.ts';

/** What came of verifying one entry. */
export type LogEntryCheck =
  | {
      readonly kind: 'accepted';
      readonly log: TransparencyLog;
      /** what the log keeps */
      readonly body: LogBody;
      /** its place in the log; across all shards of it, where the log has promised that place */
      readonly index: number;
      /** whether the log has signed that it will have the entry */
      readonly promised: boolean;
      /** whether the entry is in a tree that the log has signed */
      readonly included: boolean;
      /** when the log took it, to the second; only of a promise, since nothing else of an entry says when */
      readonly integratedTime?: Date;
      /** of the witnesses that were asked for: those that have seen the tree */
      readonly witnesses: readonly Cosignature[];
      /** how many lines stand under the checkpoint by others than the log, whether or not anybody knows their keys */
      readonly cosignatureLines: number;
    }
  | { readonly kind: 'rejected'; readonly rejection: LogRejection };

/** What else is known. */
export interface LogEntryOptions {
  /**
   * when the signature is known to have existed, by timestamps that were verified. An entry without a time of its own is believed only
   * if the key of the log was trusted at each: so a key that was retired can make no entries for new signatures.
   */
  readonly times?: readonly Date[];
  /** whose cosignatures are looked for under the checkpoint */
  readonly witnesses?: readonly NoteKey[];
}

/**
 * Was this signature entered into one of these logs?
 *
 * The entry must be about this signature, this key and this content; at least one of a promise (SET) and a proof with a checkpoint must
 * be there, of Rekor v2 the proof; each that is there must hold; and the key of the log must have been trusted.
 *
 * @see https://github.com/sigstore/architecture-docs/blob/main/client-spec.md
 * @example
 * const check = verifyLogEntry(entry, { signature, verifier: { kind: 'certificate', certificate }, content }, trustedRoot.logs);
 * if (check.kind === 'rejected') console.error(check.rejection.code, check.rejection.found);
 */
export function verifyLogEntry(
  entry: LogEntry,
  logged: LoggedSignature,
  logs: readonly TransparencyLog[],
  options: LogEntryOptions = {},
): LogEntryCheck {
  const { logKeyId } = entry;
  // A log that is listed twice has one key and two periods.
  const named = logs.filter(({ logId }) => logKeyId !== undefined && sameOctets(logId, logKeyId));
  if (named.length === 0) return rejected(unknownLog(entry, logs));
  const evidence = requireEvidence(entry);
  if (evidence !== undefined) return rejected(evidence);
  const kept = readKept(entry, logged);
  if (kept.kind === 'rejected') return kept;
  let nearest: LogRejection | undefined;
  for (const log of named) {
    const check = verifyIn(log, entry, kept, options);
    if (check.kind === 'accepted') return check;
    nearest = nearerLogMiss(nearest, check.rejection);
  }
  return rejected(nearest ?? unknownLog(entry, logs));
}

/**
 * Why an entry is not about this signature, this key and this content, whichever log has it; `undefined` if it is. That a log has it is
 * not shown by this: `verifyLogEntry` asks that as well.
 */
export function matchLogEntry(entry: LogEntry, logged: LoggedSignature): LogRejection | undefined {
  const kept = readKept(entry, logged);
  return kept.kind === 'rejected' ? kept.rejection : undefined;
}

/** What the log is said to keep, as octets and as what they say. */
type Kept = { readonly kind: 'kept'; readonly body: LogBody; readonly octets: Uint8Array };

/** A promise of no octets is none: that is how ProtoJSON spells one that is not there. */
function promiseOf({ signedEntryTimestamp }: LogEntry): Uint8Array | undefined {
  return signedEntryTimestamp?.length === 0 ? undefined : signedEntryTimestamp;
}

function requireEvidence(entry: LogEntry): LogRejection | undefined {
  const { inclusionProof, kindVersion } = entry;
  if (promiseOf(entry) !== undefined || inclusionProof?.checkpoint !== undefined) return undefined;
  const found = inclusionProof === undefined ? 'neither a promise nor a proof' : 'a proof without a checkpoint';
  const name = kindVersion === undefined ? 'an entry' : printable(`${kindVersion.kind} ${kindVersion.version}`, 40);
  return logRejection('log-evidence-missing', `${found} (${name})`, 'a promise, or a proof with a checkpoint');
}

function readKept(entry: LogEntry, logged: LoggedSignature): Kept | Extract<LogEntryCheck, { kind: 'rejected' }> {
  try {
    if (entry.canonicalizedBody.length === 0) return rebuild(entry, logged);
    const expected = readExpected(entry, logged);
    if (expected !== undefined) return expected;
    const kept = decode(entry.canonicalizedBody);
    const fault = matchKind(entry, kept.body) ?? matchLogBody(kept.body, logged) ?? requireExact(kept);
    return fault === undefined ? kept : rejected(fault);
  } catch (error) {
    if (!(error instanceof TrustError) && !(error instanceof WireError)) throw error;
    const unsupported = error.code === 'log-entry-unsupported' || error.code === 'key-unsupported';
    return rejected(
      logRejection(
        unsupported ? 'log-entry-unsupported' : 'log-entry-malformed',
        printable(error.message, 300),
        'an entry as logs keep them',
      ),
    );
  }
}

function decode(octets: Uint8Array): Kept {
  return { kind: 'kept', body: decodeLogBody(octets), octets };
}

// What is to the octet as it must be needs not be read.
function readExpected(entry: LogEntry, logged: LoggedSignature): Kept | undefined {
  if (!isHashedRekordV2(entry)) return undefined;
  const entered = defaultKeyDetails(keyOfSigned(logged.verifier).algorithm);
  const expected = entered === undefined ? undefined : expectKept(logged, entered);
  return expected !== undefined && sameOctets(expected.octets, entry.canonicalizedBody) ? expected : undefined;
}

// Rekor v2 may leave the body out: it follows from the signature, its key and what was signed.
function rebuild(entry: LogEntry, logged: LoggedSignature): Kept {
  const { algorithm } = keyOfSigned(logged.verifier);
  const entered = defaultKeyDetails(algorithm);
  if (entered === undefined)
    throw new TrustError('log-entry-unsupported', `a log of Rekor v2 does not take keys of type ${algorithm}`);
  const kept = isHashedRekordV2(entry) ? expectKept(logged, entered) : undefined;
  if (kept === undefined)
    throw new TrustError('log-entry-malformed', 'the log entry has no body, and none can be made of the signature');
  return kept;
}

/** What a log of Rekor v2 keeps of a signature; `undefined` if the digest that it is entered with is not known. */
function expectKept(
  { signature, verifier, content }: LoggedSignature,
  { digest: algorithm, keyDetails }: KeyDefault,
): Kept | undefined {
  const bytes = digestOfSigned(content, algorithm);
  if (bytes === undefined || signature.length === 0) return undefined;
  const by =
    verifier.kind === 'certificate'
      ? ({ kind: 'certificate', der: verifier.certificate.der, chain: [] } as const)
      : ({ kind: 'public-key', der: verifier.key.spki } as const);
  const digest = { algorithm, bytes };
  const body: LogBody = { kind: 'hashedrekord', version: '0.0.2', digest, signature, verifier: by, keyDetails };
  return { kind: 'kept', body, octets: encodeLogBody(body) };
}

function isHashedRekordV2({ kindVersion }: LogEntry): boolean {
  return kindVersion?.kind === 'hashedrekord' && kindVersion.version === '0.0.2';
}

function matchKind({ kindVersion }: LogEntry, { kind, version }: LogBody): LogRejection | undefined {
  if (kindVersion === undefined || (kindVersion.kind === kind && kindVersion.version === version)) return undefined;
  const found = printable(`${kindVersion.kind} ${kindVersion.version}`, 60);
  return logRejection('log-entry-kind-mismatch', `an entry that says it is ${found}`, `${kind} ${version}`);
}

// Whoever rebuilds the leaf from the signature, as cosign does for Rekor v2, must come to these very octets.
function requireExact({ body, octets }: Kept): LogRejection | undefined {
  if (majorVersionOf(body) === 1 || sameOctets(encodeLogBody(body), octets)) return undefined;
  return logRejection('log-entry-malformed', 'a body in another spelling', 'canonical JSON (RFC 8785)');
}

function verifyIn(log: TransparencyLog, entry: LogEntry, kept: Kept, options: LogEntryOptions): LogEntryCheck {
  const majorVersion = majorVersionOf(kept.body);
  const { inclusionProof: proof } = entry;
  const promise = promiseOf(entry);
  const { kind, version } = kept.body;
  if (log.majorVersion !== undefined && log.majorVersion !== majorVersion)
    return rejected(
      logRejection('log-entry-unsupported', `${kind} ${version}`, `an entry of Rekor v${log.majorVersion}`),
    );
  const fault = majorVersion === 2 ? checkV2(entry) : undefined;
  if (fault !== undefined) return rejected(fault);
  const promiseFault = promise === undefined ? undefined : checkPromise(log, entry, kept.octets, promise);
  if (promiseFault !== undefined) return rejected(promiseFault);
  // Without a checkpoint, a proof leads to a root that nobody has signed: it shows nothing, and the promise stands alone.
  const included = proof?.checkpoint !== undefined;
  const note = included ? verifyProof(log, majorVersion, leafHash(kept.octets), proof) : undefined;
  if (note?.kind === 'rejected') return note;
  const integratedTime = promise === undefined ? undefined : new Date((entry.integratedTime ?? 0) * 1000);
  const trusted = checkPeriod(log, integratedTime === undefined ? (options.times ?? []) : [integratedTime]);
  if (trusted !== undefined) return rejected(trusted);
  return {
    kind: 'accepted',
    log,
    body: kept.body,
    index: promise === undefined ? (proof?.logIndex ?? entry.logIndex) : entry.logIndex,
    promised: promise !== undefined,
    included,
    ...(integratedTime === undefined ? {} : { integratedTime }),
    witnesses: note === undefined ? [] : verifyCosignatures(note.note, options.witnesses ?? []),
    cosignatureLines: note?.otherLines ?? 0,
  };
}

function checkV2(entry: LogEntry): LogRejection | undefined {
  const { inclusionProof, logIndex } = entry;
  if (promiseOf(entry) !== undefined)
    return logRejection('log-promise-unexpected', 'a promise in an entry of Rekor v2', 'none');
  return inclusionProof === undefined || inclusionProof.logIndex === logIndex
    ? undefined
    : logRejection('log-entry-index-mismatch', `the entry ${logIndex}`, `${inclusionProof.logIndex}, as its proof has`);
}

function checkPromise(
  log: TransparencyLog,
  { logIndex, integratedTime }: LogEntry,
  body: Uint8Array,
  promise: Uint8Array,
): LogRejection | undefined {
  const { logId, publicKey } = log;
  if (
    integratedTime !== undefined &&
    verifyLogSignature(publicKey, encodePromise({ body, integratedTime, logId, logIndex }), promise)
  )
    return undefined;
  const when = integratedTime === undefined ? 'no time' : describeTime(new Date(integratedTime * 1000));
  return logRejection(
    'log-promise-invalid',
    `a promise for entry ${logIndex} at ${when} that does not hold`,
    `one by the log ${nameOfLog(log)}`,
  );
}

function checkPeriod({ validFor, baseUrl }: TransparencyLog, times: readonly Date[]): LogRejection | undefined {
  const outside = validFor === undefined ? undefined : times.find((time) => !isWithin(validFor, time));
  if (outside === undefined || validFor === undefined) return undefined;
  return logRejection(
    'log-not-trusted',
    `logged at ${describeTime(outside)}`,
    `a time at which the key of ${printable(baseUrl)} is trusted: ${describePeriod(validFor)}`,
  );
}

function majorVersionOf({ kind, version }: LogBody): 1 | 2 {
  return version === '0.0.2' && kind !== 'intoto' ? 2 : 1;
}

function unknownLog({ logKeyId }: LogEntry, logs: readonly TransparencyLog[]): LogRejection {
  const found = logKeyId === undefined ? 'no log' : printable(Buffer.from(logKeyId).toString('base64'), 60);
  const expected = logs.length === 0 ? 'a trusted log, and none is given' : logs.map(nameOfLog).join(' or ');
  return logRejection('log-unknown', `an entry of ${found}`, `of ${expected}`);
}

function rejected(rejection: LogRejection): Extract<LogEntryCheck, { kind: 'rejected' }> {
  return { kind: 'rejected', rejection };
}
