// SPDX-License-Identifier: Apache-2.0

/** Where something stands in a document. */
export interface SourcePlace {
  readonly file: string;
  /** from 1 */
  readonly line: number;
  /** from 1 */
  readonly column: number;
  /** the field, for example `spec.authorities[0].key.data`; empty for the document itself */
  readonly path: string;
}

/** What is wrong, or remarkable, with a document. Stable: programs tell them apart by these. */
export type DocumentFaultCode =
  /** not YAML or JSON */
  | 'yaml-malformed'
  /** larger, deeper or of more values than is read, aliases counted as often as they are used */
  | 'document-too-large'
  /** a field is there twice */
  | 'field-duplicate'
  /** no such field */
  | 'field-unknown'
  /** a field that must be there is not */
  | 'field-missing'
  /** a text where a list should be, and the like */
  | 'field-type'
  /** of the right type, and not a value that it can have */
  | 'field-value'
  /** two fields that exclude one another */
  | 'field-conflict'
  /** not a kind or version of document that is read here */
  | 'kind-unknown'
  /** two documents, authorities or attestations of the same name */
  | 'name-duplicate'
  /** a key, certificate or trusted root in it cannot be read */
  | 'material-malformed'
  /** it refers to a document that was not given: a Secret, a ConfigMap, a TrustRoot */
  | 'reference-missing'
  /** a key that is elsewhere (a key management service), a policy behind an address */
  | 'material-elsewhere'
  /** a predicate policy in a language whose engine is not here */
  | 'engine-missing'
  /** a signed exception that cannot be read, or is by nobody whom the settings name: it counts for nothing */
  | 'exception-unusable'
  /** written as one no longer should, or without effect */
  | 'discouraged';

/** A fault of a document. An error makes it invalid; a gap keeps it from being evaluated here; a warning is a warning. */
export interface DocumentFault {
  readonly severity: 'error' | 'gap' | 'warning';
  readonly code: DocumentFaultCode;
  readonly place: SourcePlace;
  /** one line, safe to print */
  readonly message: string;
}

/** One line: `policies.yaml:12:5: spec.images: …`. */
export function formatFault({ place: { file, line, column, path }, message }: DocumentFault): string {
  return `${file}:${line}:${column}: ${path === '' ? '' : `${path}: `}${message}`;
}

/** more of one severity are not kept of one set of documents: who has so many has made one mistake many times */
const MAX_FAULTS = 200;

/** Collects faults while documents are read, so that one run tells them all. */
export class FaultList {
  readonly #faults: DocumentFault[] = [];
  readonly #counts: Map<DocumentFault['severity'], number> = new Map();

  add(severity: DocumentFault['severity'], code: DocumentFaultCode, place: SourcePlace, message: string): void {
    // each on its own: no number of warnings hides that something cannot be used
    const count = this.#counts.get(severity) ?? 0;
    if (count === MAX_FAULTS) return;
    // two fields that refer to the same thing have one fault
    const said = this.#faults.some((fault) => fault.message === message && isSame(fault.place, place));
    if (said) return;
    this.#counts.set(severity, count + 1);
    this.#faults.push({ severity, code, place, message });
  }

  get all(): readonly DocumentFault[] {
    return this.#faults;
  }
}

function isSame(a: SourcePlace, b: SourcePlace): boolean {
  return a.line === b.line && a.path === b.path && a.file === b.file;
}
