// SPDX-License-Identifier: Apache-2.0
import {
  assembleTrustedRoot,
  decodeCertificates,
  decodePublicKey,
  type Certificate,
  type PublicKey,
  type TrustedRoot,
} from '../../trust/index.ts';
import type { LoadTrustOptions, TrustMaterial } from './load-trust.ts';
import { readNamedFile } from './read-named-file.ts';

/** cosign's variables, each with a file that is one part of a trusted root. */
const VARIABLES = {
  authorities: 'SIGSTORE_ROOT_FILE',
  certificateLog: 'SIGSTORE_CT_LOG_PUBLIC_KEY_FILE',
  log: 'SIGSTORE_REKOR_PUBLIC_KEY',
  timestamps: 'SIGSTORE_TSA_CERTIFICATE_FILE',
} as const;

type Part = keyof typeof VARIABLES;

/** The paths that variables name. */
export type NamedParts = Readonly<Partial<Record<Part, string>>>;

const MAX_BYTES = 1024 * 1024;

/** The parts that variables name; `undefined` if none does. */
export function namedVariables({ env }: Pick<LoadTrustOptions, 'env'>): NamedParts | undefined {
  const named = Object.entries(VARIABLES).flatMap(([part, variable]) => {
    const path = env[variable] ?? '';
    return path === '' ? [] : [[part, path] as const];
  });
  return named.length === 0 ? undefined : Object.fromEntries(named);
}

/**
 * A trusted root of the parts that variables name; the others, if one of those is needed that nothing does without, are what `rest` has. So it is
 * in cosign: each variable replaces one part.
 *
 * @throws KeylessError `file-unreadable`; TrustError as `decodeCertificates` and `decodePublicKey`; what `rest` throws
 */
export async function withVariables(
  parts: NamedParts,
  options: LoadTrustOptions,
  rest: () => Promise<TrustMaterial>,
): Promise<TrustMaterial> {
  const read = async <T>(part: Part, decode: (bytes: Uint8Array, what: string) => T): Promise<T | undefined> => {
    const path = parts[part];
    if (path === undefined) return undefined;
    const what = VARIABLES[part];
    return decode(await readNamedFile(path, { cwd: options.cwd, what, maxBytes: MAX_BYTES }), `${what}, ${path},`);
  };
  const authorities: readonly Certificate[] | undefined = await read('authorities', decodeCertificates);
  const certificateLog: PublicKey | undefined = await read('certificateLog', decodePublicKey);
  const log: PublicKey | undefined = await read('log', decodePublicKey);
  const timestampChain = await read('timestamps', decodeCertificates);
  const own = assembleTrustedRoot({
    ...(authorities === undefined ? {} : { authorities }),
    ...(certificateLog === undefined ? {} : { certificateLogKeys: [certificateLog] }),
    ...(log === undefined ? {} : { logKeys: [log] }),
    ...(timestampChain === undefined ? {} : { timestampChain }),
  });
  const names = (Object.keys(parts) as Part[]).map((part) => VARIABLES[part]);
  const needed: readonly Part[] = options.expected === 'keys' ? ['log'] : ['authorities', 'certificateLog', 'log'];
  const whole = options.signing !== true && needed.every((part) => parts[part] !== undefined);
  if (whole) return { trustedRoot: own, origin: { kind: 'variables', names } };
  const { trustedRoot: other, signingConfig, origin } = await rest();
  return {
    trustedRoot: filled(own, parts, other),
    ...(signingConfig === undefined ? {} : { signingConfig }),
    origin: { kind: 'variables', names, rest: origin },
  };
}

function filled(own: TrustedRoot, parts: NamedParts, other: TrustedRoot): TrustedRoot {
  return {
    logs: parts.log === undefined ? other.logs : own.logs,
    certificateLogs: parts.certificateLog === undefined ? other.certificateLogs : own.certificateLogs,
    certificateAuthorities: parts.authorities === undefined ? other.certificateAuthorities : own.certificateAuthorities,
    timestampAuthorities: parts.timestamps === undefined ? other.timestampAuthorities : own.timestampAuthorities,
    skipped: other.skipped,
  };
}
