// SPDX-License-Identifier: Apache-2.0
import { header, type Call } from '../../wire/index.ts';
import type { Parameters } from './form.ts';
import type { Client, IssuerDocument, Workload } from './issuer-document.ts';
import { OAuthFault } from './oauth-fault.ts';
import { isSecret } from './secret.ts';

/** Which program a request is from. */
export type Caller =
  | { readonly kind: 'client'; readonly client: Client }
  | { readonly kind: 'workload'; readonly workload: Workload };

/** Nobody has a secret of this digest. */
const NOBODY = new Uint8Array(32);

/**
 * Which program asks: by Basic authentication or by parameters, with its secret where it has one. An empty secret is none: Go's
 * OAuth client sends one with a program that has none.
 *
 * @throws OAuthFault `invalid_client`, `invalid_request`
 * @see https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1
 */
export function authenticateClient(call: Call, form: Parameters, document: IssuerDocument): Caller {
  const basic = readBasic(header(call, 'authorization'));
  const [id, secret] = [form.get('client_id'), form.get('client_secret')];
  if (basic !== undefined && (secret !== undefined || (id !== undefined && id !== basic.id)))
    throw new OAuthFault('invalid_request', 'the client is named twice, by Basic authentication and by parameters');
  const { id: name, secret: given } = basic ?? { id: id ?? '', secret: secret ?? '' };
  if (name === '') throw new OAuthFault('invalid_client', 'no client is named');
  const client = document.clients.get(name);
  const workload = client === undefined ? document.workloads.get(name) : undefined;
  const digest = client === undefined ? (workload?.token ?? NOBODY) : client.secret;
  if (digest === undefined ? given !== '' : !isSecret(given, digest))
    throw new OAuthFault('invalid_client', 'the client is not known, or its secret is not this one');
  if (client !== undefined) return { kind: 'client', client };
  if (workload !== undefined) return { kind: 'workload', workload };
  throw new OAuthFault('invalid_client', 'the client is not known, or its secret is not this one');
}

function readBasic(authorization: string | undefined): { readonly id: string; readonly secret: string } | undefined {
  if (authorization === undefined) return undefined;
  const encoded = /^basic +([A-Za-z0-9+/]{1,4096}={0,2}) *$/i.exec(authorization)?.[1];
  const text = encoded === undefined ? '' : Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon === -1) throw new OAuthFault('invalid_client', 'the authorization is not Basic authentication');
  try {
    return { id: unescape(text.slice(0, colon)), secret: unescape(text.slice(colon + 1)) };
  } catch {
    throw new OAuthFault('invalid_client', 'the client in the authorization is not escaped as a form is');
  }
}

/** @throws URIError */
function unescape(text: string): string {
  return decodeURIComponent(text.replaceAll('+', ' '));
}
