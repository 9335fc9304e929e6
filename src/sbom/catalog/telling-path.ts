// SPDX-License-Identifier: Apache-2.0
import { lines } from './text.ts';

const TELLING =
  /(?:\/(?:METADATA|PKG-INFO|package\.json|installed\.json)|\.(?:egg-info|jar|war|ear|gemspec|deps\.json)|\/(?:s?bin|libexec)\/[^/]+)$/;

/** True for the files of a system package that may tell of packages of a language: of the many others no owner is kept. */
export function isTellingPath(path: string): boolean {
  return TELLING.test(path);
}

/** The lines that are such paths. */
export function tellingLines(text: string): string {
  const kept: string[] = [];
  for (const line of lines(text)) if (isTellingPath(line)) kept.push(line);
  return kept.join('\n');
}
