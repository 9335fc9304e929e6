// SPDX-License-Identifier: Apache-2.0
import { encodeCertificates } from '../../../trust/index.ts';
import { header, json, type Call, type Reply, type Service } from '../../../wire/index.ts';
import type { CertificateAuthority, IssuedCertificate } from '../certificate-authority.ts';
import { challengeClaim, type TokenIssuer } from '../issuers/token-issuer.ts';
import type { KeyRequest } from '../key/proven-key.ts';
import { CertificateRefusal } from '../refusal.ts';
import { fulcioFault } from './fulcio-fault.ts';
import { malformed, readMessage } from './request-body.ts';

const CHAIN_TYPE = 'application/pem-certificate-chain';

interface Route {
  readonly method: 'GET' | 'POST';
  readonly answer: (authority: CertificateAuthority, call: Call) => Reply | Promise<Reply>;
}

const ROUTES: ReadonlyMap<string, Route> = new Map<string, Route>([
  ['/api/v1/signingCert', { method: 'POST', answer: signV1 }],
  ['/api/v1/rootCert', { method: 'GET', answer: rootCertificate }],
  ['/api/v2/signingCert', { method: 'POST', answer: signV2 }],
  ['/api/v2/trustBundle', { method: 'GET', answer: trustBundle }],
  ['/api/v2/configuration', { method: 'GET', answer: configuration }],
]);

/**
 * Fulcio's HTTP API, both versions: cosign 2 speaks the first, cosign 3 the second.
 *
 * @see https://github.com/sigstore/fulcio/blob/main/fulcio.proto
 */
export class FulcioApi implements Service {
  readonly #authority: CertificateAuthority;

  constructor(authority: CertificateAuthority) {
    this.#authority = authority;
  }

  /** @throws CertificateRefusal, and what the authority throws */
  readonly answer = async (call: Call): Promise<Reply> => {
    const [path = ''] = call.target.split('?', 1);
    const route = ROUTES.get(path);
    if (route === undefined)
      throw new CertificateRefusal('route-unknown', 'the certificate authority has nothing at this path');
    if (call.method === 'OPTIONS') return preflight(route);
    if (call.method !== route.method && !(call.method === 'HEAD' && route.method === 'GET'))
      throw new CertificateRefusal('method-unknown', `${call.method} is not possible here (${route.method} is)`);
    return withCors(await route.answer(this.#authority, call));
  };

  readonly fault = (error: unknown): Reply => withCors(fulcioFault(error));
}

// Programs in browsers sign as well. Nothing here goes by a cookie, so nobody can be made to ask for what they did not ask for.
function withCors(reply: Reply): Reply {
  return { ...reply, headers: { ...reply.headers, 'access-control-allow-origin': '*' } };
}

function preflight(route: Route): Reply {
  const headers = {
    'access-control-allow-methods': route.method,
    'access-control-allow-headers': 'accept, authorization, content-type, x-requested-with',
    'access-control-max-age': '600',
  };
  return withCors({ status: 204, headers });
}

async function signV1(authority: CertificateAuthority, call: Call): Promise<Reply> {
  const message = await readMessage(call);
  const csr = message.bytes('certificateSigningRequest');
  const content = message.message('publicKey')?.bytes('content');
  const key = keyRequest(csr, content, message.bytes('signedEmailAddress'), 'signedEmailAddress');
  const issued = await authority.issue(requestOf(bearer(call), key, call));
  const body = encodeCertificates([{ der: issued.leaf }, ...issued.chain]);
  return { status: 201, headers: { 'content-type': CHAIN_TYPE }, body };
}

async function signV2(authority: CertificateAuthority, call: Call): Promise<Reply> {
  const message = await readMessage(call);
  const token = message.message('credentials')?.text('oidcIdentityToken') ?? bearer(call);
  const request = message.message('publicKeyRequest');
  // The key is text here: PEM, or the octets of DER as characters.
  const text = request?.message('publicKey')?.text('content');
  const content = text === undefined ? undefined : Buffer.from(text, 'latin1');
  const proof = request?.bytes('proofOfPossession');
  const key = keyRequest(message.bytes('certificateSigningRequest'), content, proof, 'proofOfPossession');
  const issued = await authority.issue(requestOf(token, key, call));
  return json({ signedCertificateEmbeddedSct: { chain: { certificates: pemOf(issued) } } });
}

function keyRequest(
  csr: Uint8Array | undefined,
  content: Uint8Array | undefined,
  proof: Uint8Array | undefined,
  proofName: string,
): KeyRequest {
  if (csr !== undefined && content !== undefined)
    throw malformed('the request has a public key and a certificate signing request, expected one of both');
  if (csr !== undefined) return { kind: 'csr', content: csr };
  if (content === undefined) throw malformed('the request has neither a public key nor a certificate signing request');
  if (proof === undefined) throw malformed(`the request has no '${proofName}', a signature by its key`);
  return { kind: 'key', content, proof };
}

function requestOf(
  token: string | undefined,
  key: KeyRequest,
  call: Call,
): Parameters<CertificateAuthority['issue']>[0] {
  if (token === undefined)
    throw new CertificateRefusal(
      'token-missing',
      "the request has no identity token, expected 'Authorization: Bearer …' or credentials",
    );
  const client = header(call, 'user-agent');
  return { token, key, ...(client === undefined ? {} : { client }) };
}

function bearer(call: Call): string | undefined {
  return /^Bearer +(\S+)$/i.exec(header(call, 'authorization') ?? '')?.[1];
}

function pemOf({ leaf, chain }: IssuedCertificate): readonly string[] {
  return [{ der: leaf }, ...chain].map((certificate) => encodeCertificates([certificate]));
}

function rootCertificate(authority: CertificateAuthority): Reply {
  return {
    status: 200,
    headers: { 'content-type': CHAIN_TYPE },
    body: encodeCertificates(authority.issuance().authority.chain),
  };
}

function trustBundle(authority: CertificateAuthority): Reply {
  const chains = authority.trustBundle().map((chain) => ({
    certificates: chain.map((certificate) => encodeCertificates([certificate])),
  }));
  return json({ chains });
}

function configuration(authority: CertificateAuthority): Reply {
  return json({ issuers: authority.issuers().map((issuer) => describeIssuer(issuer)) });
}

function describeIssuer(issuer: TokenIssuer): Readonly<Record<string, string | boolean>> {
  return {
    ...(issuer.many ? { wildcardIssuerUrl: issuer.url } : { issuerUrl: issuer.url }),
    audience: issuer.audience,
    challengeClaim: challengeClaim(issuer),
    spiffeTrustDomain: issuer.type === 'spiffe' ? issuer.trustDomain : '',
    issuerType: issuer.type,
    subjectDomain:
      issuer.type === 'uri' ? issuer.subjectDomain.origin : issuer.type === 'username' ? issuer.subjectDomain : '',
    skipEmailVerification: issuer.type === 'email' && issuer.skipEmailVerification,
  };
}
