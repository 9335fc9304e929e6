// SPDX-License-Identifier: Apache-2.0
import { digestOf, type Digest } from '../../oci/index.ts';
import type { CertificateAuthority, TransparencyLog, TrustedRoot } from '../../trust/index.ts';
import { canonicalJson, type Json } from '../../wire/index.ts';

/** Whom an authority believes about what; each part may come from another trusted root. */
export interface TrustParts {
  readonly authorities: TrustedRoot | readonly CertificateAuthority[];
  readonly logs: TrustedRoot;
  /** the one log that counts, by its address */
  readonly logUrl?: string;
  readonly timestamps: TrustedRoot;
}

/** A trusted root made of parts, and which of its logs were meant. */
export interface TrustChoice {
  readonly trustedRoot: TrustedRoot;
  /** the addresses of the logs that there are, where none has the address that is named */
  readonly unknownLog?: readonly string[];
}

/** Puts trusted roots together, the same one for the same parts: what is found out about an authority is kept for the object. */
export class TrustChooser {
  readonly #numbers: Map<object, number> = new Map();
  readonly #made: Map<string, TrustChoice> = new Map();

  choose(parts: TrustParts): TrustChoice {
    const { authorities, logs, logUrl = '', timestamps } = parts;
    const key = `${this.#number(authorities)} ${this.#number(logs)} ${this.#number(timestamps)} ${logUrl}`;
    const known = this.#made.get(key);
    if (known !== undefined) return known;
    const made = combine(parts);
    this.#made.set(key, made);
    return made;
  }

  #number(part: object): number {
    const known = this.#numbers.get(part);
    if (known !== undefined) return known;
    this.#numbers.set(part, this.#numbers.size);
    return this.#numbers.size - 1;
  }
}

function combine({ authorities, logs, logUrl, timestamps }: TrustParts): TrustChoice {
  const named = logUrl === undefined ? logs.logs : logs.logs.filter((log) => isAt(log, logUrl));
  const certified =
    'certificateAuthorities' in authorities ? authorities : { ...logs, certificateAuthorities: authorities };
  const trustedRoot = {
    logs: named,
    certificateLogs: certified.certificateLogs,
    certificateAuthorities: certified.certificateAuthorities,
    timestampAuthorities: timestamps.timestampAuthorities,
    skipped: [],
  };
  return named.length === 0 && logUrl !== undefined
    ? { trustedRoot, unknownLog: logs.logs.map(({ baseUrl }) => baseUrl) }
    : { trustedRoot };
}

function isAt({ baseUrl }: TransparencyLog, url: string): boolean {
  return URL.canParse(baseUrl) && plainly(baseUrl) === plainly(url);
}

function plainly(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname.replace(/\/+$/, '')}`;
}

const FINGERPRINTS: WeakMap<TrustedRoot, Digest> = new WeakMap();

/** What tells a trusted root from another: all that is believed because of it. */
export function fingerprint(root: TrustedRoot): Digest {
  const known = FINGERPRINTS.get(root);
  if (known !== undefined) return known;
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
  const period = (validFor: TransparencyLog['validFor']): Json =>
    validFor === undefined ? null : [validFor.start.toISOString(), validFor.end?.toISOString() ?? null];
  const authority = ({ chain, validFor }: CertificateAuthority): Json => [
    chain.map(({ der }) => base64(der)),
    period(validFor),
  ];
  const document: Json = {
    logs: root.logs.map(({ baseUrl, logId, publicKey, validFor, checkpointKeyId, majorVersion = null }) => [
      baseUrl,
      base64(logId),
      base64(publicKey.spki),
      period(validFor),
      checkpointKeyId === undefined ? null : base64(checkpointKeyId),
      majorVersion,
    ]),
    certificateLogs: root.certificateLogs.map(({ publicKey, validFor }) => [base64(publicKey.spki), period(validFor)]),
    authorities: root.certificateAuthorities.map(authority),
    timestamps: root.timestampAuthorities.map(({ leaf, issuer }) => [
      leaf === undefined ? null : base64(leaf.der),
      authority(issuer),
    ]),
  };
  const digest = digestOf(new TextEncoder().encode(canonicalJson(document)));
  FINGERPRINTS.set(root, digest);
  return digest;
}
