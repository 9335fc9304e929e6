// SPDX-License-Identifier: Apache-2.0
import { WireError } from '../wire/index.ts';
import { BUNDLE_MEDIA_TYPES, type Bundle } from './bundle/bundle.ts';
import { decodeCertificate } from './certificate/certificate.ts';
import { sameOctets } from './der/same-octets.ts';
import { TrustError } from './error.ts';
import type { PublicKey } from './key/public-key.ts';
import type { Cosignature } from './log/cosignature.ts';
import { timestampedOctets, type LoggedSignature, type SignatureVerifier } from './log/logged-signature.ts';
import { logEntryIdentity } from './log/transparency-log.ts';
import { verifyLogEntry } from './log/verify-entry.ts';
import { printable } from './printable.ts';
import {
  rejected,
  rejectedFor,
  type EvidenceDemand,
  type LoggedEntry,
  type RejectedSeal,
  type Rejection,
  type SealEvidence,
  type SignatureTimestamp,
  type WitnessDemand,
} from './seal-check.ts';
import { verifyTimestamp } from './timestamp/verify-timestamp.ts';

/** What came of it. */
export type EvidenceCheck = { readonly kind: 'verified'; readonly evidence: SealEvidence } | RejectedSeal;

/** The logs that have a signature, and the times that are known of it: as many as are demanded, or why not. */
export function verifyEvidence(bundle: Bundle, signed: LoggedSignature, demand: EvidenceDemand): EvidenceCheck {
  // First, because an entry of Rekor v2 has no time of its own: its log must have been trusted when the timestamps were made.
  const timestamps = verifyTimestamps(bundle, signed, demand);
  if ('kind' in timestamps) return timestamps;
  const times = timestamps.map(({ time }) => time);
  const logEntries = demand.ignoreLog === true ? [] : verifyLogEntries(bundle, signed, times, demand);
  return 'kind' in logEntries ? logEntries : { kind: 'verified', evidence: { logEntries, timestamps } };
}

/**
 * What an entry must name where a key made the signature: the certificate beside it if it is of that key, since a log was told of either.
 */
export function keyVerifier({ material }: Bundle, key: PublicKey): SignatureVerifier {
  const [leaf] = material.kind === 'certificate' ? material.chain : [];
  if (leaf === undefined) return { kind: 'public-key', key };
  try {
    const certificate = decodeCertificate(leaf, 'the certificate');
    return sameOctets(certificate.spki, key.spki) ? { kind: 'certificate', certificate } : { kind: 'public-key', key };
  } catch (error) {
    if (error instanceof TrustError || error instanceof WireError) return { kind: 'public-key', key };
    throw error;
  }
}

// One that does not hold gives no time, and takes none away: anybody can lay a timestamp beside a signature.
function verifyTimestamps(
  { timestamps }: Bundle,
  signed: LoggedSignature,
  { trustedRoot, signedTimestamps, thresholds }: EvidenceDemand,
): readonly SignatureTimestamp[] | RejectedSeal {
  const accepted: SignatureTimestamp[] = [];
  const faults: Rejection[] = [];
  for (const response of timestamps) {
    const check = verifyTimestamp(response, timestampedOctets(signed), trustedRoot.timestampAuthorities);
    if (check.kind === 'accepted') accepted.push({ authority: check.authority, time: check.time });
    else faults.push(check.rejection);
  }
  const wanted = thresholds?.timestamps ?? (signedTimestamps === true ? 1 : 0);
  const authorities = new Set(accepted.map(({ authority }) => nameOfAuthority(authority)));
  if (authorities.size >= wanted) return accepted;
  if (timestamps.length === 0) {
    const expected = wanted === 1 ? 'one of a timestamp authority' : `timestamps of ${wanted} authorities`;
    return rejected('timestamp-missing', 'no timestamp', expected);
  }
  const [fault] = faults;
  return authorities.size === 0 && fault !== undefined
    ? rejectedFor(fault)
    : rejected('timestamp-threshold', `timestamps of ${authorities.size} trusted authorities`, `of at least ${wanted}`);
}

