// SPDX-License-Identifier: Apache-2.0
import { FULCIO_CLAIMS, type FulcioClaim } from '../../../trust/index.ts';
import type { Settings } from '../settings.ts';
import { parseTemplate, type Template } from './template.ts';

/** How what a build system says of a build is certified. */
export interface CiProvider {
  readonly name: string;
  /** gives the one name of a certificate, a URI */
  readonly subject: Template;
  readonly extensions: ReadonlyMap<FulcioClaim, Template>;
  /**
   * What templates find beside the claims. One with a value stands whatever the token says: else a token could claim to come from
   * another system, which Fulcio lets it. One without a value only says that the claim may be missing.
   */
  readonly defaults: ReadonlyMap<string, string>;
}

/** `source-repository-uri`, `SourceRepositoryURI` → the claim; the issuer and the subject are never made of templates. */
const EXTENSIONS: ReadonlyMap<string, FulcioClaim> = new Map(
  [...FULCIO_CLAIMS.keys()]
    .filter((claim) => claim !== 'issuer' && claim !== 'tokenSubject')
    .map((claim) => [claim.toLowerCase(), claim]),
);

/**
 * Reads an entry of `ci-issuer-metadata`.
 *
 * @throws AuthorityError `issuers-malformed`, `template-malformed`
 */
export function decodeCiProvider(name: string, settings: Settings): CiProvider {
  const defaults = decodeDefaults(settings.mapping('default-template-values'));
  const subject = settings.text('subject-alternative-name-template');
  if (subject === undefined) throw settings.fault("has no 'subject-alternative-name-template'");
  const extensions = new Map<FulcioClaim, Template>();
  const templates = settings.mapping('extension-templates');
  for (const key of templates.keys()) {
    const claim = EXTENSIONS.get(key.replaceAll('-', '').toLowerCase());
    if (claim === undefined)
      throw templates.fault(`has the key '${key.slice(0, 80)}', which is no extension that templates make`);
    const source = templates.text(key);
    if (source !== undefined) extensions.set(claim, parseTemplate(source, `'${key}' of ${templates.where}`));
  }
  settings.end();
  const what = `'subject-alternative-name-template' of ${settings.where}`;
  return { name, subject: parseTemplate(subject, what), extensions, defaults };
}

/** The same provider at another place, for example GitHub Enterprise with another `url`. */
export function withDefaults(provider: CiProvider, defaults: ReadonlyMap<string, string>): CiProvider {
  return { ...provider, defaults: new Map([...provider.defaults, ...defaults]) };
}

/** @throws AuthorityError `issuers-malformed` */
export function decodeDefaults(settings: Settings): ReadonlyMap<string, string> {
  const defaults = new Map<string, string>();
  for (const key of settings.keys()) {
    const value = settings.get(key) ?? '';
    if (typeof value !== 'string') throw settings.fault(`has a '${key.slice(0, 80)}' that is no text`);
    defaults.set(key, value);
  }
  return defaults;
}
