// SPDX-License-Identifier: Apache-2.0
import { readSettings, type Settings } from '../settings.ts';
import { BUILT_IN_NAMES, builtInProvider, PROVIDER_TYPES } from './built-in-providers.ts';
import { decodeCiProvider, decodeDefaults, withDefaults, type CiProvider } from './ci-provider.ts';
import { checkSubjectDomain } from './subject-domain.ts';
import type { IssuerBasics, SubjectForm, TokenIssuer } from './token-issuer.ts';

const TYPES = 'email, uri, username, spiffe, kubernetes, ci-provider or chainguard-identity';
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
const CLAIM_PATH = /^\$(?:\.[A-Za-z0-9_-]+)+$/;

/**
 * Reads a file of issuers in Fulcio's format, as YAML or JSON: `oidc-issuers`, `meta-issuers` and `ci-issuer-metadata`.
 *
 * Beyond Fulcio: the providers `github`, `gitlab`, `buildkite`, `circleci` and `codefresh` need no metadata; one that runs elsewhere is
 * the same provider with its own `default-template-values`, beside its issuer or as metadata that has nothing else.
 *
 * @param what names the file in errors
 * @throws AuthorityError `issuers-malformed`, `template-malformed`
 * @see https://github.com/sigstore/fulcio/blob/main/docs/oidc.md
 * @example
 * const issuers = await decodeIssuers(await readFile('issuers.yaml'), 'issuers.yaml');
 */
export async function decodeIssuers(bytes: Uint8Array, what: string): Promise<readonly TokenIssuer[]> {
  const file = await readSettings(bytes, what, 'issuers-malformed');
  file.get('define'); // a place for YAML's anchors
  const metadata = file.mapping('ci-issuer-metadata');
  const issuers = [
    ...decodeSection(file.mapping('oidc-issuers'), metadata, false),
    ...decodeSection(file.mapping('meta-issuers'), metadata, true),
  ];
  file.end();
  return issuers;
}

function decodeSection(section: Settings, metadata: Settings, many: boolean): readonly TokenIssuer[] {
  return section.keys().map((key) => decodeIssuer(key, section.mapping(key), metadata, many));
}

function decodeIssuer(key: string, settings: Settings, metadata: Settings, many: boolean): TokenIssuer {
  const url = settings.text('issuer-url') ?? key;
  if (url !== key) throw settings.fault(`has another 'issuer-url' than its key`);
  if (many) checkPattern(url, settings);
  else checkUrl(url, settings);
  const audience = settings.text('client-id');
  if (audience === undefined) throw settings.fault("has no 'client-id', which tokens must have as their audience");
  const roots = settings.text('ca-cert');
  for (const remark of ['description', 'contact', 'environment']) settings.get(remark);
  const basics: IssuerBasics = { url, many, audience, ...(roots === undefined ? {} : { roots }) };
  const form = decodeForm(basics, settings, metadata);
  const challenge = settings.text('challenge-claim');
  const expected = form.type === 'email' ? 'email' : 'sub';
  if (challenge !== undefined && challenge !== expected)
    throw settings.fault(`has the challenge-claim '${challenge}', expected '${expected}'`);
  settings.end();
  return { ...basics, ...form };
}

function decodeForm(issuer: IssuerBasics, settings: Settings, metadata: Settings): SubjectForm {
  const type = settings.text('type');
  if (type !== undefined && PROVIDER_TYPES.has(type))
    return { type: 'ci-provider', provider: decodeProvider(type, issuer, settings, metadata) };
  switch (type) {
    case 'email':
      return decodeEmail(settings);
    case 'uri':
      return { type, subjectDomain: decodeSubjectUrl(issuer, settings) };
    case 'username':
      return { type, subjectDomain: decodeSubjectHost(issuer, settings) };
    case 'spiffe':
      return { type, trustDomain: decodeTrustDomain(issuer, settings) };
    case 'kubernetes':
    case 'chainguard-identity':
      return { type };
    case 'ci-provider': {
      const name = settings.text('ci-provider');
      if (name === undefined) throw settings.fault("has no 'ci-provider'");
      return { type, provider: decodeProvider(name, issuer, settings, metadata) };
    }
    default:
      throw settings.fault(`has the type '${(type ?? '').slice(0, 80)}', expected ${TYPES}`);
  }
}

