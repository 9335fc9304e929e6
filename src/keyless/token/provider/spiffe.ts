// SPDX-License-Identifier: Apache-2.0
import { KeylessError } from '../../error.ts';
import { fetchJwtSvid, parseWorkloadAddress, type WorkloadAddress } from './workload-api.ts';
import { variable, type ProviderAnswer, type TokenProvider } from './token-provider.ts';

const VARIABLE = 'SPIFFE_ENDPOINT_SOCKET';

/**
 * A workload that a SPIFFE agent knows.
 * @see https://github.com/spiffe/spiffe/blob/main/standards/SPIFFE_Workload_API.md
 */
export const spiffe: TokenProvider = {
  name: 'spiffe',
  async find(surroundings): Promise<ProviderAnswer> {
    const { environment, paths, chosen } = surroundings;
    const named = variable(environment, VARIABLE);
    const usual: WorkloadAddress = { path: paths.spiffeSocket };
    if (named === undefined && !chosen && !(await isSocket(paths.spiffeSocket))) {
      return { kind: 'none', why: `${VARIABLE} is not set, and there is no socket ${paths.spiffeSocket}` };
    }
    const address = named === undefined ? usual : parseWorkloadAddress(named, VARIABLE);
    try {
      return { kind: 'token', text: await fetchJwtSvid(address, surroundings), from: 'the SPIFFE agent' };
    } catch (error) {
      // A socket that merely lies where agents have theirs is no word that this workload is one of its.
      if (named !== undefined || chosen || !(error instanceof KeylessError)) throw error;
      return { kind: 'none', why: error.message };
    }
  },
};

async function isSocket(path: string): Promise<boolean> {
  try {
    return (await process.getBuiltinModule('node:fs').promises.stat(path)).isSocket();
  } catch {
    return false;
  }
}
