// SPDX-License-Identifier: Apache-2.0
import type { CodedError } from '../../wire/index.ts';

/** Where it comes from whom one trusts, and how old that is. */
export type TrustOrigin =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'client-trust-config'; readonly path: string }
  | {
      readonly kind: 'variables';
      readonly names: readonly string[];
      /** where the parts come from that no variable names */
      readonly rest?: TrustOrigin;
    }
  | {
      readonly kind: 'tuf';
      readonly mirror: string;
      /** when the mirror was last asked */
      readonly checkedAt: Date;
      /** when what it said expires */
      readonly expires: Date;
      readonly rootVersion: number;
      /** it was not asked this time */
      readonly kept: boolean;
      /** why it could not be asked, or the answer not be kept */
      readonly warning?: CodedError;
    }
  | {
      readonly kind: 'built-in';
      readonly mirror: string;
      readonly rootVersion: number;
      /** when its root was signed, to the day */
      readonly signedAt: Date;
    };

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** One line for a person, with the age. @example `TUF repository https://tuf.example, asked 3 hours ago, good until 2026-06-08` */
export function describeOrigin(origin: TrustOrigin, now: Date): string {
  switch (origin.kind) {
    case 'file':
      return `file ${origin.path}`;
    case 'client-trust-config':
      return `client trust config ${origin.path}`;
    case 'variables': {
      const rest = origin.rest === undefined ? '' : `; the rest from ${describeOrigin(origin.rest, now)}`;
      return `variables ${origin.names.join(', ')}${rest}`;
    }
    case 'tuf': {
      const asked = `asked ${origin.kept ? ago(origin.checkedAt, now) : 'now'}`;
      return `TUF repository ${origin.mirror}, ${asked}, good until ${day(origin.expires)}`;
    }
    case 'built-in':
      return `built in: the public instance of Sigstore, root ${origin.rootVersion} of ${day(origin.signedAt)} (${ago(origin.signedAt, now)})`;
  }
}

function day(time: Date): string {
  return time.toISOString().slice(0, 10);
}

function ago(time: Date, now: Date): string {
  const passed = now.getTime() - time.getTime();
  if (passed < 0) return 'in the future, by the clock here';
  if (passed >= 2 * DAY_MS) return `${Math.floor(passed / DAY_MS)} days ago`;
  if (passed >= 2 * HOUR_MS) return `${Math.floor(passed / HOUR_MS)} hours ago`;
  return passed >= 2 * MINUTE_MS ? `${Math.floor(passed / MINUTE_MS)} minutes ago` : 'just now';
}
