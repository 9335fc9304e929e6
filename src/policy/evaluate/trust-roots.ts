// SPDX-License-Identifier: Apache-2.0
import { printable, type TrustedRoot } from '../../trust/index.ts';
import { CodedError } from '../../wire/index.ts';
import type { FaultList, SourcePlace } from '../document/fault.ts';
import type { TrustRootDocument, TrustRootForm } from '../document/trust-root.ts';

/** The trusted roots that a caller has. */
export interface ResolvedTrust {
  /** by the name of the TrustRoot: what the caller has made of a TUF repository */
  readonly roots?: ReadonlyMap<string, TrustedRoot>;
  /** where an authority names none; `later` where documents are only checked, and it does not matter yet */
  readonly fallback?: TrustedRoot | 'later';
  /** what a TUF repository publishes, verified from its first root; `later` as for `fallback`. Throws a CodedError where it cannot be had. */
  readonly resolveTrustRoot?: (form: RepositoryForm) => Promise<TrustedRoot | 'later'>;
}

/** A TrustRoot that is a TUF repository. */
export type RepositoryForm = Exclude<TrustRootForm, { kind: 'keys' }>;

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
  readonly #resolved: Map<string, TrustedRoot | Unresolved> = new Map();

  constructor(documents: readonly TrustRootDocument[], trust: ResolvedTrust, faults: FaultList) {
    this.#documents = new Map(documents.map((document) => [document.name, document]));
    this.#trust = trust;
    this.#faults = faults;
  }

  /** Asks for what TUF repositories publish. Who needs one that cannot be had is told when it looks for it. */
  async resolve(): Promise<void> {
    const { roots, resolveTrustRoot } = this.#trust;
    if (resolveTrustRoot === undefined) return;
    for (const { name, root } of this.#documents.values()) {
      if (root.kind === 'keys' || roots?.has(name) === true) continue;
      try {
        const found = await resolveTrustRoot(root);
        this.#resolved.set(name, found === 'later' ? NOBODY : found);
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
        this.#resolved.set(name, { message: error.message, inside: root.kind === 'repository' });
      }
    }
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
    const resolved = this.#resolved.get(name);
    if (resolved !== undefined && 'logs' in resolved) return resolved;
    this.#tellMissing(printable(name, 60), document, resolved, place);
    return undefined;
  }

  #tellMissing(
    shown: string,
    document: TrustRootDocument | undefined,
    resolved: Unresolved | undefined,
    place: SourcePlace,
  ): void {
    if (document === undefined) {
      const message = `no TrustRoot '${shown}' was given: add its manifest to the files`;
      this.#faults.add('gap', 'reference-missing', place, message);
      return;
    }
    const where = document.root.kind === 'remote' ? `at ${printable(document.root.mirror, 100)}` : 'inside it';
    const what = `the TrustRoot '${shown}' is a TUF repository ${where}`;
    if (resolved === undefined) {
      this.#faults.add('gap', 'material-elsewhere', place, `${what}: give the trusted root that it publishes`);
      return;
    }
    const message = `${what}, of which no trusted root can be had: ${printable(resolved.message, 200)}`;
    // What is inside the document will not be another thing tomorrow, but for its expiry.
    if (resolved.inside) this.#faults.add('error', 'material-malformed', place, message);
    else this.#faults.add('gap', 'material-elsewhere', place, message);
  }
}

/** Why there is no trusted root of a repository. */
interface Unresolved {
  readonly message: string;
  /** the repository is in the document itself */
  readonly inside: boolean;
}
