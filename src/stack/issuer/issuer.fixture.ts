// SPDX-License-Identifier: Apache-2.0
import { createHash } from 'node:crypto';
import { generatePrivateKey, type PrivateKey } from '../../trust/index.ts';
import type { Call, Reply } from '../../wire/index.ts';
import { decodeIssuerDocument } from './issuer-document.ts';
import { createIssuer, type IdentityIssuer, type IssuerOptions } from './issuer.ts';
import { newSecret } from './secret.ts';

/** What is answered; a body of the issuer is always a text. */
export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly raw: string;
  /** with one space where a page has several */
  readonly text: string;
  /** members of a body in JSON */
  readonly json: Readonly<Record<string, unknown>>;
}

/** A request to be made. */
export interface Ask {
  readonly headers?: Readonly<Record<string, string>>;
  readonly form?: Readonly<Record<string, string>> | string;
}

export const URL_OF_ISSUER = 'http://127.0.0.1:8080';
export const CALLBACK = 'http://localhost:41234/auth/callback';
export const BEGIN: Date = new Date('2026-06-01T00:00:00Z');
/** a static token of a workload */
export const TOKEN = 'mZ0Xq7kJt3Pp0v1r5y8D2w';

// password 'opensesame'; made with htpasswd -B -C 4
export const PASSWORD = 'opensesame';
const HASH = '$2y$04$Lkw9M0LhfXKV3aYORYZiiu0/wHFH1SRVhYXSx946X2gIXD2xwjz9W';

export const DOCUMENT: string = `
users:
  alice: { email: alice@example.com, password: "${HASH}", claims: { groups: [release] } }
  bob: { email: bob@example.com, password: "${HASH}" }
clients:
  console:
    redirect-uris: [https://console.example/callback, 'https://console.example/callback?tenant=1']
    secret: sha256:${createHash('sha256').update('the secret').digest('hex')}
    audiences: [sigstore]
workloads:
  nightly:
    subject: https://ci.example/nightly
    token: sha256:${createHash('sha256').update(TOKEN).digest('hex')}
    claims: { repository: acme/app, attempt: 2 }
`;

let key: PrivateKey | undefined;

/** One RSA key for all tests of a file: making one takes a while. */
export async function testKey(): Promise<PrivateKey> {
  key ??= await generatePrivateKey('rsa-2048');
  return key;
}

/** An issuer without a socket, and a browser that keeps its cookie. */
export class TestIssuer {
  readonly issuer: IdentityIssuer;
  readonly #clock: { now: Date };
  #cookie: string | undefined;

  private constructor(issuer: IdentityIssuer, clock: { now: Date }) {
    this.issuer = issuer;
    this.#clock = clock;
  }

  static async open(options: Partial<IssuerOptions> = {}): Promise<TestIssuer> {
    const clock = { now: BEGIN };
    const document = options.document ?? (await decodeIssuerDocument(DOCUMENT, 'issuer.yaml'));
    const keys = options.keys ?? ([await testKey()] as const);
    return new TestIssuer(
      await createIssuer({ url: URL_OF_ISSUER, now: () => clock.now, ...options, keys, document }),
      clock,
    );
  }

  pass(seconds: number): void {
    this.#clock.now = new Date(this.#clock.now.getTime() + seconds * 1000);
  }

  get now(): Date {
    return this.#clock.now;
  }

  /** A request as a program makes it. */
  async ask(method: string, target: string, { headers = {}, form }: Ask = {}): Promise<Answered> {
    const text = typeof form === 'string' ? form : new URLSearchParams(form).toString();
    const body = (async function* () {
      if (form !== undefined) yield Buffer.from(text);
    })();
    const type = form === undefined ? {} : { 'content-type': 'application/x-www-form-urlencoded' };
    return answer(this.issuer, { method, target, headers: { ...type, ...headers }, body });
  }

  /** A request as a browser makes it: with its cookie, and with what it says of where a form was. */
  async browse(method: string, target: string, form?: Readonly<Record<string, string>>): Promise<Answered> {
    const headers = {
      ...(this.#cookie === undefined ? {} : { cookie: `other=1; ${this.#cookie}` }),
      ...(method === 'POST' ? { origin: URL_OF_ISSUER, 'sec-fetch-site': 'same-origin' } : {}),
    };
    const answered = await this.ask(method, target, { headers, ...(form === undefined ? {} : { form }) });
    this.#cookie = answered.headers['set-cookie']?.split(';', 1)[0] ?? this.#cookie;
    return answered;
  }

  /** Opens a page, fills in its form and sends it. */
  async fill(page: Answered, fields: Readonly<Record<string, string>>): Promise<Answered> {
    return this.browse('POST', actionOf(page), { ...hiddenFields(page), ...fields });
  }

  /** The token endpoint. */
  token(form: Readonly<Record<string, string>>, headers: Ask['headers'] = {}): Promise<Answered> {
    return this.ask('POST', '/oidc/token', { form, headers });
  }
}

async function answer({ service }: IdentityIssuer, call: Call): Promise<Answered> {
  const reply: Reply = await service.answer(call).catch((error: unknown) => service.fault(error));
  const { status, headers, body } = reply;
  if (body !== undefined && typeof body !== 'string') throw new TypeError('a body that is no text');
  const raw = body ?? '';
  const text = raw.replace(/\s+/g, ' ');
  const isJson = headers['content-type'] === 'application/json';
  return { status, headers, raw, text, json: isJson ? (JSON.parse(raw) as Readonly<Record<string, unknown>>) : {} };
}

/** Where the form of a page leads to, as a browser reads it. */
export function actionOf({ text }: Answered): string {
  return unescape(/<form method="post" action="([^"]*)"/.exec(text)?.[1] ?? '');
}

function hiddenFields({ text }: Answered): Readonly<Record<string, string>> {
  const fields = text.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)" \/>/g);
  return Object.fromEntries([...fields].map(([, name = '', value = '']) => [name, unescape(value)]));
}

function unescape(text: string): string {
  return text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
}

/** A verifier and its challenge. */
export function newChallenge(): { readonly verifier: string; readonly challenge: string } {
  const verifier = newSecret();
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

/** The address to which a program sends a person. */
export function authorizationTarget(
  challenge: string,
  more: Readonly<Record<string, string | undefined>> = {},
): string {
  const parameters = {
    response_type: 'code',
    client_id: 'sigstore',
    redirect_uri: CALLBACK,
    scope: 'openid email',
    state: 'a state',
    nonce: 'a nonce',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...more,
  };
  const kept = Object.entries(parameters).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return `/oidc/auth?${new URLSearchParams(kept).toString()}`;
}
