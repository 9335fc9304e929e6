// SPDX-License-Identifier: Apache-2.0

const MILLISECONDS: ReadonlyMap<string, number> = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/** A duration such as `168h`, `1h30m` or `7d`, in milliseconds; `undefined` for anything else. */
export function parseAge(text: string): number | undefined {
  if (!/^(?:[0-9]{1,9}[smhd]){1,4}$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit = ''] of text.matchAll(/([0-9]+)([smhd])/g))
    total += Number(amount) * (MILLISECONDS.get(unit) ?? Number.NaN);
  return total;
}
