// SPDX-License-Identifier: Apache-2.0
import { EvidenceCache, type Decision, type Outcome, type PolicySet } from '../../../policy/index.ts';
import type { PullCredentials, PullScope } from '../../admission/ports.ts';
import { decideImages, type DecideOptions } from '../../decide-images.ts';
import type { RunningImage } from './running-image.ts';

/** By what it is scanned. */
export interface ScanOptions extends Omit<DecideOptions, 'open' | 'evidence'> {
  readonly set: PolicySet;
  /** with which credentials registries are asked: those of whoever scans, or those of each workload */
  readonly credentials: Pick<PullScope, 'open'> | PullCredentials;
}

/** One image, and who runs it. */
export interface ScannedImage {
  readonly decision: Decision;
  readonly run: readonly RunningImage[];
}

/** What came of a scan. */
export interface ScanReport {
  /** refused if anything would be; else undecided if anything is; else trusted */
  readonly outcome: Outcome;
  /** what would be refused first, then what is undecided */
  readonly images: readonly ScannedImage[];
}

const ORDER: readonly Outcome[] = ['refused', 'undecided', 'trusted'];

/**
 * Decides anew on everything that runs: each image once for all that run it by the same credentials.
 *
 * @example
 * const report = await scanImages(objects.flatMap(runningImages), { set, credentials: { open }, now: new Date() });
 */
export async function scanImages(images: readonly RunningImage[], options: ScanOptions): Promise<ScanReport> {
  const { credentials, ...rest } = options;
  const { signal = new AbortController().signal } = options;
  const scopes = new Map<string, { readonly scope: Pick<PullScope, 'open'>; readonly images: RunningImage[] }>();
  for (const image of images) {
    const scope =
      'open' in credentials
        ? { key: '', open: credentials.open }
        : await credentials.scopeOf(image.namespace, image.podSpec, signal);
    const known = scopes.get(scope.key) ?? { scope, images: [] };
    known.images.push(image);
    scopes.set(scope.key, known);
  }
  const scanned: ScannedImage[] = [];
  for (const { scope, images: asked } of scopes.values()) {
    // What was read by one secret is not shown to another.
    const { decisions } = await decideImages(asked, { ...rest, open: scope.open, evidence: new EvidenceCache() });
    const run = new Map<Decision, RunningImage[]>();
    for (const [image, decision] of decisions) {
      const by = run.get(decision) ?? [];
      by.push(image);
      run.set(decision, by);
    }
    scanned.push(...[...run].map(([decision, by]) => ({ decision, run: by })));
  }
  const outcome = ORDER.find((one) => scanned.some(({ decision }) => decision.outcome === one)) ?? 'trusted';
  const rank = ({ decision }: ScannedImage): number => ORDER.indexOf(decision.outcome);
  return { outcome, images: scanned.toSorted((a, b) => rank(a) - rank(b)) };
}
