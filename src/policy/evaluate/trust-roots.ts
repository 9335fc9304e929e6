// SPDX-License-Identifier: Apache-2.0
import { printable, type TrustedRoot } from '../../trust/index.ts';
import type { FaultList, SourcePlace } from '../document/fault.ts';
import type { TrustRootDocument } from '../document/trust-root.ts';

/** The trusted roots that a caller has. */
export interface ResolvedTrust {
  /** by the name of the TrustRoot: what the caller has made of a TUF repository */
  readonly roots?: ReadonlyMap<string, TrustedRoot>;
  /** where an authority names none; `later` where documents are only checked, and it does not matter yet */
  readonly fallback?: TrustedRoot | 'later';
}

/** a root that believes nobody, in the place of one that matters only later */
const NOBODY: TrustedRoot = {
  logs: [],
  certificateLogs: [],
  certificateAuthorities: [],
  timestampAuthorities: [],
  skipped: [],
};

/** Finds the trusted roots that policies name. */
export class TrustRoots {
  readonly #documents: ReadonlyMap<string, TrustRootDocument>;
  readonly #trust: ResolvedTrust;
  readonly #faults: FaultList;

  constructor(documents: readonly TrustRootDocument[], trust: ResolvedTrust, faults: FaultList) {
    this.#documents = new Map(documents.map((document) => [document.name, document]));
    this.#trust = trust;
    this.#faults = faults;
  }

  /** Documents are only checked: what depends on a root that is not here yet is not. */
  isLater(root: TrustedRoot): boolean {
    return root === NOBODY;
  }

  /** The root of that name, or the one that is used where none is named. */
  find(name: string | undefined, place: SourcePlace): TrustedRoot | undefined {
    return name === undefined ? this.#fallback(place) : this.#named(name, place);
  }

  #fallback(place: SourcePlace): TrustedRoot | undefined {
    const { fallback } = this.#trust;
    if (fallback === 'later') return NOBODY;
    if (fallback === undefined)
      this.#faults.add(
        'gap',
        'reference-missing',
        place,
        'it names no TrustRoot, and no trusted root was given for those',
      );
    return fallback;
  }

  #named(name: string, place: SourcePlace): TrustedRoot | undefined {
    const given = this.#trust.roots?.get(name);
    if (given !== undefined) return given;
    const document = this.#documents.get(name);
    if (document?.root.kind === 'keys') return document.root.trustedRoot;
    const shown = printable(name, 60);
    if (document === undefined)
      this.#faults.add(
        'gap',
        'reference-missing',
        place,
        `no TrustRoot '${shown}' was given: add its manifest to the files`,
      );
    else {
      const where = document.root.kind === 'remote' ? `at ${printable(document.root.mirror, 100)}` : 'inside it';
      const message = `the TrustRoot '${shown}' is a TUF repository ${where}: give the trusted root that it publishes`;
      this.#faults.add('gap', 'material-elsewhere', place, message);
    }
    return undefined;
  }
}
