// SPDX-License-Identifier: Apache-2.0
import { join } from 'node:path';
import { readSettings, SETTINGS_FILE } from './recorded-settings.ts';
import { UpError } from './up-error.ts';

/** Where everything of a stack is: what `--ready-file` holds. */
export interface StackEndpoints {
  /** `http[s]://HOST:PORT`; images are named `HOST:PORT/…` */
  readonly registry: string;
  /** for `--fulcio-url` */
  readonly fulcio: string;
  /** Rekor v1, for `--rekor-url` */
  readonly rekor: string;
  /** Rekor v2 */
  readonly rekor2: string;
  /** the whole address, for `--timestamp-server-url` */
  readonly tsa: string;
  /** for `cosign initialize --mirror` */
  readonly tuf: string;
  /** a file, for `cosign initialize --root` */
  readonly tufRoot: string;
  /** a file, for `--trusted-root` */
  readonly trustedRoot: string;
  /** a file, for `--signing-config` */
  readonly signingConfig: string;
  /** for `--oidc-issuer` and `--certificate-oidc-issuer` */
  readonly issuer: string;
}

/** The folder of files for clients in a data directory. */
export const PUBLIC_FOLDER = 'public';

/** By which variables cosign 2 trusts a stack, each with its file. */
export const ENVIRONMENT_FILES: readonly (readonly [name: string, file: string])[] = [
  ['SIGSTORE_ROOT_FILE', 'fulcio.pem'],
  ['SIGSTORE_CT_LOG_PUBLIC_KEY_FILE', 'ctfe.pub'],
  ['SIGSTORE_REKOR_PUBLIC_KEY', 'rekor.pub'],
  ['SIGSTORE_TSA_CERTIFICATE_FILE', 'tsa.pem'],
];

/** @param folder of files for clients */
export function stackEndpoints(url: string, folder: string): StackEndpoints {
  return {
    registry: url,
    fulcio: url,
    rekor: url,
    rekor2: url,
    tsa: `${url}/api/v1/timestamp`,
    tuf: `${url}/tuf`,
    tufRoot: join(folder, 'root.json'),
    trustedRoot: join(folder, 'trusted_root.json'),
    signingConfig: join(folder, 'signing_config.json'),
    issuer: url,
  };
}

/**
 * Where everything of the stack in a data directory is, whether it runs or not.
 *
 * @throws UpError `stack-missing`, `settings-malformed`
 */
export async function readEndpoints(data: string): Promise<StackEndpoints> {
  const settings = await readSettings(join(data, SETTINGS_FILE));
  if (settings !== undefined) return stackEndpoints(settings.url, join(data, PUBLIC_FOLDER));
  throw new UpError('stack-missing', `no stack was ever started in ${data}: bulla up --data ${data} makes one`);
}
