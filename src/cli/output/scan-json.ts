// SPDX-License-Identifier: Apache-2.0
import type { ScanReport } from '../../gate/index.ts';
import { decisionDocument } from './decision-json.ts';

/** A scan in JSON. The shape is documented in docs/cli.md and kept. */
export function scanDocument({ outcome, images }: ScanReport, unread: readonly string[], exitCode: number): object {
  return {
    exitCode,
    outcome,
    images: images.map(({ decision, run }) => ({
      ...decisionDocument(decision),
      run: run.map(({ kind, namespace, name, field, written }) => ({
        kind,
        namespace,
        name,
        field,
        written: written ?? decision.image,
      })),
    })),
    unread,
  };
}
