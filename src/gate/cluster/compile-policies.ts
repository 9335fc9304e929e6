// SPDX-License-Identifier: Apache-2.0
import {
  decodePolicyDocuments,
  formatFault,
  preparePolicies,
  type DocumentFault,
  type PolicyDocuments,
  type PolicySet,
  type PolicySurroundings,
} from '../../policy/index.ts';
import { canonicalJson, isJsonObject, type Json } from '../../wire/index.ts';
import { fieldOf, listOf, textOf } from '../workload/json-path.ts';
import type { Examination, ReviewedKind } from './policy-reviews.ts';
import { POLICY_KINDS, type PolicyKind } from './resource-kinds.ts';

/** What the cluster has, by kind. */
export type PolicyObjects = Readonly<Record<PolicyKind, readonly Json[]>>;

/** What became of one object. */
export interface ObjectStatus {
  readonly kind: 'policies' | 'trustRoots' | 'settings' | 'exceptions';
  readonly object: Json;
  /** why it is not in force, or not as it stands there; absent where it is */
  readonly problem?: string;
  /** what is remarkable and stops nothing */
  readonly remarks: readonly string[];
}

/** Policies of a cluster, in force. */
export interface CompiledPolicies {
  readonly set: PolicySet;
  readonly statuses: readonly ObjectStatus[];
}

/** What can be read alone: one object is one file of documents. */
const DOCUMENT_KINDS = ['policies', 'trustRoots', 'settings', 'exceptions'] as const;
/** every image */
const EVERYTHING: readonly Json[] = [{ glob: '**' }];
const MAX_MESSAGE = 500;

/**
 * Makes policies out of a cluster's objects. One that cannot be used never widens what is admitted: in the place of a policy stands one that
 * refuses every image that it could be about, for as long as it is broken; settings that cannot be read refuse every image, since what they
 * would have revoked is not known; exceptions and trusted roots that cannot be read are not there. The same objects give the same set, in
 * every replica and after every restart: what was there before does not count.
 */
export class PolicyCompiler {
  readonly #decoded: Map<string, { readonly text: string; readonly documents: PolicyDocuments }> = new Map();

  async compile(
    objects: PolicyObjects,
    surroundings: (documents: PolicyDocuments) => Promise<PolicySurroundings>,
  ): Promise<CompiledPolicies> {
    const parts = new Map<string, Part>();
    for (const kind of DOCUMENT_KINDS) for (const object of objects[kind]) await this.#add(parts, kind, object);
    await this.#addReferred(parts, objects);
    for (const name of this.#decoded.keys()) if (!parts.has(name)) this.#decoded.delete(name);
    for (const part of parts.values()) await this.#settle(part, worst(part.documents.faults));
    for (let round = 0; ; round++) {
      const documents = merged(parts.values());
      const { set, faults } = await preparePolicies(documents, await surroundings(documents));
      for (const part of parts.values()) part.faults = faults.filter(({ place }) => place.file === part.name);
      if (set !== undefined) return { set, statuses: statusesOf(parts) };
      const broken = [...parts.values()].filter((part) => worst(part.faults) !== undefined);
      // What belongs to no object would be a fault of ours; it must not admit.
      if (broken.length === 0 || round === 3) throw new Error(worstText(faults));
      for (const part of broken) await this.#settle(part, worst(part.faults));
    }
  }

  /**
   * What would become of an object that the cluster does not have yet, or has otherwise. What is only not there yet, a Secret for example, is a
   * remark: it may be applied next.
   *
   * @param surroundings nothing is fetched for it
   */
  async examine(
    objects: PolicyObjects,
    kind: ReviewedKind,
    object: Json,
    surroundings: PolicySurroundings,
  ): Promise<Examination> {
    const about = { ...NO_OBJECTS, trustRoots: objects.trustRoots, [kind]: [object] };
    const parts = new Map<string, Part>();
    for (const one of ['trustRoots', kind] as const) for (const given of about[one]) await this.#add(parts, one, given);
    await this.#addReferred(parts, { ...about, secrets: objects.secrets, configMaps: objects.configMaps });
    const name = partName(kind, object);
    const { faults } = await preparePolicies(merged(parts.values()), { ...surroundings, fetch: 'later' });
    const own = faults.filter(({ place }) => place.file === name);
    const errors = own.filter(({ severity }) => severity === 'error');
    const remarks = own
      .filter(({ severity, code }) => severity === 'warning' || (severity === 'gap' && code === 'reference-missing'))
      .map((fault) => shorten(formatProblem(fault)));
    return errors.length === 0
      ? { remarks }
      : { problem: shorten(mistypedFirst(errors).map(formatProblem).join('; ')), remarks };
  }

  async #add(parts: Map<string, Part>, kind: PolicyKind, object: Json): Promise<void> {
    const name = partName(kind, object);
    parts.set(name, { kind, name, object, documents: await this.#decode(name, kind, object), faults: [] });
  }

  // Secrets and ConfigMaps that no policy names are nobody's business.
  async #addReferred(parts: Map<string, Part>, objects: PolicyObjects): Promise<void> {
    const wanted = new Set<string>(['ConfigMap/config-policy-controller']);
    for (const kind of ['policies', 'settings', 'exceptions'] as const)
      for (const object of objects[kind]) collectReferences(fieldOf(object, 'spec'), wanted, 0);
    for (const kind of ['secrets', 'configMaps'] as const)
      for (const object of objects[kind]) {
        const name = partName(kind, object);
        if (wanted.has(name)) await this.#add(parts, kind, object);
      }
  }

  async #decode(name: string, kind: PolicyKind, object: Json): Promise<PolicyDocuments> {
    const text = documentText(kind, object);
    const known = this.#decoded.get(name);
    if (known?.text === text) return known.documents;
    const documents = await decodePolicyDocuments([{ name, bytes: new TextEncoder().encode(text) }]);
    this.#decoded.set(name, { text, documents });
    return documents;
  }

