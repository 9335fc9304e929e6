// SPDX-License-Identifier: Apache-2.0
import type { Call } from '../../wire/index.ts';
import type { Principal } from '../auth/access.ts';

/** A request that was routed and allowed. */
export interface Request extends Call {
  readonly query: URLSearchParams;
  readonly principal: Principal;
}
