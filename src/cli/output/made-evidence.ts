// SPDX-License-Identifier: Apache-2.0
import type { MadeSeal } from '../../image/index.ts';
import type { LogEntry, Signer } from '../../trust/index.ts';
import { encodeBase64 } from '../../wire/index.ts';
import { printable } from './printable.ts';

/** What logs and clocks gave for a seal that was made. */
export interface MadeEvidence {
  readonly logEntries: readonly LogEntry[];
  /** when timestamp authorities saw it */
  readonly times: readonly Date[];
}

/** Of seals of an image, in their order. */
export async function evidenceOfSeals(seals: readonly MadeSeal[]): Promise<readonly MadeEvidence[]> {
  return Promise.all(seals.map((seal) => readEvidence(seal.format === 'bundle' ? seal.bundle : seal)));
}

/** Reads the times out of what witnesses gave; it was verified before, as far as anybody said whom to believe. */
export async function readEvidence(given: {
  readonly logEntries: readonly LogEntry[];
  readonly timestamps: readonly Uint8Array[];
}): Promise<MadeEvidence> {
  const { logEntries, timestamps } = given;
  if (timestamps.length === 0) return { logEntries, times: [] };
  // Loaded only now: a key alone needs nothing of timestamps.
  const { decodeTimestampResponse } = await import('../../trust/index.ts');
  const times = timestamps.flatMap((bytes) => {
    const response = decodeTimestampResponse(bytes);
    return response.kind === 'granted' ? [response.token.info.time] : [];
  });
  return { logEntries, times };
}

/** A line each, for people. That of a log is cosign's: pipelines look for it. */
export function evidenceText({ logEntries, times }: MadeEvidence): string {
  const lines = [
    ...logEntries.map(({ logIndex }) => `tlog entry created with index: ${logIndex}`),
    ...times.map((time) => `timestamp: ${time.toISOString()}`),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** All that is said of who sealed and who saw it, for people: what witnesses gave, the identity, and that no log has it. */
export function witnessText(evidence: readonly MadeEvidence[], identity: SealerIdentity | undefined): string {
  const who =
    identity === undefined ? '' : `signer: ${printable(identity.subject)} (${printable(identity.issuer ?? '')})\n`;
  const why = identity === undefined ? 'a key was given, and no log' : 'no log was named';
  const log = logOf(evidence) === 'written' ? '' : `log: not written (${why})\n`;
  return `${evidence.map(evidenceText).join('')}${who}${log}`;
}

/** Whether a log has any of these. */
export function logOf(evidence: readonly MadeEvidence[]): 'written' | 'not written' {
  return evidence.some(({ logEntries }) => logEntries.length > 0) ? 'written' : 'not written';
}

/** The same in JSON. */
export function madeEvidenceDocument({ logEntries, times }: MadeEvidence): object {
  return {
    logEntries: logEntries.map(({ logIndex, logKeyId, integratedTime }) => ({
      index: logIndex,
      logId: logKeyId === undefined ? null : encodeBase64(logKeyId),
      integratedTime: integratedTime === undefined ? null : new Date(integratedTime * 1000).toISOString(),
    })),
    timestamps: times.map((time) => ({ time: time.toISOString() })),
  };
}

/** Whom a certificate names. */
interface SealerIdentity {
  readonly subject: string;
  readonly issuer: string | null;
}

/** Who seals. */
export function sealerDocument({ publicKey }: Signer, identity: SealerIdentity | undefined): object {
  const { algorithm, hint } = publicKey;
  return identity === undefined ? { kind: 'key', algorithm, hint } : { kind: 'identity', ...identity };
}
