// SPDX-License-Identifier: Apache-2.0
import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import {
  certificateSigner,
  decodeCertificates,
  decodePrivateKey,
  encodePem,
  generatePrivateKey,
  issueRoot,
  issueServerCertificate,
  randomSerialNumber,
  type Certificate,
} from '../../trust/index.ts';
import { CodedError } from '../../wire/index.ts';
import { ClusterError } from './cluster-error.ts';

/** What is kept of the gate's certificates, all of it PEM. */
export interface CertificateState {
  /** the authorities that may be believed now, the newest last: what `caBundle` is to be */
  readonly authorities: string;
  /** private key of the newest authority; those of older ones are thrown away when a newer is made */
  readonly authorityKey: string;
  /** what is served */
  readonly certificate: string;
  readonly key: string;
  /** when the newest authority was added, or the served certificate became one of its; what overlaps begins then */
  readonly since: Date;
  /** the last rotation that somebody asked for and that was begun, by whatever text they asked with */
  readonly rotated: string;
}

/** How long things live, in milliseconds. */
export interface CertificateLives {
  readonly authority: number;
  readonly server: number;
  /** from a new authority in `caBundle` to a certificate by it, and from that to the end of the old authority */
  readonly overlap: number;
}

const DAY = 24 * 60 * 60_000;
export const DEFAULT_LIVES: CertificateLives = { authority: 365 * DAY, server: 90 * DAY, overlap: 2 * 60_000 };
/** A certificate is renewed when this much of its life is left. */
const RENEW_AT = 1 / 3;
/** clocks of API servers may be behind (ms) */
const SKEW = 5 * 60_000;

/** What is known when a step is taken. */
export interface CertificateSituation {
  readonly now: Date;
  /** names and addresses by which the API server calls the gate */
  readonly hosts: readonly string[];
  readonly lives: CertificateLives;
  /** both webhook configurations have the `caBundle` of the state */
  readonly bundleInForce: boolean;
  /** text with which somebody asks for a rotation; empty where nobody does */
  readonly rotate: string;
}

/** A step, or nothing to do. */
export interface CertificateStep {
  /** what is to be kept from now on */
  readonly state: CertificateState;
  /** one line for the log; absent where nothing changes */
  readonly done?: string;
}

// A rotation in four steps, each of them one write of the Secret, so that a replica that stops anywhere is continued by another:
// 1. a new authority beside the old one                       the old certificate is served, and believed by the old authority
// 2. both are in caBundle of both webhook configurations      whoever of them signed is believed
// 3. a certificate by the new authority                       replicas that have not read it yet serve the old one, believed too
// 4. the old authority is taken away                          nobody serves anything by it any more
/**
 * The next step of the gate's certificates.
 *
 * @throws ClusterError `certificate-malformed` where the state is not one that this function has made
 */
export async function nextCertificates(
  state: CertificateState | undefined,
  situation: CertificateSituation,
): Promise<CertificateStep> {
  const { now, lives, hosts, rotate, bundleInForce } = situation;
  if (state === undefined) return { state: await begin(situation), done: 'made the authority and the certificate' };
  const { authorities, leaf } = read(state);
  const newest = authorities.at(-1);
  if (newest === undefined) throw malformed('there is no authority in it');
  const active = authorities.find((authority) => issued(authority, leaf));
  if (active === undefined)
    return { state: await begin(situation), done: 'made everything anew: nobody in it has certified what was served' };
  const settled = now.getTime() - state.since.getTime() >= lives.overlap;
  const dying = leaf.notAfter.getTime() - now.getTime() < lives.overlap;
  if (active !== newest) {
    if (!(settled && bundleInForce) && !dying) return { state };
    const served = await certify(state.authorityKey, newest, situation);
    return { state: { ...state, ...served, since: now }, done: 'serve a certificate by the new authority' };
  }
  if (authorities.length > 1) {
    if (!settled) return { state };
    return { state: { ...state, authorities: pemOf(newest), since: now }, done: 'took the old authority away' };
  }
  const asked = rotate !== '' && rotate !== state.rotated;
  if (asked || isDue(newest, now)) {
    const { certificate, key } = await makeAuthority(now, lives);
    const bundle = `${state.authorities.trimEnd()}\n${pemOf(certificate)}`;
    return {
      state: { ...state, authorities: bundle, authorityKey: key, since: now, rotated: asked ? rotate : state.rotated },
      done: 'made a new authority beside the old one',
    };
  }
  if (isDue(leaf, now) || !isFor(leaf, hosts)) {
    const served = await certify(state.authorityKey, newest, situation);
    return { state: { ...state, ...served }, done: 'renewed the certificate' };
  }
  return { state };
}

