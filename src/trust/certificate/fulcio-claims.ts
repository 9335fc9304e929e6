// SPDX-License-Identifier: Apache-2.0
import { DerReader, DerTag } from '../der/der-reader.ts';
import * as der from '../der/der-writer.ts';
import { TrustError } from '../error.ts';
import { printable } from '../printable.ts';
import type { Certificate } from './certificate.ts';
import type { Extension } from './extension.ts';
import { FULCIO_ARC } from './object-identifier.ts';

/**
 * What Fulcio certifies beside the name: where the identity token came from, and what it said of the build.
 *
 * @see https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
 */
export interface FulcioClaims {
  /** the URL of who issued the identity token (8; 1 in old certificates) */
  readonly issuer?: string;
  /** 2, the event, for example `push` */
  readonly githubWorkflowTrigger?: string;
  /** 3, the commit */
  readonly githubWorkflowSha?: string;
  /** 4 */
  readonly githubWorkflowName?: string;
  /** 5, `owner/repository` */
  readonly githubWorkflowRepository?: string;
  /** 6, for example `refs/heads/main` */
  readonly githubWorkflowRef?: string;
  /** 9, the build instructions that ran */
  readonly buildSignerUri?: string;
  /** 10 */
  readonly buildSignerDigest?: string;
  /** 11, for example `github-hosted` */
  readonly runnerEnvironment?: string;
  /** 12 */
  readonly sourceRepositoryUri?: string;
  /** 13, the commit */
  readonly sourceRepositoryDigest?: string;
  /** 14, for example `refs/tags/v1` */
  readonly sourceRepositoryRef?: string;
  /** 15, immutable */
  readonly sourceRepositoryIdentifier?: string;
  /** 16 */
  readonly sourceRepositoryOwnerUri?: string;
  /** 17, immutable */
  readonly sourceRepositoryOwnerIdentifier?: string;
  /** 18, the top-level build instructions */
  readonly buildConfigUri?: string;
  /** 19 */
  readonly buildConfigDigest?: string;
  /** 20, the event, for example `push` */
  readonly buildTrigger?: string;
  /** 21, the one run */
  readonly runInvocationUri?: string;
  /** 22, for example `public` */
  readonly sourceRepositoryVisibilityAtSigning?: string;
  /** 23 */
  readonly deploymentEnvironment?: string;
  /** 24, `sub` of the token as it was */
  readonly tokenSubject?: string;
}

/** The name of a claim. */
export type FulcioClaim = keyof FulcioClaims;

/** In the order in which Fulcio writes them. The first five are raw octets, the others a DER UTF8String. */
const NUMBERS: Readonly<Record<FulcioClaim, number>> = {
  githubWorkflowTrigger: 2,
  githubWorkflowSha: 3,
  githubWorkflowName: 4,
  githubWorkflowRepository: 5,
  githubWorkflowRef: 6,
  issuer: 8,
  buildSignerUri: 9,
  buildSignerDigest: 10,
  runnerEnvironment: 11,
  sourceRepositoryUri: 12,
  sourceRepositoryDigest: 13,
  sourceRepositoryRef: 14,
  sourceRepositoryIdentifier: 15,
  sourceRepositoryOwnerUri: 16,
  sourceRepositoryOwnerIdentifier: 17,
  buildConfigUri: 18,
  buildConfigDigest: 19,
  buildTrigger: 20,
  runInvocationUri: 21,
  sourceRepositoryVisibilityAtSigning: 22,
  deploymentEnvironment: 23,
  tokenSubject: 24,
};
const OLD_ISSUER = 1;
const LAST_RAW = 6;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** All claims by name, with the object identifier that each has. */
export const FULCIO_CLAIMS: ReadonlyMap<FulcioClaim, string> = new Map(
  Object.entries(NUMBERS).map(([name, number]) => [name as FulcioClaim, oidOf(number)]),
);

/**
 * Reads the claims of a certificate; those that it has not are absent. Numbers that nobody has assigned yet are left alone.
 *
 * The old and the new form of the issuer must say the same: programs differ in which they believe.
 *
 * @throws TrustError `claims-malformed`
 */
export function readFulcioClaims({ extensions }: Pick<Certificate, 'extensions'>): FulcioClaims {
  const claims: { -readonly [Claim in FulcioClaim]?: string } = {};
  for (const [name, oid] of FULCIO_CLAIMS) {
    const extension = extensions.get(oid);
    if (extension !== undefined) claims[name] = readClaim(extension, NUMBERS[name]);
  }
  const old = extensions.get(oidOf(OLD_ISSUER));
  if (old === undefined) return claims;
  const issuer = readClaim(old, OLD_ISSUER);
  claims.issuer ??= issuer;
  if (claims.issuer === issuer) return claims;
  throw new TrustError(
    'claims-malformed',
    `the certificate has two issuers, '${printable(issuer)}' and '${printable(claims.issuer)}', expected one`,
  );
}

/**
 * The extensions that carry the claims, in Fulcio's order. Empty claims are left out, as Fulcio does; the issuer is written in both forms.
 *
 * @throws TrustError `certificate-unissuable` without an issuer
 */
export function encodeFulcioClaims(claims: FulcioClaims): readonly Uint8Array[] {
  const { issuer } = claims;
  if (issuer === undefined || issuer === '')
    throw new TrustError('certificate-unissuable', 'a certificate without the issuer of the identity token');
  const extensions = [encodeClaim(OLD_ISSUER, issuer)];
  for (const name of FULCIO_CLAIMS.keys()) {
    const value = claims[name];
    if (value !== undefined && value !== '') extensions.push(encodeClaim(NUMBERS[name], value));
  }
  return extensions;
}

function oidOf(number: number): string {
  return `${FULCIO_ARC}.${number}`;
}

function readClaim(extension: Extension, number: number): string {
  return number <= LAST_RAW ? readRaw(extension) : readUtf8String(extension);
}

function readRaw({ oid, value }: Extension): string {
  try {
    return UTF8.decode(value);
  } catch {
    throw broken(oid, 'UTF-8');
  }
}

function readUtf8String({ oid, value }: Extension): string {
  try {
    const reader = new DerReader(value, oid);
    const text = reader.text(DerTag.utf8String);
    reader.end();
    return text;
  } catch (error) {
    throw error instanceof TrustError ? broken(oid, 'a DER UTF8String') : error;
  }
}

function broken(oid: string, expected: string): TrustError {
  return new TrustError('claims-malformed', `the extension ${oid} of the certificate is broken, expected ${expected}`);
}

function encodeClaim(number: number, text: string): Uint8Array {
  const encoded = der.utf8String(text);
  const value = number <= LAST_RAW ? new DerReader(encoded, 'a claim').read(DerTag.utf8String) : encoded;
  return der.sequence(der.oid(oidOf(number)), der.octetString(value));
}
