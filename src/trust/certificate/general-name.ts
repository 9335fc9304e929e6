// SPDX-License-Identifier: Apache-2.0
import { DerReader, DerTag } from '../der/der-reader.ts';
import * as der from '../der/der-writer.ts';
import { TrustError } from '../error.ts';
import { printable } from '../printable.ts';
import { FULCIO_USERNAME } from './object-identifier.ts';
import { malformed } from './malformed.ts';

/** A name that an authority has certified somebody to have. */
export type GeneralName =
  /** `rfc822Name`, for example `dev@example.com` */
  | { readonly kind: 'email'; readonly value: string }
  /** `uniformResourceIdentifier` */
  | { readonly kind: 'uri'; readonly value: string }
  /** `dNSName` */
  | { readonly kind: 'dns'; readonly value: string }
  /** Fulcio's `otherName`: `user!domain` */
  | { readonly kind: 'username'; readonly value: string }
  /** any other form; `der` is the whole GeneralName */
  | { readonly kind: 'other'; readonly der: Uint8Array };

// Context tags of RFC 5280 section 4.2.1.6.
const OTHER_NAME = 0xa0;
const TEXT_TAGS = { email: 0x81, dns: 0x82, uri: 0x86 } as const;
const TEXT_KINDS: ReadonlyMap<number, keyof typeof TEXT_TAGS> = new Map([
  [TEXT_TAGS.email, 'email'],
  [TEXT_TAGS.dns, 'dns'],
  [TEXT_TAGS.uri, 'uri'],
]);
const MAX_NAMES = 32;

/**
 * Reads the GeneralNames of a subjectAltName.
 *
 * @param what names the certificate in errors
 * @throws TrustError `der-malformed`, `certificate-malformed`
 * @see https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.6
 */
export function readGeneralNames(extension: DerReader, what: string): readonly GeneralName[] {
  const names: GeneralName[] = [];
  for (const list = extension.sequence(); list.peek() !== undefined;) {
    if (names.length === MAX_NAMES) throw malformed(what, `more than ${MAX_NAMES} subject alternative names`);
    names.push(readGeneralName(list, what));
  }
  extension.end();
  if (names.length === 0) throw malformed(what, 'an empty list of subject alternative names');
  return names;
}

/** Writes one GeneralName, if it is one that reading takes. @throws TrustError `certificate-unissuable`, `der-unencodable` */
export function encodeGeneralName(name: Exclude<GeneralName, { kind: 'other' }>): Uint8Array {
  if (!isClean(name.value))
    throw new TrustError(
      'certificate-unissuable',
      `a certificate cannot be issued with the name '${printable(name.value)}'`,
    );
  if (name.kind === 'username')
    return der.value(OTHER_NAME, der.oid(FULCIO_USERNAME), der.explicit(0, der.utf8String(name.value)));
  return der.value(TEXT_TAGS[name.kind], der.ascii(name.value));
}

/** For messages: `email dev@example.com`. */
export function describeGeneralName(name: GeneralName): string {
  return name.kind === 'other' ? 'a name of another form' : `${name.kind} '${printable(name.value, 200)}'`;
}

function readGeneralName(list: DerReader, what: string): GeneralName {
  const tag = list.peek() ?? 0;
  const kind = TEXT_KINDS.get(tag);
  if (kind !== undefined) return { kind, value: clean(list.text(DerTag.ia5String, tag), what) };
  const other: GeneralName = { kind: 'other', der: list.element() };
  if (tag !== OTHER_NAME) return other;
  const name = new DerReader(other.der, what).enter(OTHER_NAME);
  if (name.oid() !== FULCIO_USERNAME) return other;
  const value = name.enter(DerTag.context0);
  const username = clean(value.text(DerTag.utf8String), what);
  value.end();
  name.end();
  return { kind: 'username', value: username };
}

function clean(text: string, what: string): string {
  if (isClean(text)) return text;
  throw malformed(what, `the subject alternative name '${printable(text)}', which is empty or has control characters`);
}

// A name with a NUL or a line feed in it is read differently by different programs (CVE-2009-2408 was one such).
function isClean(text: string): boolean {
  return text !== '' && !/\p{Cc}/u.test(text);
}
