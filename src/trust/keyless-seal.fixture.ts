// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import type { Bundle } from './bundle/bundle.ts';
import { BUNDLE_V03 } from './bundle/bundle.ts';
import { IN_TOTO_PAYLOAD_TYPE, preAuthEncoding } from './bundle/envelope.ts';
import type { LogEntry } from './bundle/log-entry.ts';
import { encodeSignStatement } from './bundle/statement.ts';
import { BEGIN, END, newTestKey, newTestKeys, newTestStack, type TestKey } from './certificate/authority.fixture.ts';
import { randomSerialNumber } from './certificate/build-certificate.ts';
import type { CertificateAuthority } from './certificate/certificate-authority.ts';
import { decodeCertificate, type Certificate } from './certificate/certificate.ts';
import type { FulcioClaims } from './certificate/fulcio-claims.ts';
import { issueRoot, issueTimestampCertificate } from './certificate/issue-authority.ts';
import { draftLeaf, finishLeaf } from './certificate/issue-leaf.ts';
import { signSct } from './certificate/sct.ts';
import { keySigner } from './key/signer.ts';
import type { LogBody, LogVerifier } from './log/canonical-body.ts';
import { newTestLog, type EntryChange, type TestLog } from './log/log.fixture.ts';
import type { TrustedRoot } from './root/trusted-root.ts';
import type { Artifact } from './seal-check.ts';
import { buildTimestampResponse, createTimestampIssuer, type TimestampIssuer } from './timestamp/build-timestamp.ts';
import { timestampAuthority } from './timestamp/timestamp-authority.ts';

// A whole sigstore in memory, each part of which can be made to do what it should not.

export const SIGNED: Date = new Date('2026-06-01T00:05:00Z');
export const ISSUER = 'https://issuer.example';
export const SUBJECT = 'https://ci.example/app/release@refs/tags/v1';
const HEX: string = hash('sha256', 'an image');
export const IMAGE: Artifact = { kind: 'digest', algorithm: 'sha256', hex: HEX };

export interface TestSigstore {
  readonly trustedRoot: TrustedRoot;
  readonly logV1: TestLog;
  readonly logV2: TestLog;
  /** Seals the image as the test identity, with all the evidence that is asked for. */
  seal(how?: SealChange): Promise<Bundle>;
}

/** What is asked for, and what is done otherwise than it should. */
export interface SealChange {
  /** where it is logged; in Rekor v1 unless told */
  readonly logs?: readonly TestLog[];
  readonly entry?: EntryChange;
  /** times that the timestamp authority gives; none unless told */
  readonly stamped?: readonly Date[];
  readonly payload?: Uint8Array;
  readonly claims?: FulcioClaims;
  /** no certificate timestamp */
  readonly withoutSct?: boolean;
  /** a certificate log that nobody trusts */
  readonly ctLog?: TestKey;
  /** ends two minutes after it began, before it is used */
  readonly expired?: boolean;
  /** whoever issues the certificate */
  readonly issuer?: Certificate;
  readonly issuerKey?: TestKey;
}

export async function newTestSigstore(): Promise<TestSigstore> {
  const keys = await newTestKeys();
  const { authority, intermediate } = await newTestStack(keys);
  const [ctLog, tsaRootKey, tsaKey, leafKey] = await Promise.all([
    newTestKey(),
    newTestKey(),
    newTestKey(),
    newTestKey(),
  ]);
  const [logV1, logV2] = await Promise.all([newTestLog(1), newTestLog(2)]);
  const tsa = await newTimestampIssuer(tsaRootKey, tsaKey);
  const trustedRoot = rootOf({ authority, logs: [logV1, logV2], ctLog, tsa });
  const seal = async (how: SealChange = {}): Promise<Bundle> => {
    const leaf = await certify(leafKey, how.issuer ?? intermediate, how.issuerKey ?? keys.intermediate, {
      ctLog,
      ...how,
    });
    const payload = how.payload ?? encodeSignStatement({ algorithm: 'sha256', hex: HEX }, {});
    const message = preAuthEncoding(IN_TOTO_PAYLOAD_TYPE, payload);
    const sig = await keySigner(leafKey.private).sign(message);
    const logEntries = await Promise.all(
      (how.logs ?? [logV1]).map((log) => enter(log, log === logV2 ? 2 : 1, { leaf, message, sig }, how.entry)),
    );
    const timestamps: Uint8Array[] = [];
    for (const time of how.stamped ?? []) timestamps.push(await stamp(tsa, sig, time));
    return {
      mediaType: BUNDLE_V03,
      material: { kind: 'certificate', chain: [leaf] },
      content: { kind: 'dsse', envelope: { payloadType: IN_TOTO_PAYLOAD_TYPE, payload, signatures: [{ sig }] } },
      logEntries,
      timestamps,
    };
  };
  return { trustedRoot, logV1, logV2, seal };
}

