// SPDX-License-Identifier: Apache-2.0
import {
  BUNDLE_MEDIA_TYPES,
  certificateIdentity,
  decodeCertificate,
  decodeCheckpoint,
  decodeNote,
  decodeStatement,
  decodeTimestampResponse,
  describeName,
  type Bundle,
  type LogEntry,
} from '../../trust/index.ts';
import { CodedError, encodeBase64 } from '../../wire/index.ts';

/** What is said of a part that cannot be read: the others are shown all the same. */
export interface Unreadable {
  readonly error: { readonly code: string; readonly message: string };
}

/** What a bundle says, none of it verified. The shape is documented in docs/cli.md and kept. */
export interface BundleDocument {
  readonly format: 'bundle' | 'legacy';
  readonly mediaType: string;
  readonly version: string | null;
  readonly content: MessageDocument | EnvelopeDocument;
  readonly signer: KeyDocument | CertificateDocument;
  readonly logEntries: readonly LogEntryDocument[];
  readonly timestamps: readonly (TimestampDocument | Unreadable)[];
}

export interface MessageDocument {
  readonly kind: 'message';
  /** `sha256:…`; null where the bundle does not say */
  readonly digest: string | null;
  readonly signatureBytes: number;
}

export interface EnvelopeDocument {
  readonly kind: 'envelope';
  readonly payloadType: string;
  readonly payloadBytes: number;
  readonly signatures: number;
  readonly statement: StatementDocument | Unreadable;
}

export interface StatementDocument {
  readonly type: string;
  readonly predicateType: string;
  /** the first of them */
  readonly subjects: readonly { readonly name: string | null; readonly digest: Readonly<Record<string, string>> }[];
  readonly subjectCount: number;
}

export interface KeyDocument {
  readonly kind: 'key';
  readonly hint: string | null;
}

export interface CertificateDocument {
  readonly kind: 'certificate';
  readonly chain: readonly (OneCertificateDocument | Unreadable)[];
}

export interface OneCertificateDocument {
  readonly subject: string | null;
  readonly claims: Readonly<Record<string, string>>;
  readonly issuedBy: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly serialNumber: string;
}

export interface LogEntryDocument {
  readonly index: number;
  /** base64; null where the entry names no log */
  readonly logId: string | null;
  /** for example `dsse 0.0.1`; null where it is not said */
  readonly kind: string | null;
  readonly integratedTime: string | null;
  /** the log has promised to include it */
  readonly promise: boolean;
  readonly proof: { readonly treeSize: number; readonly checkpoint: CheckpointDocument | Unreadable | null } | null;
}

export interface CheckpointDocument {
  readonly origin: string;
  readonly size: number;
  /** names under it: the log and its witnesses */
  readonly signedBy: readonly string[];
}

export interface TimestampDocument {
  readonly time: string;
  readonly digestAlgorithm: string;
  readonly certificates: number;
}

const MAX_SUBJECTS = 16;

/** @param format what kind of file it was in */
export function bundleDocument(bundle: Bundle, format: BundleDocument['format']): BundleDocument {
  const { mediaType, content, material, logEntries, timestamps } = bundle;
  return {
    format,
    mediaType,
    version: BUNDLE_MEDIA_TYPES.get(mediaType) ?? null,
    content: content.kind === 'dsse' ? envelope(content) : message(content),
    signer:
      material.kind === 'public-key'
        ? { kind: 'key', hint: material.hint ?? null }
        : { kind: 'certificate', chain: material.chain.map((der) => read(() => certificate(der))) },
    logEntries: logEntries.map(logEntry),
    timestamps: timestamps.map((response) => read(() => timestamp(response))),
  };
}

function message({ digest, signature }: Extract<Bundle['content'], { kind: 'message' }>): MessageDocument {
  const named = digest === undefined ? null : `${digest.algorithm}:${Buffer.from(digest.bytes).toString('hex')}`;
  return { kind: 'message', digest: named, signatureBytes: signature.byteLength };
}

function envelope({
  envelope: { payloadType, payload, signatures },
}: Extract<Bundle['content'], { kind: 'dsse' }>): EnvelopeDocument {
  return {
    kind: 'envelope',
    payloadType,
    payloadBytes: payload.byteLength,
    signatures: signatures.length,
    statement: read(() => statement(payload)),
  };
}

function statement(payload: Uint8Array): StatementDocument {
  const { type, predicateType, subjects } = decodeStatement(payload);
  return {
    type,
    predicateType,
    subjects: subjects.slice(0, MAX_SUBJECTS).map(({ name, digest }) => ({ name: name ?? null, digest })),
    subjectCount: subjects.length,
  };
}

function certificate(der: Uint8Array): OneCertificateDocument {
  const leaf = decodeCertificate(der, 'the certificate');
  const identity = certificateIdentity(leaf);
  const known = identity.kind === 'accepted' ? identity.identity : undefined;
  return {
    subject: known?.subject ?? (leaf.subject.byteLength > 2 ? describeName(leaf.subject) : null),
    claims: known === undefined ? {} : { ...known.claims },
    issuedBy: describeName(leaf.issuer),
    notBefore: leaf.notBefore.toISOString(),
    notAfter: leaf.notAfter.toISOString(),
    serialNumber: Buffer.from(leaf.serialNumber).toString('hex'),
  };
}

function logEntry(entry: LogEntry): LogEntryDocument {
  const { logIndex, logKeyId, kindVersion, integratedTime, signedEntryTimestamp, inclusionProof } = entry;
  return {
    index: logIndex,
    logId: logKeyId === undefined ? null : encodeBase64(logKeyId),
    kind: kindVersion === undefined ? null : `${kindVersion.kind} ${kindVersion.version}`,
    integratedTime: integratedTime === undefined ? null : time(integratedTime),
    promise: signedEntryTimestamp !== undefined,
    proof:
      inclusionProof === undefined
        ? null
        : { treeSize: inclusionProof.treeSize, checkpoint: checkpoint(inclusionProof.checkpoint) },
  };
}

// A number that no clock shows is still what the bundle says.
function time(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? `${seconds} s after 1970` : date.toISOString();
}

function checkpoint(text: string | undefined): CheckpointDocument | Unreadable | null {
  if (text === undefined) return null;
  return read(() => {
    const note = decodeNote(text, 'the checkpoint');
    const { origin, size } = decodeCheckpoint(note.text, 'the checkpoint');
    return { origin, size, signedBy: note.signatures.map(({ name }) => name) };
  });
}

function timestamp(bytes: Uint8Array): TimestampDocument {
  const response = decodeTimestampResponse(bytes);
  if (response.kind === 'refused')
    throw new CodedError('timestamp-refused', `the authority refused it: ${response.text}`);
  const { info, certificates } = response.token;
  return { time: info.time.toISOString(), digestAlgorithm: info.imprint.algorithm, certificates: certificates.length };
}

function read<T>(decode: () => T): T | Unreadable {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return { error: { code: error.code, message: error.message } };
  }
}