// An authority that is renewed, or has several clocks, is one authority.
function nameOfAuthority({ issuer }: SignatureTimestamp['authority']): string {
  const [first] = issuer.chain;
  return Buffer.from((issuer.chain.at(-1) ?? first).spki).toString('base64');
}

/**
 * Each entry of a trusted log must hold: one that is about another signature was laid there by somebody. Entries of other logs are passed
 * over, as those of a log that this root does not list yet.
 */
function verifyLogEntries(
  { logEntries, mediaType }: Bundle,
  signed: LoggedSignature,
  times: readonly Date[],
  { trustedRoot, thresholds, witnesses: witnessed }: EvidenceDemand,
): readonly LoggedEntry[] | RejectedSeal {
  const accepted: LoggedEntry[] = [];
  const options = { times, ...(witnessed === undefined ? {} : { witnesses: witnessed.keys }) };
  const version = BUNDLE_MEDIA_TYPES.get(mediaType);
  const seen = new Set<string>();
  let unknown: Rejection | undefined;
  let unseen: RejectedSeal | undefined;
  for (const entry of logEntries) {
    if (logEntries.length > 1) {
      const identity = logEntryIdentity(entry);
      if (seen.has(identity))
        return rejected('log-entry-duplicate', `entry ${entry.logIndex} twice`, 'each entry once');
      seen.add(identity);
    }
    if (provesInclusion(version) && entry.inclusionProof === undefined) return withoutProof('no proof', version);
    const check = verifyLogEntry(entry, signed, trustedRoot.logs, options);
    if (check.kind === 'accepted') {
      // A proof without a checkpoint shows nothing: nobody has signed the root that it leads to.
      if (provesInclusion(version) && !check.included) return withoutProof('a proof without a checkpoint', version);
      const { log, index, integratedTime, witnesses, cosignatureLines } = check;
      const fault = witnessed === undefined ? undefined : unwitnessed(witnesses, witnessed);
      unseen ??= fault;
      if (fault !== undefined) continue;
      const time = integratedTime === undefined ? {} : { integratedTime };
      accepted.push({ log, index, ...time, witnesses, cosignatureLines });
    } else if (check.rejection.code === 'log-unknown') unknown ??= check.rejection;
    else return rejectedFor(check.rejection);
  }
  const wanted = thresholds?.logs ?? 1;
  // By their keys: a root may list one log under two ids, and of Rekor v2 nobody has signed which of them an entry names.
  const logs = new Set(accepted.map(({ log }) => log.publicKey.hint));
  if (logs.size >= wanted) return accepted;
  if (logEntries.length === 0) {
    const expected = wanted === 1 ? 'the entry of a transparency log' : `entries of ${wanted} transparency logs`;
    return rejected('log-missing', 'no log entry', expected);
  }
  if (unseen !== undefined) return unseen;
  return logs.size === 0 && unknown !== undefined
    ? rejectedFor(unknown)
    : rejected('log-threshold', `entries of ${logs.size} trusted logs`, `of at least ${wanted}`);
}

/** Why an entry does not count: a log that showed others another tree has no witnesses for this one. */
function unwitnessed(seen: readonly Cosignature[], { keys, threshold }: WitnessDemand): RejectedSeal | undefined {
  const names = new Set(seen.map(({ name }) => name));
  if (names.size >= threshold) return undefined;
  const known = [...new Set(keys.map(({ name }) => printable(name, 60)))];
  const found = names.size === 0 ? 'none of them' : [...names].map((name) => printable(name, 60)).join(', ');
  return rejected(
    'witness-threshold',
    `an entry whose checkpoint was cosigned by ${found}`,
    `by at least ${threshold} of the witnesses ${known.join(', ')}`,
  );
}

// The promise alone was enough in version 0.1, and is in what was made of annotations.
function provesInclusion(version: string | undefined): boolean {
  return version !== undefined && version !== '0.1';
}

function withoutProof(found: string, version: string | undefined): RejectedSeal {
  return rejected('log-evidence-missing', `${found} in a bundle of version ${version}`, 'a proof with a checkpoint');
}
