// SPDX-License-Identifier: Apache-2.0
import { DerReader, DerTag } from '../der/der-reader.ts';
import * as der from '../der/der-writer.ts';
import { TrustError } from '../error.ts';
import { printable } from '../printable.ts';

/** The name of an authority. */
export interface DistinguishedName {
  readonly organization?: string;
  readonly commonName?: string;
}

const COMMON_NAME = '2.5.4.3';
const ORGANIZATION = '2.5.4.10';
/** @see https://www.rfc-editor.org/rfc/rfc4514#section-3 */
const SHORT_NAMES: ReadonlyMap<string, string> = new Map([
  [COMMON_NAME, 'CN'],
  ['2.5.4.6', 'C'],
  ['2.5.4.7', 'L'],
  ['2.5.4.8', 'ST'],
  [ORGANIZATION, 'O'],
  ['2.5.4.11', 'OU'],
  ['0.9.2342.19200300.100.1.25', 'DC'],
]);

/** A Name of RFC 5280 section 4.1.2.4; nothing given makes the empty name. */
export function encodeName({ organization, commonName }: DistinguishedName): Uint8Array {
  const attribute = (type: string, text: string | undefined): readonly Uint8Array[] =>
    text === undefined || text === '' ? [] : [der.setOf(der.sequence(der.oid(type), der.utf8String(text)))];
  return der.sequence(...attribute(ORGANIZATION, organization), ...attribute(COMMON_NAME, commonName));
}

/**
 * A Name as people read it, in its order: `O=lab.example, CN=lab-root`. For messages only, and never fails: names are compared as DER.
 *
 * @see https://www.rfc-editor.org/rfc/rfc4514
 */
export function describeName(name: Uint8Array): string {
  try {
    const described = readAttributes(name)
      .map(([type, text]) => `${SHORT_NAMES.get(type) ?? type}=${text.replace(/[,+"\\<>;=]/g, '\\$&')}`)
      .join(', ');
    return described === '' ? 'an empty name' : `'${printable(described, 120)}'`;
  } catch (error) {
    if (error instanceof TrustError) return 'a name that cannot be read';
    throw error;
  }
}

/** What a Name says of an organization and a common name: the first of each. @throws TrustError `der-malformed` */
export function readName(name: Uint8Array): DistinguishedName {
  const attributes = readAttributes(name);
  const text = (type: string): string | undefined => attributes.find(([oid]) => oid === type)?.[1];
  const organization = text(ORGANIZATION);
  const commonName = text(COMMON_NAME);
  return {
    ...(organization === undefined ? {} : { organization }),
    ...(commonName === undefined ? {} : { commonName }),
  };
}

function readAttributes(name: Uint8Array): readonly (readonly [oid: string, text: string])[] {
  const attributes: [string, string][] = [];
  for (const rdns = new DerReader(name, 'a name').sequence(); rdns.peek() !== undefined;) {
    for (const rdn = rdns.enter(DerTag.set); rdn.peek() !== undefined;) {
      const attribute = rdn.sequence();
      const type = attribute.oid();
      const text = new TextDecoder().decode(attribute.read(attribute.peek() ?? DerTag.utf8String));
      attributes.push([type, text]);
    }
  }
  return attributes;
}
