// SPDX-License-Identifier: Apache-2.0
import type { Evidence } from './catalog/cataloger.ts';
import { lines } from './catalog/text.ts';
import { SbomError } from './error.ts';
import { identityOf, type KnownFile } from './layer/known-files.ts';
import { joinLicences } from './licence.ts';
import type { SbomLimits } from './limits.ts';
import type { Finding, FoundPackage, LayerName, PackageDraft, SystemRelease } from './package.ts';
import { isSystemPackage, purlOf } from './purl.ts';

/** findings of one image that are listed; one more says how many there were */
const MAX_FINDINGS = 1000;

/** What all files of an image tell together. */
export interface Assembled {
  readonly system?: SystemRelease;
  readonly packages: readonly FoundPackage[];
  readonly findings: readonly Finding[];
}

interface Gathered {
  readonly draft: PackageDraft;
  readonly locations: Set<string>;
  since: number;
}

/**
 * Puts together what the files of an image tell: one package for all files that name the same one, its licences, and the system package
 * that brought it. The order is that of the packages' names, whatever the order in the layers.
 *
 * @throws SbomError `too-large` for more packages than are read
 */
export function assemble(
  files: ReadonlyMap<string, KnownFile>,
  layers: readonly LayerName[],
  limits: SbomLimits,
): Assembled {
  const gathered = new Map<string, Gathered>();
  const findings: Finding[] = [];
  const all = [...files].toSorted(([a], [b]) => compare(a, b));
  for (const [path, { evidence, since }] of all) {
    for (const [at, draft] of (evidence.packages ?? []).entries()) {
      gather(gathered, draft, `/${path}${draft.inside ?? ''}`, since[at] ?? 0);
      if (gathered.size > limits.packages) {
        throw new SbomError('too-large', `the image has more than the ${limits.packages} packages that are listed`);
      }
    }
    for (const { code, message } of evidence.findings ?? []) findings.push({ code, path: `/${path}`, message });
  }
  const evidence = all.map(([, file]) => file.evidence);
  const system = systemOf(files);
  const licences = systemLicences(evidence);
  const owners = ownersOf(evidence, gathered.values());
  const purls = new Map<string, string>();
  for (const { draft } of gathered.values()) {
    if (isSystemPackage(draft)) purls.set(draft.name, purlOf(draft, system));
  }
  const packages = [...gathered.values()].map((one) => {
    const owner = isSystemPackage(one.draft) ? undefined : ownerOf(one, owners);
    const texts = one.draft.licences ?? (one.draft.kind === 'deb' ? licences(one.draft.name) : []);
    return finished(one, purlOf(one.draft, system), texts, layers, owner === undefined ? undefined : purls.get(owner));
  });
  return {
    ...(system === undefined ? {} : { system }),
    packages: packages.toSorted(byName),
    findings: capped(findings),
  };
}

function gather(gathered: Map<string, Gathered>, draft: PackageDraft, location: string, since: number): void {
  const identity = identityOf(draft);
  const known = gathered.get(identity);
  if (known === undefined) gathered.set(identity, { draft, locations: new Set([location]), since });
  else {
    known.locations.add(location);
    known.since = Math.min(known.since, since);
  }
}

function finished(
  { draft, locations, since }: Gathered,
  purl: string,
  texts: readonly string[],
  layers: readonly LayerName[],
  owner: string | undefined,
): FoundPackage {
  const { qualifiers: _, licences: __, inside: ___, ...rest } = draft;
  const expression = joinLicences(texts);
  return {
    ...rest,
    purl,
    licences: texts,
    ...(expression === undefined ? {} : { licenceExpression: expression }),
    locations: [...locations].toSorted(compare),
    layer: layers[since] as LayerName,
    ...(owner === undefined ? {} : { owner }),
  };
}

/** `/etc/os-release` is usually a link to the other, and counts first where it is not. */
function systemOf(files: ReadonlyMap<string, KnownFile>): SystemRelease | undefined {
  const named = ['etc/os-release', 'usr/lib/os-release'].map((path) => files.get(path)?.evidence.system);
  return named.find((system) => system !== undefined);
}

/** Licences of system packages by name, also where one's documentation is a link to another's. */
function systemLicences(evidence: readonly Evidence[]): (name: string) => readonly string[] {
  const own = new Map<string, readonly string[]>();
  const shared = new Map<string, string>();
  for (const { licences, sharesLicencesWith: link } of evidence) {
    if (licences !== undefined) own.set(licences.package, licences.texts);
    if (link !== undefined) shared.set(link.package, link.other);
  }
  return (name) => own.get(name) ?? own.get(shared.get(name) ?? '') ?? [];
}

/** Who brought the files that tell of packages: from the path, without `/usr` where systems merge it, to the system package. */
function ownersOf(evidence: readonly Evidence[], gathered: Iterable<Gathered>): ReadonlyMap<string, string> {
  const asked = new Set<string>();
  for (const { draft, locations } of gathered) {
    if (!isSystemPackage(draft)) for (const location of locations) asked.add(merged(outer(location)));
  }
  const owners = new Map<string, string>();
  if (asked.size === 0) return owners;
  const enter = (owner: string, line: string): void => {
    const path = merged(line);
    if (asked.has(path)) owners.set(path, owner);
  };
  for (const { owned, ownedBy } of evidence) {
    if (owned !== undefined) {
      // `PACKAGE:ARCH` where several architectures are installed
      const owner = owned.package.replace(/:[a-z0-9-]+$/, '');
      for (const line of lines(owned.paths)) enter(owner, line);
    }
    for (const line of lines(ownedBy ?? '')) {
      const end = line.indexOf('\0');
      enter(line.slice(0, end), line.slice(end + 1));
    }
  }
  return owners;
}

function ownerOf({ locations }: Gathered, owners: ReadonlyMap<string, string>): string | undefined {
  const [first, ...others] = [...locations].map((location) => owners.get(merged(outer(location))));
  return others.every((owner) => owner === first) ? first : undefined;
}

/** The file of an image that holds what lies in an archive. */
function outer(location: string): string {
  return location.split('!/', 1)[0] ?? '';
}

function merged(path: string): string {
  return path.replace(/^\/usr\/(?=(?:bin|sbin|lib\d*)\/)/, '/');
}

/** Each once, and not too many. */
function capped(found: readonly Finding[]): readonly Finding[] {
  const findings = distinctFindings(found);
  if (findings.length <= MAX_FINDINGS) return findings;
  const message = `${findings.length} files could not be read, of which the first ${MAX_FINDINGS} are listed`;
  return [...findings.slice(0, MAX_FINDINGS), { code: 'too-many', path: '/', message }];
}

function byName(a: FoundPackage, b: FoundPackage): number {
  return (
    compare(a.kind, b.kind) ||
    compare(a.namespace ?? '', b.namespace ?? '') ||
    compare(a.name, b.name) ||
    compare(a.version ?? '', b.version ?? '') ||
    compare(a.architecture ?? '', b.architecture ?? '')
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Findings that say the same, once: documents list no annotation twice. */
export function distinctFindings(findings: readonly Finding[]): readonly Finding[] {
  const seen = new Map(
    findings.map((finding) => [JSON.stringify([finding.code, finding.path, finding.message]), finding]),
  );
  return [...seen.values()];
}
