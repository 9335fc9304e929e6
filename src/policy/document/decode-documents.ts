// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import { FaultList, type DocumentFault, type SourcePlace } from './fault.ts';
import { FieldReader } from './field-reader.ts';
import { readConfigMap, readSecret, type KubernetesObject } from './kubernetes-object.ts';
import { nearestField } from './nearest-field.ts';
import type { ClusterImagePolicy } from './policy.ts';
import { readPolicy } from './read-policy.ts';
import { readSettings, settingsOfConfigMap } from './read-settings.ts';
import { readTrustRoot } from './read-trust-root.ts';
import { isSealed, readException, sealedException } from './read-exception.ts';
import type { ExceptionDocument, SettingsDocument } from './settings.ts';
import type { TrustRootDocument } from './trust-root.ts';
import { readYamlStream, type PolicyFile } from './yaml-stream.ts';
import { kindOf, type YamlValue } from './yaml-value.ts';

/** What stood in a set of files. */
export interface PolicyDocuments {
  readonly policies: readonly ClusterImagePolicy[];
  readonly trustRoots: readonly TrustRootDocument[];
  readonly settings: readonly SettingsDocument[];
  /** signed, and not verified yet */
  readonly exceptions: readonly ExceptionDocument[];
  /** Secrets and ConfigMaps */
  readonly objects: readonly KubernetesObject[];
  /** in the order of the files; with an error among them, the rest must not be used */
  readonly faults: readonly DocumentFault[];
}

/** The group of documents that are Bulla's own. */
export const BULLA_GROUP = 'policy.bulla';
const OWN_KINDS: readonly string[] = ['PolicySettings', 'PolicyException'];
const SIGSTORE_GROUP = 'policy.sigstore.dev';
const SIGSTORE_KINDS = ['ClusterImagePolicy', 'TrustRoot'] as const;
/** the ConfigMap in which policy-controller keeps its settings */
const CONTROLLER_SETTINGS = 'config-policy-controller';
/** policies and what they refer to */
const MAX_DOCUMENTS = 50_000;
const MAX_EXCEPTIONS = 10_000;

/**
 * Reads files of policies: YAML or JSON, several documents a file. Everything that is wrong is told with its place; nothing throws for what
 * stands in a file.
 *
 * @example
 * const documents = await decodePolicyDocuments([{ name: 'policies.yaml', bytes }]);
 * for (const fault of documents.faults) console.error(formatFault(fault));
 */
export async function decodePolicyDocuments(files: readonly PolicyFile[]): Promise<PolicyDocuments> {
  const set = new DocumentSet();
  for (const file of files) for (const value of await readYamlStream(file, set.faults)) set.read(value, file.name);
  return set.documents();
}

class DocumentSet {
  readonly faults: FaultList = new FaultList();
  readonly #policies: ClusterImagePolicy[] = [];
  readonly #trustRoots: TrustRootDocument[] = [];
  readonly #settings: SettingsDocument[] = [];
  readonly #exceptions: ExceptionDocument[] = [];
  readonly #objects: KubernetesObject[] = [];
  readonly #names: Map<string, SourcePlace> = new Map();
  #count = 0;

  documents(): PolicyDocuments {
    return {
      policies: this.#policies,
      trustRoots: this.#trustRoots,
      settings: this.#settings,
      exceptions: this.#exceptions,
      objects: this.#objects,
      faults: this.faults.all,
    };
  }

  read(value: YamlValue, file: string): void {
    const place = { file, line: value.line, column: value.column, path: '' };
    if (value.kind !== 'map') {
      this.faults.add('error', 'field-type', place, `${kindOf(value)}, expected an object of Kubernetes`);
      return;
    }
    if (++this.#count > MAX_DOCUMENTS) {
      if (this.#count === MAX_DOCUMENTS + 1)
        this.faults.add('error', 'document-too-large', place, `more than ${MAX_DOCUMENTS} documents`);
      return;
    }
    const reader = new FieldReader(value, file, '', this.faults);
    if (isSealed(value)) {
      this.#except(sealedException(reader, `${file}:${value.line}`));
      return;
    }
    const apiVersion = reader.required('apiVersion');
    const kind = reader.required('kind');
    if (apiVersion !== '' && kind !== '') this.#dispatch(reader, value, apiVersion, kind);
  }

  #dispatch(reader: FieldReader, value: YamlValue, apiVersion: string, kind: string): void {
    const [group, version] = apiVersion.includes('/') ? apiVersion.split('/', 2) : ['', apiVersion];
    if (kind.endsWith('List') && reader.has('items')) this.#readList(reader, value);
    else if (group === SIGSTORE_GROUP) this.#readSigstore(reader, version ?? '', kind);
    else if (group === BULLA_GROUP) this.#readOwn(reader, version ?? '', kind);
    else if (group === '' && kind === 'Secret') this.#add(reader, readSecret(reader));
    else if (group === '' && kind === 'ConfigMap') this.#readConfigMap(reader);
    else if (SIGSTORE_KINDS.some((known) => known === kind)) {
      const expected = `${SIGSTORE_GROUP}/v1beta1 or v1alpha1`;
      reader.error('kind-unknown', `a ${kind} of ${printable(apiVersion, 80)}, expected ${expected}`, 'apiVersion');
    } else {
      const shown = `${printable(apiVersion, 80)} ${printable(kind, 80)}`;
      reader.note('warning', 'kind-unknown', `passed over: ${shown} says nothing about images here`, 'kind');
    }
  }

