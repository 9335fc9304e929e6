// SPDX-License-Identifier: Apache-2.0
import type { ImagePlace, ManifestFault, ManifestFile } from './found-image.ts';

/** Caps on what is read to find images in. */
export const MANIFEST_LIMITS: {
  readonly maxBytes: number;
  readonly maxTotalBytes: number;
  readonly maxFiles: number;
  readonly maxFolderDepth: number;
  readonly maxDepth: number;
  readonly maxValues: number;
  readonly maxImages: number;
  readonly maxFaults: number;
} = {
  /** of one file */
  maxBytes: 16 * 1024 * 1024,
  maxTotalBytes: 256 * 1024 * 1024,
  maxFiles: 20_000,
  maxFolderDepth: 32,
  /** levels in one YAML document */
  maxDepth: 64,
  /** values in one file; an alias counts for all that it stands for */
  maxValues: 2_000_000,
  /** in all files together */
  maxImages: 100_000,
  maxFaults: 1000,
};

/** The text of a file, with the line and column of every part of it. */
export class SourceText {
  readonly file: string;
  readonly text: string;
  #lines: readonly number[] | undefined;

  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
  }

  /** @returns the fault where the file is too large or no text */
  static decode({ name, bytes }: ManifestFile): SourceText | ManifestFault {
    const place = { file: name, line: 1, column: 1, field: '' };
    const { maxBytes } = MANIFEST_LIMITS;
    if (bytes.byteLength > maxBytes) {
      const message = `${bytes.byteLength} bytes, at most ${maxBytes} are read`;
      return { severity: 'error', code: 'manifest-too-large', place, message };
    }
    try {
      // with its byte order mark, so that offsets are those of the file
      return new SourceText(name, new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    } catch {
      const isWide = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
      const message = isWide ? 'UTF-16, expected UTF-8 (PowerShell: Out-File -Encoding utf8)' : 'not UTF-8';
      return { severity: 'error', code: 'manifest-malformed', place, message };
    }
  }

  place(offset: number, field: string): ImagePlace {
    this.#lines ??= lineStarts(this.text);
    let low = 0;
    let high = this.#lines.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((this.#lines[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return { file: this.file, line: low + 1, column: offset - (this.#lines[low] ?? 0) + 1, field };
  }

  /** Where the line ends that an offset is in: before its line break. */
  endOfLine(offset: number): number {
    const at = this.text.indexOf('\n', offset);
    if (at === -1) return this.text.length;
    return this.text[at - 1] === '\r' && at > offset ? at - 1 : at;
  }

  /** The white space that the line begins with that an offset is in; `undefined` where something else stands before the offset. */
  indentBefore(offset: number): string | undefined {
    const start = this.text.lastIndexOf('\n', offset - 1) + 1;
    const before = this.text.slice(start, offset);
    return /^[ \uFEFF]*$/.test(before) ? before.replaceAll('\uFEFF', '') : undefined;
  }
}

function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

/** Collects what could not be read. Past the cap one more says that there are others: an error is never lost. */
export class ManifestFaults {
  readonly #faults: ManifestFault[] = [];
  #more = false;

  add(severity: ManifestFault['severity'], code: ManifestFault['code'], place: ImagePlace, message: string): void {
    if (this.#faults.length < MANIFEST_LIMITS.maxFaults) {
      this.#faults.push({ severity, code, place, message });
    } else if (severity === 'error' && !this.#more) {
      this.#more = true;
      this.#faults.push({ severity, code: 'manifest-too-large', place, message: 'more faults than are listed' });
    }
  }

  get all(): readonly ManifestFault[] {
    return this.#faults;
  }
}
