// SPDX-License-Identifier: Apache-2.0
import { hostKind, shownUrl, type HttpClient, type TlsSettings } from '../../wire/index.ts';
import type { Credentials, CredentialsProvider } from '../credentials/credentials.ts';
import { RegistryError } from '../error.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import { Secrets } from './secrets.ts';
import { basicAuthorization, fetchToken, type Token } from './token.ts';

/** What may be done with a repository. */
export type Action = 'pull' | 'push' | 'delete';
/** One repository and what is to be done with it. */
export interface Scope {
  readonly repository: string;
  readonly actions: readonly Action[];
}

/** What the authorizer of a registry works with. */
export interface AuthorizerOptions {
  readonly client: HttpClient;
  /** as references name it */
  readonly registry: string;
  readonly credentials: CredentialsProvider;
  readonly userAgent: string;
  readonly maxTokenBytes: number;
  readonly signal?: AbortSignal;
  readonly warn: (warning: string) => void;
}

/** The request that was refused. */
export interface Refused {
  readonly base: URL;
  readonly tls?: TlsSettings;
  readonly scopes: readonly Scope[];
  readonly deadline: number;
  /** the `authorization` that was sent */
  readonly sent?: string;
  /** what was attempted, as it follows "cannot" */
  readonly doing: string;
}

interface Grant extends Token {
  readonly scopes: readonly Scope[];
}

interface Bearer {
  readonly realm: URL;
  readonly service?: string;
}

/**
 * Answers a registry's challenges. Credentials go to the registry that they were stored for and to the realm that it announced, and to
 * nobody else; over plain http to another host they do not go at all, unless the registry is on this machine.
 */
export class Authorizer {
  /** what the registry and its token server were shown */
  readonly secrets: Secrets = new Secrets();
  readonly #options: AuthorizerOptions;
  /** by repository, since podman keeps credentials for parts of a registry: what is sent as it is */
  readonly #fixed = new Map<string, string>();
  #bearer: Bearer | undefined;
  readonly #grants: Grant[] = [];
  readonly #pending = new Map<string, Promise<Grant>>();
  readonly #credentials = new Map<string, Promise<Credentials | undefined>>();

  constructor(options: AuthorizerOptions) {
    this.#options = options;
  }

