// SPDX-License-Identifier: Apache-2.0
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The top of the checkout. */
export const root: string = resolve(import.meta.dirname, '..');

/** Rooms that the package offers as `bulla/<room>`: those that have a door, but not the command line, which is a program. */
export const libraries: readonly string[] = readdirSync(join(root, 'src'), { withFileTypes: true })
  .filter(({ name }) => name !== 'cli' && existsSync(join(root, 'src', name, 'index.ts')))
  .map(({ name }) => name)
  .toSorted();
