// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../../trust/index.ts';
import { KeylessError } from '../../error.ts';
import { tokenForAudience } from './token-for-audience.ts';
import { variable, type TokenProvider } from './token-provider.ts';

const USUAL = 'GITLAB_OIDC_TOKEN';

/**
 * A job of GitLab CI/CD. It has the tokens that its `id_tokens` declare, in variables of any name: `SIGSTORE_ID_TOKEN` is found before,
 * this looks at `GITLAB_OIDC_TOKEN`, or at the one that was named (`gitlab:NAME`).
 *
 * @see https://docs.gitlab.com/ci/secrets/id_token_authentication/
 */
export const gitlab: TokenProvider = {
  name: 'gitlab',
  find({ environment, clientId, chosen, variable: named = USUAL }) {
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,254}$/.test(named)) {
      throw new KeylessError('setting-malformed', `'${printable(named)}' is not the name of a variable`);
    }
    const remedy = `give the job 'id_tokens: { SIGSTORE_ID_TOKEN: { aud: ${printable(clientId)} } }'`;
    const helps = chosen || environment['GITLAB_CI'] === 'true' ? { remedy } : {};
    const text = variable(environment, named);
    if (text === undefined) return Promise.resolve({ kind: 'none', why: `${named} is not set`, ...helps });
    return Promise.resolve(tokenForAudience(text, clientId, named, remedy));
  },
};