  #readList(reader: FieldReader, value: YamlValue): void {
    reader.ignore('metadata', 'items');
    reader.end();
    const items = value.kind === 'map' ? value.fields.get('items')?.value : undefined;
    if (items?.kind === 'list') for (const item of items.items) this.#readItem(item, reader.file);
    else reader.error('field-type', 'expected a list', 'items');
  }

  // A list in a list would be read as deep as it goes: Kubernetes has none.
  #readItem(item: YamlValue, file: string): void {
    const kind = item.kind === 'map' ? item.fields.get('kind')?.value : undefined;
    if (kind?.kind === 'scalar' && typeof kind.value === 'string' && kind.value.endsWith('List')) {
      const place = { file, line: item.line, column: item.column, path: '' };
      this.faults.add('error', 'kind-unknown', place, 'a list in a list');
    } else this.read(item, file);
  }

  #readSigstore(reader: FieldReader, version: string, kind: string): void {
    const known = SIGSTORE_KINDS.find((one) => one === kind);
    if (known === undefined) {
      const nearest = nearestField(kind, SIGSTORE_KINDS);
      const hint = nearest === undefined ? `expected ${SIGSTORE_KINDS.join(' or ')}` : `did you mean ${nearest}?`;
      reader.error('kind-unknown', `no kind '${printable(kind, 60)}', ${hint}`, 'kind');
      return;
    }
    const versions = known === 'TrustRoot' ? ['v1alpha1'] : ['v1alpha1', 'v1beta1'];
    if (!versions.includes(version)) {
      const found = `the version '${printable(version, 40)}' of ${kind}`;
      reader.error('kind-unknown', `${found}, expected ${versions.join(' or ')}`, 'apiVersion');
      return;
    }
    if (known === 'TrustRoot') {
      const root = readTrustRoot(reader);
      if (root !== undefined && this.#isNew(reader, kind, root.name)) this.#trustRoots.push(root);
    } else {
      const policy = readPolicy(reader);
      if (policy !== undefined && this.#isNew(reader, kind, policy.name)) this.#policies.push(policy);
    }
  }

  #readOwn(reader: FieldReader, version: string, kind: string): void {
    if (!OWN_KINDS.includes(kind) || version !== 'v1alpha1') {
      const found = `${printable(version, 40)} ${printable(kind, 60)}`;
      reader.error('kind-unknown', `no '${found}', expected v1alpha1 ${OWN_KINDS.join(' or ')}`, 'kind');
      return;
    }
    if (kind === 'PolicyException') {
      const exception = readException(reader);
      if (exception !== undefined && this.#isNew(reader, kind, exception.source)) this.#except(exception);
      return;
    }
    const settings = readSettings(reader);
    if (settings !== undefined) this.#settings.push(settings);
  }

  #except(exception: ExceptionDocument): void {
    if (this.#exceptions.length < MAX_EXCEPTIONS) this.#exceptions.push(exception);
    else this.faults.add('error', 'document-too-large', exception.place, `more than ${MAX_EXCEPTIONS} exceptions`);
  }

  #readConfigMap(reader: FieldReader): void {
    const configMap = readConfigMap(reader);
    if (configMap.name === CONTROLLER_SETTINGS) this.#settings.push(settingsOfConfigMap(reader, configMap.entries));
    this.#add(reader, configMap);
  }

  #add(reader: FieldReader, object: KubernetesObject): void {
    if (this.#isNew(reader, object.kind, `${object.namespace}/${object.name}`)) this.#objects.push(object);
  }

  #isNew(reader: FieldReader, kind: string, name: string): boolean {
    const key = `${kind} ${name}`;
    const before = this.#names.get(key);
    if (before === undefined) {
      this.#names.set(key, reader.place());
      return true;
    }
    const where = `${before.file}:${before.line}`;
    reader.error('name-duplicate', `a ${kind} of that name stands in ${where} already`, 'metadata');
    return false;
  }
}
