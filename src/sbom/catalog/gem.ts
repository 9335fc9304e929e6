// SPDX-License-Identifier: Apache-2.0
import type { PackageDraft } from '../package.ts';
import { FileFault, type Cataloger, type FileReader } from './cataloger.ts';
import { cleanValue, decodeText, lines } from './text.ts';

/** `specifications/`, and `specifications/default/` for what comes with Ruby. */
const SPECIFICATION = /(?:^|\/)specifications\/(?:default\/)?[^/]+\.gemspec$/;

/**
 * Installed Ruby gems. A specification is a Ruby program; RubyGems writes it in one form only, which is read and never run.
 * @see https://guides.rubygems.org/specification-reference/
 */
export const gem: Cataloger = {
  name: 'gem',
  select: (path) => (path.endsWith('.gemspec') && SPECIFICATION.test(path) ? specification : undefined),
};

const specification: FileReader = {
  kind: 'whole',
  read(bytes) {
    const text = decodeText(bytes);
    // RubyGems itself reads this line where it stands, so that it need not run the file
    const [, stubName, stubVersion, stubPlatform] = /^# stub: (\S+) (\S+) (\S+) /m.exec(text.slice(0, 4096)) ?? [];
    const fields = assignments(text);
    const name = cleanValue(stubName ?? fields.get('name')?.[0]);
    const version = cleanValue(stubVersion ?? fields.get('version')?.[0]);
    if (name === undefined || version === undefined)
      throw new FileFault('it is a gem specification without name or version');
    const platform = cleanValue(stubPlatform ?? fields.get('platform')?.[0]);
    return { packages: [draftOf(name, version, platform, fields)] };
  },
};

function draftOf(
  name: string,
  version: string,
  platform: string | undefined,
  fields: ReadonlyMap<string, readonly string[]>,
): PackageDraft {
  const licences = (fields.get('licenses') ?? fields.get('license') ?? [])
    .slice(0, 16)
    .flatMap((one) => cleanValue(one) ?? []);
  const homepage = cleanValue(fields.get('homepage')?.[0]);
  return {
    kind: 'gem',
    name,
    version,
    ...(platform === undefined || platform === 'ruby' ? {} : { qualifiers: { platform } }),
    ...(licences.length === 0 ? {} : { licences }),
    ...(homepage === undefined ? {} : { homepage }),
  };
}

/** characters of a line of strings */
const MAX_LINE = 4096;

/** `s.name = "rake".freeze`, `s.licenses = ["MIT".freeze]`, `s.version = Gem::Version.new("1.0")`: strings only. */
function assignments(text: string): ReadonlyMap<string, readonly string[]> {
  const fields = new Map<string, readonly string[]>();
  for (const line of lines(text)) {
    if (line.length > MAX_LINE) continue;
    const [, name, value] = /^\s*\w+\.(name|version|platform|licenses?|homepage)\s*=\s*(.*)$/.exec(line) ?? [];
    if (name === undefined || value === undefined || fields.has(name)) continue;
    const strings = [...value.matchAll(/"((?:[^"\\]|\\.)*)"|'([^']*)'/g)].map(
      ([, double, single]) => double ?? single ?? '',
    );
    fields.set(name, strings);
  }
  return fields;
}
