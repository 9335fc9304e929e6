// SPDX-License-Identifier: Apache-2.0
import type { Certificate } from '../../trust/index.ts';
import type { CommandContext } from '../context.ts';
import { readFile } from '../file/read-file.ts';

const MAX_BYTES = 1024 * 1024;

/**
 * The certificates in a file, as they stand there.
 *
 * @param what names them in errors, for example `certificate chain`
 * @throws as `readFile`; TrustError as `decodeCertificates`
 */
export async function readCertificates(
  context: Pick<CommandContext, 'cwd'>,
  file: string,
  what: string,
): Promise<readonly [Certificate, ...Certificate[]]> {
  const bytes = await readFile(file, { cwd: context.cwd, what, maxBytes: MAX_BYTES });
  const { decodeCertificates } = await import('../../trust/index.ts');
  return decodeCertificates(bytes, file);
}