function rootOf(parts: {
  readonly authority: CertificateAuthority;
  readonly logs: readonly TestLog[];
  readonly ctLog: TestKey;
  readonly tsa: TimestampIssuer;
}): TrustedRoot {
  const validFor = { start: BEGIN, end: END };
  return {
    logs: parts.logs.map(({ log }) => ({ ...log, validFor })),
    certificateLogs: [{ publicKey: parts.ctLog.private.publicKey, validFor }],
    certificateAuthorities: [{ ...parts.authority, validFor }],
    timestampAuthorities: [timestampAuthority(parts.tsa.chain, { validFor })],
    skipped: [],
  };
}

async function newTimestampIssuer(rootKey: TestKey, key: TestKey): Promise<TimestampIssuer> {
  const about = { notBefore: BEGIN, notAfter: END };
  const root = await issueRoot(
    {
      ...about,
      name: { commonName: 'clock root' },
      publicKey: rootKey.private.publicKey,
      serialNumber: randomSerialNumber(),
    },
    1,
    rootKey.signer,
  );
  const leaf = await issueTimestampCertificate(
    { ...about, name: { commonName: 'clock' }, publicKey: key.private.publicKey, serialNumber: randomSerialNumber() },
    { certificate: root, signer: rootKey.signer },
  );
  return createTimestampIssuer(key.signer, [leaf, root]);
}

async function stamp(tsa: TimestampIssuer, signature: Uint8Array, time: Date): Promise<Uint8Array> {
  const digest = { algorithm: 'sha256', bytes: hash('sha256', signature, 'buffer') } as const;
  return buildTimestampResponse({ digest, certificates: false }, tsa, { serialNumber: randomSerialNumber(), time });
}

async function certify(
  key: TestKey,
  issuer: Certificate,
  issuerKey: TestKey,
  how: SealChange & { readonly ctLog: TestKey },
): Promise<Uint8Array> {
  const begin = Date.parse('2026-06-01T00:00:00Z');
  const request = {
    publicKey: key.private.publicKey,
    name: { kind: 'uri', value: SUBJECT },
    claims: { issuer: ISSUER, sourceRepositoryRef: 'refs/tags/v1', ...how.claims },
    serialNumber: randomSerialNumber(),
    notBefore: new Date(begin),
    notAfter: new Date(begin + (how.expired === true ? 2 : 10) * 60_000),
  } as const;
  const draft = draftLeaf(request, issuer, issuerKey.signer.algorithm);
  const scts = how.withoutSct === true ? [] : [await signSct(keySigner(how.ctLog.private), draft.entry, begin)];
  return finishLeaf(draft, scts, issuerKey.signer);
}

/** What a log is told of a signature. */
interface Told {
  readonly leaf: Uint8Array;
  readonly message: Uint8Array;
  readonly sig: Uint8Array;
}

async function enter(log: TestLog, majorVersion: 1 | 2, told: Told, change: EntryChange = {}): Promise<LogEntry> {
  const { leaf, message, sig } = told;
  const digest = { algorithm: 'sha256', bytes: hash('sha256', message, 'buffer') } as const;
  const verifier: LogVerifier = { kind: 'certificate', der: decodeCertificate(leaf, 'the leaf').der, chain: [] };
  const body: LogBody =
    majorVersion === 1
      ? { kind: 'hashedrekord', version: '0.0.1', digest, signature: sig, verifier }
      : {
          kind: 'hashedrekord',
          version: '0.0.2',
          digest,
          signature: sig,
          verifier,
          keyDetails: 'PKIX_ECDSA_P256_SHA_256',
        };
  return log.enter(body, change);
}
