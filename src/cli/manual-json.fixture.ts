// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const MANUAL = join(import.meta.dirname, '..', '..', 'docs', 'cli.md');

/** The members that the manual shows in the JSON of some commands, wherever they are nested. */
export function manualMembers(...commands: readonly string[]): ReadonlySet<string> {
  const sections = readFileSync(MANUAL, 'utf8').split(/^## /m);
  const found = sections.filter((section) => commands.some((command) => section.startsWith(`bulla ${command}\n`)));
  return new Set(found.flatMap((section) => [...section.matchAll(/"([A-Za-z-]+)":/g)].map(([, name = '']) => name)));
}

/** The members of a JSON document, wherever they are nested, but for those of objects whose members are names from elsewhere. */
export function documentMembers(value: unknown, open: ReadonlySet<string> = new Set(['labels'])): ReadonlySet<string> {
  if (typeof value !== 'object' || value === null) return new Set();
  if (Array.isArray(value)) return new Set(value.flatMap((one: unknown) => [...documentMembers(one, open)]));
  return new Set(
    Object.entries(value).flatMap(([name, one]) => [name, ...(open.has(name) ? [] : documentMembers(one, open))]),
  );
}
