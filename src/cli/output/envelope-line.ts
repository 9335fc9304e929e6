// SPDX-License-Identifier: Apache-2.0
import type { SealFormat } from '../../image/index.ts';
import type { BundleContent, Envelope } from '../../trust/index.ts';
import { encodeBase64 } from '../../wire/index.ts';

/**
 * A DSSE envelope in one line, as cosign prints it.
 *
 * @param asItLies keeps the spelling of one in an `.att` tag, as `verify-attestation` of cosign does and its `download` does not
 * @param content of the bundle; one without an envelope gives nothing
 */
export function envelopeLine(content: BundleContent, format: SealFormat, asItLies = false): string {
  if (content.kind !== 'dsse') return '';
  const { envelope, document } = content;
  if (document !== undefined && asItLies) {
    const kept = Buffer.from(document.buffer, document.byteOffset, document.byteLength).toString('latin1');
    // what could begin a line of its own, or move a cursor, is not passed on
    if (/^[\x20-\x7e]+$/.test(kept)) return `${kept}\n`;
  }
  return `${JSON.stringify(format === 'legacy' ? likeCosign2(envelope) : likeCosign3(envelope))}\n`;
}

function likeCosign2({ payload, payloadType, signatures }: Envelope): object {
  const signed = signatures.map(({ keyid = '', sig }) => ({ keyid, sig: encodeBase64(sig) }));
  return { payloadType, payload: encodeBase64(payload), signatures: signed };
}

function likeCosign3({ payload, payloadType, signatures }: Envelope): object {
  const signed = signatures.map(({ keyid = '', sig }) => ({
    sig: encodeBase64(sig),
    ...(keyid === '' ? {} : { keyid }),
  }));
  return { payload: encodeBase64(payload), payloadType, signatures: signed };
}
