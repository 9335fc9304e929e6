// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../../trust/index.ts';
import type { HttpClient } from '../../../wire/index.ts';
import { KeylessError } from '../../error.ts';
import { decodeIdentityToken, type IdentityToken } from '../identity-token.ts';
import { browserLogin } from './browser-login.ts';
import { clientCredentialsLogin } from './client-credentials.ts';
import { deviceLogin } from './device-login.ts';
import type { LoginFlow, LoginSettings, LoginSurroundings } from './login-settings.ts';

/** What a login can be told. */
export interface LoginOptions {
  readonly client: HttpClient;
  /** `sigstore` unless told */
  readonly clientId?: string;
  /** milliseconds since 1970; five minutes from now unless told */
  readonly deadline?: number;
  readonly signal?: AbortSignal;
  /** `bulla` unless told */
  readonly userAgent?: string;
}

/** Who somebody is, and the way in which they showed it. */
export interface Login {
  readonly token: IdentityToken;
  readonly flow: Exclude<LoginFlow, 'token'>;
}

const PATIENCE_MS = 5 * 60_000;

/**
 * Logs in at an issuer: a person in a browser, a person with another machine, or a program with a secret.
 *
 * @throws KeylessError `login-refused`, `login-timeout`, `issuer-unusable`, `token-unavailable`, `setting-malformed`, and those of
 *   `decodeIdentityToken`
 * @example const { token } = await logIn({ issuer: 'https://issuer.example', interaction }, { client: new HttpClient() });
 */
export async function logIn(settings: LoginSettings, options: LoginOptions): Promise<Login> {
  const { client, clientId = 'sigstore' } = options;
  const flow = chooseFlow(settings);
  const surroundings: LoginSurroundings = {
    client,
    clientId,
    deadline: options.deadline ?? client.clock.now() + PATIENCE_MS,
    userAgent: options.userAgent ?? 'bulla',
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  };
  const text = await start(flow, settings, surroundings);
  const token = decodeIdentityToken(text, { clientId, now: new Date(client.clock.now()) });
  return { token, flow };
}

async function start(flow: Login['flow'], settings: LoginSettings, surroundings: LoginSurroundings): Promise<string> {
  if (flow === 'client_credentials') return await clientCredentialsLogin(settings, surroundings);
  const { interaction } = settings;
  if (interaction === undefined) {
    throw new KeylessError('setting-malformed', `the flow ${flow} needs a person, and nobody is there`);
  }
  return flow === 'normal'
    ? await browserLogin(settings, interaction, surroundings)
    : await deviceLogin(settings, interaction, surroundings);
}

function chooseFlow({ flow, interaction }: LoginSettings): Login['flow'] {
  switch (flow) {
    case undefined:
      return interaction?.openBrowser === undefined ? 'device' : 'normal';
    case 'normal':
    case 'device':
    case 'client_credentials':
      return flow;
    case 'token':
      throw new KeylessError('token-not-found', 'the flow token needs an identity token, and none was given');
    default:
      throw new KeylessError(
        'setting-malformed',
        `there is no flow '${printable(String(flow))}' (expected normal, device, client_credentials or token)`,
      );
  }
}
