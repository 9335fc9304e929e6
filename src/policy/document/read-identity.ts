// SPDX-License-Identifier: Apache-2.0
import { FULCIO_CLAIMS, printable } from '../../trust/index.ts';
import type { FieldReader } from './field-reader.ts';
import { nearestField } from './nearest-field.ts';
import type { IdentityDocument, TextDocument } from './policy.ts';

const MAX_IDENTITIES = 1000;

/** Reads `identities`, of which there must be one at least. */
export function readIdentities(keyless: FieldReader): readonly IdentityDocument[] {
  const identities = keyless.objects('identities', MAX_IDENTITIES).map((reader) => {
    const identity = readIdentity(reader);
    for (const name of ['issuer', 'subject'] as const)
      if (identity[name] === undefined) reader.error('field-missing', `one of ${name} and ${name}RegExp is missing`);
    return identity;
  });
  if (identities.length === 0 && !hasItems(keyless))
    keyless.error('field-missing', 'missing: who is expected to have signed?', 'identities');
  return identities;
}

// an entry that is no object is a fault already
function hasItems(keyless: FieldReader): boolean {
  const value = keyless.json('identities');
  return value !== undefined && (!Array.isArray(value) || value.length > 0);
}

/** Reads an identity of which a part may be left out. */
export function readIdentity(reader: FieldReader): IdentityDocument {
  const issuer = readText(reader, 'issuer');
  const subject = readText(reader, 'subject');
  const claims = new Map<string, TextDocument>();
  for (const [name, exact] of reader.pairs('claims', FULCIO_CLAIMS.size)) claims.set(name, { exact });
  for (const [name, expression] of reader.pairs('claimsRegExp', FULCIO_CLAIMS.size)) {
    if (claims.has(name))
      reader.error('field-conflict', `claims and claimsRegExp both speak of ${printable(name, 60)}`, 'claimsRegExp');
    claims.set(name, { expression });
  }
  for (const name of claims.keys()) {
    if (name !== 'issuer' && isClaim(name)) continue;
    const nearest = nearestField(name, FULCIO_CLAIMS.keys());
    const hint =
      nearest === undefined ? `expected one of ${[...FULCIO_CLAIMS.keys()].join(', ')}` : `did you mean ${nearest}?`;
    reader.error('field-unknown', `no claim is called '${printable(name, 60)}', ${hint}`, 'claims');
  }
  reader.end();
  return {
    place: reader.place(),
    claims,
    ...(issuer === undefined ? {} : { issuer }),
    ...(subject === undefined ? {} : { subject }),
  };
}

function isClaim(name: string): boolean {
  for (const claim of FULCIO_CLAIMS.keys()) if (claim === name) return true;
  return false;
}

function readText(reader: FieldReader, name: 'issuer' | 'subject'): TextDocument | undefined {
  const exact = reader.filled(name);
  const expression = reader.filled(`${name}RegExp`);
  if (exact !== undefined && expression !== undefined)
    reader.error('field-conflict', `${name} and ${name}RegExp exclude one another`, `${name}RegExp`);
  if (exact !== undefined) return { exact };
  return expression === undefined ? undefined : { expression };
}
