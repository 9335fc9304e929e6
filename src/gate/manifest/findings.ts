// SPDX-License-Identifier: Apache-2.0
import type { Workload } from '../../policy/index.ts';
import { printable } from '../../trust/index.ts';
import { GateError } from '../error.ts';
import { formatPath, type JsonPath } from '../workload/json-path.ts';
import { expandVariables, type Variables } from './expand-variables.ts';
import type { FoundImage, ImageParts, ManifestFault, ManifestKind, TextSpan } from './found-image.ts';
import { kindOf, locatedAt, type LocatedFault, type LocatedValue } from './located-yaml.ts';
import { MANIFEST_LIMITS, ManifestFaults, type SourceText } from './source-text.ts';

/** What a runtime would never take for an image: somebody is still to fill it in. */
const TEMPLATE = /\{\{|\}\}|\$|<%|%\{/;

/** Why what a template of a chart makes is not judged here. */
export const CHART_TEMPLATE =
  'a template of a chart: what it makes of values is not judged, check the output of helm template';

/** Where what is found in files goes, with the caps that hold for all of them together. */
export class Findings {
  readonly images: FoundImage[] = [];
  readonly faults: ManifestFaults = new ManifestFaults();
  readonly passedOver: string[] = [];
  readonly variables: Variables;

  constructor(variables: Variables = new Map()) {
    this.variables = variables;
  }

  /** False once there are as many images as are judged. */
  get hasRoom(): boolean {
    return this.images.length < MANIFEST_LIMITS.maxImages;
  }

  /** @param chartTemplate values are still to be put in, and are judged where they stand */
  in(source: SourceText, kind: ManifestKind, chartTemplate = false): FileFindings {
    return new FileFindings(this, source, kind, chartTemplate);
  }
}

/** What belongs to an image beside its text. */
interface FoundBeside {
  readonly parts?: ImageParts;
  readonly workload?: Workload;
}

/** What is found in one file that is read as one kind. */
export class FileFindings {
  readonly #all: Findings;
  readonly source: SourceText;
  readonly #kind: ManifestKind;
  readonly #chartTemplate: boolean;

  constructor(all: Findings, source: SourceText, kind: ManifestKind, chartTemplate: boolean) {
    this.#all = all;
    this.source = source;
    this.#kind = kind;
    this.#chartTemplate = chartTemplate;
  }

  get variables(): Variables {
    return this.#all.variables;
  }

  fault(
    severity: ManifestFault['severity'],
    code: ManifestFault['code'],
    offset: number,
    path: JsonPath,
    message: string,
  ): void {
    this.#all.faults.add(severity, code, this.source.place(offset, printable(formatPath(path), 200)), message);
  }

  error(code: ManifestFault['code'], offset: number, path: JsonPath, message: string): void {
    this.fault('error', code, offset, path, message);
  }

  located({ code, offset, message }: LocatedFault): void {
    this.error(code, offset, [], message);
  }

  /** An error of what read an object, at the place that it names. */
  thrown(error: unknown, value: LocatedValue, path: JsonPath): void {
    if (!(error instanceof GateError)) throw error;
    const code = error.code === 'image-malformed' ? 'image-malformed' : 'manifest-too-large';
    const at = locatedAt(value, error.path ?? []) ?? value;
    this.error(code, at.start, error.path === undefined ? path : [...path, ...error.path], error.message);
  }

  /** An image whose text stands in one place. */
  image(image: string, span: TextSpan, path: JsonPath, beside: FoundBeside = {}): void {
    if (this.#chartTemplate && image.includes('{{')) {
      this.fault('warning', 'template-unrendered', span.start, path, CHART_TEMPLATE);
      return;
    }
    if (TEMPLATE.test(image)) {
      const message = `'${printable(image)}' is not rendered yet, expected an image`;
      this.error('template-unrendered', span.start, path, message);
      return;
    }
    if (!this.#all.hasRoom) {
      const message = `more than ${MANIFEST_LIMITS.maxImages} images`;
      this.error('manifest-too-large', span.start, path, message);
      return;
    }
    const place = this.source.place(span.start, printable(formatPath(path), 200));
    this.#all.images.push({ image, place, span, source: this.#kind, ...beside });
  }

  /** An image that is the value of a field; a field with nothing in it names none. */
  scalar(value: LocatedValue | undefined, path: JsonPath, beside: FoundBeside = {}): void {
    if (value === undefined || (value.kind === 'scalar' && (value.value === null || value.value === ''))) return;
    if (value.kind === 'scalar' && typeof value.value === 'string') this.image(value.value, value.span, path, beside);
    else this.error('image-malformed', value.start, path, `${kindOf(value)}, expected an image`);
  }

  /** An image in which variables stand for something. */
  expanded(text: string, span: TextSpan, path: JsonPath, variables: Variables, escape: string): void {
    const expansion = expandVariables(text, variables, escape);
    if (expansion.kind === 'text') {
      if (expansion.text !== '') this.image(expansion.text, span, path);
      else this.error('variable-unset', span.start, path, `'${printable(text)}' is empty, expected an image`);
    } else if (expansion.kind === 'unset') {
      const message = `'${printable(text)}': ${printable(expansion.name)} has no value here`;
      this.error('variable-unset', span.start, path, message);
    } else {
      const message = `'${printable(text)}': '${printable(expansion.found)}' is no variable that is read here`;
      this.error('variable-unset', span.start, path, message);
    }
  }
}
