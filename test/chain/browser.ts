// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';

/** A person before a browser, who fills in forms. It goes nowhere but to this machine. */
export class Browser {
  #cookie = '';
  #origin = '';
  /** what the page says that is open */
  page = '';

  /** Opens an address. */
  async open(address: string): Promise<this> {
    await this.#go(address, {});
    return this;
  }

  /** Fills in the form of the page, and sends it; follows where it leads. */
  async submit(fields: Readonly<Record<string, string>>): Promise<this> {
    const action = unescaped(/<form method="post" action="([^"]*)"/.exec(this.page)?.[1] ?? assert.fail(this.page));
    const hidden = [...this.page.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)"/g)];
    const given = hidden.map(([, name = '', value = '']) => [name, unescaped(value)] as [string, string]);
    const body = new URLSearchParams([...given, ...Object.entries(fields)]);
    await this.#go(new URL(action, this.#origin).href, { method: 'POST', body, headers: { origin: this.#origin } });
    return this;
  }

  async #go(address: string, init: RequestInit): Promise<void> {
    const { hostname, origin } = new URL(address);
    assert.match(hostname, /^127\.|^localhost$|^\[::1\]$/);
    this.#origin = origin;
    const headers = { ...(init.headers as Record<string, string> | undefined), cookie: this.#cookie };
    const answer = await fetch(address, { ...init, headers, redirect: 'manual' });
    this.#cookie = answer.headers.get('set-cookie')?.split(';', 1)[0] ?? this.#cookie;
    const to = answer.headers.get('location');
    if (to !== null) return await this.#go(new URL(to, address).href, {});
    this.page = (await answer.text()).replaceAll(/\s+/g, ' ');
  }
}

function unescaped(text: string): string {
  return text
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&');
}
