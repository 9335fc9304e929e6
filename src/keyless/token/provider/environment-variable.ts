// SPDX-License-Identifier: Apache-2.0
import { variable, type TokenProvider } from './token-provider.ts';

/** A token in `SIGSTORE_ID_TOKEN`: what GitLab sets for `id_tokens`, and what a script can set anywhere. */
export const environmentVariable: TokenProvider = {
  name: 'envvar',
  find({ environment }) {
    const text = variable(environment, 'SIGSTORE_ID_TOKEN');
    return Promise.resolve(
      text === undefined
        ? { kind: 'none', why: 'SIGSTORE_ID_TOKEN is not set' }
        : { kind: 'token', text, from: 'SIGSTORE_ID_TOKEN' },
    );
  },
};
