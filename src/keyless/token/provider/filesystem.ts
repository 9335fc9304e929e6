// SPDX-License-Identifier: Apache-2.0
import { readTokenFile } from '../token-file.ts';
import type { TokenProvider } from './token-provider.ts';

/** A token that somebody else keeps fresh in a file: a projected service account token in a Kubernetes pod. */
export const filesystem: TokenProvider = {
  name: 'filesystem',
  async find({ paths }) {
    const text = await readTokenFile(paths.token);
    if (text === undefined) return { kind: 'none', why: `${paths.token} is not there` };
    return { kind: 'token', text, from: `the file ${paths.token}` };
  },
};
