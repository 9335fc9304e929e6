// SPDX-License-Identifier: Apache-2.0
import type { Environment, HttpClient } from '../../wire/index.ts';
import { KeylessError } from '../error.ts';
import type { AskedProvider } from './ambient-token.ts';
import { readGivenToken } from './given-token.ts';
import { decodeIdentityToken, type IdentityToken } from './identity-token.ts';
import type { LoginSettings } from './login/login-settings.ts';
import type { Surroundings, TokenPaths, TokenProviderName } from './provider/token-provider.ts';
import { readKeptLogin } from './token-cache.ts';

/** Where a token may come from. */
export interface FindIdentityTokenOptions {
  readonly client: HttpClient;
  readonly environment: Environment;
  /** the audience that the certificate authority demands; `sigstore` unless told */
  readonly clientId?: string;
  /** the value of `--identity-token`: a token, or the path of a file with one */
  readonly given?: string;
  /** the one provider to ask: one of `TOKEN_PROVIDERS`, `google`, or `gitlab:VARIABLE` */
  readonly provider?: string;
  /** whether providers may be asked that were not named; true unless told */
  readonly ambient?: boolean;
  /** how a person or program would log in, where nobody else has a token; nobody is asked unless told */
  readonly login?: LoginSettings;
  /** the file in which `keepLogin` keeps a login */
  readonly keptLogin?: string;
  readonly paths?: Partial<TokenPaths>;
  /** milliseconds since 1970; each step has a limit of its own as well */
  readonly deadline?: number;
  readonly signal?: AbortSignal;
  /** `bulla` unless told */
  readonly userAgent?: string;
}

/** How a token was come by. */
export type TokenSource =
  | 'given-token'
  | 'given-file'
  | TokenProviderName
  | 'kept-login'
  | 'browser'
  | 'device'
  | 'client-credentials';

/** A token, and where it comes from. */
export interface FoundToken {
  readonly token: IdentityToken;
  readonly source: TokenSource;
  /** the source, for a person: `the file token.jwt`, `GitHub Actions` */
  readonly from: string;
}

/** Nobody has a token: who was asked, in order, and why each has none. */
export class TokenNotFoundError extends KeylessError {
  readonly asked: readonly AskedProvider[];

  constructor(message: string, asked: readonly AskedProvider[]) {
    super('token-not-found', message);
    this.asked = asked;
  }
}

const PATHS: TokenPaths = {
  token: '/var/run/sigstore/cosign/oidc-token',
  machine: '/sys/class/dmi/id/product_name',
  spiffeSocket: '/tmp/spire-agent/public/api.sock',
};
const LOGIN_SOURCES = { normal: 'browser', device: 'device', client_credentials: 'client-credentials' } as const;
const PATIENCE_MS = 60_000;

/**
 * Finds out who we are, in the order in which cosign does: a given token; then what the surroundings have (a mounted file,
 * `SIGSTORE_ID_TOKEN`, GitHub Actions, SPIFFE, Google, Buildkite, GitLab, CircleCI); then a login that was kept; then a person.
 * A source that is there and fails ends the search, so that nobody signs under another name than they expect.
 *
 * @throws TokenNotFoundError `token-not-found`: the message says who was asked and what would help
 * @throws KeylessError with any code of a token, provider or login; no message shows a token or secret
 * @example const { token, from } = await findIdentityToken({ client: new HttpClient(), environment: process.env });
 */
export async function findIdentityToken(options: FindIdentityTokenOptions): Promise<FoundToken> {
  const { client, clientId = 'sigstore', given, provider, ambient = true } = options;
  const check = (text: string, source: TokenSource, from: string): FoundToken => {
    try {
      return { token: decodeIdentityToken(text, { clientId, now: new Date(client.clock.now()) }), source, from };
    } catch (error) {
      throw error instanceof KeylessError
        ? new KeylessError(error.code, `${error.message}; it comes from ${from}`)
        : error;
    }
  };
  if (given !== undefined) {
    const read = await readGivenToken(given);
    return check(read.text, read.kind === 'token' ? 'given-token' : 'given-file', read.from);
  }
  const asked: AskedProvider[] = [];
  if (provider !== undefined && !ambient) {
    throw new KeylessError(
      'setting-malformed',
      `the provider ${provider} cannot be asked: all providers are switched off`,
    );
  }
  if (ambient) {
    const { findAmbientToken, findTokenOfProvider } = await import('./ambient-token.ts');
    const around = surroundingsOf(options, clientId);
    const found =
      provider === undefined
        ? await findAmbientToken(around, asked)
        : await findTokenOfProvider(provider, around, asked);
    if (found !== undefined) return check(found.text, found.provider, found.from);
    if (provider !== undefined) throw notFound(asked, options);
  }
  return (await findLogin(options, clientId)) ?? fail(notFound(asked, options));
}

function surroundingsOf(
  options: FindIdentityTokenOptions,
  clientId: string,
): Omit<Surroundings, 'chosen' | 'variable'> {
  const { client, signal } = options;
  return {
    environment: options.environment,
    client,
    clientId,
    paths: { ...PATHS, ...options.paths },
    deadline: options.deadline ?? client.clock.now() + PATIENCE_MS,
    userAgent: options.userAgent ?? 'bulla',
    ...(signal === undefined ? {} : { signal }),
  };
}

async function findLogin(options: FindIdentityTokenOptions, clientId: string): Promise<FoundToken | undefined> {
  const { client, login, keptLogin } = options;
  if (login === undefined) return undefined;
  if (keptLogin !== undefined) {
    const now = new Date(client.clock.now());
    const token = await readKeptLogin(keptLogin, { issuer: login.issuer, clientId, now });
    if (token !== undefined) return { token, source: 'kept-login', from: `the login kept in ${keptLogin}` };
  }
  if (!mayLogIn(login, options.environment)) return undefined;
  const { logIn } = await import('./login/log-in.ts');
  const { token, flow } = await logIn(login, options);
  return { token, source: LOGIN_SOURCES[flow], from: `a login at ${login.issuer}` };
}

/** Nobody reads the code of a device flow in a pipeline's log: there it is done only when asked for by name. */
function mayLogIn({ flow, interaction }: LoginSettings, environment: Environment): boolean {
  if (flow !== undefined) return true;
  if (interaction === undefined) return false;
  const ci = environment['CI'] ?? '';
  return interaction.openBrowser !== undefined || ['', '0', 'false'].includes(ci.toLowerCase());
}

function notFound(asked: readonly AskedProvider[], { ambient = true, login }: FindIdentityTokenOptions): KeylessError {
  const looked = ambient
    ? `asked were ${asked.map(({ name, why }) => `${name} (${why})`).join(', ')}`
    : 'the providers of the surroundings are switched off';
  const remedies = asked.flatMap(({ remedy }) => (remedy === undefined ? [] : [remedy]));
  const usual = `give a token (--identity-token, SIGSTORE_ID_TOKEN)${login === undefined ? '' : ' or log in'}`;
  const help = remedies.length === 0 ? usual : remedies.join('; ');
  return new TokenNotFoundError(`no identity token was found: ${looked}. What helps: ${help}`, asked);
}

function fail(error: Error): never {
  throw error;
}
