// SPDX-License-Identifier: Apache-2.0
import { accessSync, constants, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { MadeSeal, SealFormat, SignedImage } from '../../image/index.ts';
import { encodeBase64 } from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { fileTrouble } from '../file/file-trouble.ts';
import { writeFileAtomically } from '../file/write-file.ts';

/** Where `sign` writes its seal to besides the registry; relative to `context.cwd`. */
export interface SealFiles {
  readonly bundle: string | undefined;
  readonly 'output-payload': string | undefined;
  readonly 'output-signature': string | undefined;
  readonly 'output-certificate': string | undefined;
}

/**
 * Refuses what could not be written, before anything is sealed: a seal that is in the registry is not taken back.
 *
 * @throws CliError `usage`, `file-unwritable`
 */
export function checkSealFiles(
  context: Pick<CommandContext, 'cwd'>,
  files: SealFiles,
  made: { readonly images: number; readonly formats: readonly SealFormat[] },
): void {
  for (const flag of ['bundle', 'output-payload', 'output-signature', 'output-certificate'] as const) {
    const name = files[flag];
    if (name === undefined) continue;
    if (made.images > 1) {
      throw new CliError(
        'usage',
        `--${flag} names one file, and ${made.images} images are to be sealed: seal them one by one`,
      );
    }
    if (flag === 'bundle' && !made.formats.includes('bundle')) {
      throw new CliError('usage', '--bundle asks for a bundle, and --format legacy makes none');
    }
    checkWritable(name, resolve(context.cwd, name));
  }
}

/**
 * Writes what was asked for, of the first seal that was made.
 *
 * @param certificate PEM, where there is one
 * @throws CliError `file-unwritable`
 */
export async function writeSealFiles(
  context: Pick<CommandContext, 'cwd' | 'stderr'>,
  files: SealFiles,
  signed: SignedImage,
  certificate?: string,
): Promise<void> {
  const first = signed.seals[0];
  const bundled = signed.seals.find((seal) => seal.format === 'bundle');
  if (first === undefined) return;
  if (files.bundle !== undefined && bundled !== undefined) {
    const { encodeBundle } = await import('../../trust/index.ts');
    await writeFileAtomically(context, files.bundle, encodeBundle(bundled.bundle));
    context.stderr(`Wrote bundle to file ${files.bundle}\n`);
  }
  const [payload, signature] = signedParts(first);
  if (files['output-payload'] !== undefined) await writeFileAtomically(context, files['output-payload'], payload);
  if (files['output-signature'] !== undefined) {
    await writeFileAtomically(context, files['output-signature'], new TextEncoder().encode(encodeBase64(signature)));
  }
  if (files['output-certificate'] !== undefined && certificate !== undefined) {
    await writeFileAtomically(context, files['output-certificate'], new TextEncoder().encode(certificate));
    context.stderr(`Wrote certificate to file ${files['output-certificate']}\n`);
  }
}

/** Refuses a file that could not be written. @throws CliError `file-unwritable` */
export function checkWritable(name: string, path: string): void {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined || found.isFile()) accessSync(dirname(path), constants.W_OK);
    else if (found.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
  } catch (error) {
    throw new CliError('file-unwritable', `cannot write ${name}: ${fileTrouble(error)}`, { cause: error });
  }
}

function signedParts(seal: MadeSeal): [payload: Uint8Array, signature: Uint8Array] {
  if (seal.format === 'legacy') return [seal.payload, seal.signature];
  const { content } = seal.bundle;
  return content.kind === 'dsse'
    ? [content.envelope.payload, content.envelope.signatures[0]?.sig ?? new Uint8Array()]
    : [new Uint8Array(), content.signature];
}
