// SPDX-License-Identifier: Apache-2.0
import { DerReader, DerTag } from '../der/der-reader.ts';
import * as der from '../der/der-writer.ts';
import { TrustError } from '../error.ts';
import { readMessageImprint, type MessageImprint } from './digest-algorithm.ts';
import { significant } from './timestamp-request.ts';

/**
 * What an authority says: that at this time there was this digest.
 *
 * @see https://www.rfc-editor.org/rfc/rfc3161#section-2.4.2 (`TSTInfo`)
 */
export interface TimestampInfo {
  /** object identifier */
  readonly policy: string;
  readonly imprint: MessageImprint;
  /** the octets of its number as they stand; unique for one authority */
  readonly serialNumber: Uint8Array;
  /** what is below the millisecond is cut off */
  readonly time: Date;
  readonly accuracy?: Accuracy;
  /** what a request asked to have repeated, without idle zeros */
  readonly nonce?: Uint8Array;
}

/** By how much the time may be off, either way. */
export interface Accuracy {
  readonly seconds: number;
  readonly milliseconds: number;
  readonly microseconds: number;
}

const VERSION_1 = 1;
// Context tags of TSTInfo and Accuracy.
const TSA = 0xa0;
const EXTENSIONS = 0xa1;
const MILLISECONDS = 0x80;
const MICROSECONDS = 0x81;
/** of what is above seconds in a GeneralizedTime */
const WHOLE = 'YYYYMMDDhhmmss'.length;

/** @throws TrustError `timestamp-malformed`, `der-malformed` */
export function decodeTimestampInfo(bytes: Uint8Array): TimestampInfo {
  const outer = new DerReader(bytes, WHAT);
  const info = outer.sequence();
  outer.end();
  const version = info.integer();
  if (version !== VERSION_1) throw malformed(`version ${version}, expected 1`);
  const policy = info.oid();
  const imprint = readMessageImprint(info);
  const serialNumber = info.integerOctets();
  const time = readTime(info);
  const accuracy = info.peek() === DerTag.sequence ? readAccuracy(info.sequence()) : undefined;
  // Whether times can be put in order without the accuracy: nothing here does that.
  if (info.peek() === DerTag.boolean) info.boolean();
  const nonce = info.peek() === DerTag.integer ? significant(info.integerOctets()) : undefined;
  // The name is a hint; the certificate says who it is.
  if (info.peek() === TSA) info.element();
  if (info.peek() === EXTENSIONS) skipExtensions(info.enter(EXTENSIONS));
  info.end();
  return {
    policy,
    imprint,
    serialNumber,
    time,
    ...(accuracy === undefined ? {} : { accuracy }),
    ...(nonce === undefined ? {} : { nonce }),
  };
}

/**
 * Writes what an authority says, with an accuracy of one second.
 *
 * @param encoded.policy DER object identifier
 * @param encoded.imprint DER MessageImprint
 * @throws TrustError `der-unencodable`
 */
export function encodeTimestampInfo(
  encoded: { readonly policy: Uint8Array; readonly imprint: Uint8Array },
  { serialNumber, time, nonce }: Pick<TimestampInfo, 'serialNumber' | 'time' | 'nonce'>,
): Uint8Array {
  return der.sequence(
    der.integer(VERSION_1),
    encoded.policy,
    encoded.imprint,
    der.integer(serialNumber),
    der.generalizedTime(time),
    der.sequence(der.integer(1)),
    ...(nonce === undefined ? [] : [der.integer(nonce)]),
  );
}

// RFC 3161 allows a fraction of a second, which certificates may not have: without zeros at its end.
function readTime(info: DerReader): Date {
  const content = info.read(DerTag.generalizedTime);
  const text = Buffer.from(content).toString('latin1');
  const fraction = /^\.([0-9]*[1-9])Z$/.exec(text.slice(WHOLE))?.[1];
  if (text.slice(WHOLE) !== 'Z' && (fraction === undefined || fraction.length > 9))
    throw malformed('a time that is not in UTC, or whose fraction is not in its shortest form');
  const whole = der.value(DerTag.generalizedTime, content.subarray(0, WHOLE), Buffer.from('Z'));
  const second = new DerReader(whole, WHAT).time();
  return new Date(second.getTime() + Number((fraction ?? '').padEnd(3, '0').slice(0, 3)));
}

function readAccuracy(accuracy: DerReader): Accuracy {
  const seconds = accuracy.peek() === DerTag.integer ? accuracy.integer() : 0;
  const milliseconds = readThousandth(accuracy, MILLISECONDS);
  const microseconds = readThousandth(accuracy, MICROSECONDS);
  accuracy.end();
  return { seconds, milliseconds, microseconds };
}

/** INTEGER (1..999) under another tag; 0 if it is not there. */
function readThousandth(accuracy: DerReader, tag: number): number {
  if (accuracy.peek() !== tag) return 0;
  const number = new DerReader(der.value(DerTag.integer, accuracy.read(tag)), WHAT).integer();
  if (number < 1 || number > 999) throw malformed(`an accuracy of ${number} thousandths`);
  return number;
}

// Qualified authorities say here that they are (ETSI EN 319 422). None is known here, so that none may be critical.
function skipExtensions(extensions: DerReader): void {
  if (extensions.peek() === undefined) throw malformed('an empty list of extensions');
  while (extensions.peek() !== undefined) {
    const extension = extensions.sequence();
    const oid = extension.oid();
    const critical = extension.peek() === DerTag.boolean && extension.boolean();
    extension.read(DerTag.octetString);
    extension.end();
    if (critical) throw malformed(`the critical extension ${oid}, and none is known here`);
  }
}

const WHAT = 'the timestamp';

function malformed(found: string): TrustError {
  return new TrustError('timestamp-malformed', `${WHAT} has ${found}`);
}
