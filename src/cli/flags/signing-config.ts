// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, parseJson } from '../../wire/index.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { readFile } from '../file/read-file.ts';

const MAX_BYTES = 1024 * 1024;
const SERVICES = ['caUrls', 'oidcUrls', 'rekorTlogUrls', 'tsaUrls'] as const;

/**
 * Takes a signing config that names no services: cosign 3's way of saying that a key is to seal alone. One that names any is refused,
 * because a seal without the entry or the timestamp that it asks for would be another than was asked for.
 *
 * @param trustedRoot trust of services, of which there are none then
 * @throws CliError `flag-refused`, and as {@link readFile}; WireError `json-malformed`, `too-large`
 * @see https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto
 */
export async function checkSigningConfig(
  context: Pick<CommandContext, 'cwd'>,
  signingConfig: string | undefined,
  trustedRoot: string | undefined,
): Promise<void> {
  if (signingConfig === undefined) {
    if (trustedRoot === undefined) return;
    throw refused('--trusted-root', 'this version seals with a key alone, so that there are no services to be trusted');
  }
  const bytes = await readFile(signingConfig, { cwd: context.cwd, what: 'signing config', maxBytes: MAX_BYTES });
  const config = parseJson(bytes, { what: signingConfig, maxBytes: MAX_BYTES });
  const named = SERVICES.filter((name) => {
    const urls = isJsonObject(config) ? config[name] : undefined;
    return urls !== undefined && !(Array.isArray(urls) && urls.length === 0);
  });
  if (!isJsonObject(config) || named.length > 0) {
    const found = named.length > 0 ? `it names ${named.join(', ')}` : 'it is no signing config';
    throw refused(
      '--signing-config',
      `this version seals with a key alone, and takes a signing config without services (${found})`,
    );
  }
}

function refused(flag: string, why: string): CliError {
  return new CliError('flag-refused', `${flag}: ${why}`);
}
