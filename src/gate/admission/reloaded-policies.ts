// SPDX-License-Identifier: Apache-2.0
import type { PolicySet } from '../../policy/index.ts';
import type { PoliciesInForce, PolicySource } from './ports.ts';

/** How policies are read again. */
export interface ReloadOptions {
  /** Reads them; `undefined` where nothing has changed since the last time. */
  readonly load: () => Promise<PolicySet | undefined>;
  /** milliseconds between two looks; 10 s unless told */
  readonly everyMs?: number;
  readonly onChange?: () => void;
  /** They cannot be read, or not be used: those before stay in force. */
  readonly onTrouble?: (error: unknown) => void;
}

/** Policies that somebody may change while they are in force. */
export interface ReloadedPolicies extends PolicySource {
  /** Looks now. @throws what `load` throws */
  reload(): Promise<void>;
  /** Looks no more. */
  close(): void;
}

const EVERY_MS = 10_000;

/** Policies that are looked at now and then. What cannot be used never takes the place of what could. */
export function reloadedPolicies({ load, everyMs = EVERY_MS, onChange, onTrouble }: ReloadOptions): ReloadedPolicies {
  let inForce: PoliciesInForce | undefined;
  let loading: Promise<void> | undefined;
  const reload = (): Promise<void> => {
    loading ??= (async () => {
      try {
        const set = await load();
        if (set === undefined) return;
        const changed = inForce !== undefined;
        inForce = { set };
        if (changed) onChange?.();
      } finally {
        loading = undefined;
      }
    })();
    return loading;
  };
  const timer = setInterval(() => {
    reload().catch((error: unknown) => onTrouble?.(error));
  }, everyMs);
  timer.unref();
  return { current: () => inForce, reload, close: () => clearInterval(timer) };
}
