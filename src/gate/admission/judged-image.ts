// SPDX-License-Identifier: Apache-2.0
import type { PolicySet } from '../../policy/index.ts';
import type { RunningObject } from './image-question.ts';
import type { PullScope } from './ports.ts';

/** An image that is to be judged. */
export interface JudgedImage {
  readonly image: string;
  /** whose turn is used */
  readonly namespace: string;
  readonly set: PolicySet;
  readonly run: RunningObject;
  readonly scope: PullScope;
  /** nothing may be written for it */
  readonly dryRun: boolean;
}
