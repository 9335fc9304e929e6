// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, parseJson, type Json } from '../../wire/index.ts';
import type { PackageDraft } from '../package.ts';
import { FileFault, type Cataloger, type FileReader } from './cataloger.ts';
import { cleanValue } from './text.ts';

/**
 * What PHP's Composer installed, by its own record.
 * @see https://getcomposer.org/doc/07-runtime.md#installed-versions
 */
export const composer: Cataloger = {
  name: 'composer',
  select: (path) => (/(?:^|\/)vendor\/composer\/installed\.json$/.test(path) ? installed : undefined),
};

const installed: FileReader = {
  kind: 'whole',
  read(bytes) {
    const json = parseJson(bytes, { what: 'it', maxBytes: bytes.length, maxValues: 5_000_000 });
    // Composer 1 wrote the list alone
    const list = isJsonObject(json) ? json.packages : json;
    if (!Array.isArray(list)) throw new FileFault('it is a record of Composer without packages');
    const packages = (list as readonly Json[]).flatMap((one) => draftOf(one) ?? []);
    const broken = list.length - packages.length;
    if (broken === 0) return { packages };
    return {
      packages,
      findings: [{ code: 'file-malformed', message: `${broken} of its packages have no usable name or version` }],
    };
  },
};

function draftOf(json: Json): PackageDraft | undefined {
  if (!isJsonObject(json)) return undefined;
  const [full, version, homepage] = [cleanValue(json.name), cleanValue(json.version), cleanValue(json.homepage)];
  const [, namespace, name] = /^([^/\s]+)\/([^/\s]+)$/.exec(full ?? '') ?? [];
  if (namespace === undefined || name === undefined || version === undefined) return undefined;
  const licences = Array.isArray(json.license) ? (json.license as readonly Json[]) : [json.license ?? null];
  // of several, one may be chosen: https://getcomposer.org/doc/04-schema.md#license
  const declared = licences.slice(0, 16).flatMap((one) => cleanValue(one) ?? []);
  return {
    kind: 'composer',
    namespace,
    name,
    version,
    ...(declared.length === 0 ? {} : { licences: [declared.join(' OR ')] }),
    ...(homepage === undefined ? {} : { homepage }),
  };
}