async function begin(situation: CertificateSituation): Promise<CertificateState> {
  const { now, lives, rotate } = situation;
  const { certificate, key } = await makeAuthority(now, lives);
  const served = await certify(key, certificate, situation);
  return { authorities: pemOf(certificate), authorityKey: key, ...served, since: now, rotated: rotate };
}

async function makeAuthority(
  now: Date,
  { authority }: CertificateLives,
): Promise<{ readonly certificate: Certificate; readonly key: string }> {
  const key = await generatePrivateKey('ecdsa-p256');
  const certificate = await issueRoot(
    {
      // Each has a name of its own: a bundle of two with one name makes some verifiers look at the first alone.
      name: { commonName: `bulla gate authority ${now.toISOString().slice(0, 19)}Z` },
      publicKey: key.publicKey,
      serialNumber: randomSerialNumber(),
      notBefore: new Date(now.getTime() - SKEW),
      notAfter: new Date(now.getTime() + authority),
    },
    0,
    certificateSigner(key),
  );
  return { certificate, key: key.object.export({ type: 'pkcs8', format: 'pem' }) };
}

async function certify(
  authorityKey: string,
  certificate: Certificate,
  { now, lives, hosts }: CertificateSituation,
): Promise<Pick<CertificateState, 'certificate' | 'key'>> {
  const signer = certificateSigner(await decodePrivateKey(Buffer.from(authorityKey), { what: "the authority's key" }));
  const key = await generatePrivateKey('ecdsa-p256');
  const leaf = await issueServerCertificate(
    {
      name: { commonName: 'bulla gate' },
      hosts,
      publicKey: key.publicKey,
      serialNumber: randomSerialNumber(),
      notBefore: new Date(Math.max(now.getTime() - SKEW, certificate.notBefore.getTime())),
      notAfter: new Date(Math.min(now.getTime() + lives.server, certificate.notAfter.getTime())),
    },
    { certificate, signer },
  );
  return { certificate: pemOf(leaf), key: key.object.export({ type: 'pkcs8', format: 'pem' }) };
}

function read(state: CertificateState): { readonly authorities: readonly Certificate[]; readonly leaf: Certificate } {
  try {
    const authorities = decodeCertificates(Buffer.from(state.authorities), 'ca.crt');
    const [leaf] = decodeCertificates(Buffer.from(state.certificate), 'tls.crt');
    if (leaf === undefined) throw malformed('there is no certificate in it');
    return { authorities, leaf };
  } catch (error) {
    if (error instanceof CodedError) throw malformed(error.message, error);
    throw error;
  }
}

function issued(authority: Certificate, leaf: Certificate): boolean {
  const [parent, child] = [new X509Certificate(authority.der), new X509Certificate(leaf.der)];
  return child.checkIssued(parent) && child.verify(parent.publicKey);
}

function isDue({ notBefore, notAfter }: Certificate, now: Date): boolean {
  const life = notAfter.getTime() - notBefore.getTime();
  return notAfter.getTime() - now.getTime() < life * RENEW_AT;
}

function isFor(leaf: Certificate, hosts: readonly string[]): boolean {
  const certificate = new X509Certificate(leaf.der);
  const has = (host: string): string | undefined =>
    isIP(host) === 0 ? certificate.checkHost(host, { subject: 'never' }) : certificate.checkIP(host);
  return hosts.every((host) => has(host) !== undefined);
}

function pemOf(certificate: Certificate): string {
  return encodePem('CERTIFICATE', certificate.der);
}

function malformed(problem: string, cause?: unknown): ClusterError {
  const message = `the Secret of the gate's certificates: ${problem}`;
  return new ClusterError('certificate-malformed', message, cause === undefined ? {} : { cause });
}
