// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import {
  sctSignedData,
  signPrecertificate,
  signSct,
  type Certificate,
  type LeafDraft,
  type SignedCertificateTimestamp,
} from '../../../trust/index.ts';
import type { Issuance } from '../issuance/signing-authority.ts';

const NO_EXTENSIONS = new Uint8Array();

/**
 * Enters a certificate that is about to be issued into the log, and gives the log's word for it. The entry is in the published tree, on
 * the disk, before this resolves.
 *
 * @throws what the log and the signers throw
 * @see https://www.rfc-editor.org/rfc/rfc6962#section-3
 */
export async function logPrecertificate(
  draft: LeafDraft,
  { authority, certificateLog }: Issuance,
  time: Date,
): Promise<SignedCertificateTimestamp> {
  const timestamp = time.getTime();
  // The MerkleTreeLeaf of section 3.4 has the very octets that section 3.2 has signed: version, type, timestamp, entry, extensions.
  const leaf = sctSignedData({ timestamp, extensions: NO_EXTENSIONS }, draft.entry);
  const precertificate = await signPrecertificate(draft, authority.signer);
  const extra = encodeChainEntry(precertificate, authority.chain);
  await certificateLog.log.append({ leaf, identity: hash('sha256', leaf, 'buffer'), extra, terms: [] });
  return signSct(certificateLog.signer, draft.entry, timestamp, NO_EXTENSIONS);
}

/** A PrecertChainEntry: what `get-entries` answers beside the leaf. @see https://www.rfc-editor.org/rfc/rfc6962#section-3.1 */
function encodeChainEntry(precertificate: Uint8Array, chain: readonly Certificate[]): Uint8Array {
  return Buffer.concat([vector24(precertificate), vector24(Buffer.concat(chain.map(({ der }) => vector24(der))))]);
}

function vector24(octets: Uint8Array): Uint8Array {
  const length = Buffer.alloc(3);
  length.writeUIntBE(octets.length, 0, 3);
  return Buffer.concat([length, octets]);
}
