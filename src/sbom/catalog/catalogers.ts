// SPDX-License-Identifier: Apache-2.0
import { apk } from './apk.ts';
import type { Cataloger } from './cataloger.ts';
import { composer } from './composer.ts';
import { dpkg } from './dpkg.ts';
import { programs } from './elf/programs.ts';
import { gem } from './gem.ts';
import { java } from './java/java.ts';
import { npm } from './npm.ts';
import { python } from './python.ts';
import { rpm } from './rpm/rpm.ts';
import { systemRelease } from './system-release.ts';

/**
 * All kinds of packages that are looked for, in the order in which they are asked. Each has a test that compares with what the kind's own
 * tool says. The last takes every file that none of the others wants.
 */
export const CATALOGERS: readonly Cataloger[] = [
  systemRelease,
  dpkg,
  apk,
  rpm,
  npm,
  python,
  java,
  gem,
  composer,
  programs,
];
