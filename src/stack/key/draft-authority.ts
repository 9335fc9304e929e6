// SPDX-License-Identifier: Apache-2.0
import {
  certificateSigner,
  generatePrivateKey,
  issueIntermediate,
  issueRoot,
  issueTimestampCertificate,
  randomSerialNumber,
  type AuthorityRequest,
  type Certificate,
  type Issuer,
  type PrivateKey,
} from '../../trust/index.ts';
import { OFFLINE_ROLES, type KeyRole } from './key-role.ts';
import type { KeyDraft, RingSettings } from './ring-key.ts';

const DAY = 24 * 60 * 60 * 1000;

/** Days that the certificates of authorities hold. A rotation comes long before. */
const LIFE: Readonly<Record<'root' | 'issued', number>> = { root: 3650, issued: 1825 };

/** One who certifies others, with the key at hand. */
export interface Certifier {
  readonly chain: readonly [Certificate, ...Certificate[]];
  readonly privateKey: PrivateKey;
}

/** What the authorities of a stack are called: the first of a role `NAME root`, later ones `NAME root 2`. */
export interface AuthorityName {
  readonly settings: RingSettings;
  /** 1 for the first of its role */
  readonly generation: number;
  readonly now: Date;
}

/** The whole second: certificates and timestamps say no more, and none must come before the key that made it. */
export function wholeSecond(time: Date): Date {
  return new Date(Math.floor(time.getTime() / 1000) * 1000);
}

/** A root for the certificate authority, or for the timestamp authority. */
export async function draftRoot(role: 'ca-root' | 'tsa-root', name: AuthorityName): Promise<KeyDraft> {
  const privateKey = await generatePrivateKey(name.settings.authorityAlgorithm);
  const title = role === 'ca-root' ? 'root' : 'timestamp root';
  const request = requestOf(title, name, privateKey, LIFE.root);
  const root = await issueRoot(request, 1, certificateSigner(privateKey));
  return draft(role, name, privateKey, [root]);
}

/** What issues certificates for identities. */
export async function draftIntermediate(name: AuthorityName, root: Certifier): Promise<KeyDraft> {
  const privateKey = await generatePrivateKey(name.settings.authorityAlgorithm);
  const request = within(requestOf('intermediate', name, privateKey, LIFE.issued), root);
  return draft('ca', name, privateKey, [
    await issueIntermediate(request, 'code-signing', issuerOf(root)),
    ...root.chain,
  ]);
}

/** What gives timestamps. */
export async function draftTimestampAuthority(name: AuthorityName, root: Certifier): Promise<KeyDraft> {
  const privateKey = await generatePrivateKey(name.settings.authorityAlgorithm);
  const request = within(requestOf('timestamp authority', name, privateKey, LIFE.issued), root);
  return draft('tsa', name, privateKey, [await issueTimestampCertificate(request, issuerOf(root)), ...root.chain]);
}

/** Whether a root is young enough to certify for a whole life. */
export function canCertify(root: Certificate, now: Date): boolean {
  return root.notAfter.getTime() >= now.getTime() + LIFE.issued * DAY;
}

function requestOf(
  title: string,
  { settings, generation, now }: AuthorityName,
  privateKey: PrivateKey,
  days: number,
): AuthorityRequest {
  const notBefore = wholeSecond(now);
  const { organization } = settings;
  return {
    name: { organization, commonName: `${organization} ${title}${generation === 1 ? '' : ` ${generation}`}` },
    publicKey: privateKey.publicKey,
    serialNumber: randomSerialNumber(),
    notBefore,
    notAfter: new Date(notBefore.getTime() + days * DAY),
  };
}

// A certificate that outlives who signed it does not hold.
function within(request: AuthorityRequest, { chain: [root] }: Certifier): AuthorityRequest {
  return request.notAfter <= root.notAfter ? request : { ...request, notAfter: root.notAfter };
}

function issuerOf({ chain: [certificate], privateKey }: Certifier): Issuer {
  return { certificate, signer: certificateSigner(privateKey) };
}

function draft(
  role: KeyRole,
  { settings, now }: AuthorityName,
  privateKey: PrivateKey,
  chain: readonly [Certificate, ...Certificate[]],
): KeyDraft {
  return {
    role,
    created: now,
    validFor: { start: wholeSecond(now) },
    place: settings.offlineRoot && OFFLINE_ROLES.has(role) ? 'offline' : 'ring',
    privateKey,
    chain,
  };
}
