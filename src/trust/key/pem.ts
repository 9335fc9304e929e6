// SPDX-License-Identifier: Apache-2.0
import { decodeBase64, encodeBase64 } from '../../wire/index.ts';
import { TrustError } from '../error.ts';
import { printable } from '../printable.ts';

/** One block of a PEM file. */
export interface PemBlock {
  /** for example `PUBLIC KEY` */
  readonly label: string;
  /** header lines such as `DEK-Info: …`, which only OpenSSL's own encryption of old still uses */
  readonly headers: readonly string[];
  readonly bytes: Uint8Array;
}

const BEGIN = /^-----BEGIN ([A-Z0-9 ]{1,64})-----[ \t]*$/;
const MAX_BLOCKS = 16;

/**
 * The blocks of a PEM file; text before, between and after them is skipped.
 *
 * @param what names the file in errors
 * @throws TrustError `pem-malformed`; WireError `base64-malformed`
 * @see https://www.rfc-editor.org/rfc/rfc7468
 */
export function decodePem(text: string, what: string): readonly PemBlock[] {
  const lines = text.split(/\r\n|\r|\n/);
  const blocks: PemBlock[] = [];
  for (let at = 0; at < lines.length; at++) {
    const label = BEGIN.exec(lines[at] ?? '')?.[1];
    if (label === undefined) continue;
    if (blocks.length === MAX_BLOCKS) throw malformed(what, `it has more than ${MAX_BLOCKS} blocks`);
    const end = lines.findIndex((line, index) => index > at && line.trimEnd() === `-----END ${label}-----`);
    if (end === -1) throw malformed(what, `its block '${label}' does not end`);
    blocks.push(decodeBlock(label, lines.slice(at + 1, end), what));
    at = end;
  }
  return blocks;
}

/** PEM with lines of 64 characters and a line feed at the end, as Go and OpenSSL write it. */
export function encodePem(label: string, bytes: Uint8Array): string {
  const lines = encodeBase64(bytes).match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

// RFC 1421 headers end with an empty line; RFC 7468 has none.
function decodeBlock(label: string, lines: readonly string[], what: string): PemBlock {
  const headers: string[] = [];
  let body = lines;
  if (lines[0]?.includes(':') === true) {
    const blank = lines.findIndex((line) => line.trim() === '');
    if (blank === -1) throw malformed(what, `the headers of its block '${label}' do not end`);
    headers.push(...lines.slice(0, blank));
    body = lines.slice(blank + 1);
  }
  return { label, headers, bytes: decodeBase64(body.join('').replace(/[ \t]/g, ''), `${what}, block '${label}',`) };
}

function malformed(what: string, found: string): TrustError {
  return new TrustError('pem-malformed', `${what} is not PEM: ${printable(found)}`);
}
