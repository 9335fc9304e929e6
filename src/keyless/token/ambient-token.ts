// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import { KeylessError } from '../error.ts';
import { buildkiteAgent } from './provider/buildkite-agent.ts';
import { circleci } from './provider/circleci.ts';
import { environmentVariable } from './provider/environment-variable.ts';
import { filesystem } from './provider/filesystem.ts';
import { githubActions } from './provider/github-actions.ts';
import { gitlab } from './provider/gitlab.ts';
import { googleImpersonate, googleWorkloadIdentity } from './provider/google.ts';
import { spiffe } from './provider/spiffe.ts';
import type { Surroundings, TokenProvider, TokenProviderName } from './provider/token-provider.ts';

// In the order in which cosign asks, and what it does not know after that.
const PROVIDERS: readonly TokenProvider[] = [
  filesystem,
  environmentVariable,
  githubActions,
  spiffe,
  googleWorkloadIdentity,
  googleImpersonate,
  buildkiteAgent,
  gitlab,
  circleci,
];

/** The names that `--oidc-provider` takes, in the order in which they are asked. */
export const TOKEN_PROVIDERS: readonly TokenProviderName[] = PROVIDERS.map(({ name }) => name);

/** Who was asked for a token and has none. */
export interface AskedProvider {
  readonly name: TokenProviderName;
  readonly why: string;
  /** what a person can do about it, where the provider seems to be there */
  readonly remedy?: string;
}

/** A token as it came. */
export interface AmbientToken {
  readonly provider: TokenProviderName;
  readonly text: string;
  /** for messages */
  readonly from: string;
}

/**
 * Asks one provider after another until one has a token. One that is set up and fails ends the search: the next would sign as somebody
 * else.
 *
 * @param asked gets those that have none
 * @throws KeylessError
 */
export async function findAmbientToken(
  surroundings: Omit<Surroundings, 'chosen' | 'variable'>,
  asked: AskedProvider[],
): Promise<AmbientToken | undefined> {
  return await askInTurn(PROVIDERS, { ...surroundings, chosen: false }, asked);
}

/**
 * Asks the provider of a name: one of `TOKEN_PROVIDERS`, `google` for either of its two, or `gitlab:NAME` for the variable of that name.
 *
 * @param asked gets those that have none
 * @throws KeylessError `provider-unknown`, and as `findAmbientToken`
 */
export async function findTokenOfProvider(
  name: string,
  surroundings: Omit<Surroundings, 'chosen' | 'variable'>,
  asked: AskedProvider[],
): Promise<AmbientToken | undefined> {
  const [family, variable] = splitName(name);
  const chosen = PROVIDERS.filter((provider) => provider.name === family);
  if (family === 'google' && variable === undefined) {
    const other = (surroundings.environment['GOOGLE_SERVICE_ACCOUNT_NAME'] ?? '') !== '';
    chosen.push(other ? googleImpersonate : googleWorkloadIdentity);
  }
  if (chosen.length === 0 || (variable !== undefined && family !== 'gitlab')) {
    throw new KeylessError(
      'provider-unknown',
      `no provider of identity tokens is named '${printable(name)}' (there are ${TOKEN_PROVIDERS.join(', ')}, google, and gitlab:VARIABLE)`,
    );
  }
  const more = variable === undefined ? {} : { variable };
  return await askInTurn(chosen, { ...surroundings, chosen: true, ...more }, asked);
}

async function askInTurn(
  providers: readonly TokenProvider[],
  surroundings: Surroundings,
  asked: AskedProvider[],
): Promise<AmbientToken | undefined> {
  for (const provider of providers) {
    const answer = await provider.find(surroundings);
    if (answer.kind === 'token') return { provider: provider.name, text: answer.text, from: answer.from };
    const { why, remedy } = answer;
    asked.push({ name: provider.name, why, ...(remedy === undefined ? {} : { remedy }) });
  }
  return undefined;
}

function splitName(name: string): readonly [family: string, variable?: string] {
  const colon = name.indexOf(':');
  return colon === -1 ? [name] : [name.slice(0, colon), name.slice(colon + 1)];
}
