// SPDX-License-Identifier: Apache-2.0
import { readRfc3339 } from '../../trust/index.ts';
import { splitCommaValues } from '../arguments/comma-values.ts';
import { CliError } from '../cli-error.ts';

/** A flag that describes a service, and may be given several times. */
export const SPEC = { kind: 'strings', split: false, placeholder: 'SPEC' } as const;

/** What a service is described by on a command line: `url=https://…,start-time=2026-01-01T00:00:00Z`. */
export interface ServiceSpec<Key extends string> {
  /** as it was typed, for errors */
  readonly flag: string;
  readonly values: Readonly<Partial<Record<Key, string>>>;
}

const MAX_CHARACTERS = 16 * 1024;

/**
 * Reads the description of a service: pairs with commas between them, as cosign takes them. A value with a comma is quoted as in CSV.
 *
 * @param flag without dashes, for errors
 * @throws CliError `flag-invalid` for a pair that is none, an unknown or repeated key, and one that is missing
 */
export function parseServiceSpec<Required extends string, Optional extends string>(
  flag: string,
  text: string,
  keys: { readonly required: readonly Required[]; readonly optional: readonly Optional[] },
): ServiceSpec<Required | Optional> & { readonly values: Readonly<Record<Required, string>> } {
  const pairs = text.length > MAX_CHARACTERS ? undefined : splitCommaValues(text);
  if (pairs === undefined) throw invalid(flag, 'it is too long, or its quotes do not close');
  const values = new Map<string, string>();
  const known: readonly string[] = [...keys.required, ...keys.optional];
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at <= 0) throw invalid(flag, `'${pair.slice(0, 80)}' is not KEY=VALUE`);
    const key = pair.slice(0, at).trim();
    if (!known.includes(key))
      throw invalid(flag, `unknown key '${key.slice(0, 40)}', expected one of ${known.join(', ')}`);
    if (values.has(key)) throw invalid(flag, `the key '${key}' is there twice`);
    values.set(key, pair.slice(at + 1).trim());
  }
  const missing = keys.required.find((key) => (values.get(key) ?? '') === '');
  if (missing !== undefined) throw invalid(flag, `missing or empty required key '${missing}'`);
  return { flag, values: Object.fromEntries(values) as Record<Required, string> & Partial<Record<Optional, string>> };
}

/** `start-time` and `end-time`. @throws CliError `flag-invalid` */
export function periodOf(
  { flag, values }: ServiceSpec<'start-time' | 'end-time'>,
  otherwise: Date | undefined,
): { readonly start: Date; readonly end?: Date } | undefined {
  const start = timeOf(flag, 'start-time', values['start-time']) ?? otherwise;
  const end = timeOf(flag, 'end-time', values['end-time']);
  if (start === undefined) {
    if (end !== undefined) throw invalid(flag, "'end-time' needs 'start-time'");
    return undefined;
  }
  if (end !== undefined && end < start)
    throw invalid(flag, `it ends at ${end.toISOString()}, before it begins at ${start.toISOString()}`);
  return { start, ...(end === undefined ? {} : { end }) };
}

/** The address of a service. @throws CliError `flag-invalid` */
export function urlOf({ flag }: ServiceSpec<never>, url: string): string {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url))
    throw invalid(flag, `'${url.slice(0, 120)}' is no URL of http or https`);
  return url;
}

/** A time as RFC 3339 has it. @throws CliError `flag-invalid` */
export function timeOf(flag: string, key: string, text: string | undefined): Date | undefined {
  if (text === undefined || text === '') return undefined;
  const time = readRfc3339(text);
  if (time === undefined)
    throw invalid(flag, `'${key}' is '${text.slice(0, 40)}', expected a time such as 2026-01-01T00:00:00Z`);
  return time;
}

export function invalid(flag: string, why: string): CliError {
  return new CliError('flag-invalid', `--${flag}: ${why}`);
}
