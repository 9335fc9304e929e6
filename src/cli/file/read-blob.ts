// SPDX-License-Identifier: Apache-2.0
import { createHash, hash } from 'node:crypto';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Artifact } from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { fileTrouble, systemCode } from './file-trouble.ts';
import { readFile } from './read-file.ts';

/** What is held in memory: a larger file is hashed as it is read, unless its bytes are asked for. */
const MAX_HELD = 16 * 1024 * 1024;
/** What is held even then, and of standard input and pipes at most: node's own limit is not far above. */
const MAX_WHOLE = 1024 * 1024 * 1024;
const CHUNK = 1024 * 1024;
/** after so many chunks signals are heard */
const BREATH = 16;

/** A digest by which a signature may be verified. */
export type BlobDigest = 'sha256' | 'sha384' | 'sha512';

/** What a command line names as a blob: a file, `-` for standard input, or a digest. */
export interface Blob {
  /** as it was typed */
  readonly name: string;
  /** its digest is all that is known */
  readonly digestOnly: boolean;
  /** The bytes where they are few, else the digest. @throws CliError as `readFile` */
  artifact(algorithm: BlobDigest): Promise<Artifact>;
  /** The bytes, however many; `undefined` where only the digest is known. @throws CliError as `readFile`; `input-too-large` above a gigabyte */
  bytes(): Promise<Uint8Array | undefined>;
}

const LENGTHS = { sha256: 64, sha384: 96, sha512: 128 } as const;

/**
 * Opens what a command line names as a blob. A file whose name looks like a digest is written `./sha256:…`.
 *
 * @throws CliError `usage` for a URL, and for a digest that is none
 */
export function openBlob(context: Pick<CommandContext, 'cwd' | 'readStdin'>, name: string): Blob {
  const digest = digestNamed(name);
  if (digest !== undefined)
    return { name, digestOnly: true, artifact: async () => digest, bytes: async () => undefined };
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(name)) {
    throw new CliError(
      'usage',
      `${name.slice(0, 120)}: blobs are not fetched from the network, expected a file, - or sha256:…`,
    );
  }
  let reading: Promise<Uint8Array> | undefined;
  const whole = (): Promise<Uint8Array> =>
    (reading ??=
      name === '-'
        ? context.readStdin(MAX_WHOLE)
        : readFile(name, { cwd: context.cwd, what: 'blob', maxBytes: MAX_WHOLE }));
  return {
    name,
    digestOnly: false,
    bytes: whole,
    async artifact(algorithm) {
      if (name === '-' || reading !== undefined || !isLarge(resolve(context.cwd, name)))
        return { kind: 'bytes', bytes: await whole() };
      return { kind: 'digest', algorithm, hex: await hashFile(context, name, algorithm) };
    },
  };
}

/** The digest of an artifact, as `sha256:…`. */
export function describeArtifact(artifact: Artifact): string {
  return artifact.kind === 'digest'
    ? `${artifact.algorithm}:${artifact.hex}`
    : `sha256:${hash('sha256', artifact.bytes, 'hex')}`;
}

function digestNamed(name: string): Artifact | undefined {
  const [, algorithm, hex] = /^(sha256|sha384|sha512):(.*)$/s.exec(name) ?? [];
  if (algorithm === undefined || hex === undefined) return undefined;
  const known = algorithm as BlobDigest;
  if (hex.length === LENGTHS[known] && /^[0-9a-f]+$/.test(hex)) return { kind: 'digest', algorithm: known, hex };
  throw new CliError(
    'usage',
    `${name.slice(0, 120)} is no digest: expected ${LENGTHS[known]} digits of lower-case hex after ${known}:`,
    {
      hint: 'a file of that name is written ./sha256:…',
    },
  );
}

function isLarge(path: string): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() === true && found.size > MAX_HELD;
}

async function hashFile(context: Pick<CommandContext, 'cwd'>, name: string, algorithm: BlobDigest): Promise<string> {
  const digest = createHash(algorithm);
  const buffer = new Uint8Array(CHUNK);
  try {
    const handle = openSync(resolve(context.cwd, name), 'r');
    try {
      for (let chunks = 1; ; chunks++) {
        const length = readSync(handle, buffer);
        if (length === 0) return digest.digest('hex');
        digest.update(buffer.subarray(0, length));
        if (chunks % BREATH === 0) await new Promise((done) => setImmediate(done));
      }
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    throw new CliError('file-unreadable', `reading blob: open ${name}: ${fileTrouble(error)}`, { cause: error });
  }
}
