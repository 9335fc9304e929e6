// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import type { Reply } from '../../wire/index.ts';
import { html, Html } from './html.ts';
import { NO_STORE } from './oauth-fault.ts';

/** A page for a person. */
export interface Page {
  readonly title: string;
  readonly body: Html;
  /** 200 unless told */
  readonly status?: number;
  /** where the forms of the page may lead to beside here, for example by a redirect: an origin */
  readonly leadsTo?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

const STYLE = `:root{color-scheme:light dark;font:1.125rem/1.5 system-ui,sans-serif}
body{max-width:30rem;margin:10vh auto 0;padding:0 1.25rem}
h1{font-size:1.5rem;line-height:1.25}
label{display:block;margin:1rem 0 .25rem;font-weight:600}
input{box-sizing:border-box;width:100%;padding:.625rem;font:inherit;border:1px solid;border-radius:.375rem}
button{margin:1.25rem .75rem 0 0;padding:.625rem 1.25rem;font:inherit;border:1px solid;border-radius:.375rem;cursor:pointer}
.code{font:600 1.75rem/1 ui-monospace,monospace;letter-spacing:.1em}
[role=alert]{padding:.75rem 1rem;border:2px solid;border-radius:.375rem;font-weight:600}
:focus-visible{outline:3px solid;outline-offset:2px}`;
// In one piece, because the policy names its very bytes.
const STYLE_ELEMENT = new Html(`<style>${STYLE}</style>`);
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64');

/** Sends a page that loads nothing, runs nothing and stands in no frame. */
export function pageReply({ title, body, status = 200, leadsTo, headers = {} }: Page): Reply {
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${STYLE_HASH}'`,
    // Browsers hold the redirect that answers a form to this as well.
    `form-action 'self'${leadsTo === undefined ? '' : ` ${leadsTo}`}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ];
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        <main>
          <h1>${title}</h1>
          ${body}
        </main>
      </body>
    </html> `;
  return {
    status,
    headers: {
      ...NO_STORE,
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy.join('; '),
      'x-frame-options': 'DENY',
      'referrer-policy': 'same-origin',
      ...headers,
    },
    body: page.text,
  };
}

/** Why the last try failed, said at once by screen readers; nothing where there was none. */
export function alert(message: string | undefined): Html {
  return message === undefined ? html`` : html`<p role="alert">${message}</p>`;
}

/** The fields of a login. @param name what was typed before */
export function loginFields(name: string): Html {
  return html`<label for="username">User name</label>
    <input
      id="username"
      name="username"
      value="${name}"
      autocomplete="username"
      autocapitalize="none"
      spellcheck="false"
      maxlength="254"
      required
    />
    <label for="password">Password</label>
    <input id="password" name="password" type="password" autocomplete="current-password" maxlength="1024" required />`;
}

/** A fault that a person sees. */
export class PageFault extends Error {
  readonly reply: Reply;

  constructor(status: number, title: string, message: string) {
    super(`${title}: ${message}`);
    this.name = 'PageFault';
    this.reply = pageReply({ title, status, body: html`<p>${message}</p>` });
  }
}
