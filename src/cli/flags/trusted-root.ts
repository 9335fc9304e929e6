// SPDX-License-Identifier: Apache-2.0
import {
  assembleTrustedRoot,
  decodeCertificates,
  decodeClientTrustConfig,
  decodePublicKey,
  decodeTrustedRoot,
  TrustError,
  isClientTrustConfig,
  type RootParts,
  type TrustedRoot,
} from '../../trust/index.ts';
import { WireError } from '../../wire/index.ts';
import type { CommandContext } from '../context.ts';
import { readFile } from '../file/read-file.ts';

const MAX_ROOT_BYTES = 4 * 1024 * 1024;
const MAX_PEM_BYTES = 1024 * 1024;

/** The trusted root in a file, or in a client trust config; warns of what it lists and is not used here. @throws as `readFile` and `decodeTrustedRoot` */
export async function readTrustedRoot(context: CommandContext, file: string): Promise<TrustedRoot> {
  const bytes = await readFile(file, { cwd: context.cwd, what: 'trusted root', maxBytes: MAX_ROOT_BYTES });
  const root = rootIn(bytes, file);
  for (const { what, reason } of root.skipped) context.warn(`${what} is passed over: ${reason}`);
  return root;
}

/** A file that is no JSON is for who named it to mend, as one with wrong content is. */
function rootIn(bytes: Uint8Array, file: string): ReturnType<typeof decodeTrustedRoot> {
  try {
    return decodeTrustedRoot(bytes, file);
  } catch (error) {
    if (error instanceof TrustError && error.code === 'trusted-root-unsupported' && isClientTrustConfig(bytes))
      return decodeClientTrustConfig(bytes, file).trustedRoot;
    if (!(error instanceof WireError)) throw error;
    throw new TrustError('trusted-root-malformed', error.message, { cause: error });
  }
}

/** Variables that each name a file with one part of a trusted root. */
interface PartVariables {
  readonly authorities: string;
  readonly certificateLog: string;
  readonly log: string;
  readonly timestamps: string;
}

/** The trusted root that variables put together. @throws as `readFile`, `decodeCertificates` and `decodePublicKey` */
export async function readTrustedRootParts(context: CommandContext, variables: PartVariables): Promise<TrustedRoot> {
  const read = async <T>(name: string, decode: (bytes: Uint8Array, what: string) => T): Promise<T | undefined> => {
    const path = context.env[name] ?? '';
    if (path === '') return undefined;
    return decode(await readFile(path, { cwd: context.cwd, what: name, maxBytes: MAX_PEM_BYTES }), `${name}, ${path},`);
  };
  const authorities = await read(variables.authorities, decodeCertificates);
  const certificateLog = await read(variables.certificateLog, decodePublicKey);
  const log = await read(variables.log, decodePublicKey);
  const timestampChain = await read(variables.timestamps, decodeCertificates);
  const parts: RootParts = {
    ...(authorities === undefined ? {} : { authorities }),
    ...(certificateLog === undefined ? {} : { certificateLogKeys: [certificateLog] }),
    ...(log === undefined ? {} : { logKeys: [log] }),
    ...(timestampChain === undefined ? {} : { timestampChain }),
  };
  return assembleTrustedRoot(parts);
}
