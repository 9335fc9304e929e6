// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { TrustError } from '../error.ts';
import { DerReader, DerTag } from './der-reader.ts';

function reader(hex: string): DerReader {
  return new DerReader(Buffer.from(hex.replaceAll(' ', ''), 'hex'), 'it');
}

function malformed(pattern: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof TrustError && error.code === 'der-malformed' && pattern.test(error.message);
}

test('reads values one after the other, within their sequence', () => {
  const outer = reader('30 0d 02 01 05 06 08 2a8648ce3d030107');
  const sequence = outer.sequence();
  assert.equal(outer.peek(), undefined);
  assert.equal(sequence.integer(), 5);
  assert.equal(sequence.peek(), DerTag.oid);
  assert.equal(sequence.oid(), '1.2.840.10045.3.1.7');
  sequence.end();
});

test('reads lengths of more than one octet', () => {
  assert.equal(reader(`04 81 80 ${'00'.repeat(128)}`).read(DerTag.octetString).byteLength, 128);
  assert.equal(reader(`04 82 0100 ${'00'.repeat(256)}`).read(DerTag.octetString).byteLength, 256);
});

test('reads object identifiers of every root', () => {
  assert.equal(reader('06 01 00').oid(), '0.0');
  assert.equal(reader('06 03 2b6570').oid(), '1.3.101.112');
  assert.equal(reader('06 03 883703').oid(), '2.999.3');
});

test('copies nothing', () => {
  const bytes = Buffer.from('0402abcd', 'hex');
  assert.equal(new DerReader(bytes, 'it').read(DerTag.octetString).buffer, bytes.buffer);
});

test('hands out whole values, tag and length included', () => {
  const sequence = reader('30 06 0101ff 020105').sequence();
  assert.equal(Buffer.from(sequence.element()).toString('hex'), '0101ff');
  assert.equal(Buffer.from(sequence.rest()).toString('hex'), '020105');
  assert.equal(Buffer.from(sequence.element(DerTag.integer)).toString('hex'), '020105');
  sequence.end();
});

test('stays within its sequence', () => {
  const outer = reader('30 05 3003020105 020106');
  const inner = outer.sequence().sequence();
  assert.equal(inner.integer(), 5);
  assert.equal(inner.peek(), undefined);
  assert.throws(() => inner.integer(), malformed(/tag nothing/));
  assert.equal(outer.integer(), 6);
});

test('reads truth', () => {
  assert.equal(reader('01 01 ff').boolean(), true);
  assert.equal(reader('01 01 00').boolean(), false);
});

test('reads the octets of long integers', () => {
  const longest = `00${'ff'.repeat(20)}`;
  assert.equal(Buffer.from(reader(`02 15 ${longest}`).integerOctets()).toString('hex'), longest);
});

test('reads bits', () => {
  assert.equal(Buffer.from(reader('03 03 00 abcd').bitString()).toString('hex'), 'abcd');
  assert.equal(reader('03 02 07 80').namedBits(), 0b1);
  assert.equal(reader('03 02 01 06').namedBits(), 0b1100000);
  assert.equal(reader('03 03 07 0180').namedBits(), 0b110000000);
  assert.equal(reader('03 01 00').namedBits(), 0);
  assert.equal(reader('03 02 00 80').namedBits(), 0b1); // as some authorities write it
});

test('reads text', () => {
  assert.equal(reader('0c 03 e282ac').text(DerTag.utf8String), '€');
  assert.equal(reader('0c 04 efbbbf41').text(DerTag.utf8String), '\ufeffA');
  assert.equal(reader('16 01 40').text(DerTag.ia5String), '@');
  assert.equal(reader('86 01 40').text(DerTag.ia5String, 0x86), '@');
  assert.equal(reader('13 03 41203f').text(DerTag.printableString), 'A ?');
});

