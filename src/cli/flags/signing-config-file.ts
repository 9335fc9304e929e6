// SPDX-License-Identifier: Apache-2.0
import {
  decodeClientTrustConfig,
  decodeSigningConfig,
  isClientTrustConfig,
  TrustError,
  type SigningConfig,
} from '../../trust/index.ts';
import type { CommandContext } from '../context.ts';
import { readFile } from '../file/read-file.ts';

const MAX_BYTES = 5 * 1024 * 1024;

/**
 * The signing config in a file, or in a client trust config.
 *
 * @throws as `readFile`, `decodeSigningConfig` and `decodeClientTrustConfig`
 */
export async function readSigningConfig(context: Pick<CommandContext, 'cwd'>, file: string): Promise<SigningConfig> {
  const bytes = await readFile(file, { cwd: context.cwd, what: 'signing config', maxBytes: MAX_BYTES });
  try {
    return decodeSigningConfig(bytes, file);
  } catch (error) {
    const other = error instanceof TrustError && error.code === 'signing-config-unsupported';
    if (other && isClientTrustConfig(bytes)) return decodeClientTrustConfig(bytes, file).signingConfig;
    throw error;
  }
}
