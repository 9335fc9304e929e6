// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../wire/index.ts';
import { findingsOf, type CheckFinding, type CheckReport } from './check-report.ts';
import { fingerprintOf } from './finding-rules.ts';

/** What is in no file is shown at this name: GitLab wants one. */
const NO_FILE = 'images';

/**
 * A report as GitLab's code quality widget reads it.
 *
 * @see https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
 */
export function encodeGitlabCodeQuality(report: CheckReport): string {
  const seen = new Map<string, number>();
  const entries = findingsOf(report).map((finding): Json => {
    const { code, message, place } = finding;
    const fingerprint = fingerprintOf(finding);
    // the widget shows one of those that have the same
    const times = seen.get(fingerprint) ?? 0;
    seen.set(fingerprint, times + 1);
    return {
      description: message,
      check_name: code,
      fingerprint: times === 0 ? fingerprint : `${fingerprint}-${times}`,
      severity: severityOf(finding),
      location: { path: place?.file.replace(/^(?:\.\/)+/, '') ?? NO_FILE, lines: { begin: place?.line ?? 1 } },
    };
  });
  return `${JSON.stringify(entries, null, 2)}\n`;
}

function severityOf({ level, outcome }: CheckFinding): string {
  if (level === 'warning') return 'minor';
  return outcome === 'refused' ? 'blocker' : 'critical';
}
