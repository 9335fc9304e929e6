// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, parseJson, type Json } from '../../wire/index.ts';
import { FileFault, type Cataloger, type Evidence, type FileReader } from './cataloger.ts';
import { cleanValue } from './text.ts';

/** A package in `node_modules`, or an application outside of it; what a package has in folders of its own is not one. */
const INSTALLED = /(?:^|\/)node_modules\/(?:@[^/]+\/)?[^/]+\/package\.json$/;

/** @see https://docs.npmjs.com/cli/configuring-npm/package-json */
export const npm: Cataloger = {
  name: 'npm',
  select(path) {
    if (!path.endsWith('package.json')) return undefined;
    if (INSTALLED.test(path)) return installed;
    const application = /(?:^|\/)package\.json$/.test(path) && !path.includes('node_modules/');
    return application ? root : undefined;
  },
};

const installed: FileReader = {
  kind: 'whole',
  read(bytes, path) {
    const evidence = readManifest(bytes);
    if (evidence !== undefined) return evidence;
    throw new FileFault(`it is ${path.split('/').at(-1)} of an installed package and names no package and version`);
  },
};

/** Of many files outside of `node_modules` that are called so only those count that name a package. */
const root: FileReader = {
  kind: 'whole',
  read(bytes) {
    try {
      return readManifest(bytes);
    } catch {
      return undefined;
    }
  },
};

function readManifest(bytes: Uint8Array): Evidence | undefined {
  const json = parseJson(bytes, { what: 'it', maxDepth: 128 });
  if (!isJsonObject(json)) throw new FileFault('it is not a JSON object');
  const [name, version] = [cleanValue(json.name), cleanValue(json.version)];
  const [, namespace, bare] = /^(?:(@[^/\s]+)\/)?([^/\s]+)$/.exec(name ?? '') ?? [];
  if (bare === undefined || version === undefined) return undefined;
  const [licences, homepage] = [licencesOf(json), cleanValue(json.homepage)];
  return {
    packages: [
      {
        kind: 'npm',
        ...(namespace === undefined ? {} : { namespace }),
        name: bare,
        version,
        ...(licences.length === 0 ? {} : { licences }),
        ...(homepage === undefined ? {} : { homepage }),
      },
    ],
  };
}

/** Today an expression; before that an object, or several of them. */
function licencesOf({ license, licenses }: { readonly [key: string]: Json }): readonly string[] {
  const all = Array.isArray(licenses) && license === undefined ? (licenses as readonly Json[]) : [license];
  return all.slice(0, 16).flatMap((one) => cleanValue(isJsonObject(one) ? one.type : one) ?? []);
}
