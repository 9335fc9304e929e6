// SPDX-License-Identifier: Apache-2.0
import type { Call, Reply } from '../../wire/index.ts';
import { AttemptLimit } from './attempt-limit.ts';
import { describeFailure, failureReply, type FailedLogin } from './authorization.ts';
import { shownCode, type DeviceFlow, type DeviceFlows } from './device-flows.ts';
import { readForm, readQuery, type Parameters } from './form.ts';
import { html } from './html.ts';
import type { User } from './issuer-document.ts';
import { IssuerPath, type IssuerContext } from './issuer-context.ts';
import { OAuthFault } from './oauth-fault.ts';
import { alert, loginFields, PageFault, pageReply } from './page.ts';
import { Pending } from './pending.ts';

/** Somebody who logged in and has yet to say yes. */
interface Approval {
  readonly flow: DeviceFlow;
  readonly user: User;
  readonly loggedIn: number;
  /** the browser, by the secret of its cookie */
  readonly browser: string;
}

const APPROVALS = { count: 1000, life: 300_000 };
/** Wrong codes of one person. With these nobody finds one of 2,000 codes among 25 thousand million. */
const CODES = { burst: 10, refill: 60_000 };

/**
 * The pages on which a person lets a device have a token: first the code and the password, then, by name, which program asks and as whom
 * it will sign. Whether a code is one is said only to who has logged in.
 *
 * @see https://www.rfc-editor.org/rfc/rfc8628#section-3.3
 * @see https://www.rfc-editor.org/rfc/rfc8628#section-5.4
 */
export class DeviceApproval {
  readonly #context: IssuerContext;
  readonly #flows: DeviceFlows;
  readonly #approvals: Pending<Approval>;
  readonly #codes: AttemptLimit;

  constructor(context: IssuerContext, flows: DeviceFlows) {
    this.#context = context;
    this.#flows = flows;
    this.#approvals = new Pending(APPROVALS, context.now);
    this.#codes = new AttemptLimit(CODES, context.now, (name) => context.document().users.has(name));
  }

  /** GET: the page for code and password. @throws PageFault */
  async show(call: Call): Promise<Reply> {
    const typed = readable(() => readQuery(call).get('user_code'));
    return this.#entry(call, typed === undefined || !/[A-Za-z]/.test(typed) ? '' : shownCode(typed), '');
  }

  /** POST: the form of that page; answered with the question. @throws PageFault */
  async submit(call: Call): Promise<Reply> {
    const form = await this.#form(call);
    const browser = this.#context.forms.demand(call, form);
    const [typed, name] = [form.get('user_code') ?? '', form.get('username') ?? ''];
    const login = await this.#context.passwords.login(name, form.get('password') ?? '');
    if (login.kind !== 'right') return this.#entry(call, typed, name, login);
    const seconds = this.#codes.take(name);
    if (seconds !== undefined) return this.#entry(call, typed, name, { kind: 'wait', seconds });
    const flow = this.#flows.byUserCode(typed);
    if (flow === undefined) return this.#entry(call, typed, name, { kind: 'wrong-code' });
    this.#codes.forgive(name);
    const loggedIn = Math.floor(this.#context.now().getTime() / 1000);
    const approval = this.#approvals.add({ flow, user: login.user, loggedIn, browser });
    if (approval === undefined) return this.#entry(call, typed, name, { kind: 'wait', seconds: 60 });
    return this.#question(call, flow, login.user, approval);
  }

  /** POST: the answer to the question. @throws PageFault */
  async decide(call: Call): Promise<Reply> {
    const form = await this.#form(call);
    const browser = this.#context.forms.demand(call, form);
    const approval = this.#approvals.take(form.get('approval') ?? '');
    const late = approval === undefined || this.#flows.byUserCode(approval.flow.userCode) !== approval.flow;
    if (late || approval.browser !== browser)
      throw new PageFault(
        400,
        'This is no longer asked',
        'It was answered already, or too late. Start again from your terminal.',
      );
    const { flow, user, loggedIn } = approval;
    if (form.get('decision') !== 'approve') {
      flow.state = { kind: 'denied' };
      return pageReply({
        title: 'Denied',
        body: html`<p>${flow.client.id} gets nothing. You can close this page.</p>`,
      });
    }
    flow.state = { kind: 'approved', user, loggedIn };
    const body = html`<p>${flow.client.id} goes on as <strong>${user.email}</strong>. You can close this page.</p>`;
    return pageReply({ title: 'Approved', body });
  }

  #form(call: Call): Promise<Parameters> {
    return readForm(call).catch((error: unknown) => {
      throw asPage(error);
    });
  }

  #entry(call: Call, code: string, name: string, failed?: FailedLogin | { readonly kind: 'wrong-code' }): Reply {
    const { forms, prefix } = this.#context;
    const { field, headers } = forms.mark(call);
    const wrongCode = failed?.kind === 'wrong-code';
    const message = wrongCode
      ? 'No program waits with this code: it is wrong, was used, or came too late.'
      : failed === undefined
        ? undefined
        : describeFailure(failed);
    const body = html`${alert(message)}
      <p>
        A program that shows this code will get to sign in your name. Go on only if you started it yourself, and the
        code is the one that it shows now.
      </p>
      <form method="post" action="${prefix + IssuerPath.device}">
        ${field}
        <label for="user_code">Code</label>
        <input
          id="user_code"
          name="user_code"
          class="code"
          value="${code}"
          autocomplete="off"
          autocapitalize="characters"
          spellcheck="false"
          maxlength="64"
          required
        />
        ${loginFields(name)}
        <button type="submit">Continue</button>
      </form>`;
    const reply = wrongCode ? { status: 404, headers: {} } : failureReply(failed);
    const title = 'Let a program sign as you';
    return pageReply({ title, body, status: reply.status, headers: { ...headers, ...reply.headers } });
  }

  #question(call: Call, flow: DeviceFlow, user: User, approval: string): Reply {
    const { forms, prefix, now } = this.#context;
    const { field, headers } = forms.mark(call);
    const seconds = Math.max(0, Math.round((now().getTime() - flow.begun) / 1000));
    const body = html`<p>
        <strong>${flow.client.id}</strong> asked ${seconds} seconds ago to sign as <strong>${user.email}</strong>, and
        shows this code:
      </p>
      <p class="code">${flow.userCode}</p>
      <form method="post" action="${prefix + IssuerPath.deviceDecision}">
        ${field}
        <input type="hidden" name="approval" value="${approval}" />
        <button type="submit" name="decision" value="approve">Approve</button>
        <button type="submit" name="decision" value="deny">Deny</button>
      </form>`;
    return pageReply({ title: `Let ${flow.client.id} sign as you?`, body, headers });
  }
}

function readable<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    throw asPage(error);
  }
}

function asPage(error: unknown): unknown {
  if (!(error instanceof OAuthFault)) return error;
  return new PageFault(error.status, 'This cannot be read', `${error.message}.`);
}
