// SPDX-License-Identifier: Apache-2.0
import { FileFault, type Evidence, type OpenedFile } from '../cataloger.ts';
import type { DataSegment } from './elf-header.ts';
import { decodeGoBuildInfo, GO_ALIGN, GO_MAGIC, goPackages } from './go-build-info.ts';

/** how often a program may hold the magic where no record follows; each time what follows is looked at */
const MAX_MISTAKEN = 64;

/** Searches one file for Go's build information. */
export class GoScan implements OpenedFile {
  #state: 'search' | 'record' | 'done' = 'search';
  /** what is left of the last chunk, or the record so far */
  #kept: Buffer = Buffer.alloc(0);
  /** where in the file the next chunk begins */
  #at = 0;
  readonly #segments: readonly DataSegment[];
  #needs = 0;
  #mistaken = 0;
  #evidence: Evidence | undefined;
  #fault: FileFault | undefined;

  /** @param segments where the record may be */
  constructor(segments: readonly DataSegment[]) {
    this.#segments = segments;
  }

  chunk(bytes: Uint8Array): void {
    if (this.#state === 'done') return;
    if (this.#state === 'record') this.#record(bytes);
    else this.#search(bytes);
  }

  end(): Evidence | undefined {
    if (this.#fault !== undefined) throw this.#fault;
    if (this.#state === 'record') throw new FileFault('it is a Go program whose build information is cut off');
    return this.#evidence;
  }

  #search(bytes: Uint8Array): void {
    const start = this.#at - this.#kept.length;
    const end = this.#at + bytes.length;
    if (!this.#segments.some((segment) => segment.at < end && segment.end > start)) {
      this.#at = end;
      this.#kept = Buffer.alloc(0);
      if (end >= (this.#segments.at(-1)?.end ?? 0)) this.#finish();
      return;
    }
    const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const window = this.#kept.length === 0 ? view : Buffer.concat([this.#kept, view]);
    this.#at = end;
    for (let found = window.indexOf(GO_MAGIC); found !== -1; found = window.indexOf(GO_MAGIC, found + 1)) {
      if (!this.#mayBegin(start + found)) continue;
      if (this.#decoded(window.subarray(found))) return;
    }
    // a magic that is cut in two, and no more
    this.#kept = Buffer.from(window.subarray(Math.max(0, window.length - GO_MAGIC.length + 1)));
  }

  #mayBegin(at: number): boolean {
    const segment = this.#segments.find((one) => one.at <= at && one.end > at);
    return segment !== undefined && (at - (segment.end === Infinity ? 0 : segment.at % GO_ALIGN)) % GO_ALIGN === 0;
  }

  #record(bytes: Uint8Array): void {
    this.#at += bytes.length;
    this.#kept = Buffer.concat([this.#kept, bytes]);
    if (this.#kept.length < this.#needs || this.#decoded(this.#kept)) return;
    // the magic stands in the code of whoever reads it, too: what comes behind it is searched
    const rest = this.#kept.subarray(1);
    this.#at -= rest.length;
    this.#kept = Buffer.alloc(0);
    this.#state = 'search';
    this.#search(rest);
  }

  /** Decodes what begins with the magic. @returns false where it is no record */
  #decoded(bytes: Buffer): boolean {
    const info = decodeGoBuildInfo(bytes);
    if (info.kind === 'unfinished') {
      this.#state = 'record';
      this.#needs = info.needs;
      this.#kept = Buffer.from(bytes);
    } else if (info.kind === 'found') this.#found(info.goVersion, info.modules);
    else if (info.kind === 'pointers') {
      this.#fault = new FileFault('it was built by a Go before 1.18, whose build information is not read');
      this.#finish();
    } else if (++this.#mistaken > MAX_MISTAKEN) {
      this.#fault = new FileFault('it holds what begins build information of Go, again and again, and is none');
      this.#finish();
    } else return false;
    return true;
  }

  #found(goVersion: string, modules: string): void {
    try {
      this.#evidence = goPackages(goVersion, modules);
    } catch (error) {
      if (!(error instanceof FileFault)) throw error;
      this.#fault = error;
    }
    this.#finish();
  }

  #finish(): void {
    this.#state = 'done';
    this.#kept = Buffer.alloc(0);
  }
}
