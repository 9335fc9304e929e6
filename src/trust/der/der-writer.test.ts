// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { TrustError } from '../error.ts';
import { DerReader, DerTag } from './der-reader.ts';
import * as der from './der-writer.ts';
import { sameOctets } from './same-octets.ts';

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function read(bytes: Uint8Array): DerReader {
  return new DerReader(bytes, 'it');
}

describe('writes', () => {
  const cases: Readonly<Record<string, readonly [Uint8Array, string]>> = {
    'an empty sequence': [der.sequence(), '3000'],
    'values one after the other': [
      der.sequence(der.integer(5), der.oid('1.2.840.10045.3.1.7')),
      '300d02010506082a8648ce3d030107',
    ],
    'a set in the order of its encodings': [der.setOf(der.integer(2), der.integer(1)), '3106020101020102'],
    'a value within a value': [der.explicit(3, der.nullValue()), 'a3020500'],
    'a value under another tag': [der.implicit(6, der.ascii('a:')), '8602613a'],
    truth: [der.boolean(true), '0101ff'],
    zero: [der.integer(0), '020100'],
    'the sign of an integer as an octet before it': [der.integer(128), '02020080'],
    'a large integer': [der.integer(2n ** 64n), '0209010000000000000000'],
    'an integer from octets, without the zeros before it': [der.integer(Uint8Array.of(0, 0, 0x80)), '02020080'],
    'an integer from no octets': [der.integer(new Uint8Array()), '020100'],
    'an object identifier below 2.999': [der.oid('2.999.3'), '0603883703'],
    'octets in pieces': [der.octetString(Uint8Array.of(1), Uint8Array.of(2)), '04020102'],
    'octets as bits': [der.bitString(Uint8Array.of(0xab)), '030200ab'],
    'the first named bit': [der.namedBits(0b1), '03020780'],
    'the sixth and seventh named bit': [der.namedBits(0b1100000), '03020106'],
    'the ninth named bit': [der.namedBits(1 << 8), '0303070080'],
    'no named bit': [der.namedBits(0), '030100'],
    'UTF-8': [der.utf8String('€'), '0c03e282ac'],
    ASCII: [der.ia5String('@'), '160140'],
    'printable text': [der.printableString('A ?'), '130341203f'],
    'the last UTCTime': [
      der.time(new Date('2049-12-31T23:59:59.999Z')),
      hex(der.value(0x17, Buffer.from('491231235959Z'))),
    ],
    'the first GeneralizedTime': [
      der.time(new Date('2050-01-01T00:00:00Z')),
      hex(der.value(0x18, Buffer.from('20500101000000Z'))),
    ],
    'a GeneralizedTime before UTCTime begins': [
      der.time(new Date('1949-12-31T23:59:59Z')),
      hex(der.value(0x18, Buffer.from('19491231235959Z'))),
    ],
    'a GeneralizedTime when it is asked for': [
      der.generalizedTime(new Date('2026-01-01T00:00:00Z')),
      hex(der.value(0x18, Buffer.from('20260101000000Z'))),
    ],
  };
  for (const [name, [written, expected]] of Object.entries(cases)) {
    test(name, () => assert.equal(hex(written), expected));
  }
});

test('writes lengths in as few octets as can hold them', () => {
  const headers = [0x7f, 0x80, 0xff, 0x100, 0xffff, 0x1_0000].map((length) =>
    hex(der.octetString(new Uint8Array(length))).slice(0, -2 * length),
  );
  assert.deepEqual(headers, ['047f', '048180', '0481ff', '04820100', '0482ffff', '0483010000']);
});

describe('refuses to bend', () => {
  const cases: Readonly<Record<string, () => unknown>> = {
    'what is not ASCII into an IA5String': () => der.ia5String('\u0142@example.com'), // whose low octet would be that of B
    'what is not printable into a PrintableString': () => der.printableString('a@b'),
    'half a character into UTF-8': () => der.utf8String('\ud800'),
    'a negative number': () => der.integer(-1),
    'a broken number': () => der.integer(1.5),
    'a number that is not exact': () => der.integer(2 ** 53),
    'text that is no object identifier': () => der.oid('1.two.3'),
    'an object identifier without a second arc': () => der.oid('1'),
    'an object identifier of a fourth root': () => der.oid('3.1'),
    'a second arc that would run into the next root': () => der.oid('1.40'),
    'a time that is none': () => der.time(new Date(Number.NaN)),
    'a year of five digits': () => der.time(new Date(Date.UTC(10_000, 0))),
    'a year before the first': () => der.generalizedTime(new Date(Date.UTC(-1, 0))),
  };
  for (const [name, write] of Object.entries(cases)) {
    test(name, () =>
      assert.throws(write, (error) => error instanceof TrustError && error.code === 'der-unencodable', name),
    );
  }
});

describe('what is written is read the same', () => {
  test('integers', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 31 - 1 }), (number) => assert.equal(read(der.integer(number)).integer(), number)),
    );
  });
  test('object identifiers', () => {
    const arcs = fc.tuple(fc.nat(2), fc.nat(39), fc.array(fc.nat({ max: 2 ** 31 - 1 }), { maxLength: 12 }));
    fc.assert(
      fc.property(arcs, ([root, second, rest]) => {
        const dotted = [root, second, ...rest].join('.');
        assert.equal(read(der.oid(dotted)).oid(), dotted);
      }),
    );
  });
  test('named bits', () => {
    fc.assert(fc.property(fc.nat(0xffff), (bits) => assert.equal(read(der.namedBits(bits)).namedBits(), bits)));
  });
  test('text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) =>
        assert.equal(read(der.utf8String(text)).text(DerTag.utf8String), text),
      ),
    );
  });
  test('times, to the second', () => {
    const years = { min: new Date('0100-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true };
    fc.assert(
      fc.property(fc.date(years), (date) => {
        const second = Math.floor(date.getTime() / 1000) * 1000;
        assert.equal(read(der.time(date)).time().getTime(), second);
      }),
    );
  });
});

test('octets are the same if they are the same', () => {
  assert.equal(sameOctets(Uint8Array.of(1, 2), Buffer.from([1, 2])), true);
  assert.equal(sameOctets(Uint8Array.of(1, 2), Uint8Array.of(1, 3)), false);
  assert.equal(sameOctets(Uint8Array.of(1), Uint8Array.of(1, 0)), false);
});
