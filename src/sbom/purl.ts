// SPDX-License-Identifier: Apache-2.0
import { PackageURL } from 'packageurl-js';
import type { PackageDraft, SystemRelease } from './package.ts';

/** Namespaces of system packages where the image does not say what system it is. */
const VENDORS: Readonly<Record<string, string>> = { deb: 'debian', apk: 'alpine', rpm: 'redhat' };

/** True for packages of the system rather than of a language. */
export function isSystemPackage({ kind }: Pick<PackageDraft, 'kind'>): boolean {
  return Object.hasOwn(VENDORS, kind);
}

/**
 * The purl of a package. System packages carry their system (`distro`) and what they were built from (`upstream`), as scanners read them.
 *
 * @see https://github.com/package-url/purl-spec
 */
export function purlOf(draft: PackageDraft, system: SystemRelease | undefined): string {
  const namespace = draft.namespace ?? (isSystemPackage(draft) ? (system?.id ?? VENDORS[draft.kind]) : undefined);
  const qualifiers: Record<string, string> = { ...draft.qualifiers };
  if (draft.architecture !== undefined) qualifiers['arch'] = draft.architecture;
  if (isSystemPackage(draft)) {
    if (system !== undefined) qualifiers['distro'] = [system.id, system.versionId].filter(Boolean).join('-');
    const { source } = draft;
    if (source !== undefined) {
      const same = source.version === undefined || source.version === draft.version;
      qualifiers['upstream'] = same ? source.name : `${source.name}@${source.version}`;
    }
  }
  return (
    purlText(draft.kind, namespace, draft, qualifiers) ??
    purlText('generic', undefined, draft, {}) ??
    // a name of nothing but white space, of which the library leaves nothing
    `pkg:generic/${encodeURIComponent(draft.name.toWellFormed())}`
  );
}

/** `undefined` where the kind has rules that the package does not keep: Maven's need a group, Go's versions are checked. */
function purlText(
  type: string,
  namespace: string | undefined,
  { name, version }: PackageDraft,
  qualifiers: Readonly<Record<string, string>>,
): string | undefined {
  try {
    // a plus sign is encoded: decoders of forms read it as a space
    return new PackageURL(type, namespace, name, version, qualifiers, undefined).toString().replaceAll('+', '%2B');
  } catch {
    return undefined;
  }
}
