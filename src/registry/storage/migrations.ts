// SPDX-License-Identifier: Apache-2.0
import type { Migration } from '../../store/index.ts';
import { repositories } from './migrations/0001-repositories.ts';

/** The registry's tables, step by step. A released step is never changed. */
export const MIGRATIONS: readonly Migration[] = [repositories];
