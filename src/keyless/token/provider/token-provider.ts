// SPDX-License-Identifier: Apache-2.0
import type { Environment, HttpClient } from '../../../wire/index.ts';

/** Who can have a token for a process that runs unattended. The names of `--oidc-provider`. */
export type TokenProviderName =
  | 'filesystem'
  | 'envvar'
  | 'github-actions'
  | 'spiffe'
  | 'google-workload-identity'
  | 'google-impersonate'
  | 'buildkite-agent'
  | 'gitlab'
  | 'circleci';

/** Where providers leave what they have. */
export interface TokenPaths {
  /** a token that was mounted into a container */
  readonly token: string;
  /** the file that says what machine this is, by which a machine of Google's is known */
  readonly machine: string;
  /** the socket of a SPIFFE agent, where `SPIFFE_ENDPOINT_SOCKET` names none */
  readonly spiffeSocket: string;
}

/** What a provider can see and use. */
export interface Surroundings {
  readonly environment: Environment;
  readonly client: HttpClient;
  /** the audience to ask a token for */
  readonly clientId: string;
  readonly paths: TokenPaths;
  /** whether this provider was chosen by name, and need not be recognised first */
  readonly chosen: boolean;
  /** the variable that holds a GitLab token, where it is not the usual one */
  readonly variable?: string;
  /** milliseconds since 1970 */
  readonly deadline: number;
  readonly signal?: AbortSignal;
  readonly userAgent: string;
}

/** What a provider says: a token, or why it has none and what would help. */
export type ProviderAnswer =
  | { readonly kind: 'token'; readonly text: string; readonly from: string }
  | { readonly kind: 'none'; readonly why: string; readonly remedy?: string };

/** A source of tokens. It throws a KeylessError where it is set up and yet does not work: then nobody else is asked. */
export interface TokenProvider {
  readonly name: TokenProviderName;
  find(surroundings: Surroundings): Promise<ProviderAnswer>;
}

/** A variable's value; what is empty is not set. */
export function variable(environment: Environment, name: string): string | undefined {
  const value = environment[name]?.trim();
  return value === '' ? undefined : value;
}
