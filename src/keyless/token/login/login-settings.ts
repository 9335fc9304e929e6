// SPDX-License-Identifier: Apache-2.0
import type { HttpClient } from '../../../wire/index.ts';

/** How somebody shows an issuer who they are. The names of `--fulcio-auth-flow`; `token` takes none but a given token. */
export type LoginFlow = 'normal' | 'device' | 'client_credentials' | 'token';

/** The person at the terminal. */
export interface LoginInteraction {
  /** Shows lines to the person: on standard error, standard output is for results. */
  tell(text: string): void;
  /** Opens an address in the person's browser, or rejects; not there where there is no browser. */
  readonly openBrowser?: (url: URL) => Promise<void>;
}

/** Who is to say who somebody is, and how. */
export interface LoginSettings {
  /** of OpenID Connect, https or on this machine */
  readonly issuer: string;
  /** `normal` (browser) where the interaction has a browser, else `device`, unless told */
  readonly flow?: LoginFlow;
  readonly clientSecret?: string;
  /** where the browser brings the answer: `http://localhost:PORT/PATH`, any free port for port 0; `http://localhost:0/auth/callback` unless told */
  readonly redirectUrl?: string;
  /** not there where nobody is */
  readonly interaction?: LoginInteraction;
}

/** What every login uses. */
export interface LoginSurroundings {
  readonly client: HttpClient;
  readonly clientId: string;
  /** milliseconds since 1970 */
  readonly deadline: number;
  readonly signal?: AbortSignal;
  readonly userAgent: string;
}
