// SPDX-License-Identifier: Apache-2.0

/** bytes of a page of memory in WebAssembly */
const PAGE = 64 * 1024;
const MEMORY_SECTION = 5;
/** `\0asm`, version 1 */
const MAGIC = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

/**
 * A program in WebAssembly with a cap on its memory written into it: the limits of a thread do not count that memory, and the runtime
 * itself then refuses to let it grow. A program whose first memory is larger already is refused when it is instantiated.
 *
 * @param maxBytes rounded down to pages of 64 KiB
 * @returns `undefined` where this is no program with one memory of its own
 * @see https://webassembly.github.io/spec/core/binary/modules.html#memory-section
 */
export function capMemory(program: Uint8Array, maxBytes: number): Uint8Array<ArrayBuffer> | undefined {
  if (program.byteLength < 8 || MAGIC.some((byte, at) => program[at] !== byte)) return undefined;
  let at = 8;
  while (at < program.byteLength) {
    const id = program[at];
    const length = readUnsigned(program, at + 1);
    if (length === undefined) return undefined;
    const end = length.next + length.value;
    if (end > program.byteLength) return undefined;
    if (id === MEMORY_SECTION) return replaceSection(program, { from: at, body: length.next, to: end }, maxBytes);
    at = end;
  }
  return undefined;
}

function replaceSection(
  program: Uint8Array,
  { from, body, to }: { readonly from: number; readonly body: number; readonly to: number },
  maxBytes: number,
): Uint8Array<ArrayBuffer> | undefined {
  const count = readUnsigned(program, body);
  if (count?.value !== 1) return undefined;
  const flags = program[count.next];
  // with or without a cap of its own; neither shared nor of 64 bits
  if (flags !== 0 && flags !== 1) return undefined;
  const least = readUnsigned(program, count.next + 1);
  if (least === undefined) return undefined;
  const limits = [1, 1, ...unsigned(least.value), ...unsigned(Math.floor(maxBytes / PAGE))];
  const section = [MEMORY_SECTION, ...unsigned(limits.length), ...limits];
  const capped = new Uint8Array(program.byteLength - (to - from) + section.length);
  capped.set(program.subarray(0, from));
  capped.set(section, from);
  capped.set(program.subarray(to), from + section.length);
  return capped;
}

/** @see https://webassembly.github.io/spec/core/binary/values.html#integers */
function readUnsigned(bytes: Uint8Array, at: number): { readonly value: number; readonly next: number } | undefined {
  let value = 0;
  for (let index = 0; index < 5; index++) {
    const byte = bytes[at + index];
    if (byte === undefined) return undefined;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, next: at + index + 1 };
  }
  return undefined;
}

function unsigned(value: number): readonly number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) | 0x80);
  }
}
