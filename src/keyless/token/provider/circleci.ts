// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../../trust/index.ts';
import { tokenForAudience } from './token-for-audience.ts';
import { variable, type TokenProvider } from './token-provider.ts';

const VARIABLE = 'CIRCLE_OIDC_TOKEN_V2';

/**
 * A job of CircleCI. Its own token is for the organization; one for another audience is made by CircleCI's command line.
 * @see https://circleci.com/docs/openid-connect-tokens/
 */
export const circleci: TokenProvider = {
  name: 'circleci',
  find({ environment, clientId, chosen }) {
    const claims = JSON.stringify({ aud: printable(clientId) });
    const remedy = `run SIGSTORE_ID_TOKEN="$(circleci run oidc get --claims '${claims}')" before, or give the token's audience as the client id if the certificate authority takes it`;
    const text = variable(environment, VARIABLE);
    if (text !== undefined) return Promise.resolve(tokenForAudience(text, clientId, VARIABLE, remedy));
    const helps = chosen || environment['CIRCLECI'] === 'true' ? { remedy } : {};
    return Promise.resolve({ kind: 'none', why: `${VARIABLE} is not set`, ...helps });
  },
};
