// SPDX-License-Identifier: Apache-2.0
import type { Json } from '../../wire/index.ts';
import { findingsOf, type CheckFinding, type CheckReport } from './check-report.ts';
import { fingerprintOf, ruleText } from './finding-rules.ts';

/** More results are not taken by those who read SARIF. @see https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support */
const MAX_RESULTS = 5000;

/**
 * A report as SARIF 2.1.0: a rule for each code, a result for each place.
 *
 * @param tool the version of the program, and the code that it ends with
 * @see https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
 */
export function encodeSarif(
  report: CheckReport,
  tool: { readonly version: string; readonly exitCode: number },
): string {
  const findings = findingsOf(report);
  const codes = [...new Set(findings.map(({ code }) => code))].toSorted();
  const results = findings.slice(0, MAX_RESULTS);
  const dropped = findings.length - results.length;
  const document: Json = {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'bulla',
            version: tool.version,
            rules: codes.map((code) => ({ id: code, shortDescription: { text: ruleText(code) } })),
          },
        },
        // what could not be found out is no clean run
        invocations: [
          {
            executionSuccessful: isComplete(report),
            exitCode: tool.exitCode,
            toolExecutionNotifications:
              dropped === 0
                ? []
                : [{ level: 'warning', message: { text: `${dropped} further findings are not in this file` } }],
          },
        ],
        columnKind: 'utf16CodeUnits',
        results: results.map((finding) => resultOf(finding, codes)),
      },
    ],
  };
  return `${JSON.stringify(document, null, 2)}\n`;
}

function isComplete({ images, faults, outcome }: CheckReport): boolean {
  const isDecided = images.every(({ decision }) => decision.outcome !== 'undecided');
  return outcome !== 'undecided' && isDecided && faults.every(({ severity }) => severity !== 'error');
}

function resultOf(finding: CheckFinding, codes: readonly string[]): Json {
  const { code, level, message, image, outcome } = finding;
  return {
    ruleId: code,
    ruleIndex: codes.indexOf(code),
    level,
    message: { text: message },
    locations: [locationOf(finding)],
    partialFingerprints: { 'bullaFinding/v1': fingerprintOf(finding) },
    properties: { outcome, ...(image === undefined ? {} : { image }) },
  };
}

function locationOf({ place, endColumn, image = '' }: CheckFinding): Json {
  if (place === undefined) return { logicalLocations: [{ name: image, kind: 'resource' }] };
  const { file, line, column, field } = place;
  const region = { startLine: line, startColumn: column, ...(endColumn === undefined ? {} : { endColumn }) };
  return {
    physicalLocation: { artifactLocation: { uri: uriOf(file) }, region },
    ...(field === '' ? {} : { logicalLocations: [{ fullyQualifiedName: field, kind: 'member' }] }),
  };
}

/** The name of a file as a URI: a reference that is relative to the root of the checkout where the name is relative. */
function uriOf(file: string): string {
  const path = file
    .split('/')
    .map(encodeURIComponent)
    .join('/')
    .replace(/^(?:\.\/)+/, '');
  return file.startsWith('/') ? `file://${path}` : path;
}
