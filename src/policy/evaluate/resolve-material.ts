// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import {
  assembleTrustedRoot,
  decodeCertificates,
  printable,
  type CertificateAuthority,
  type PublicKey,
} from '../../trust/index.ts';
import { CodedError } from '../../wire/index.ts';
import type { PolicyDocuments } from '../document/decode-documents.ts';
import type { DocumentFault, FaultList, SourcePlace } from '../document/fault.ts';
import type { KubernetesObject } from '../document/kubernetes-object.ts';
import type { KeyDocument, PolicyProgram } from '../document/policy.ts';
import { decodePublicKeys } from '../document/read-key.ts';
import { MAX_PROGRAM } from '../document/read-program.ts';

/** Fetches what an address names. Throws a CodedError. */
export type FetchProgram = (url: string) => Promise<Uint8Array>;

async function attempted(fetched: Promise<Uint8Array>): Promise<Uint8Array | string> {
  try {
    return await fetched;
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
    return error.message;
  }
}

/** Finds what documents refer to: Secrets and ConfigMaps that were given beside them. */
export class Material {
  readonly #objects: ReadonlyMap<string, readonly KubernetesObject[]>;
  readonly #faults: FaultList;
  readonly #fetch: FetchProgram | 'later' | undefined;
  readonly #fetched: Map<string, Promise<Uint8Array | string>> = new Map();
  #isPartial = false;

  constructor({ objects }: Pick<PolicyDocuments, 'objects'>, faults: FaultList, fetch?: FetchProgram | 'later') {
    this.#objects = Map.groupBy(objects, ({ kind, name }) => `${kind} ${name}`);
    this.#faults = faults;
    this.#fetch = fetch;
  }

  /** A policy was not fetched, which is for later. */
  get isPartial(): boolean {
    return this.#isPartial;
  }

  /** The keys that a document names; `undefined` where they are not here, which is told. */
  keys(document: KeyDocument): readonly PublicKey[] | undefined {
    if (document.kind === 'keys') return document.keys;
    const pem = this.#pem(document);
    return pem === undefined ? undefined : this.#read(document.place, () => decodePublicKeys(pem, 'the public key'));
  }

  /** The authorities whose certificates a document names. */
  authorities(document: KeyDocument): readonly CertificateAuthority[] | undefined {
    const pem = document.kind === 'keys' ? undefined : this.#pem(document);
    if (pem === undefined || document.kind === 'keys') return undefined;
    const authorities = this.#read(document.place, () => {
      const certificates = decodeCertificates(new TextEncoder().encode(pem), 'the certificate');
      return assembleTrustedRoot({ authorities: certificates }).certificateAuthorities;
    });
    if (authorities?.length !== 0) return authorities;
    this.#tell('error', 'material-malformed', document.place, 'no certificate in it leads to a root');
    return undefined;
  }

  /** The text of a program. */
  async text({ text, place }: PolicyProgram): Promise<string | undefined> {
    if (text.kind === 'text') return text.text;
    if (text.kind === 'remote') return this.#remote(text, place);
    const entries = this.#find('ConfigMap', text, place)?.entries;
    return entries === undefined ? undefined : this.#entry(entries, text.key, `ConfigMap ${text.name}`, place);
  }

  async #remote(
    { url, sha256 }: Extract<PolicyProgram['text'], { kind: 'remote' }>,
    place: SourcePlace,
  ): Promise<string | undefined> {
    const shown = `the policy at ${printable(url, 100)}`;
    if (this.#fetch === 'later') {
      this.#isPartial = true;
      const message = `${shown} is fetched when something is decided by it, and not checked before`;
      this.#tell('warning', 'material-elsewhere', place, message);
      return undefined;
    }
    if (this.#fetch === undefined) {
      this.#tell('gap', 'material-elsewhere', place, `${shown} is not fetched here: write it as data`);
      return undefined;
    }
    const fetched = this.#fetched.get(url) ?? attempted(this.#fetch(url));
    this.#fetched.set(url, fetched);
    const found = await fetched;
    if (typeof found === 'string') {
      this.#tell('gap', 'material-elsewhere', place, `${shown} could not be fetched: ${printable(found, 200)}`);
      return undefined;
    }
    const digest = hash('sha256', found);
    if (digest === sha256 && found.byteLength <= MAX_PROGRAM) return new TextDecoder().decode(found);
    const why =
      digest === sha256
        ? `has ${found.byteLength} bytes, at most ${MAX_PROGRAM} are read`
        : `has the SHA-256 ${digest}, expected ${sha256}`;
    this.#tell('error', 'material-malformed', place, `${shown} ${why}`);
    return undefined;
  }

  #pem(document: Exclude<KeyDocument, { kind: 'keys' }>): string | undefined {
    if (document.kind === 'pem') return document.pem;
    if (document.kind === 'elsewhere') {
      const message = `a key that is elsewhere: ${printable(document.address, 100)}; export its public half and write it as data`;
      this.#tell('gap', 'material-elsewhere', document.place, message);
      return undefined;
    }
    const entries = this.#find('Secret', document, document.place)?.entries;
    return entries === undefined ? undefined : this.#entry(entries, '', `Secret ${document.name}`, document.place);
  }

  #find(
    kind: KubernetesObject['kind'],
    { name, namespace }: { readonly name: string; readonly namespace: string },
    place: SourcePlace,
  ): KubernetesObject | undefined {
    const named = this.#objects.get(`${kind} ${name}`) ?? [];
    const found = named.find((one) => namespace === '' || one.namespace === '' || one.namespace === namespace);
    const shown = `${kind} ${namespace === '' ? '' : `${printable(namespace, 60)}/`}${printable(name, 60)}`;
    if (found === undefined)
      this.#tell('gap', 'reference-missing', place, `no ${shown} was given: add its manifest to the files`);
    return found;
  }

  #entry(entries: ReadonlyMap<string, string>, key: string, what: string, place: SourcePlace): string | undefined {
    const shown = printable(what, 80);
    if (key !== '') {
      const value = entries.get(key);
      if (value === undefined)
        this.#tell('error', 'reference-missing', place, `${shown} has no entry '${printable(key, 60)}'`);
      return value;
    }
    const [value] = entries.values();
    if (entries.size === 1) return value;
    this.#tell('error', 'reference-missing', place, `${shown} has ${entries.size} entries, expected exactly one`);
    return undefined;
  }

  #read<T>(place: SourcePlace, read: () => T): T | undefined {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof CodedError)) throw error;
      this.#tell('error', 'material-malformed', place, printable(error.message, 300));
      return undefined;
    }
  }

  #tell(severity: DocumentFault['severity'], code: DocumentFault['code'], place: SourcePlace, message: string): void {
    this.#faults.add(severity, code, place, message);
  }
}
