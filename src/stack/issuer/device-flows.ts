// SPDX-License-Identifier: Apache-2.0
import { randomInt } from 'node:crypto';
import type { Client, User } from './issuer-document.ts';
import { Pending } from './pending.ts';

/** A device that waits for a person. */
export interface DeviceFlow {
  readonly client: Client;
  /** as it is shown: `BCDF-GHJK` */
  readonly userCode: string;
  /** base64url of the SHA-256 of a verifier, where the device sent one */
  readonly challenge: string | undefined;
  /** milliseconds since 1970 */
  readonly begun: number;
  readonly ends: number;
  state: DeviceState;
  /** seconds between two polls */
  interval: number;
  /** milliseconds since 1970 */
  polled: number | undefined;
}

/** What the person said. */
export type DeviceState =
  | { readonly kind: 'pending' }
  | { readonly kind: 'denied' }
  | { readonly kind: 'approved'; readonly user: User; readonly loggedIn: number };

/** seconds that a device waits */
export const DEVICE_LIFE_S = 600;
/** No vowels, so that it makes no words; 20 to the eighth are 34 bits. @see https://www.rfc-editor.org/rfc/rfc8628#section-6.1 */
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ';
const LETTERS_IN_CODE = 8;
const WAITING = 2000;

/** The devices that wait: by what they hold, and by what the person reads. Anybody may begin one, so their number is bounded. */
export class DeviceFlows {
  readonly #now: () => Date;
  readonly #byDeviceCode: Pending<DeviceFlow>;
  readonly #byUserCode = new Map<string, DeviceFlow>();

  constructor(now: () => Date) {
    this.#now = now;
    this.#byDeviceCode = new Pending({ count: WAITING, life: DEVICE_LIFE_S * 1000 }, now);
  }

  /** @returns undefined where too many wait */
  begin(
    client: Client,
    challenge: string | undefined,
    interval: number,
  ): { readonly deviceCode: string; readonly flow: DeviceFlow } | undefined {
    const begun = this.#now().getTime();
    this.#sweep(begun);
    const flow: DeviceFlow = {
      client,
      userCode: this.#newUserCode(),
      challenge,
      begun,
      ends: begun + DEVICE_LIFE_S * 1000,
      state: { kind: 'pending' },
      interval,
      polled: undefined,
    };
    const deviceCode = this.#byDeviceCode.add(flow);
    if (deviceCode === undefined) return undefined;
    this.#byUserCode.set(flow.userCode, flow);
    return { deviceCode, flow };
  }

  /** A device by what it holds. */
  byDeviceCode(deviceCode: string): DeviceFlow | undefined {
    return this.#byDeviceCode.get(deviceCode);
  }

  /** A device that waits still, by what the person typed: lower case and other separators are all right. */
  byUserCode(typed: string): DeviceFlow | undefined {
    const flow = this.#byUserCode.get(shownCode(typed));
    return flow === undefined || flow.ends <= this.#now().getTime() || flow.state.kind !== 'pending' ? undefined : flow;
  }

  /** The device has its answer and waits no longer. */
  end(deviceCode: string): void {
    const flow = this.#byDeviceCode.take(deviceCode);
    if (flow !== undefined) this.#byUserCode.delete(flow.userCode);
  }

  #newUserCode(): string {
    for (;;) {
      const letters = Array.from({ length: LETTERS_IN_CODE }, () => LETTERS[randomInt(LETTERS.length)] ?? '').join('');
      const code = shownCode(letters);
      if (!this.#byUserCode.has(code)) return code;
    }
  }

  #sweep(now: number): void {
    for (const [code, { ends }] of this.#byUserCode) {
      if (ends > now) return;
      this.#byUserCode.delete(code);
    }
  }
}

/** A code as it is shown, of whatever was typed. */
export function shownCode(typed: string): string {
  const letters = typed
    .slice(0, 64)
    .toUpperCase()
    .replace(/[^A-Z]/g, '');
  return `${letters.slice(0, LETTERS_IN_CODE / 2)}-${letters.slice(LETTERS_IN_CODE / 2)}`;
}
