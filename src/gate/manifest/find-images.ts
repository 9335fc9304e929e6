// SPDX-License-Identifier: Apache-2.0
import type { Variables } from './expand-variables.ts';
import { CHART_TEMPLATE, Findings, type FileFindings } from './findings.ts';
import type { FoundImage, FoundImages, ManifestFile, ManifestKind } from './found-image.ts';
import {
  jsonOf,
  memberOf,
  readLocatedYaml,
  textAt,
  type LocatedDocument,
  type LocatedFault,
  type LocatedValue,
} from './located-yaml.ts';
import { readChartTemplate } from './read-chart-template.ts';
import { readCompose } from './read-compose.ts';
import { readDockerfile } from './read-dockerfile.ts';
import { readHelmValues } from './read-helm-values.ts';
import { readKubernetes } from './read-kubernetes.ts';
import { readKustomize } from './read-kustomize.ts';
import { MANIFEST_LIMITS, SourceText } from './source-text.ts';

/** How images are looked for. */
export interface FindOptions {
  /** values of variables in compose files, and of build arguments in Dockerfiles */
  readonly variables?: Variables;
}

/**
 * Finds every image in files of Kubernetes objects (manifests, the output of Helm and kustomize), kustomizations, Helm values, compose files
 * and Dockerfiles, each with its place. Never throws for what a file holds: what cannot be read is a fault, and with an error among them
 * what was found may not be all.
 *
 * @example
 * const { images, faults } = await findImages([{ name: 'app.yaml', bytes }]);
 */
export async function findImages(
  files: readonly ManifestFile[],
  { variables }: FindOptions = {},
): Promise<FoundImages> {
  const all = new Findings(variables);
  const charts = new Set(files.map(({ name }) => name).filter((name) => /(?:^|\/)Chart\.ya?ml$/.test(name)));
  for (const file of files) {
    const source = SourceText.decode(file);
    if (!(source instanceof SourceText)) {
      // what is no text is no manifest: nobody named it
      if (file.met === true && isBinary(file)) all.passedOver.push(file.name);
      else all.faults.add(source.severity, source.code, source.place, source.message);
      continue;
    }
    const before = all.images.length;
    await new FileReader(file, source, all, isChartTemplate(file.name, charts)).read();
    const found = all.images.splice(before);
    all.images.push(...found.toSorted((a, b) => a.span.start - b.span.start));
  }
  return { images: all.images, faults: all.faults.all, passedOver: all.passedOver };
}

/**
 * No text in any encoding. Kubernetes' own clients read UTF-16 too: what begins with its byte order mark could be applied, and YAML that is
 * not read must not go unsaid.
 */
