// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { FileFault, type Evidence } from '../cataloger.ts';
import { programs } from './programs.ts';

interface Made {
  readonly wide?: boolean;
  readonly little?: boolean;
  readonly section?: Uint8Array;
  readonly name?: string;
  /** bytes of symbols before the section */
  readonly symbols?: number;
  /** where the section's header says that the section is, from the end of what is loaded */
  readonly at?: number;
}

const LOADED = 8192;
const crates = (list: unknown): Buffer => deflateSync(Buffer.from(JSON.stringify(list)));
const ONE = crates({ packages: [{ name: 'itoa', version: '1.0.18', source: 'crates.io' }], format: 1 });

/** A program with one loaded segment and, behind it, a section and the names of sections. */
function programOf({
  wide = true,
  little = true,
  section = ONE,
  name = '.dep-v0',
  symbols = 0,
  at,
}: Made = {}): Buffer {
  const names = Buffer.from(`\0.shstrtab\0${name}\0`, 'latin1');
  const [programSize, headerSize] = wide ? [56, 64] : [32, 40];
  const sectionAt = LOADED + symbols;
  const namesAt = sectionAt + section.length;
  const headersAt = namesAt + names.length;
  const bytes = Buffer.alloc(headersAt + 3 * headerSize);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const word = (where: number, value: number): void =>
    wide ? view.setBigUint64(where, BigInt(value), little) : view.setUint32(where, value, little);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, little ? 1 : 2, 1]);
  word(wide ? 32 : 28, 64);
  word(wide ? 40 : 32, headersAt);
  const rest = wide ? 54 : 42;
  for (const [index, value] of [programSize, 1, headerSize, 3, 1].entries())
    view.setUint16(rest + 2 * index, value, little);
  view.setUint32(64, 1, little); // loaded, all of the beginning
  word(64 + (wide ? 32 : 16), LOADED);
  section.forEach((byte, index) => (bytes[sectionAt + index] = byte));
  names.copy(bytes, namesAt);
  const header = (index: number, nameAt: number, where: number, size: number): void => {
    const base = headersAt + index * headerSize;
    view.setUint32(base, nameAt, little);
    word(base + (wide ? 24 : 16), where);
    word(base + (wide ? 32 : 20), size);
  };
  header(1, 1, namesAt, names.length);
  header(2, 11, at === undefined ? sectionAt : LOADED + at, section.length);
  return bytes;
}

function read(bytes: Buffer, chunk = 1000): Evidence | undefined {
  const reader = programs.select('usr/bin/x');
  assert.equal(reader?.kind, 'stream');
  const file = reader.open(bytes.length);
  for (let at = 0; at < bytes.length; at += chunk) file?.chunk(bytes.subarray(at, at + chunk));
  return file?.end();
}

const faultOf = (bytes: Buffer): FileFault => {
  try {
    read(bytes);
  } catch (error) {
    assert.ok(error instanceof FileFault, String(error));
    return error;
  }
  return assert.fail('nothing was told');
};

describe('a Rust program', () => {
  const ITOA = [{ kind: 'cargo', name: 'itoa', version: '1.0.18' }];
  for (const wide of [true, false])
    for (const little of [true, false])
      it(`of ${wide ? 64 : 32} bits, ${little ? 'little' : 'big'}-endian, says what it was built from`, () => {
        for (const chunk of [1, 7, 4096, 1_000_000])
          assert.deepEqual(read(programOf({ wide, little }), chunk)?.packages, ITOA, `${chunk}`);
      });

  it('that says nothing is nothing', () => {
    assert.equal(read(programOf({ name: '.comment' })), undefined);
    assert.equal(read(programOf().subarray(0, LOADED)), undefined);
  });

  it('that was not stripped is read behind some symbols, and told of behind too many', () => {
    assert.deepEqual(read(programOf({ symbols: 5_000_000 }), 65_536)?.packages, ITOA);
    const fault = faultOf(programOf({ symbols: 17 * 1024 * 1024 }));
    assert.equal(fault.code, 'file-too-large');
    assert.match(fault.message, /strip it/);
    assert.equal(read(programOf({ symbols: 17 * 1024 * 1024, name: '.comment' }), 65_536), undefined);
  });

  for (const [what, made] of [
    ['a list that is not packed', { section: Buffer.from('{"packages":[]}') }],
    ['a list that is no JSON', { section: deflateSync(Buffer.from('[')) }],
    ['a list of another form', { section: crates({ crates: [] }) }],
    ['a crate without a version', { section: crates({ packages: [{ name: 'x' }] }) }],
    ['a crate that is no object', { section: crates({ packages: ['x'] }) }],
    ['a list that unpacks to more than is read', { section: deflateSync(Buffer.alloc(9 * 1024 * 1024)) }],
    ['a list of a million values', { section: crates({ packages: Array.from({ length: 1_000_001 }, () => 1) }) }],
    ['a list that lies elsewhere', { at: -4096 }],
    ['a list behind its end', { at: 1_000_000 }],
  ] as const) {
    it(`with ${what} is told of`, () => {
      assert.match(faultOf(programOf(made)).message, /it is a Rust program/);
    });
  }

  it('never fails otherwise, whatever its headers and its list', () => {
    const quiet = (bytes: Buffer): void => {
      try {
        read(bytes);
      } catch (error) {
        assert.ok(error instanceof FileFault, String(error));
      }
    };
    const good = programOf();
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(63), (at, byte, header) => {
        const bytes = Buffer.from(good);
        bytes[at] = byte;
        bytes[header + 4 < 64 ? header + 4 : 4] = byte;
        quiet(bytes);
        quiet(bytes.subarray(0, at));
      }),
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (section) => quiet(programOf({ section }))));
  });
});
