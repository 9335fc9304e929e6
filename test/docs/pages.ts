// SPDX-License-Identifier: Apache-2.0
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Done } from './carry-out.ts';
import { Bindings, findDifference } from './compare.ts';

export const ROOT: string = join(import.meta.dirname, '..', '..');

/** The pages of the manual, by their paths from the root of the checkout. */
export function allPages(): ReadonlyMap<string, string> {
  const paths = ['README.md', ...globSync('docs/**/*.md', { cwd: ROOT })].toSorted();
  return new Map(paths.map((path) => [path, readFileSync(join(ROOT, path), 'utf8')]));
}

/** What is not as a page says. */
export interface Fault {
  readonly line: number;
  readonly message: string;
}

/** Compares what a page's commands did with what it says. A command that fails is told by `echo $?` after it, or it is a fault. */
export function faultsOf(all: readonly Done[]): readonly Fault[] {
  const bindings = new Bindings();
  return all.flatMap(({ step, output, status }, at) => {
    const { line, command } = step;
    const difference = findDifference(step.output, output, bindings);
    if (difference !== undefined) {
      const message = `${command}\n  the page: ${difference.expected}\n  it wrote: ${difference.found}`;
      return [{ line, message: `${message}\n${output.map((text) => `    | ${text}`).join('\n')}` }];
    }
    const told = all[at + 1]?.step.command === 'echo $?';
    if (status === 0 || told) return [];
    return [{ line, message: `${command}\n  ended with ${status}, and the page does not say so: $ echo $?` }];
  });
}