test('reads times', () => {
  const time = (tag: string, text: string): string => reader(ofTime(tag, text)).time().toISOString();
  assert.equal(time('17', '491231235959Z'), '2049-12-31T23:59:59.000Z');
  assert.equal(time('17', '500101000000Z'), '1950-01-01T00:00:00.000Z');
  assert.equal(time('17', '240229000000Z'), '2024-02-29T00:00:00.000Z');
  assert.equal(time('18', '20500101000000Z'), '2050-01-01T00:00:00.000Z');
  assert.equal(time('18', '99991231235959Z'), '9999-12-31T23:59:59.000Z');
});

function ofTime(tag: string, text: string): string {
  return `${tag} ${text.length.toString(16).padStart(2, '0')} ${Buffer.from(text).toString('hex')}`;
}

describe('refuses', () => {
  const cases = {
    'another tag': ['0400', (r: DerReader) => r.sequence(), /tag 4 at offset 0, expected 48/],
    'nothing where a value should be': ['', (r: DerReader) => r.sequence(), /tag nothing/],
    'an indefinite length (BER)': ['3080 0000', (r: DerReader) => r.sequence(), /indefinite/],
    'a length of five octets': ['04 85 0000000001 00', (r: DerReader) => r.read(4), /oversized/],
    'a short length in the long form': ['04 81 01 00', (r: DerReader) => r.read(4), /shortest/],
    'a length with a leading zero': [`04 82 0080 ${'00'.repeat(128)}`, (r: DerReader) => r.read(4), /shortest/],
    'a length past the end': ['04 05 00', (r: DerReader) => r.read(4), /past the end/],
    'an end within the length': ['04 82 01', (r: DerReader) => r.read(4), /ends within a length/],
    'a missing length': ['04', (r: DerReader) => r.read(4), /ends within a length/],
    'bytes that are left over': ['00', (r: DerReader) => r.end(), /1 bytes too many/],
    'an empty integer': ['02 00', (r: DerReader) => r.integer(), /INTEGER/],
    'a negative integer': ['02 01 80', (r: DerReader) => r.integer(), /INTEGER/],
    'a padded integer': ['02 02 0001', (r: DerReader) => r.integer(), /INTEGER/],
    'an integer of seven octets': ['02 07 01000000000000', (r: DerReader) => r.integer(), /INTEGER/],
    'an empty object identifier': ['06 00', (r: DerReader) => r.oid(), /unfinished/],
    'an unfinished object identifier': ['06 02 2a86', (r: DerReader) => r.oid(), /unfinished/],
    'an integer of 22 octets': [`02 16 01 ${'00'.repeat(21)}`, (r: DerReader) => r.integerOctets(), /INTEGER/],
    'a padded arc': ['06 03 2a8001', (r: DerReader) => r.oid(), /padded/],
    'a tag of two octets': ['1f 81 01 00', (r: DerReader) => r.element(), /tag of more than one octet/],
    'a value that is not there': ['', (r: DerReader) => r.element(), /tag nothing/],
    'more levels than any structure has': [
      nested(33),
      (r: DerReader) => {
        for (let level = r; ;) level = level.sequence();
      },
      /deeper than 32/,
    ],
    'truth that is neither 00 nor FF': ['01 01 01', (r: DerReader) => r.boolean(), /BOOLEAN/],
    'truth of two octets': ['01 02 ff00', (r: DerReader) => r.boolean(), /BOOLEAN/],
    'no truth': ['01 00', (r: DerReader) => r.boolean(), /BOOLEAN/],
    'something in nothing': ['05 01 00', (r: DerReader) => r.null(), /NULL/],
    'a bit string that is not made of octets': ['03 02 01 80', (r: DerReader) => r.bitString(), /BIT STRING/],
    'a bit string without its first octet': ['03 00', (r: DerReader) => r.bitString(), /BIT STRING/],
    'named bits without their first octet': ['03 00', (r: DerReader) => r.namedBits(), /BIT STRING/],
    'named bits with eight to spare': ['03 02 08 00', (r: DerReader) => r.namedBits(), /BIT STRING/],
    'named bits with something in what is to spare': ['03 02 07 c0', (r: DerReader) => r.namedBits(), /BIT STRING/],
    'named bits with some to spare in nothing': ['03 01 01', (r: DerReader) => r.namedBits(), /BIT STRING/],
    'named bits in three octets': ['03 04 00 000000', (r: DerReader) => r.namedBits(), /BIT STRING/],
    'text that is not UTF-8': ['0c 01 ff', (r: DerReader) => r.text(DerTag.utf8String), /UTF-8/],
    'an IA5String that is not ASCII': ['16 02 c3a4', (r: DerReader) => r.text(DerTag.ia5String), /ASCII/],
    'a PrintableString with an at sign': [
      '13 01 40',
      (r: DerReader) => r.text(DerTag.printableString),
      /PrintableString/,
    ],
    'a time in the 13th month': [ofTime('17', '261301000000Z'), (r: DerReader) => r.time(), /no calendar/],
    'a time in the month 0': [ofTime('17', '260001000000Z'), (r: DerReader) => r.time(), /no calendar/],
    'the 30th of February': [ofTime('17', '260230000000Z'), (r: DerReader) => r.time(), /no calendar/],
    'the 24th hour': [ofTime('17', '260101240000Z'), (r: DerReader) => r.time(), /no calendar/],
    'a leap second': [ofTime('17', '261231235960Z'), (r: DerReader) => r.time(), /no calendar/],
    'a year before 100': [ofTime('18', '00500101000000Z'), (r: DerReader) => r.time(), /no calendar/],
    'a time without seconds': [ofTime('17', '2601010000Z'), (r: DerReader) => r.time(), /to the second/],
    'a time with fractions': [ofTime('18', '20260101000000.5Z'), (r: DerReader) => r.time(), /to the second/],
    'a time elsewhere': [ofTime('17', '260101000000+0100'), (r: DerReader) => r.time(), /to the second/],
    'a time of other signs than digits': [ofTime('17', '2601010000 0Z'), (r: DerReader) => r.time(), /digits/],
    'a short time under the tag of the long': [
      ofTime('18', '260101000000Z'),
      (r: DerReader) => r.time(),
      /to the second/,
    ],
    'an endless arc': [`06 09 2a ${'ff'.repeat(7)}7f`, (r: DerReader) => r.oid(), /endless/],
  } as const;
  for (const [name, [hex, read, pattern]] of Object.entries(cases)) {
    test(name, () => assert.throws(() => read(reader(hex)), malformed(pattern)));
  }
});

