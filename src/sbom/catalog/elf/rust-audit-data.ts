// SPDX-License-Identifier: Apache-2.0
import { inflateSync } from 'node:zlib';
import { isJsonObject, parseJson, WireError, type Json } from '../../../wire/index.ts';
import { FileFault, type Evidence } from '../cataloger.ts';
import { cleanValue } from '../text.ts';
import type { PackageDraft } from '../../package.ts';

/** Bytes of the list, unpacked: as many as the format's authors say are enough. */
const MAX_LIST = 8 * 1024 * 1024;
const MAX_VALUES = 1_000_000;

/**
 * Unpacks the list of crates in a Rust program.
 *
 * @throws FileFault
 * @see https://github.com/rust-secure-code/cargo-auditable/blob/master/PARSING.md
 */
export function decodeRustAuditData(section: Uint8Array): Json {
  let bytes: Uint8Array;
  try {
    bytes = inflateSync(section, { maxOutputLength: MAX_LIST });
  } catch {
    throw new FileFault(
      `it is a Rust program whose list of crates is not packed by zlib, or has more than ${MAX_LIST} bytes`,
    );
  }
  try {
    return parseJson(bytes, { what: 'its list of crates', maxBytes: MAX_LIST, maxDepth: 16, maxValues: MAX_VALUES });
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new FileFault(`it is a Rust program, and ${error.message}`);
  }
}

/**
 * The crates in that list, as it says: the program itself, what it was built from, and what built it (`kind` is `build`).
 *
 * @throws FileFault
 */
export function rustPackages(list: Json): Evidence {
  const crates = isJsonObject(list) ? list['packages'] : undefined;
  if (!Array.isArray(crates)) throw new FileFault('it is a Rust program whose list of crates is of another form');
  return { packages: crates.map((crate: Json) => crateOf(crate)) };
}

function crateOf(crate: Json): PackageDraft {
  const name = isJsonObject(crate) ? cleanValue(crate['name']) : undefined;
  const version = isJsonObject(crate) ? cleanValue(crate['version']) : undefined;
  if (name === undefined || version === undefined)
    throw new FileFault('it is a Rust program with a crate that has no name or no version');
  return { kind: 'cargo', name, version };
}
