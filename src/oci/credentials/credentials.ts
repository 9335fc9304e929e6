// SPDX-License-Identifier: Apache-2.0

/** How we show a registry who we are. `source` names for people where it came from, and holds no secret. */
export type Credentials =
  | { readonly kind: 'basic'; readonly username: string; readonly password: string; readonly source: string }
  /** a refresh token for the registry's token server. @see https://distribution.github.io/distribution/spec/auth/oauth/ */
  | { readonly kind: 'identity-token'; readonly token: string; readonly source: string }
  /** sent to the registry as it is */
  | { readonly kind: 'registry-token'; readonly token: string; readonly source: string };

/**
 * Finds the credentials for a repository, once they are asked for.
 * @param registry `host[:port]` as references name it
 */
export type CredentialsProvider = (registry: string, repository: string) => Promise<Credentials | undefined>;
