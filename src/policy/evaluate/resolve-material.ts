// SPDX-License-Identifier: Apache-2.0
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

/** Finds what documents refer to: Secrets and ConfigMaps that were given beside them. */
export class Material {
  readonly #objects: ReadonlyMap<string, readonly KubernetesObject[]>;
  readonly #faults: FaultList;

  constructor({ objects }: Pick<PolicyDocuments, 'objects'>, faults: FaultList) {
    this.#objects = Map.groupBy(objects, ({ kind, name }) => `${kind} ${name}`);
    this.#faults = faults;
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
  text({ text, place }: PolicyProgram): string | undefined {
    if (text.kind === 'text') return text.text;
    if (text.kind === 'remote') {
      this.#tell(
        'gap',
        'material-elsewhere',
        place,
        `the policy at ${printable(text.url, 100)} is not fetched: write it as data`,
      );
      return undefined;
    }
    const entries = this.#find('ConfigMap', text, place)?.entries;
    return entries === undefined ? undefined : this.#entry(entries, text.key, `ConfigMap ${text.name}`, place);
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
