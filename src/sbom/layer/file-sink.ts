// SPDX-License-Identifier: Apache-2.0
import { CATALOGERS } from '../catalog/catalogers.ts';
import { FileFault, type Evidence, type FileReader } from '../catalog/cataloger.ts';
import type { SbomLimits } from '../limits.ts';
import type { FindingCode } from '../package.ts';
import { CodedError } from '../../wire/index.ts';
import type { EntrySink } from './tar-reader.ts';
import type { TarEntry } from './tar-header.ts';

/** Who reads a file, by its path; `undefined` for the many that tell nothing. */
export function readerOf(path: string): FileReader | undefined {
  for (const cataloger of CATALOGERS) {
    const reader = cataloger.select(path);
    if (reader !== undefined) return reader;
  }
  return undefined;
}

/** What a symbolic link tells; it is never followed. */
export function linkEvidence(path: string, target: string): Evidence | undefined {
  for (const cataloger of CATALOGERS) {
    const evidence = cataloger.selectLink?.(path, target);
    if (evidence !== undefined) return evidence;
  }
  return undefined;
}

/**
 * Takes the contents of a file and hands on what it tells. What cannot be read becomes a finding: a broken file does not hide the others,
 * and is never passed over.
 */
export function openFileSink(
  reader: FileReader,
  path: string,
  entry: TarEntry,
  limits: SbomLimits,
  done: (evidence: Evidence | undefined) => void,
): EntrySink | undefined {
  if (reader.kind === 'stream') {
    const running = reader.open(entry.size);
    if (running === undefined) return undefined;
    return { chunk: (bytes) => running.chunk(bytes), end: () => done(guarded(() => running.end())) };
  }
  if (entry.sparse) {
    done(findingOf('file-sparse', 'it is stored with holes, which are not filled in'));
    return undefined;
  }
  if (entry.size > limits.fileBytes) {
    done(findingOf('file-too-large', `it has ${entry.size} bytes, at most ${limits.fileBytes} are read`));
    return undefined;
  }
  // the archive may end long before the size that it names: pages are taken as they are written
  const kept = Buffer.allocUnsafeSlow(entry.size);
  let length = 0;
  return {
    chunk(bytes) {
      kept.set(bytes, length);
      length += bytes.length;
    },
    end: () => done(guarded(() => reader.read(kept, path, limits))),
  };
}

function guarded(read: () => Evidence | undefined): Evidence | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof FileFault) return findingOf(error.code, error.message);
    // decoders of the floor below: JSON that is too deep, too large or none
    if (error instanceof CodedError) return findingOf('file-malformed', error.message);
    throw error;
  }
}

function findingOf(code: FindingCode, message: string): Evidence {
  return { findings: [{ code, message }] };
}
