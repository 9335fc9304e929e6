// SPDX-License-Identifier: Apache-2.0
import { header, type Call } from '../../wire/index.ts';
import type { Parameters } from './form.ts';
import { html, type Html } from './html.ts';
import { PageFault } from './page.ts';
import { digestOfSecret, isSecret, newSecret } from './secret.ts';

/** What ties a form to the browser that it was shown in. */
export interface FormMark {
  /** goes into the form */
  readonly field: Html;
  /** goes with the page */
  readonly headers: Readonly<Record<string, string>>;
}

const COOKIE = 'bulla-form';
const FIELD = 'form';
const SECRET = /^[\w-]{43}$/;

/**
 * Sees to it that a form was shown here, in this browser, before it is sent: a cookie that no other site can send or read, the same
 * value in the form, and what the browser says of where the form was. There is no session that a forged form could use: each
 * login is for one request alone.
 */
export class FormGuard {
  readonly #origin: string;
  readonly #attributes: string;

  /** @param url the issuer's */
  constructor(url: URL, path: string) {
    this.#origin = url.origin;
    const secure = url.protocol === 'https:' ? '; Secure' : '';
    this.#attributes = `Path=${path}; HttpOnly; SameSite=Lax; Max-Age=3600${secure}`;
  }

  /** For a page with a form. What the browser has already stays, so that two pages at a time both work. */
  mark(call: Call): FormMark {
    const secret = cookieOf(call) ?? newSecret();
    return {
      field: html`<input type="hidden" name="${FIELD}" value="${secret}" />`,
      headers: { 'set-cookie': `${COOKIE}=${secret}; ${this.#attributes}` },
    };
  }

  /** @returns what tells this browser from others @throws PageFault 403 for a form that was not shown here */
  demand(call: Call, form: Parameters): string {
    const cookie = cookieOf(call);
    const field = form.get(FIELD);
    const origin = header(call, 'origin');
    const site = header(call, 'sec-fetch-site');
    const foreign = (origin !== undefined && origin !== this.#origin) || (site !== undefined && site !== 'same-origin');
    if (foreign || cookie === undefined || field === undefined || !isSecret(field, digestOfSecret(cookie)))
      throw new PageFault(
        403,
        'This form cannot be used',
        'It was shown too long ago, by another site or in another browser, or cookies are off. Start again from your terminal.',
      );
    return cookie;
  }
}

function cookieOf(call: Call): string | undefined {
  for (const pair of (header(call, 'cookie') ?? '').split(';', 64)) {
    const mark = pair.indexOf('=');
    if (pair.slice(0, mark).trim() !== COOKIE) continue;
    const value = pair.slice(mark + 1).trim();
    if (SECRET.test(value)) return value;
  }
  return undefined;
}
