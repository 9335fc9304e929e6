// SPDX-License-Identifier: Apache-2.0
import { header, json, type Call, type Reply } from '../../wire/index.ts';
import type { Authorization } from './authorization.ts';
import { CHALLENGE } from './authorization-request.ts';
import { authenticateClient, type Caller } from './client-authentication.ts';
import { DEVICE_LIFE_S, type DeviceFlows } from './device-flows.ts';
import { readForm, readQuery, required, type Parameters } from './form.ts';
import type { Client, User, Workload } from './issuer-document.ts';
import { IssuerPath, type IssuerContext } from './issuer-context.ts';
import type { LoginClaims, TokenRequest } from './mint-token.ts';
import { NO_STORE, OAuthFault } from './oauth-fault.ts';
import { isSecret, newSecret } from './secret.ts';

export const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';
/** @see https://www.rfc-editor.org/rfc/rfc7636#section-4.1 */
const VERIFIER = /^[A-Za-z0-9._~-]{43,128}$/;
/** seconds more for a device that polls too often; RFC 8628 section 3.5 */
const SLOWER_S = 5;
/** milliseconds that a poll may come early */
const JITTER_MS = 500;

/** What a token of the token endpoint says. */
type Issued = Required<Pick<TokenRequest, 'subject' | 'claims' | 'audience'>> & LoginClaims;

/** What programs ask for without a browser. */
export class TokenEndpoint {
  readonly #context: IssuerContext;
  readonly #authorization: Authorization;
  readonly #devices: DeviceFlows;

  constructor(context: IssuerContext, authorization: Authorization, devices: DeviceFlows) {
    this.#context = context;
    this.#authorization = authorization;
    this.#devices = devices;
  }