  /** The `authorization` to send at once: what this registry has asked for before. */
  async known(refused: Omit<Refused, 'sent'>): Promise<string | undefined> {
    const fixed = this.#fixed.get(repositoryOf(refused));
    if (fixed !== undefined) return fixed;
    if (this.#bearer === undefined) return undefined;
    return `Bearer ${(await this.#token(this.#bearer, refused, [])).token}`;
  }

  /**
   * The `authorization` that answers a challenge.
   * @param header WWW-Authenticate, where there was one
   * @throws RegistryError `unauthorized` where there is no answer
   */
  async answer(header: string | undefined, refused: Refused): Promise<string> {
    const { base, sent } = refused;
    if (header === undefined)
      throw this.#unauthorized(refused, 'it does not say how to authenticate', await this.#find(refused));
    const challenges = readChallenges(header, refused);
    const credentials = await this.#find(refused).catch((error: unknown) => {
      this.#lookAgain(refused);
      throw error;
    });
    if (credentials?.kind === 'registry-token') {
      if (!/^[\x21-\x7e]+$/.test(credentials.token)) {
        throw new RegistryError(
          'credentials-malformed',
          `the token of ${credentials.source} has characters that a header cannot carry`,
        );
      }
      const token = `Bearer ${credentials.token}`;
      if (sent === token) throw this.#unauthorized(refused, 'it does not take the token', credentials);
      this.#fixed.set(repositoryOf(refused), token);
      return token;
    }
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer !== undefined) {
      this.#bearer = decodeBearer(bearer, base);
      this.#forget(sent);
      const asked = parseScopes(bearer.parameters['scope']);
      return `Bearer ${(await this.#token(this.#bearer, refused, asked)).token}`;
    }
    if (!challenges.some(({ scheme }) => scheme === 'basic')) {
      const schemes = challenges.map(({ scheme }) => scheme).join(', ');
      throw this.#unauthorized(refused, `it asks for '${schemes}', expected Bearer or Basic`, credentials);
    }
    if (credentials?.kind !== 'basic')
      throw this.#unauthorized(refused, 'it asks for a user and password', credentials);
    const basic = basicAuthorization(credentials);
    if (sent === basic) throw this.#unauthorized(refused, 'it does not take the password', credentials);
    if (base.protocol === 'http:' && hostKind(base) !== 'loopback') {
      this.#options.warn(`the password for ${base.host} is sent without TLS`);
    }
    this.#fixed.set(repositoryOf(refused), basic);
    return basic;
  }

  /** The error for a request that was refused although it was authorized. */
  async refusedAgain(refused: Refused, said: string): Promise<RegistryError> {
    return this.#unauthorized(refused, said, await this.#find(refused));
  }

  #unauthorized(refused: Refused, why: string, credentials: Credentials | undefined): RegistryError {
    this.#lookAgain(refused);
    const shown =
      credentials === undefined
        ? 'no credentials were found for it'
        : `credentials from ${credentials.source} were ${refused.sent === undefined ? 'found' : 'sent'}`;
    const { base, doing } = refused;
    const message = `cannot ${doing}: ${base.host} answered 401 (not authorized): ${why}; ${shown}`;
    return new RegistryError('unauthorized', message, { url: shownUrl(base), status: 401 });
  }

  #find(refused: Pick<Refused, 'scopes'>): Promise<Credentials | undefined> {
    const repository = repositoryOf(refused);
    let found = this.#credentials.get(repository);
    if (found === undefined) {
      found = this.#ask(repository);
      this.#credentials.set(repository, found);
    }
    return found;
  }

  async #ask(repository: string): Promise<Credentials | undefined> {
    const found = await this.#options.credentials(this.#options.registry, repository);
    if (found !== undefined) this.secrets.add(found);
    return found;
  }

  /** What did not do is looked for anew the next time: a long-lived process outlives its credentials. */
  #lookAgain(refused: Pick<Refused, 'scopes'>): void {
    this.#credentials.delete(repositoryOf(refused));
    this.#fixed.delete(repositoryOf(refused));
  }

  /** A token that is refused takes those before it along. */
  #forget(sent: string | undefined): void {
    const at = this.#grants.findIndex(({ token }) => `Bearer ${token}` === sent);
    if (at !== -1) this.#grants.splice(0, at + 1);
  }

  async #token(bearer: Bearer, refused: Omit<Refused, 'sent'>, asked: readonly Scope[]): Promise<Grant> {
    const scopes = mergeScopes([...refused.scopes, ...asked]);
    const now = this.#options.client.clock.now();
    const known = this.#grants.find((grant) => grant.usableUntil > now && covers(grant.scopes, scopes));
    if (known !== undefined) return known;
    const key = scopes.map(formatScope).join(' ');
    let pending = this.#pending.get(key);
    if (pending === undefined) {
      pending = this.#fetch(bearer, refused, scopes).finally(() => this.#pending.delete(key));
      this.#pending.set(key, pending);
    }
    return pending;
  }

  async #fetch(bearer: Bearer, refused: Omit<Refused, 'sent'>, scopes: readonly Scope[]): Promise<Grant> {
    try {
      return await this.#fetchOnce(bearer, refused, scopes);
    } catch (error) {
      this.#lookAgain(refused);
      throw error;
    }
  }

  async #fetchOnce(bearer: Bearer, refused: Omit<Refused, 'sent'>, scopes: readonly Scope[]): Promise<Grant> {
    const { client, userAgent, maxTokenBytes, signal, warn } = this.#options;
    const { base, tls, deadline } = refused;
    let credentials = await this.#find(refused);
    if (credentials !== undefined && !mayCarryCredentials(bearer.realm, base)) {
      warn(`${base.host} names the token server ${shownUrl(bearer.realm)}: no credentials are sent there without TLS`);
      credentials = undefined;
    }
    const token = await fetchToken(client, {
      realm: bearer.realm,
      ...(bearer.service === undefined ? {} : { service: bearer.service }),
      scopes: scopes.map(formatScope),
      ...(credentials === undefined ? {} : { credentials }),
      userAgent,
      home: base,
      ...(tls === undefined ? {} : { tls }),
      deadline,
      ...(signal === undefined ? {} : { signal }),
      maxBytes: maxTokenBytes,
    });
    this.secrets.add(token.token);
    const grant = { ...token, scopes };
    this.#grants.push(grant);
    if (this.#grants.length > MAX_GRANTS) this.#grants.shift();
    return grant;
  }
}