function decodeEmail(settings: Settings): SubjectForm {
  const skipEmailVerification = settings.flag('skip-email-verification');
  const path = settings.text('issuer-claim');
  if (path === undefined) return { type: 'email', skipEmailVerification };
  if (!CLAIM_PATH.test(path))
    throw settings.fault("has an 'issuer-claim' that is no path such as $.federated_claims.connector_id");
  return { type: 'email', skipEmailVerification, issuerClaim: path.split('.').slice(1) };
}

function decodeSubjectUrl(issuer: IssuerBasics, settings: Settings): URL {
  const text = settings.text('subject-domain') ?? '';
  const domain = URL.canParse(text) ? new URL(text) : undefined;
  if (domain === undefined || domain.hostname === '')
    throw settings.fault("has no 'subject-domain' such as https://example.com");
  const own = new URL(issuer.url.replaceAll('*', 'x'));
  if (own.protocol !== domain.protocol)
    throw settings.fault(`has a subject-domain with ${domain.protocol} and an issuer with ${own.protocol}`);
  checkSubjectDomain(domain.hostname, own.hostname, settings);
  return domain;
}

function decodeSubjectHost(issuer: IssuerBasics, settings: Settings): string {
  const domain = settings.text('subject-domain') ?? '';
  if (!/^[A-Za-z0-9.-]{1,253}$/.test(domain)) throw settings.fault("has no 'subject-domain' such as example.com");
  checkSubjectDomain(domain, new URL(issuer.url.replaceAll('*', 'x')).hostname, settings);
  return domain;
}

function decodeTrustDomain({ many }: IssuerBasics, settings: Settings): string {
  if (many) throw settings.fault('has the type spiffe, which one issuer has and not many');
  const domain = settings.text('spiffe-trust-domain') ?? '';
  if (!TRUST_DOMAIN.test(domain)) throw settings.fault("has no 'spiffe-trust-domain' such as example.com");
  return domain;
}

function decodeProvider(name: string, issuer: IssuerBasics, settings: Settings, metadata: Settings): CiProvider {
  const own = decodeDefaults(settings.mapping('default-template-values'));
  const described = metadata.keys().includes(name) ? metadata.mapping(name) : undefined;
  if (described?.get('subject-alternative-name-template') !== undefined)
    return withDefaults(decodeCiProvider(name, described), own);
  const builtIn = builtInProvider(name);
  if (builtIn === undefined) {
    const known = [...metadata.keys(), ...BUILT_IN_NAMES].join(', ');
    throw settings.fault(`has the ci-provider '${name.slice(0, 80)}', expected one of ${known.slice(0, 300)}`);
  }
  const elsewhere =
    described === undefined ? new Map<string, string>() : decodeDefaults(described.mapping('default-template-values'));
  described?.end();
  const defaults = new Map([...elsewhere, ...own]);
  // Without this a server of one's own would certify builds as those of the public service.
  const { home, provider } = builtIn;
  const atHome = issuer.url === home || issuer.url.startsWith(`${home}/`);
  const place = [...provider.defaults].find(([, value]) => value !== '')?.[0] ?? 'url';
  if (!atHome && !defaults.has(place))
    throw settings.fault(`is not ${home}: it needs 'default-template-values' with its own '${place}'`);
  return withDefaults(provider, defaults);
}

function checkUrl(text: string, settings: Settings): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (
    url === undefined ||
    !/^https?:$/.test(url.protocol) ||
    url.search !== '' ||
    url.hash !== '' ||
    url.username !== ''
  )
    throw settings.fault('is no URL of an issuer, expected http or https without query');
}

// A token says which of many issuers it is from. What is fixed of the host decides whose machines it can send us to.
function checkPattern(pattern: string, settings: Settings): void {
  checkUrl(pattern.replaceAll('*', 'x'), settings);
  const host = /^https?:\/\/([^/]*)/.exec(pattern)?.[1] ?? '';
  if (!pattern.includes('*')) throw settings.fault("has no '*', expected a pattern (or a place among 'oidc-issuers')");
  if (host.includes('*') && !/\.[A-Za-z0-9-]+\.[A-Za-z0-9-]+(?::\d+)?$/.test(host))
    throw settings.fault("leaves its host open, expected two labels without '*' at its end");
}