  /** Puts what refuses in the place of what is broken. */
  async #settle(part: Part, problem: DocumentFault | undefined): Promise<void> {
    if (problem === undefined) return;
    part.problem ??= shorten(formatProblem(problem));
    part.documents = NOTHING;
    if (part.kind === 'policies') part.documents = await substitute(part, part.problem);
    if (part.kind === 'settings' || part.name === 'ConfigMap/config-policy-controller')
      part.documents = await refusal(part.name, part.problem, { images: EVERYTHING });
  }
}

interface Part {
  readonly kind: PolicyKind;
  readonly name: string;
  readonly object: Json;
  documents: PolicyDocuments;
  faults: readonly DocumentFault[];
  problem?: string;
}

const NOTHING: PolicyDocuments = {
  policies: [],
  trustRoots: [],
  settings: [],
  exceptions: [],
  objects: [],
  faults: [],
};

const NO_OBJECTS: PolicyObjects = {
  policies: [],
  trustRoots: [],
  settings: [],
  exceptions: [],
  secrets: [],
  configMaps: [],
};

function partName(kind: PolicyKind, object: Json): string {
  return `${POLICY_KINDS[kind].kind}/${textOf(fieldOf(object, 'metadata'), 'name') ?? ''}`;
}

function documentText(kind: PolicyKind, object: Json): string {
  const { apiVersion, kind: name } = POLICY_KINDS[kind];
  const metadata = fieldOf(object, 'metadata');
  const named: Record<string, Json> = { name: textOf(metadata, 'name') ?? '' };
  const namespace = textOf(metadata, 'namespace');
  if (namespace !== undefined) named['namespace'] = namespace;
  const document: Record<string, Json> = { apiVersion, kind: name, metadata: named };
  for (const field of ['spec', 'data', 'stringData'] as const) {
    const value = fieldOf(object, field);
    if (value !== undefined) document[field] = value;
  }
  return canonicalJson(document);
}

/** Names of Secrets and ConfigMaps that a specification refers to. */
function collectReferences(value: Json | undefined, wanted: Set<string>, depth: number): void {
  if (depth > 32) return;
  if (Array.isArray(value)) for (const item of value as readonly Json[]) collectReferences(item, wanted, depth + 1);
  if (!isJsonObject(value)) return;
  for (const [name, inner] of Object.entries(value)) {
    const referred = textOf(inner, 'name');
    if (referred !== undefined && name === 'secretRef') wanted.add(`Secret/${referred}`);
    else if (referred !== undefined && name === 'configMapRef') wanted.add(`ConfigMap/${referred}`);
    collectReferences(inner, wanted, depth + 1);
  }
}

