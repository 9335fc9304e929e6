// SPDX-License-Identifier: Apache-2.0
import type { Cataloger, Evidence, FileReader, OpenedFile } from '../cataloger.ts';
import { dataSegments, decodeElfHeader, ELF_HEADER, isElf } from './elf-header.ts';
import { GoScan } from './go-scan.ts';
import { RustScan } from './rust-scan.ts';

/** bytes from the start in which program headers are looked for; linkers write them right behind the file's header */
const MAX_HEAD = 64 * 1024;
/** no program is smaller */
const LEAST = 4096;

/**
 * Programs that say what they were built from. They have no names of their own: every file is asked by its first bytes, and only what may
 * hold the record is searched, as it passes.
 */
export const programs: Cataloger = {
  name: 'programs',
  select: () => reader,
};

const reader: FileReader = {
  kind: 'stream',
  open: (size) => (size < LEAST ? undefined : new ProgramFile()),
};

/** One file, handed to whoever knows of a kind of program once its first bytes show that it is one. */
class ProgramFile implements OpenedFile {
  #head: Buffer | undefined = Buffer.alloc(0);
  #scans: readonly OpenedFile[] = [];

  chunk(bytes: Uint8Array): void {
    if (this.#head !== undefined) this.#begin(this.#head, bytes);
    else for (const scan of this.#scans) scan.chunk(bytes);
  }

  end(): Evidence | undefined {
    const found = this.#scans.flatMap((scan) => scan.end() ?? []);
    return found.length === 0 ? undefined : { packages: found.flatMap(({ packages }) => packages ?? []) };
  }

  #begin(kept: Buffer, bytes: Uint8Array): void {
    // the first chunk is nearly always large enough
    const head = kept.length === 0 ? bytes : Buffer.concat([kept, bytes]);
    const header = decodeElfHeader(head);
    const needs = header === undefined ? ELF_HEADER : Math.min(header.headEnd, MAX_HEAD);
    const mayBe = head.length < 4 || isElf(head);
    if (mayBe && head.length < needs) {
      this.#head = Buffer.from(head);
      return;
    }
    this.#head = undefined;
    if (header === undefined) return;
    const segments = header.headEnd > MAX_HEAD ? [] : dataSegments(head, header);
    // headers that were moved elsewhere say nothing yet: then all of the file is searched
    const searched = segments.length > 0 ? segments : [{ at: 0, end: Infinity }];
    this.#scans = [new GoScan(searched), new RustScan(head, header)];
    for (const scan of this.#scans) scan.chunk(head);
  }
}
