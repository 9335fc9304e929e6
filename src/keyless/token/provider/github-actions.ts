// SPDX-License-Identifier: Apache-2.0
import { askForToken } from './ask-for-token.ts';
import { checkCredential, parseTokenServerUrl } from './token-server-url.ts';
import { variable, type TokenProvider } from './token-provider.ts';

const URL_VARIABLE = 'ACTIONS_ID_TOKEN_REQUEST_URL';
const TOKEN_VARIABLE = 'ACTIONS_ID_TOKEN_REQUEST_TOKEN';
const REMEDY =
  "give the job 'permissions: { id-token: write }'; a workflow that a fork's pull request starts cannot have it";

/**
 * A workflow of GitHub Actions.
 * @see https://docs.github.com/en/actions/reference/security/oidc
 */
export const githubActions: TokenProvider = {
  name: 'github-actions',
  async find(surroundings) {
    const { environment, clientId } = surroundings;
    const address = variable(environment, URL_VARIABLE);
    const secret = variable(environment, TOKEN_VARIABLE);
    if (address === undefined || secret === undefined) {
      const why = `${address === undefined ? URL_VARIABLE : TOKEN_VARIABLE} is not set`;
      const here = environment['GITHUB_ACTIONS'] === 'true' || address !== undefined || secret !== undefined;
      return { kind: 'none', why, ...(here || surroundings.chosen ? { remedy: REMEDY } : {}) };
    }
    const url = parseTokenServerUrl(address, URL_VARIABLE);
    // appended as GitHub's own client does: what stands there already must stay byte for byte
    url.search = `${url.search === '' ? '?' : `${url.search}&`}audience=${encodeURIComponent(clientId)}`;
    const text = await askForToken(
      {
        who: 'GitHub Actions',
        method: 'GET',
        url,
        headers: { authorization: `bearer ${checkCredential(secret, TOKEN_VARIABLE)}` },
        member: 'value',
        secrets: [secret],
        remedy: REMEDY,
      },
      surroundings,
    );
    return { kind: 'token', text, from: 'GitHub Actions' };
  },
};
