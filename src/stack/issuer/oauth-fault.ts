// SPDX-License-Identifier: Apache-2.0
import { CodedError, json, type Reply } from '../../wire/index.ts';

/** @see https://www.rfc-editor.org/rfc/rfc6749#section-5.2, section 4.1.2.1; RFC 8628 section 3.5; OpenID Connect Core section 3.1.2.6; RFC 6750 section 3.1 */
export type OAuthCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'invalid_token'
  | 'invalid_grant'
  | 'invalid_scope'
  | 'invalid_target'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'unsupported_response_type'
  | 'request_not_supported'
  | 'request_uri_not_supported'
  | 'access_denied'
  | 'login_required'
  | 'authorization_pending'
  | 'slow_down'
  | 'expired_token'
  | 'temporarily_unavailable'
  | 'server_error';

const STATUS: Readonly<Partial<Record<OAuthCode, number>>> = {
  invalid_client: 401,
  invalid_token: 401,
  temporarily_unavailable: 503,
  server_error: 500,
};

/** A request of a program that is answered with an error. */
export class OAuthFault extends CodedError<OAuthCode> {
  readonly status: number;

  /** @param status by the code unless told */
  constructor(code: OAuthCode, message: string, status?: number) {
    super(code, message);
    this.status = status ?? STATUS[code] ?? 400;
  }
}

/** Answers with tokens, codes and errors are nobody else's. @see https://www.rfc-editor.org/rfc/rfc6749#section-5.1 */
export const NO_STORE: Readonly<Record<string, string>> = { 'cache-control': 'no-store', pragma: 'no-cache' };

const CHALLENGES = {
  basic: 'Basic realm="bulla issuer", charset="UTF-8"',
  bearer: 'Bearer realm="bulla issuer", error="invalid_token"',
} as const;

export function oauthReply({ code, message, status }: OAuthFault): Reply {
  const headers = {
    ...NO_STORE,
    ...(status === 401 ? { 'www-authenticate': CHALLENGES[code === 'invalid_token' ? 'bearer' : 'basic'] } : {}),
    ...(status === 503 ? { 'retry-after': '5' } : {}),
  };
  return json({ error: code, error_description: describable(message) }, headers, status);
}

/** Only what an `error_description` may hold. @see https://www.rfc-editor.org/rfc/rfc6749#appendix-A.8 */
export function describable(message: string): string {
  return message.replaceAll('"', "'").replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?');
}
