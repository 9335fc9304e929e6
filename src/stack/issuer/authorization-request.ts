// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../../wire/index.ts';
import type { Parameters } from './form.ts';
import type { Client, IssuerDocument } from './issuer-document.ts';
import { describable, type OAuthCode } from './oauth-fault.ts';
import { PageFault } from './page.ts';
import { fitsRedirectUri } from './redirect-uri.ts';

/** A login that a program asks for. */
export interface AuthorizationRequest {
  readonly client: Client;
  /** one of the client's */
  readonly redirectUri: string;
  readonly state: string | undefined;
  readonly nonce: string | undefined;
  /** base64url of the SHA-256 of the verifier */
  readonly challenge: string;
  /** the name to begin with */
  readonly loginHint: string;
}

/** A request at fault whose sender can be told by sending the person back. */
export class AuthorizationFault extends CodedError<OAuthCode> {
  readonly redirectUri: string;
  readonly state: string | undefined;

  constructor(code: OAuthCode, message: string, back: Pick<AuthorizationRequest, 'redirectUri' | 'state'>) {
    super(code, message);
    this.redirectUri = back.redirectUri;
    this.state = back.state;
  }
}

const MAX_STATE = 2048;
const MAX_NONCE = 512;
/** base64url of 32 octets */
export const CHALLENGE: RegExp = /^[\w-]{43}$/;

/**
 * Reads what a program asks for when it sends a person here. Nobody is sent on to where the client is not registered.
 *
 * @throws PageFault where the client or the place to go back to is not known; AuthorizationFault for all else
 * @see https://openid.net/specs/openid-connect-core-1_0.html#AuthRequest
 * @see https://www.rfc-editor.org/rfc/rfc7636#section-4.3
 */
export function readAuthorizationRequest(query: Parameters, document: IssuerDocument): AuthorizationRequest {
  const client = document.clients.get(query.get('client_id') ?? '');
  if (client === undefined)
    throw new PageFault(400, 'Unknown program', 'The program that sent you here is not known to this issuer.');
  const redirectUri = query.get('redirect_uri') ?? '';
  if (!fitsRedirectUri(redirectUri, client.redirectUris))
    throw new PageFault(
      400,
      'Unknown address',
      `${client.id} asks to send you back to an address that is not registered for it.`,
    );
  const state = query.get('state');
  const back = { redirectUri, state: state !== undefined && state.length > MAX_STATE ? undefined : state };
  const refuse = (code: OAuthCode, message: string): AuthorizationFault => new AuthorizationFault(code, message, back);
  if (back.state !== state) throw refuse('invalid_request', `the state has more than ${MAX_STATE} characters`);
  if (query.has('request')) throw refuse('request_not_supported', 'request objects are not read');
  if (query.has('request_uri')) throw refuse('request_uri_not_supported', 'request objects are not read');
  if (query.get('response_type') !== 'code') throw refuse('unsupported_response_type', 'expected code');
  if ((query.get('response_mode') ?? 'query') !== 'query')
    throw refuse('invalid_request', 'the response mode is query');
  if (!(query.get('scope') ?? '').split(' ').includes('openid')) throw refuse('invalid_scope', 'expected openid');
  const challenge = query.get('code_challenge');
  if (challenge === undefined || query.get('code_challenge_method') !== 'S256' || !CHALLENGE.test(challenge))
    throw refuse('invalid_request', 'expected a code_challenge by the method S256 (PKCE)');
  const nonce = query.get('nonce');
  if ((nonce?.length ?? 0) > MAX_NONCE)
    throw refuse('invalid_request', `the nonce has more than ${MAX_NONCE} characters`);
  if ((query.get('prompt') ?? '').split(' ').includes('none'))
    throw refuse('login_required', 'every login asks for a password');
  return { client, ...back, nonce, challenge, loginHint: (query.get('login_hint') ?? '').slice(0, 254) };
}

/** Where a person is sent back to with an answer. @see https://www.rfc-editor.org/rfc/rfc9207 */
export function answerUrl(
  { redirectUri, state }: Pick<AuthorizationRequest, 'redirectUri' | 'state'>,
  issuer: string,
  answer: { readonly code: string } | { readonly error: OAuthCode; readonly description: string },
): string {
  const url = new URL(redirectUri);
  if ('code' in answer) url.searchParams.append('code', answer.code);
  else {
    url.searchParams.append('error', answer.error);
    url.searchParams.append('error_description', describable(answer.description));
  }
  if (state !== undefined) url.searchParams.append('state', state);
  url.searchParams.append('iss', issuer);
  return url.href;
}
