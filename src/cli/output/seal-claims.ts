// SPDX-License-Identifier: Apache-2.0
import type { Seal } from '../../image/index.ts';
import { encodeBase64, type Json } from '../../wire/index.ts';

/** The claims that cosign names; each stands there by its object identifier as well. */
const NAMED = [
  ['githubWorkflowTrigger', '1.3.6.1.4.1.57264.1.2'],
  ['githubWorkflowSha', '1.3.6.1.4.1.57264.1.3'],
  ['githubWorkflowName', '1.3.6.1.4.1.57264.1.4'],
  ['githubWorkflowRepository', '1.3.6.1.4.1.57264.1.5'],
  ['githubWorkflowRef', '1.3.6.1.4.1.57264.1.6'],
] as const;
const ISSUER = '1.3.6.1.4.1.57264.1.1';

/** Who sealed, under the names by which cosign prints it; nothing for a key. */
export function certifiedClaims({ signer }: Seal): Readonly<Record<string, Json>> {
  if (signer.kind === 'key') return {};
  const { subject, claims } = signer.identity;
  const { issuer } = claims;
  const members: [string, Json][] = [['Subject', subject]];
  if (issuer !== undefined) members.push(['Issuer', issuer], [ISSUER, issuer]);
  for (const [name, oid] of NAMED) {
    const value = claims[name];
    if (value !== undefined) members.push([name, value], [oid, value]);
  }
  return Object.fromEntries(members);
}

/** The promise of the log that lies beside a legacy seal, as cosign prints it; only where it was verified. */
export function logEntryOf({ format, evidence, bundle }: Seal): Json | undefined {
  const [entry] = bundle.logEntries;
  const verified = evidence !== undefined && evidence.logEntries.length > 0;
  if (format !== 'legacy' || !verified || entry?.signedEntryTimestamp === undefined) return undefined;
  return {
    SignedEntryTimestamp: encodeBase64(entry.signedEntryTimestamp),
    Payload: {
      body: encodeBase64(entry.canonicalizedBody),
      integratedTime: entry.integratedTime ?? 0,
      logIndex: entry.logIndex,
      logID: Buffer.from(entry.logKeyId ?? []).toString('hex'),
    },
  };
}

/** The timestamp that lies beside a legacy seal, as cosign prints it; only where it was verified. */
export function timestampOf({ format, evidence, bundle }: Seal): Json | undefined {
  const [response] = bundle.timestamps;
  const verified = evidence !== undefined && evidence.timestamps.length > 0;
  return format === 'legacy' && verified && response !== undefined
    ? { SignedRFC3161Timestamp: encodeBase64(response) }
    : undefined;
}
