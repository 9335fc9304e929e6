// SPDX-License-Identifier: Apache-2.0
import { FileFault, type Evidence, type OpenedFile } from '../cataloger.ts';
import { findSection, loadedEnd, type ElfHeader } from './elf-header.ts';
import { decodeRustAuditData, rustPackages } from './rust-audit-data.ts';

/** where `cargo auditable` writes what a program was built from; it is not loaded, so that it lies behind what is */
const SECTION = '.dep-v0';
const NAME: Buffer = Buffer.from(`${SECTION}\0`, 'latin1');
/** bytes behind what is loaded that are kept; symbols of a program that was not stripped may be more */
const MAX_TAIL = 16 * 1024 * 1024;

/** Reads the end of a program, where the section lies with the table that says where. */
export class RustScan implements OpenedFile {
  readonly #header: ElfHeader;
  /** where what is kept begins in the file; nothing is where that is infinite */
  readonly #from: number;
  #at = 0;
  #kept: Buffer[] = [];
  #size = 0;
  /** what is behind is more than is kept: then only the name is looked for */
  #overflown = false;
  #named = false;

  constructor(head: Uint8Array, header: ElfHeader) {
    this.#header = header;
    const loaded = loadedEnd(head, header);
    const { at, count } = header.sections;
    this.#from = loaded > 0 && count > 0 && at >= loaded ? loaded : Infinity;
  }

  chunk(bytes: Uint8Array): void {
    const start = Math.max(0, this.#from - this.#at);
    this.#at += bytes.length;
    if (start >= bytes.length || this.#named) return;
    const tail = Buffer.from(bytes.subarray(start));
    this.#kept.push(tail);
    this.#size += tail.length;
    if (this.#size > MAX_TAIL) this.#overflow();
  }

  end(): Evidence | undefined {
    if (this.#overflown) {
      if (!this.#named) return undefined;
      const message = `it is a Rust program that says what it was built from, behind more than ${MAX_TAIL} bytes of symbols: strip it`;
      throw new FileFault(message, 'file-too-large');
    }
    if (this.#size === 0) return undefined;
    const tail = Buffer.concat(this.#kept);
    this.#kept = [];
    const section = findSection(tail, this.#from, this.#header, SECTION);
    if (section === undefined) return undefined;
    const at = section.at - this.#from;
    if (at < 0 || at + section.size > tail.length)
      throw new FileFault('it is a Rust program whose list of what it was built from is cut off');
    return rustPackages(decodeRustAuditData(tail.subarray(at, at + section.size)));
  }

  #overflow(): void {
    const window = Buffer.concat(this.#kept);
    this.#overflown = true;
    this.#named = window.includes(NAME);
    // a name that is cut in two, and no more
    this.#kept = [Buffer.from(window.subarray(Math.max(0, window.length - NAME.length + 1)))];
  }
}
