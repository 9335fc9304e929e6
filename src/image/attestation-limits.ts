// SPDX-License-Identifier: Apache-2.0
import { EVIDENCE_LIMITS, type EvidenceLimits } from './finding.ts';

/** Caps on attestations, which are as large as what they carry: an SBOM of a large image has some tens of megabytes. */
export const ATTESTATION_LIMITS: EvidenceLimits = { ...EVIDENCE_LIMITS, maxSealBytes: 64 * 1024 * 1024 };

/** How many attestations are held in memory at a time. */
export const ATTESTATION_WORKERS = 4;