const MAX_GRANTS = 64;

/** The repository that a request is about; others may be named after it. */
function repositoryOf({ scopes }: Pick<Refused, 'scopes'>): string {
  return scopes[0]?.repository ?? '';
}

function mayCarryCredentials(realm: URL, base: URL): boolean {
  return realm.protocol === 'https:' || realm.hostname === base.hostname || hostKind(base) === 'loopback';
}

function readChallenges(header: string, { base, doing }: Refused): readonly Challenge[] {
  try {
    return parseChallenges(header);
  } catch (cause) {
    if (!(cause instanceof RegistryError)) throw cause;
    const message = `cannot ${doing}: ${base.host} answered 401 (not authorized), and its ${cause.message}`;
    throw new RegistryError(cause.code, message, { cause, url: shownUrl(base), status: 401 });
  }
}

function decodeBearer({ parameters }: Challenge, base: URL): Bearer {
  const { realm, service } = parameters;
  if (realm === undefined || !URL.canParse(realm) || !/^https?:$/.test(new URL(realm).protocol)) {
    throw new RegistryError('protocol-violation', `${base.host} asks for a token without naming a token server`, {
      url: shownUrl(base),
      status: 401,
    });
  }
  const url = new URL(realm);
  url.username = '';
  url.password = '';
  url.hash = '';
  return { realm: url, ...(service === undefined ? {} : { service }) };
}

/**
 * What a challenge asks for. A registry behind a proxy may know the repository by another name; whatever it names, the token is good
 * for that registry only, and asking for it shows its token server nothing but the credentials meant for it.
 */
function parseScopes(text: string | undefined): Scope[] {
  const scopes: Scope[] = [];
  for (const part of (text ?? '').split(' ').slice(0, 8)) {
    const match = /^repository:([a-z0-9._/-]{1,255}(?::\d{1,5}\/[a-z0-9._/-]{1,255})?):([a-z,]{1,64})$/.exec(part);
    const actions = (match?.[2] ?? '')
      .split(',')
      .filter((action): action is Action => /^(?:pull|push|delete)$/.test(action));
    if (match?.[1] !== undefined && actions.length > 0) scopes.push({ repository: match[1], actions });
  }
  return scopes;
}

function mergeScopes(scopes: readonly Scope[]): Scope[] {
  const merged = new Map<string, Set<Action>>();
  for (const { repository, actions } of scopes) {
    const all = merged.get(repository) ?? new Set<Action>();
    for (const action of actions) all.add(action);
    merged.set(repository, all);
  }
  return [...merged].map(([repository, actions]) => ({ repository, actions: [...actions] }));
}

function covers(granted: readonly Scope[], wanted: readonly Scope[]): boolean {
  return wanted.every(({ repository, actions }) => {
    const grant = granted.find((scope) => scope.repository === repository);
    return actions.every((action) => grant?.actions.includes(action) === true);
  });
}

const ORDER: readonly Action[] = ['pull', 'push', 'delete'];

function formatScope({ repository, actions }: Scope): string {
  return `repository:${repository}:${ORDER.filter((action) => actions.includes(action)).join(',')}`;
}