function isBinary({ name, bytes }: ManifestFile): boolean {
  if (bytes.byteLength > MANIFEST_LIMITS.maxBytes || /\.ya?ml$/i.test(name)) return false;
  const mark = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
  return mark !== 0xfeff && mark !== 0xfffe;
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** What a file is by its name alone. */
export function kindByName(name: string): ManifestKind | undefined {
  const base = baseName(name);
  const isDockerfile = /^(?:Dockerfile|Containerfile)(?:[._-].+)?$|[._-](?:dockerfile|containerfile)$/i.test(base);
  // what a build is not to read, and what is written about it
  if (isDockerfile && !/\.(?:dockerignore|md|rst|adoc|txt)$/i.test(base)) return 'dockerfile';
  if (/^kustomization\.ya?ml$|^Kustomization$/.test(base)) return 'kustomize';
  if (/^(?:docker-)?compose(?:[.-].+)?\.(?:ya?ml|json)$/.test(base)) return 'compose';
  return /^(?:.+[-.])?values(?:[-.].+)?\.ya?ml$/.test(base) ? 'helm-values' : undefined;
}

function isChartTemplate(name: string, charts: ReadonlySet<string>): boolean {
  const [, folder] = /^(.*?)templates\/.+$/.exec(name) ?? [];
  return folder !== undefined && ['Chart.yaml', 'Chart.yml'].some((chart) => charts.has(`${folder}${chart}`));
}

/** Reads one file as what it is. */
class FileReader {
  readonly #file: ManifestFile;
  readonly #source: SourceText;
  readonly #all: Findings;
  readonly #isTemplate: boolean;

  constructor(file: ManifestFile, source: SourceText, all: Findings, isTemplate: boolean) {
    this.#file = file;
    this.#source = source;
    this.#all = all;
    this.#isTemplate = isTemplate;
  }

  async read(): Promise<void> {
    const kind = this.#file.kind ?? kindByName(this.#file.name);
    if (kind === 'dockerfile') {
      readDockerfile(this.#as('dockerfile'));
      return;
    }
    if (this.#file.kind === undefined && this.#file.name !== '' && this.#looksLikeDockerfile()) {
      readDockerfile(this.#as('dockerfile'));
      return;
    }
    if (this.#file.met === true && kind === undefined && isOtherJson(this.#file.name, this.#source.text)) {
      this.#all.passedOver.push(this.#file.name);
      return;
    }
    const documents = await readLocatedYaml(this.#source);
    if (documents.length === 0) {
      if (this.#file.met === true) this.#all.passedOver.push(this.#file.name);
      return;
    }
    let read = 0;
    const before = this.#all.images.length;
    for (const document of documents) read += this.#document(document, kind) ? 1 : 0;
    if (this.#isTemplate && documents.some((document) => document.kind === 'fault')) this.#template(before);
    if (read === 0) this.#all.passedOver.push(this.#file.name);
  }

  #as(kind: ManifestKind): FileFindings {
    return this.#all.in(this.#source, kind, this.#isTemplate);
  }

  /** Images that stand as they are in a template that is no YAML yet, but for those that were found already. */
  #template(before: number): void {
    readChartTemplate(this.#as('kubernetes'));
    this.#all.images.push(...onceEach(this.#all.images.splice(before), true));
  }

  // A file that was named, or standard input, of which the first line that says something is FROM or ARG.
  #looksLikeDockerfile(): boolean {
    if (this.#file.met === true) return false;
    const first = /^\uFEFF?(?:[ \t]*(?:#.*)?\r?\n)*[ \t]*(FROM|ARG)[ \t]+[^\s:]/i.exec(
      this.#source.text.slice(0, 65_536),
    );
    return first !== null;
  }

  /** @returns false where the document is none of what is read here */
  #document(document: LocatedDocument, byName: ManifestKind | undefined): boolean {
    if (document.kind === 'fault') {
      if (this.#isTemplate && this.#source.text.includes('{{')) {
        this.#as('kubernetes').fault('warning', 'template-unrendered', document.fault.offset, [], CHART_TEMPLATE);
        return true;
      }
      this.#as('kubernetes').located(this.#templateFault(document.fault));
      return true;
    }
    const kinds = this.#kindsOf(document.value, byName);
    if (kinds.size === 0) {
      if (document.value.kind === 'list' && this.#list(document.value.items)) return true;
      if (this.#file.met === true) return false;
      const message = 'not a Kubernetes object, kustomization, Helm values, compose file or Dockerfile';
      this.#as('kubernetes').error('file-unknown', document.value.start, [], message);
      return true;
    }
    if (document.tagged !== undefined) this.#as('kubernetes').located(document.tagged);
    const before = this.#all.images.length;
    for (const kind of kinds) READERS[kind](document.value, this.#as(kind));
    if (kinds.size > 1) this.#all.images.push(...onceEach(this.#all.images.splice(before)));
    return true;
  }

  /** A list is a patch, or objects that are not read one by one. @returns false where it is neither, or has no images */
  #list(items: readonly LocatedValue[]): boolean {
    const into = this.#as('kustomize');
    const isPatch = items.some((item) => patchesImage(item));
    for (const [at, item] of items.entries()) {
      if (patchesImage(item)) {
        const message = 'a patch in which images stand: check the output of kustomize build';
        into.error('image-incomplete', item.start, [at], message);
      } else if (textAt(memberOf(item, 'apiVersion')) !== undefined && textAt(memberOf(item, 'kind')) !== undefined) {
        const message = 'an object of Kubernetes in a list without a kind, expected objects one by one or a List';
        into.error('file-unknown', item.start, [at], message);
        return true;
      }
    }
    return isPatch;
  }

  /** What a template that was not rendered is to a reader of YAML is of no use to who wrote it. */
  #templateFault(fault: LocatedFault): LocatedFault {
    if (fault.code !== 'manifest-malformed' || !this.#source.text.includes('{{')) return fault;
    const message = `a template that is not rendered: check the output of helm template (${fault.message})`;
    return { ...fault, code: 'template-unrendered', message };
  }

  /**
   * By what stands in it and by its name: where the two say different things both are true, as values of a chart may have any field and must
   * not hide their images behind `kind`.
   */
  #kindsOf(value: LocatedValue, byName: ManifestKind | undefined): ReadonlySet<Exclude<ManifestKind, 'dockerfile'>> {
    // a chart's own description names no image
    if (value.kind !== 'map' || /^Chart\.ya?ml$/.test(baseName(this.#file.name))) return new Set();
    const kinds = new Set<Exclude<ManifestKind, 'dockerfile'>>();
    const apiVersion = textAt(memberOf(value, 'apiVersion'));
    if (this.#file.kind === undefined) {
      if (apiVersion?.startsWith('kustomize.config.k8s.io/') === true) kinds.add('kustomize');
      else if (apiVersion !== undefined && textAt(memberOf(value, 'kind')) !== undefined && byName !== 'kustomize')
        kinds.add('kubernetes');
    }
    if (byName !== undefined && byName !== 'dockerfile') kinds.add(byName);
    if (kinds.size > 0) return kinds;
    const services = memberOf(value, 'services');
    if (services?.kind === 'map' && [...services.fields.values()].some(isService)) return new Set(['compose']);
    return this.#file.met === true ? kinds : new Set(['helm-values']);
  }
}

const READERS: Readonly<
  Record<Exclude<ManifestKind, 'dockerfile'>, (document: LocatedValue, into: FileFindings) => void>
> = {
  kubernetes: readKubernetes,
  kustomize: readKustomize,
  compose: readCompose,
  'helm-values': (document, into) => readHelmValues(document, [], into),
};

/** Images that two readers have found in one place, once: as the first has read them. @param always those of one kind of file too */
function onceEach(images: readonly FoundImage[], always = false): readonly FoundImage[] {
  const first = new Map<number, FoundImage>();
  return images.filter((found) => {
    const known = first.get(found.span.start);
    if (known === undefined) first.set(found.span.start, found);
    return known === undefined || (!always && known.source === found.source);
  });
}

/** An operation of a JSON patch (RFC 6902) that has to do with images. */
function patchesImage(item: LocatedValue): boolean {
  const [op, path] = [textAt(memberOf(item, 'op')), textAt(memberOf(item, 'path'))];
  if (op === undefined || path === undefined || op === 'test' || op === 'remove') return false;
  return /image/i.test(path) || /image/i.test(JSON.stringify(jsonOf(memberOf(item, 'value') ?? item)));
}

function isService({ value }: { readonly value: LocatedValue }): boolean {
  return ['image', 'build', 'extends'].some((name) => memberOf(value, name) !== undefined);
}

/** JSON of another kind, of which folders are full: no object says there what it is, in however roundabout a way, and it is no patch. */
function isOtherJson(name: string, text: string): boolean {
  return /\.json$/i.test(name) && !/apiVersion|\\u|"op"/.test(text);
}