/** Sequences one within the other. */
function nested(levels: number): string {
  let encoded = '';
  for (let level = 0; level < levels; level++)
    encoded = `30${(encoded.length / 2).toString(16).padStart(2, '0')}${encoded}`;
  return encoded;
}

test('throws nothing but der-malformed, whatever the bytes', () => {
  const methods: ((r: DerReader) => unknown)[] = [
    (r) => r.sequence().sequence().oid(),
    (r) => r.integer(),
    (r) => r.oid(),
    (r) => r.read(DerTag.bitString),
    (r) => r.element(),
    (r) => r.boolean(),
    (r) => r.null(),
    (r) => r.integerOctets(),
    (r) => r.bitString(),
    (r) => r.namedBits(),
    (r) => r.text(DerTag.utf8String),
    (r) => r.text(DerTag.ia5String),
    (r) => r.text(DerTag.printableString),
    (r) => r.time(),
    (r) => r.end(),
  ];
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom(0x30, 1, 2, 3, 4, 5, 6, 12, 19, 22, 23, 24, 0x1f),
      fc.nat(40),
      (rest, tag, length) => {
        for (const method of methods) {
          try {
            method(new DerReader(Uint8Array.of(tag, length, ...rest), 'it'));
          } catch (error) {
            assert.ok(error instanceof TrustError && error.code === 'der-malformed', String(error));
          }
        }
      },
    ),
  );
});
