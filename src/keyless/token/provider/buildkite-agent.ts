// SPDX-License-Identifier: Apache-2.0
import { KeylessError } from '../../error.ts';
import { askForToken } from './ask-for-token.ts';
import { checkCredential, parseTokenServerUrl } from './token-server-url.ts';
import { variable, type TokenProvider } from './token-provider.ts';

const TOKEN_VARIABLE = 'BUILDKITE_AGENT_ACCESS_TOKEN';
const ENDPOINT_VARIABLE = 'BUILDKITE_AGENT_ENDPOINT';
const ENDPOINT = 'https://agent.buildkite.com/v3';

/**
 * A job that a Buildkite agent runs.
 * @see https://buildkite.com/docs/agent/v3/cli-oidc
 */
export const buildkiteAgent: TokenProvider = {
  name: 'buildkite-agent',
  async find(surroundings) {
    const { environment, clientId } = surroundings;
    const secret = variable(environment, TOKEN_VARIABLE);
    const job = variable(environment, 'BUILDKITE_JOB_ID');
    if (secret === undefined || job === undefined) {
      return { kind: 'none', why: `${secret === undefined ? TOKEN_VARIABLE : 'BUILDKITE_JOB_ID'} is not set` };
    }
    if (!/^[A-Za-z0-9-]{1,128}$/.test(job)) {
      throw new KeylessError(
        'setting-malformed',
        'BUILDKITE_JOB_ID is not the id of a job (letters, digits and dashes)',
      );
    }
    const url = parseTokenServerUrl(variable(environment, ENDPOINT_VARIABLE) ?? ENDPOINT, ENDPOINT_VARIABLE);
    url.pathname = `${url.pathname.replace(/\/+$/, '')}/jobs/${job}/oidc/tokens`;
    const text = await askForToken(
      {
        who: 'the Buildkite agent API',
        method: 'POST',
        url,
        headers: { authorization: `Token ${checkCredential(secret, TOKEN_VARIABLE)}` },
        body: { audience: clientId },
        member: 'token',
        secrets: [secret],
      },
      surroundings,
    );
    return { kind: 'token', text, from: 'Buildkite' };
  },
};
