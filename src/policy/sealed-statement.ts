// SPDX-License-Identifier: Apache-2.0
import { sealExpectation, type ExpectedSigners } from '../image/index.ts';
import { digestOf, type Digest } from '../oci/index.ts';
import {
  decodeBundle,
  decodeEnvelope,
  decodeStatement,
  statedArtifacts,
  verifyBundle,
  type Artifact,
  type Bundle,
  type Rejection,
  type Statement,
} from '../trust/index.ts';
import { isJsonObject, parseJson } from '../wire/index.ts';
import { PolicyError } from './error.ts';
import type { DatedSeal } from './evaluate/seal-demand.ts';

/** A statement that lies in a file rather than beside an image, and who signed it. */
export interface SealedStatement {
  /** of the bytes that were read */
  readonly digest: Digest;
  readonly statement: Statement;
  /** of the statement's bytes */
  readonly payload: Digest;
  /** by whom one expects, or why not */
  readonly by: DatedSeal | Rejection;
}

/** An exception or a summary has some kilobytes. */
const MAX_BYTES = 1024 * 1024;

/**
 * Reads a bundle or a DSSE envelope as JSON and verifies who signed the statement in it.
 *
 * @param signers any of these
 * @param artifact what the statement must be about; whatever it names first unless told
 * @throws PolicyError `statement-unusable`; TrustError, WireError for what cannot be read
 */
export async function openSealedStatement(
  document: Uint8Array,
  what: string,
  signers: readonly ExpectedSigners[],
  artifact?: Artifact,
): Promise<SealedStatement> {
  const bundle = bundleOf(document, what);
  if (bundle.content.kind !== 'dsse') throw new PolicyError('statement-unusable', `${what} holds no statement`);
  const { payload } = bundle.content.envelope;
  const statement = decodeStatement(payload);
  const about = artifact ?? statedArtifacts(statement)[0];
  if (about === undefined)
    throw new PolicyError(
      'statement-unusable',
      `${what} names nothing by a digest that is known: sha256, sha384 or sha512`,
    );
  const read = { digest: digestOf(document), statement, payload: digestOf(payload) };
  const rejections: Rejection[] = [];
  for (const expected of signers) {
    const check = await verifyBundle(bundle, about, sealExpectation(expected));
    if (check.kind === 'rejected') rejections.push(check.rejection);
    else {
      const { signer, evidence } = check;
      return { ...read, by: { signer, ...(evidence === undefined ? {} : { evidence }) } };
    }
  }
  return { ...read, by: nearest(rejections) };
}

function bundleOf(document: Uint8Array, what: string): Bundle {
  const json = parseJson(document, { what, maxBytes: MAX_BYTES });
  if (isJsonObject(json) && json['payloadType'] === undefined)
    return decodeBundle(document, what, { maxBytes: MAX_BYTES });
  return {
    // never written anywhere
    mediaType: 'application/vnd.dsse.envelope.v1+json',
    material: { kind: 'public-key' },
    content: { kind: 'dsse', envelope: decodeEnvelope(document, what, { maxBytes: MAX_BYTES }), document },
    logEntries: [],
    timestamps: [],
  };
}

// Another key, or a key where a certificate is expected, says the least.
const FARTHEST: ReadonlySet<string> = new Set(['signature-invalid', 'key-material', 'certificate-material']);

function nearest(rejections: readonly Rejection[]): Rejection {
  const closer = rejections.find(({ code }) => !FARTHEST.has(code)) ?? rejections[0];
  return closer ?? { code: 'signature-invalid', found: 'a signature', expected: 'that settings name somebody' };
}
