// SPDX-License-Identifier: Apache-2.0
import { resolve } from 'node:path';
import { replaceFiles } from '../file/replace-files.ts';
import type { Sink } from './sink.ts';

/**
 * `--output-file`: the file is replaced at once when the command ends, never half-written. What commands print fits in memory.
 */
export function openOutputFile(file: string, cwd: string): Sink {
  const path = resolve(cwd, file);
  let parts: string[] | undefined = [];
  return {
    get used() {
      return (parts ?? ['']).length > 0;
    },
    write(text) {
      parts?.push(text);
    },
    commit() {
      if (parts === undefined) return;
      replaceFiles([{ path, bytes: Buffer.from(parts.join('')), mode: 0o644 }]);
      parts = undefined;
    },
    discard() {
      parts = undefined;
    },
  };
}
