// SPDX-License-Identifier: Apache-2.0
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import http from 'node:http';
import type { JWTPayload } from 'jose';
import { serve, type LoopbackServer } from '../../../wire/http/loopback-server.fixture.ts';
import { testIssuer, type TestIssuer } from '../test-issuer.fixture.ts';

/** What a provider of OpenID Connect can be made to do wrong, or at its own pace. */
export interface ProviderFaults {
  /** changes what it says of itself */
  readonly metadata?: (metadata: Record<string, unknown>) => Record<string, unknown>;
  /** changes what it signs */
  readonly claims?: (claims: JWTPayload) => JWTPayload;
  /** signs with another key than it publishes */
  readonly signer?: TestIssuer;
  /** changes the answer of the token endpoint */
  readonly answer?: (answer: Record<string, unknown>) => Record<string, unknown>;
  /** what the person does with a device code, by the number of the poll: nothing, an error, or `yes` */
  readonly person?: (poll: number) => string;
  /** what the person does on the page of the login */
  readonly refuses?: boolean;
  /** answers a request instead, where it returns true */
  readonly intercept?: (request: http.IncomingMessage, response: http.ServerResponse) => boolean;
}

/** A provider of OpenID Connect on 127.0.0.1, with PKCE, which checks what it is sent. */
export interface OpenIdProvider extends AsyncDisposable {
  readonly issuer: TestIssuer;
  /** `METHOD path` of all requests */
  readonly requests: readonly string[];
  /** the forms that were posted, in order */
  readonly forms: readonly Readonly<Record<string, string>>[];
}

interface Grant {
  readonly clientId: string;
  readonly challenge: string;
  readonly nonce?: string;
  readonly redirectUri?: string;
}

const SECRET = 'just text';
const PERSON = { sub: 'CgVhbGljZQ', email: 'alice@example.com', email_verified: true };

/** The secret of the client `service`, which may log in by itself. */
export const CLIENT_SECRET: string = SECRET;

