// SPDX-License-Identifier: Apache-2.0
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { readFile } from '../file/read-file.ts';

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1000,
  kb: 1000,
  kib: 1024,
  m: 1000 ** 2,
  mb: 1000 ** 2,
  mib: 1024 ** 2,
  g: 1000 ** 3,
  gb: 1000 ** 3,
  gib: 1024 ** 3,
};

/** What is read at most, whatever is asked for: a text in memory cannot be longer. */
const MOST = 256 * 1024 ** 2;

/**
 * The largest attestation that is read or written: `COSIGN_MAX_ATTACHMENT_SIZE`, as bytes or with a unit (`64MiB`, `100MB`).
 *
 * @returns `undefined` where it is not set
 * @throws CliError `usage`
 */
export function maxAttachmentSize({ env }: Pick<CommandContext, 'env'>): number | undefined {
  const value = (env['COSIGN_MAX_ATTACHMENT_SIZE'] ?? '').trim();
  if (value === '') return undefined;
  const [, digits = '', unit = ''] = /^(\d{1,12}(?:\.\d{1,3})?) ?([A-Za-z]{0,3})$/.exec(value) ?? [];
  const factor = UNITS[unit.toLowerCase()];
  const bytes = digits === '' || factor === undefined ? 0 : Math.floor(Number(digits) * factor);
  if (bytes > 0) return Math.min(bytes, MOST);
  throw new CliError(
    'usage',
    `COSIGN_MAX_ATTACHMENT_SIZE is '${value.slice(0, 40)}', expected bytes or a number with a unit, such as 64MiB`,
  );
}

/**
 * Reads what is laid beside an image or attested of it, of that size at most.
 *
 * @param file `-` is standard input
 * @param what names it in errors
 * @throws as `readFile` and {@link maxAttachmentSize}
 */
export async function readAttachment(context: CommandContext, file: string, what: string): Promise<Uint8Array> {
  const { ATTESTATION_LIMITS } = await import('../../image/index.ts');
  const maxBytes = maxAttachmentSize(context) ?? ATTESTATION_LIMITS.maxSealBytes;
  return file === '-' ? context.readStdin(maxBytes) : readFile(file, { cwd: context.cwd, what, maxBytes });
}
