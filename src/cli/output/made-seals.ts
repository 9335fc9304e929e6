// SPDX-License-Identifier: Apache-2.0
import type { MadeSeal } from '../../image/index.ts';
import { madeEvidenceDocument, type MadeEvidence } from './made-evidence.ts';

/** What is called how of a seal: `seals` and `seal`, or `attests` and `attestation`. */
export interface SealWords {
  readonly does: string;
  readonly thing: string;
}

/** Where a seal of an image was laid. */
export function laidText(seal: MadeSeal): string {
  if (seal.manifest === undefined) return 'not uploaded';
  return seal.format === 'legacy' ? `tag ${seal.tag}` : `referrer ${seal.manifest}`;
}

/** A line on what the registry cannot exclude; nothing where it can. */
export function raceText(seal: MadeSeal, { does, thing }: SealWords): string {
  if (seal.format !== 'bundle' || seal.listed === undefined || seal.listed.raceSafe) return '';
  return `note: this registry knows neither the referrers API nor If-Match, so it cannot exclude that somebody who ${does} at the same moment drops this ${thing} from the list; it was read back\n`;
}

/** A seal of an image in JSON. */
export function madeSealDocument(made: MadeSeal, evidence: MadeEvidence | undefined): object {
  return {
    format: made.format,
    digest: made.digest,
    manifest: made.manifest ?? null,
    ...(made.format === 'legacy' ? { tag: made.tag, existed: made.existed } : { listed: made.listed ?? null }),
    ...madeEvidenceDocument(evidence ?? { logEntries: [], times: [] }),
  };
}
