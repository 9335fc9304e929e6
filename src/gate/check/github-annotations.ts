// SPDX-License-Identifier: Apache-2.0
import { findingsOf, type CheckReport } from './check-report.ts';

/**
 * A report as commands to a runner of GitHub Actions, one a line: each shows at its place in the change.
 *
 * @see https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
 */
export function encodeGithubAnnotations(report: CheckReport): string {
  return findingsOf(report)
    .map(({ level, code, outcome, message, place, endColumn }) => {
      const properties = [
        ...(place === undefined
          ? []
          : [`file=${property(place.file.replace(/^(?:\.\/)+/, ''))}`, `line=${place.line}`, `col=${place.column}`]),
        ...(endColumn === undefined ? [] : [`endColumn=${endColumn}`]),
        // what could not be found out has its cause in the message, and no rule of its own
        `title=${property(`bulla: ${code === 'unknown' ? outcome : code}`)}`,
      ];
      return `::${level} ${properties.join(',')}::${data(message)}\n`;
    })
    .join('');
}

/** As the runner takes it apart again. @see https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts */
function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
