// SPDX-License-Identifier: Apache-2.0
import type { Call, Reply } from '../../wire/index.ts';
import {
  answerUrl,
  AuthorizationFault,
  readAuthorizationRequest,
  type AuthorizationRequest,
} from './authorization-request.ts';
import { readForm, readQuery } from './form.ts';
import { html } from './html.ts';
import type { User } from './issuer-document.ts';
import { IssuerPath, type IssuerContext } from './issuer-context.ts';
import { NO_STORE, OAuthFault } from './oauth-fault.ts';
import { alert, loginFields, PageFault, pageReply } from './page.ts';
import { Pending } from './pending.ts';

/** What a code stands for. */
export interface Grant {
  readonly request: AuthorizationRequest;
  readonly user: User;
  /** seconds since 1970 */
  readonly loggedIn: number;
}

/** A program has a code within moments; RFC 6749 section 4.1.2 wants ten minutes at most. */
const CODES = { count: 10_000, life: 60_000 };

/**
 * The authorization endpoint: a person logs in for one program, and is sent back to it with a code. Nothing is kept before somebody has
 * logged in: the request stands in the address of the form, and is read anew with it.
 *
 * @see https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth
 */
export class Authorization {
  readonly #context: IssuerContext;
  readonly #codes: Pending<Grant>;

  constructor(context: IssuerContext) {
    this.#context = context;
    this.#codes = new Pending(CODES, context.now);
  }

  /** GET: the page to log in. @throws PageFault */
  async show(call: Call): Promise<Reply> {
    return this.#guarded(call, async (request) => this.#page(call, request, request.loginHint));
  }

  /** POST: the form of that page. @throws PageFault */
  async submit(call: Call): Promise<Reply> {
    return this.#guarded(call, async (request) => {
      const form = await readForm(call);
      this.#context.forms.demand(call, form);
      if (form.get('decision') === 'deny')
        throw new AuthorizationFault('access_denied', 'the person did not want to log in', request);
      const name = form.get('username') ?? '';
      const login = await this.#context.passwords.login(name, form.get('password') ?? '');
      if (login.kind !== 'right') return this.#page(call, request, name, login);
      const loggedIn = Math.floor(this.#context.now().getTime() / 1000);
      const code = this.#codes.add({ request, user: login.user, loggedIn });
      if (code === undefined)
        throw new AuthorizationFault('temporarily_unavailable', 'too many people log in', request);
      return seeOther(answerUrl(request, this.#context.url, { code }));
    });
  }

  /** What a code stands for; each is redeemed once, whatever becomes of it. */
  redeem(code: string): Grant | undefined {
    return this.#codes.take(code);
  }

  async #guarded(call: Call, answer: (request: AuthorizationRequest) => Promise<Reply>): Promise<Reply> {
    const { url, document } = this.#context;
    try {
      return await answer(readAuthorizationRequest(readQuery(call), document()));
    } catch (error) {
      if (error instanceof OAuthFault) throw new PageFault(error.status, 'This cannot be read', `${error.message}.`);
      if (!(error instanceof AuthorizationFault)) throw error;
      return seeOther(answerUrl(error, url, { error: error.code, description: error.message }));
    }
  }

  #page(call: Call, request: AuthorizationRequest, name: string, failed?: FailedLogin): Reply {
    const { forms, prefix } = this.#context;
    const { field, headers } = forms.mark(call);
    const query = call.target.slice(call.target.indexOf('?'));
    const { origin, host } = new URL(request.redirectUri);
    const body = html`${alert(failed === undefined ? undefined : describeFailure(failed))}
      <p>
        <strong>${request.client.id}</strong> wants to know who you are. With your answer you are sent back to ${host}.
      </p>
      <form method="post" action="${prefix + IssuerPath.authorization + query}">
        ${field} ${loginFields(name)}
        <button type="submit" name="decision" value="allow">Log in</button>
        <button type="submit" name="decision" value="deny" formnovalidate>Cancel</button>
      </form>`;
    const title = `Log in for ${request.client.id}`;
    const wait = failureReply(failed);
    return pageReply({ title, body, leadsTo: origin, ...wait, headers: { ...headers, ...wait.headers } });
  }
}

/** Why a login went wrong. */
export type FailedLogin = { readonly kind: 'wrong' } | { readonly kind: 'wait'; readonly seconds: number };

/** In words for the person, which do not say whether there is somebody of that name. */
export function describeFailure(failed: FailedLogin): string {
  if (failed.kind === 'wrong') return 'User name or password is wrong.';
  return `There were too many tries. Try again in ${failed.seconds === 1 ? 'a second' : `${failed.seconds} seconds`}.`;
}

/** How a page that tells of a failed login is answered. */
export function failureReply(failed: FailedLogin | undefined): {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
} {
  if (failed === undefined) return { status: 200, headers: {} };
  if (failed.kind === 'wrong') return { status: 403, headers: {} };
  return { status: 429, headers: { 'retry-after': String(failed.seconds) } };
}

function seeOther(location: string): Reply {
  return { status: 303, headers: { ...NO_STORE, location, 'referrer-policy': 'no-referrer' } };
}
