// SPDX-License-Identifier: Apache-2.0
import { CliError } from '../cli-error.ts';
import { systemCode } from '../file/file-trouble.ts';

/** Reads all of standard input. @throws CliError `input-too-large`, `file-unreadable` */
export async function readStdin(maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of process.stdin) {
      const bytes: Uint8Array = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      length += bytes.byteLength;
      if (length > maxBytes) break;
      chunks.push(bytes);
    }
  } catch (error) {
    throw new CliError('file-unreadable', `reading standard input: ${systemCode(error) ?? 'failed'}`, { cause: error });
  }
  if (length > maxBytes) throw new CliError('input-too-large', `standard input has more than ${maxBytes} bytes`);
  return Buffer.concat(chunks);
}
