// SPDX-License-Identifier: Apache-2.0
import { chooseServices, type SigningConfig, type TrustedRoot, type Witness } from '../../trust/index.ts';
import type { HttpClient } from '../../wire/index.ts';
import type { CertificateAuthorityService } from '../certificate/request-certificate.ts';
import { KeylessError } from '../error.ts';
import { logWitness, type LogService } from '../log/log-witness.ts';
import { timestampWitness } from '../timestamp/timestamp-witness.ts';
import { parseServiceAddress } from './service-address.ts';

/** With which services one signs: one of each kind, or as many as somebody asked for. */
export interface SigningServices {
  readonly certificateAuthority?: CertificateAuthorityService;
  readonly logs: readonly LogService[];
  readonly timestampAuthorities: readonly { readonly url: string }[];
  /** who gives tokens to people */
  readonly identityProvider?: { readonly url: string };
}

/** Services as cosign's flags name them. */
export interface ServiceAddresses {
  /** `--fulcio-url` */
  readonly fulcio?: string;
  /** `--rekor-url` */
  readonly rekor?: string;
  /** 1 unless told: a log does not say which it is */
  readonly rekorVersion?: 1 | 2;
  /** `--timestamp-server-url`, the whole address */
  readonly timestamp?: string;
  /** `--oidc-issuer` */
  readonly issuer?: string;
}

/**
 * The services to use by a signing config, chosen as every client of Sigstore does: of those valid now the newest version that is spoken here,
 * one for each operator, as many as the config wants.
 *
 * @param options.certificate whether a certificate is to be had, or one signs with a key of one's own
 * @throws TrustError `service-missing`; KeylessError `authority-missing`, `timestamp-required`
 * @see https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto
 * @example
 * const services = chooseSigningServices(signingConfig, { now: new Date(), certificate: true });
 */
export function chooseSigningServices(
  config: SigningConfig,
  options: {
    readonly now: Date;
    readonly certificate: boolean;
    /** of Rekor; both unless told. The legacy format has no place for an entry of the second. */
    readonly logVersions?: readonly (1 | 2)[];
  },
): SigningServices {
  const { now, certificate, logVersions = [1, 2] } = options;
  const one = { kind: 'any' } as const;
  // Clients of Sigstore call version 1 what is spoken at /api/v2.
  const [authority] = certificate
    ? chooseServices(config.certificateAuthorities, one, { versions: [1], now, what: 'certificate authority' })
    : [];
  const [provider] = certificate
    ? chooseServices(config.identityProviders, one, { versions: [1], now, what: 'identity provider' })
    : [];
  const logs = chooseServices(config.logs, config.logChoice, { versions: logVersions, now, what: 'transparency log' });
  const clocks = chooseServices(config.timestampAuthorities, config.timestampChoice, {
    versions: [1],
    now,
    what: 'timestamp authority',
  });
  if (certificate && authority === undefined)
    throw new KeylessError('authority-missing', 'the signing config lists no certificate authority');
  return requireTime(
    {
      ...(authority === undefined ? {} : { certificateAuthority: { url: authority.url } }),
      logs: logs.map(({ url, majorApiVersion }) => ({ url, majorApiVersion: majorApiVersion === 2 ? 2 : 1 })),
      timestampAuthorities: clocks.map(({ url }) => ({ url })),
      ...(provider === undefined ? {} : { identityProvider: { url: provider.url } }),
    },
    certificate,
  );
}

/**
 * The services that somebody named.
 *
 * @throws KeylessError `setting-malformed`, `timestamp-required`
 * @example
 * const services = namedServices({ fulcio: 'https://fulcio.example', rekor: 'https://rekor.example' });
 */
export function namedServices(addresses: ServiceAddresses): SigningServices {
  const { fulcio, rekor, rekorVersion = 1, timestamp, issuer } = addresses;
  const checked = (url: string, what: string): { readonly url: string } => ({
    url: parseServiceAddress(url, what).href,
  });
  return requireTime(
    {
      ...(fulcio === undefined
        ? {}
        : { certificateAuthority: checked(fulcio, 'the address of the certificate authority') }),
      logs:
        rekor === undefined
          ? []
          : [{ ...checked(rekor, 'the address of the transparency log'), majorApiVersion: rekorVersion }],
      timestampAuthorities:
        timestamp === undefined ? [] : [checked(timestamp, 'the address of the timestamp authority')],
      // An issuer is a name, compared letter by letter: not so much as a slash is added.
      ...(issuer === undefined ? {} : { identityProvider: { url: issuer } }),
    },
    fulcio !== undefined,
  );
}

/** Who is shown what is signed: clocks first, then logs. @throws KeylessError `setting-malformed` */
export function openWitnesses(
  services: Pick<SigningServices, 'logs' | 'timestampAuthorities'>,
  options: {
    readonly http: HttpClient;
    /** lets a log be read that says no more than that it has a signature already */
    readonly trustedRoot?: TrustedRoot;
    /** as `timestampWitness` has it: true for the legacy format */
    readonly timestampCertificates?: boolean;
  },
): readonly Witness[] {
  const { http, trustedRoot, timestampCertificates: certificates } = options;
  const logs = trustedRoot === undefined ? {} : { logs: trustedRoot.logs };
  return [
    ...services.timestampAuthorities.map((service) =>
      timestampWitness(service, { http, ...(certificates === undefined ? {} : { certificates }) }),
    ),
    ...services.logs.map((service) => logWitness(service, { http, ...logs })),
  ];
}

// A log of Rekor v2 does not say when, so that nobody could tell whether the certificate was still good.
function requireTime(services: SigningServices, certificate: boolean): SigningServices {
  const { logs, timestampAuthorities } = services;
  const told = timestampAuthorities.length > 0 || logs.some(({ majorApiVersion }) => majorApiVersion === 1);
  if (!certificate || told || logs.length === 0) return services;
  throw new KeylessError(
    'timestamp-required',
    'a certificate is good for minutes, and a log of Rekor v2 does not say when it was used: name a timestamp authority as well',
  );
}
