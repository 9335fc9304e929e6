// SPDX-License-Identifier: Apache-2.0
import type { Workload } from '../../policy/index.ts';

/** A file to look for images in, and what it is called in messages. */
export interface ManifestFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** what it must be; found out by name and content unless told */
  readonly kind?: ManifestKind;
  /** it was met in a folder rather than named: what is no manifest is passed over */
  readonly met?: boolean;
}

/** What a file is read as. */
export type ManifestKind = 'kubernetes' | 'kustomize' | 'helm-values' | 'compose' | 'dockerfile';

/** Where an image stands. */
export interface ImagePlace {
  readonly file: string;
  /** from 1 */
  readonly line: number;
  /** from 1, in UTF-16 code units */
  readonly column: number;
  /** for example `spec.containers[0].image`, `services.web.image`, `FROM`; for a document in a stream after `---`, of that document */
  readonly field: string;
}

/** Part of a file, in UTF-16 code units of its text (decoded as UTF-8, a byte order mark counted as one). */
export interface TextSpan {
  readonly start: number;
  /** exclusive */
  readonly end: number;
}

/** One of several fields that make up an image. */
export interface ImagePart {
  /** what it says; not the same as the text of the span where that has escapes */
  readonly text: string;
  /** quotes excluded */
  readonly span: TextSpan;
  readonly quoted: boolean;
}

/** The fields of an image that is written in several. */
export interface ImageParts {
  readonly registry?: ImagePart;
  /** absent where a kustomization keeps the name */
  readonly repository?: ImagePart;
  readonly tag?: ImagePart;
  /** with its algorithm, for example `sha256:…` */
  readonly digest?: ImagePart;
  /** where a field `digest` is that has nothing in it: an empty text, or null */
  readonly emptyDigest?: ImagePart;
  /** what a new field of the same object would be called: kustomize and Helm both say `digest` */
  readonly newField: {
    /** where the text ends after which a line could be added: the end of the line of the last of these fields */
    readonly offset: number;
    /** white space before the name of the field; absent where the object is written as `{…}` and has no lines */
    readonly indent?: string;
  };
}

/** An image that a file names. */
export interface FoundImage {
  /** the whole of it, as the runtime gets it */
  readonly image: string;
  /** where `span` begins */
  readonly place: ImagePlace;
  /**
   * The text of the image, quotes excluded; of an alias, the text that it stands for; of one in several fields, that of the name. Where the
   * text is not the image itself (escapes, variables, several fields) it is not to be replaced as it stands.
   */
  readonly span: TextSpan;
  readonly source: ManifestKind;
  readonly parts?: ImageParts;
  /** the object that runs it, for policies */
  readonly workload?: Workload;
}

/** Why something in a file was not read. Stable: programs tell them apart by these. */
export type ManifestFaultCode =
  /** not text, not YAML, not a Dockerfile */
  | 'manifest-malformed'
  /** larger, deeper, of more values or images than is read */
  | 'manifest-too-large'
  /** a field is there twice: which of them counts depends on the reader */
  | 'field-duplicate'
  /** where an image should be is something else */
  | 'image-malformed'
  /** a template that nobody has rendered yet */
  | 'template-unrendered'
  /** an image with a variable that has no value here */
  | 'variable-unset'
  /** an image of which only a part is here: the rest comes from a chart, a base, or another file */
  | 'image-incomplete'
  /** an image that is built, not pulled: nothing of it can be judged yet */
  | 'image-built'
  /** what looks like an image, in a kind of object that is not known */
  | 'image-unjudged'
  /** a file that could not be read at all */
  | 'file-unreadable'
  /** it is not known what the file is, and it was named */
  | 'file-unknown';

/** Something in a file that was not read. With an error, images may be unseen: what was found is then not all. */
export interface ManifestFault {
  readonly severity: 'error' | 'warning';
  readonly code: ManifestFaultCode;
  readonly place: ImagePlace;
  /** one line, safe to print */
  readonly message: string;
}

/** What was found in some files. */
export interface FoundImages {
  /** in the order of files, and of their text */
  readonly images: readonly FoundImage[];
  readonly faults: readonly ManifestFault[];
  /** files that were met in a folder and are no manifests */
  readonly passedOver: readonly string[];
}