function merged(parts: Iterable<Part>): PolicyDocuments {
  const all = [...parts].map(({ documents }) => documents);
  return {
    policies: all.flatMap(({ policies }) => policies),
    trustRoots: all.flatMap(({ trustRoots }) => trustRoots),
    settings: all.flatMap(({ settings }) => settings),
    exceptions: all.flatMap(({ exceptions }) => exceptions),
    objects: all.flatMap(({ objects }) => objects),
    faults: all.flatMap(({ faults }) => faults),
  };
}

/** A policy over the same images, run by the same objects, in the same mode, that nothing satisfies. */
async function substitute({ name, object }: Part, problem: string): Promise<PolicyDocuments> {
  const spec = fieldOf(object, 'spec');
  const globs = listOf(fieldOf(spec, 'images'));
  const match = fieldOf(spec, 'match');
  const mode = textOf(spec, 'mode') === 'warn' ? { mode: 'warn' } : {};
  // From the narrowest that can be read to what is about everything.
  for (const about of [
    { images: globs, ...mode, ...(match === undefined ? {} : { match }) },
    { images: globs, ...mode },
  ]) {
    if (globs.length === 0) break;
    const documents = await refusal(name, problem, about);
    if (worst(documents.faults) === undefined) return documents;
  }
  return await refusal(name, problem, { images: EVERYTHING, ...mode });
}

async function refusal(name: string, problem: string, about: Readonly<Record<string, Json>>): Promise<PolicyDocuments> {
  const document: Json = {
    apiVersion: POLICY_KINDS.policies.apiVersion,
    kind: POLICY_KINDS.policies.kind,
    metadata: { name: name.startsWith('ClusterImagePolicy/') ? name.slice(19) : name.toLowerCase().replace('/', '.') },
    spec: {
      ...about,
      authorities: [{ name: 'unusable', static: { action: 'fail', message: `cannot be used: ${problem}` } }],
    },
  };
  const documents = await decodePolicyDocuments([{ name, bytes: Buffer.from(JSON.stringify(document)) }]);
  // remarks on a glob were made of the policy itself
  return { ...documents, faults: documents.faults.filter(({ severity }) => severity !== 'warning') };
}

function worst(faults: readonly DocumentFault[]): DocumentFault | undefined {
  return (
    mistypedFirst(faults).find(({ severity }) => severity === 'error') ??
    faults.find(({ severity }) => severity === 'gap')
  );
}

/** A mistyped field is why another is missing. */
function mistypedFirst(faults: readonly DocumentFault[]): readonly DocumentFault[] {
  const isMistyped = ({ code }: DocumentFault): boolean => code === 'field-unknown';
  return [...faults.filter(isMistyped), ...faults.filter((fault) => !isMistyped(fault))];
}

function worstText(faults: readonly DocumentFault[]): string {
  const fault = worst(faults);
  return fault === undefined ? 'policies that cannot be used, without a reason' : formatFault(fault);
}

/** Without a line: what stands in a cluster has none. And what is missing there is no file. */
function formatProblem({ place, message }: DocumentFault): string {
  const said = message.replace(
    /^no (Secret|ConfigMap|TrustRoot) (.{1,200}) was given: add its manifest to the files$/,
    (_, kind: string, name: string) =>
      `there is no ${kind} ${name}${kind === 'TrustRoot' ? '' : ", which is looked for in the gate's own namespace alone"}`,
  );
  return place.path === '' ? said : `${place.path}: ${said}`;
}

function shorten(text: string): string {
  return text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}…` : text;
}

function statusesOf(parts: ReadonlyMap<string, Part>): readonly ObjectStatus[] {
  return [...parts.values()].flatMap(({ kind, object, problem, faults }) => {
    if (kind === 'secrets' || kind === 'configMaps') return [];
    const remarks = faults.filter(({ severity }) => severity === 'warning').map(formatProblem);
    return [{ kind, object, remarks, ...(problem === undefined ? {} : { problem }) }];
  });
}
