// SPDX-License-Identifier: Apache-2.0
import { RegistryError, type Digest } from '../../oci/index.ts';

/** A manifest names parts that the repository does not have. */
export class MissingParts extends RegistryError {
  readonly missing: readonly Digest[];

  constructor(repository: string, missing: readonly Digest[]) {
    const more = missing.length > 1 ? ` and ${missing.length - 1} more` : '';
    super('denied', `the manifest names ${missing[0]}${more}, which ${repository} does not have: push it first`);
    this.missing = missing;
  }
}

/** A write that a rule of the registry forbids. */
export function denied(message: string): RegistryError {
  return new RegistryError('denied', message);
}
