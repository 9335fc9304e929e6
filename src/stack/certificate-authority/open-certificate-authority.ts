// SPDX-License-Identifier: Apache-2.0
import type { JSONWebKeySet } from 'jose';
import type { SqlDatabase } from '../../store/index.ts';
import type { HttpClient, Service } from '../../wire/index.ts';
import { CertificateAuthority } from './certificate-authority.ts';
import { AuthorityError } from './error.ts';
import { FulcioApi } from './http/fulcio-api.ts';
import {
  checkIssuance,
  type CertificateChain,
  type CertificateLogKeeper,
  type Issuance,
} from './issuance/signing-authority.ts';
import { UseLedger } from './issuance/use-ledger.ts';
import { IssuerDirectory } from './issuers/issuer-directory.ts';
import type { TokenIssuer } from './issuers/token-issuer.ts';
import { CLIENT_KEY_KINDS, type ClientKeyKind } from './key/client-key.ts';
import { CertificateLogApi } from './log/certificate-log-api.ts';
import type { Rule } from './rules/rule.ts';
import { KeyRing } from './token/key-ring.ts';
import { givenKeys } from './token/token-keys.ts';

/** The issuer of this stack, whose keys are at hand. */
export interface BuiltInIssuer {
  /** `iss` of its tokens */
  readonly url: string;
  /** `sigstore` unless told */
  readonly audience?: string;
  /** its public keys; asked at every token, so that a new key counts at once */
  readonly keys: () => JSONWebKeySet | Promise<JSONWebKeySet>;
}

/** What a certificate authority is made of. */
export interface CertificateAuthorityOptions extends Issuance {
  readonly database: SqlDatabase;
  /** chains that issued before, the newest first */
  readonly retired?: readonly CertificateChain[];
  readonly issuers: readonly TokenIssuer[];
  readonly builtIn?: BuiltInIssuer;
  readonly rules: readonly Rule[];
  /** reads the keys of issuers elsewhere */
  readonly http: HttpClient;
  readonly now: () => Date;
  /** certificates that one token gets at most; any number unless told */
  readonly certificatesPerToken?: number;
  /** kinds of key that are certified; all unless told */
  readonly clientKeys?: readonly ClientKeyKind[];
}

/** A certificate authority that answers. */
export interface OpenedCertificateAuthority {
  readonly authority: CertificateAuthority;
  /** Fulcio's API: `/api/v1/signingCert`, `/api/v1/rootCert`, `/api/v2/…` */
  readonly service: Service;
  /** RFC 6962's reading API of the log that certificates are logged in now: `/ct/v1/…` */
  readonly certificateLogService: Service;
  /** The same of another log that certificates were logged in before. */
  certificateLogServiceOf(keeper: CertificateLogKeeper): Service;
}

/**
 * Opens a certificate authority: Fulcio's API over rules of one's own.
 *
 * @throws AuthorityError `authority-malformed`, `rules-malformed` for a rule about an issuer that is not configured; StoreError
 * @example
 * const { service } = await openCertificateAuthority({ database, authority, certificateLog, issuers, rules, http, now });
 */
export async function openCertificateAuthority(
  options: CertificateAuthorityOptions,
): Promise<OpenedCertificateAuthority> {
  const { database, builtIn, http, now, certificatesPerToken, authority: signing, certificateLog } = options;
  const issuance = { authority: signing, certificateLog };
  await checkIssuance(issuance);
  const own: readonly TokenIssuer[] =
    builtIn === undefined
      ? []
      : [{ url: builtIn.url, many: false, audience: builtIn.audience ?? 'sigstore', type: 'workload' }];
  const issuers = new IssuerDirectory([...own, ...options.issuers]);
  requireKnownIssuers(options.rules, issuers);
  const given = new Map(builtIn === undefined ? [] : [[builtIn.url, givenKeys(builtIn.keys)]]);
  const parts = {
    issuers,
    keys: new KeyRing(given, http, now),
    rules: options.rules,
    ledger: await UseLedger.open(database),
    now,
    clientKeys: options.clientKeys ?? CLIENT_KEY_KINDS,
    ...(certificatesPerToken === undefined ? {} : { certificatesPerToken }),
  };
  const authority = new CertificateAuthority(parts, issuance, options.retired ?? []);
  const logService = (keeper: () => CertificateLogKeeper): Service =>
    new CertificateLogApi({ keeper, chains: () => authority.trustBundle() }, now);
  return {
    authority,
    service: new FulcioApi(authority),
    certificateLogService: logService(() => authority.issuance().certificateLog),
    certificateLogServiceOf: (keeper) => logService(() => keeper),
  };
}

// A rule about an issuer that nobody has configured is a mistake in its URL: it would never admit anybody.
function requireKnownIssuers(rules: readonly Rule[], issuers: IssuerDirectory): void {
  for (const { name, issuer } of rules) {
    if (issuers.find(issuer) !== undefined || issuers.all.some(({ url }) => url === issuer)) continue;
    const known = issuers.all.map(({ url }) => url).join(', ');
    throw new AuthorityError(
      'rules-malformed',
      `rule '${name}' is about the issuer '${issuer}', expected one that is configured: ${known === '' ? 'there is none' : known.slice(0, 400)}`,
    );
  }
}