export async function openIdProvider(faults: ProviderFaults = {}): Promise<OpenIdProvider> {
  const forms: Record<string, string>[] = [];
  const grants = new Map<string, Grant>();
  let polls = 0;
  const base = (): string => `http://127.0.0.1:${server.port}/oidc`;

  async function handle(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    if (faults.intercept?.(request, response) === true) return;
    const url = new URL(request.url ?? '', base());
    const route = `${request.method} ${url.pathname}`;
    if (route === 'GET /oidc/.well-known/openid-configuration') return send(response, 200, metadata());
    if (route === 'GET /oidc/keys') return send(response, 200, issuer.jwks);
    if (route === 'GET /oidc/auth') return authorize(url, response);
    const form = Object.fromEntries(new URLSearchParams(await readText(request)));
    forms.push(form);
    if (request.headers['content-type']?.startsWith('application/x-www-form-urlencoded') !== true) {
      return send(response, 400, { error: 'invalid_request' });
    }
    if (route === 'POST /oidc/device/code') return startDevice(form, response);
    if (route === 'POST /oidc/token') return token(form, response);
    send(response, 404, { error: 'not_found' });
  }

  function metadata(): Record<string, unknown> {
    const usual = {
      issuer: base(),
      authorization_endpoint: `${base()}/auth`,
      token_endpoint: `${base()}/token`,
      device_authorization_endpoint: `${base()}/device/code`,
      jwks_uri: `${base()}/keys`,
      id_token_signing_alg_values_supported: ['RS256'],
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      code_challenge_methods_supported: ['S256', 'plain'],
      scopes_supported: ['openid', 'email'],
    };
    return faults.metadata?.(usual) ?? usual;
  }

  function authorize({ searchParams: asked }: URL, response: http.ServerResponse): void {
    const redirectUri = asked.get('redirect_uri') ?? '';
    const wanted = {
      response_type: 'code',
      client_id: 'sigstore',
      scope: 'openid email',
      code_challenge_method: 'S256',
    };
    const wrong = Object.entries(wanted).find(([name, value]) => asked.get(name) !== value);
    const challenge = asked.get('code_challenge') ?? '';
    const nonce = asked.get('nonce') ?? '';
    if (wrong !== undefined || challenge.length !== 43 || nonce.length < 16 || !redirectUri.startsWith('http://')) {
      return send(response, 400, { error: 'invalid_request' });
    }
    const back = new URL(redirectUri);
    back.searchParams.set('state', asked.get('state') ?? '');
    if (faults.refuses === true) back.searchParams.set('error', 'access_denied');
    else back.searchParams.set('code', grant({ clientId: 'sigstore', challenge, nonce, redirectUri }));
    response.writeHead(302, { location: back.href }).end();
  }

  function startDevice(form: Record<string, string>, response: http.ServerResponse): void {
    const { client_id: clientId = '', code_challenge: challenge = '', code_challenge_method: method, scope } = form;
    if (clientId === '' || challenge.length !== 43 || method !== 'S256' || scope !== 'openid email') {
      return send(response, 400, { error: 'invalid_request' });
    }
    send(response, 200, {
      device_code: grant({ clientId, challenge }),
      user_code: 'ABCD-EFGH',
      verification_uri: `${base()}/device`,
      verification_uri_complete: `${base()}/device?user_code=ABCD-EFGH`,
      interval: 1,
      expires_in: 300,
    });
  }

  async function token(form: Record<string, string>, response: http.ServerResponse): Promise<void> {
    switch (form['grant_type']) {
      case 'authorization_code':
        return redeem(form, form['code'] ?? '', response);
      case 'urn:ietf:params:oauth:grant-type:device_code': {
        const said = faults.person?.(++polls) ?? 'yes';
        return said === 'yes'
          ? redeem(form, form['device_code'] ?? '', response)
          : send(response, 400, { error: said });
      }
      case 'client_credentials': {
        const { client_id: clientId = '', client_secret: secret = '' } = form;
        if (clientId !== 'service' || secret !== SECRET) return send(response, 401, { error: 'invalid_client' });
        return answer(response, { sub: 'service', aud: clientId });
      }
      default:
        return send(response, 400, { error: 'unsupported_grant_type' });
    }
  }

  /** RFC 7636, section 4.6: the verifier that comes with the code must hash to the challenge that came before it. */
  async function redeem(form: Record<string, string>, code: string, response: http.ServerResponse): Promise<void> {
    const given = grants.get(code);
    grants.delete(code);
    const hash = createHash('sha256')
      .update(form['code_verifier'] ?? '')
      .digest('base64url');
    const proven = given !== undefined && timingSafeEqual(Buffer.from(hash), Buffer.from(given.challenge));
    if (!proven || form['client_id'] !== given.clientId || form['redirect_uri'] !== given.redirectUri) {
      return send(response, 400, { error: 'invalid_grant' });
    }
    const nonce = given.nonce === undefined ? {} : { nonce: given.nonce };
    return answer(response, { ...PERSON, aud: given.clientId, ...nonce });
  }

  async function answer(response: http.ServerResponse, claims: JWTPayload): Promise<void> {
    const idToken = await (faults.signer ?? issuer).sign(
      faults.claims?.({ iss: base(), ...claims }) ?? { iss: base(), ...claims },
    );
    const usual = { access_token: 'S3CRET-access', id_token: idToken, token_type: 'bearer', expires_in: 600 };
    send(response, 200, faults.answer?.(usual) ?? usual);
  }

  function grant(given: Grant): string {
    const code = randomBytes(16).toString('hex');
    grants.set(code, given);
    return code;
  }

  const server: LoopbackServer = await serve((request, response) => {
    handle(request, response).catch(() => response.destroy());
  });
  const issuer = await testIssuer(base(), () => Date.now());
  return {
    issuer,
    requests: server.requests,
    forms,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** A person with a browser: visits an address, follows where it leads, and tells what the last page says. */
export async function visit(
  url: URL,
): Promise<{ readonly status: number; readonly text: string; readonly headers: http.IncomingHttpHeaders }> {
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http.get(url, { agent: false, family: 4 }, resolve).on('error', reject);
  });
  const text = await readText(response);
  const { location } = response.headers;
  if (response.statusCode === 302 && location !== undefined) return await visit(new URL(location, url));
  return { status: response.statusCode ?? 0, text, headers: response.headers };
}

async function readText(message: http.IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of message as AsyncIterable<Buffer>) text += chunk.toString();
  return text;
}

function send(response: http.ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