  /** POST of any grant. @throws OAuthFault @see https://www.rfc-editor.org/rfc/rfc6749#section-3.2 */
  async exchange(call: Call): Promise<Reply> {
    const form = await readForm(call);
    const grantType = required(form, 'grant_type');
    // Before anything is used up: Go's OAuth client tries one way to authenticate, then the other.
    const caller = authenticateClient(call, form, this.#context.document());
    switch (grantType) {
      case 'authorization_code':
        return this.#byCode(clientOf(caller), form);
      case DEVICE_GRANT:
        return this.#byDevice(clientOf(caller), form);
      case 'client_credentials':
        return this.#byCredentials(caller);
      default:
        throw new OAuthFault(
          'unsupported_grant_type',
          'expected authorization_code, device_code or client_credentials',
        );
    }
  }

  /** POST that begins a device flow. @throws OAuthFault @see https://www.rfc-editor.org/rfc/rfc8628#section-3.1 */
  async beginDevice(call: Call): Promise<Reply> {
    const form = await readForm(call);
    const client = clientOf(authenticateClient(call, form, this.#context.document()));
    if (!(form.get('scope') ?? '').split(' ').includes('openid'))
      throw new OAuthFault('invalid_scope', 'expected a scope with openid');
    const challenge = form.get('code_challenge');
    if (challenge !== undefined && (form.get('code_challenge_method') !== 'S256' || !CHALLENGE.test(challenge)))
      throw new OAuthFault('invalid_request', 'expected a code_challenge by the method S256');
    const begun = this.#devices.begin(client, challenge, this.#context.deviceInterval);
    if (begun === undefined) throw new OAuthFault('temporarily_unavailable', 'too many devices wait for a person');
    const { userCode, interval } = begun.flow;
    const uri = this.#context.url + IssuerPath.device;
    return json(
      {
        device_code: begun.deviceCode,
        user_code: userCode,
        verification_uri: uri,
        verification_uri_complete: `${uri}?user_code=${userCode}`,
        expires_in: DEVICE_LIFE_S,
        interval,
      },
      NO_STORE,
    );
  }

  /**
   * GET with `Authorization: Bearer <static token>` and `?audience=`: a token for a workload, as runners of GitHub Actions are given
   * theirs, so that programs that know of that find ours.
   *
   * @throws OAuthFault `invalid_token`, `invalid_target`
   */
  async forWorkload(call: Call): Promise<Reply> {
    const given = /^bearer +([\x21-\x7e]{1,4096})$/i.exec(header(call, 'authorization') ?? '')?.[1];
    let workload: Workload | undefined;
    // All of them, so that the time does not tell which one it was.
    for (const one of this.#context.document().workloads.values()) {
      if (given !== undefined && isSecret(given, one.token)) workload = one;
    }
    if (workload === undefined) throw new OAuthFault('invalid_token', 'no workload has this token');
    const { id, audiences, subject, claims } = workload;
    const audience = readQuery(call).get('audience') ?? audiences[0];
    if (audience === undefined || !audiences.includes(audience))
      throw new OAuthFault(
        'invalid_target',
        `${id} gets no tokens for this audience, only for ${audiences.join(', ')}`,
      );
    const { lifetime } = this.#context;
    return json({ value: await this.#context.mint({ subject, audience, claims, lifetime }) }, NO_STORE);
  }

  async #byCode(client: Client, form: Parameters): Promise<Reply> {
    const [code, redirectUri] = [required(form, 'code'), required(form, 'redirect_uri')];
    const verifier = required(form, 'code_verifier');
    const grant = this.#authorization.redeem(code);
    if (grant === undefined) throw new OAuthFault('invalid_grant', 'the code is unknown, was used, or came too late');
    const { request, user, loggedIn } = grant;
    if (request.client.id !== client.id) throw new OAuthFault('invalid_grant', 'the code is for another client');
    if (request.redirectUri !== redirectUri) throw new OAuthFault('invalid_grant', 'the redirect_uri is another one');
    demandVerifier(verifier, request.challenge);
    return this.#forUser(client, user, loggedIn, request.nonce);
  }

  async #byDevice(client: Client, form: Parameters): Promise<Reply> {
    const deviceCode = required(form, 'device_code');
    const flow = this.#devices.byDeviceCode(deviceCode);
    if (flow === undefined)
      throw new OAuthFault('expired_token', 'the device code is unknown, was used, or is too old');
    if (flow.client.id !== client.id) throw new OAuthFault('invalid_grant', 'the device code is for another client');
    if (flow.challenge !== undefined) demandVerifier(required(form, 'code_verifier'), flow.challenge);
    const now = this.#context.now().getTime();
    const early = flow.polled !== undefined && now - flow.polled < flow.interval * 1000 - JITTER_MS;
    flow.polled = now;
    const { state } = flow;
    if (early && state.kind === 'pending') {
      flow.interval += SLOWER_S;
      throw new OAuthFault('slow_down', `poll every ${flow.interval} seconds`);
    }
    if (state.kind === 'pending') throw new OAuthFault('authorization_pending', 'the person has not answered yet');
    this.#devices.end(deviceCode);
    if (state.kind === 'denied') throw new OAuthFault('access_denied', 'the person said no');
    return this.#forUser(client, state.user, state.loggedIn, undefined);
  }

  async #byCredentials(caller: Caller): Promise<Reply> {
    if (caller.kind !== 'workload')
      throw new OAuthFault('unauthorized_client', 'only workloads get tokens without a person');
    const { id, subject, audiences, claims } = caller.workload;
    // cosign demands its own name as audience, and Sigstore's services theirs.
    return this.#tokens({ subject, claims, ...audienceFor(id, audiences) });
  }

  async #forUser(client: Client, user: User, loggedIn: number, nonce: string | undefined): Promise<Reply> {
    const about = { subject: user.email, claims: user.claims, auth_time: loggedIn, nonce };
    return this.#tokens({ ...about, ...audienceFor(client.id, client.audiences) }, newSecret());
  }

  /** @param accessToken the token itself unless told: which of the two cosign takes for a workload differs */
  async #tokens({ subject, claims, audience, ...login }: Issued, accessToken?: string): Promise<Reply> {
    const { lifetime } = this.#context;
    const token = await this.#context.mint({ subject, claims, audience, lifetime }, login);
    return json(
      { access_token: accessToken ?? token, id_token: token, token_type: 'Bearer', expires_in: lifetime },
      NO_STORE,
    );
  }
}

/** An identity token is always for the client as well. @see https://openid.net/specs/openid-connect-core-1_0.html#IDToken */
function audienceFor(id: string, audiences: readonly string[]): Pick<Issued, 'audience' | 'azp'> {
  const all = [...new Set([...audiences, id])];
  return all.length === 1 ? { audience: id } : { audience: all, azp: id };
}

function clientOf(caller: Caller): Client {
  if (caller.kind === 'client') return caller.client;
  throw new OAuthFault('unauthorized_client', 'a workload has no person who could log in, only client_credentials');
}

/** @throws OAuthFault `invalid_grant` @see https://www.rfc-editor.org/rfc/rfc7636#section-4.6 */
function demandVerifier(verifier: string, challenge: string): void {
  if (VERIFIER.test(verifier) && isSecret(verifier, Buffer.from(challenge, 'base64url'))) return;
  throw new OAuthFault('invalid_grant', 'the code_verifier is not that of the code_challenge');
}
