// SPDX-License-Identifier: Apache-2.0
import type { FormGuard } from './form-guard.ts';
import type { IssuerDocument } from './issuer-document.ts';
import type { LoginClaims, TokenRequest } from './mint-token.ts';
import type { PasswordLogin } from './password-login.ts';

/** What the endpoints of an issuer share. */
export interface IssuerContext {
  /** the issuer's URL, without a slash at its end */
  readonly url: string;
  /** what stands before every path in a browser: empty, or a path without a slash at its end */
  readonly prefix: string;
  readonly now: () => Date;
  /** as it is now: it may change */
  readonly document: () => IssuerDocument;
  readonly passwords: PasswordLogin;
  readonly forms: FormGuard;
  /** seconds that a token lives */
  readonly lifetime: number;
  /** seconds between two polls of a device */
  readonly deviceInterval: number;
  mint(request: TokenRequest, login?: LoginClaims): Promise<string>;
}

/** The paths of an issuer, after the prefix. */
export const IssuerPath = {
  discovery: '/.well-known/openid-configuration',
  keys: '/oidc/keys',
  authorization: '/oidc/auth',
  token: '/oidc/token',
  deviceAuthorization: '/oidc/device/code',
  device: '/oidc/device',
  deviceDecision: '/oidc/device/decision',
  workload: '/oidc/workload',
} as const;
