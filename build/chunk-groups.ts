// SPDX-License-Identifier: Apache-2.0
import type { Metafile } from 'esbuild';
import type { Runtime } from './rewrite-imports.ts';

/** Sources that are to lie in one chunk. */
export interface ChunkGroup {
  readonly name: string;
  readonly files: readonly string[];
  /** the entry points that need one of the files and so get all of them */
  readonly entries: ReadonlySet<string>;
}

const MAIN = 'src/cli/main.ts';

/** What it shares with other commands, every command needs. */
const SMALLEST = 'src/cli/commands/version.ts';

/** The commands that must start fast. */
const VERIFY = 'src/cli/commands/verify.ts';
const SIGN = 'src/cli/commands/sign.ts';

/** What verifying an identity loads late, and signing by one too, which verifies what it has signed. */
const IDENTITY = [
  'src/cli/flags/expected-identity.ts',
  'src/cli/flags/trusted-root.ts',
  'src/trust/verify-by-identity.ts',
];
/** What signing by an identity loads late besides. */
const SERVICES = [
  'src/cli/flags/signing-with-services.ts',
  'src/keyless/log/enter-rekor-v2.ts',
  'src/trust/witness.ts',
];

/** What these load late and always: it may as well come with them. */
export const EAGER: Readonly<Record<Runtime, ReadonlySet<string>>> = {
  node: new Set(['src/oci/remote/list-referrers.ts', 'src/wire/http/node-transport.ts']),
  bun: new Set(['src/oci/remote/list-referrers.ts', 'src/wire/http/fetch-transport.ts']),
};

/**
 * What to keep together. Left to itself, esbuild makes a chunk for each set of entry points that share something, and a command would
 * load dozens of small files, 0.2 ms each. So there are five groups: what every run needs, what `verify` shares with others, what `sign`
 * shares with others besides, and what the two share with others where there is no key but an identity. What only other commands share
 * stays apart, so that no server comes along.
 *
 * @param draft the account of a build without groups
 */
export function chunkGroups(draft: Metafile): readonly ChunkGroup[] {
  const needs = new Map<string, ReadonlySet<string>>();
  for (const [file, { entryPoint }] of Object.entries(draft.outputs)) {
    if (entryPoint !== undefined) needs.set(entryPoint, sourcesOf(draft, file));
  }
  const users = (source: string): number => [...needs.values()].filter((sources) => sources.has(source)).length;
  const neededBy = (entries: readonly string[], least: number): readonly string[] => {
    const sources = entries.reduce((all, entry) => all.union(needs.get(entry) ?? new Set()), new Set<string>());
    return [...sources].filter((source) => !needs.has(source) && users(source) >= least);
  };
  const program = [...new Set([...neededBy([MAIN], 1), ...neededBy([SMALLEST], 2)])];
  const entriesWith = (files: readonly string[]): ReadonlySet<string> =>
    new Set([...needs].flatMap(([entry, sources]) => (files.some((file) => sources.has(file)) ? [entry] : [])));
  const verify = without(neededBy([VERIFY], 2), program);
  const sign = without(neededBy([SIGN], 2), program, verify);
  const identity = without(neededBy(IDENTITY, 2), program, verify, sign);
  const services = without(neededBy(SERVICES, 2), program, verify, sign, identity);
  return [
    { name: 'program', files: program, entries: new Set(needs.keys()) },
    { name: 'verify', files: verify, entries: entriesWith([...verify, ...sign]) },
    { name: 'sign', files: sign, entries: entriesWith(sign) },
    { name: 'identity', files: identity, entries: entriesWith(identity) },
    { name: 'services', files: services, entries: entriesWith(services) },
  ];
}

function without(files: readonly string[], ...groups: readonly (readonly string[])[]): readonly string[] {
  const elsewhere = new Set(groups.flat());
  return files.filter((file) => !elsewhere.has(file));
}

/** The sources that are loaded with a file of the bundle: its own and those of what it imports. */
function sourcesOf({ outputs }: Metafile, file: string): ReadonlySet<string> {
  const files = new Set([file]);
  for (const next of files) {
    for (const { path, kind } of outputs[next]?.imports ?? []) if (kind === 'import-statement') files.add(path);
  }
  const inputs = [...files].flatMap((path) => Object.entries(outputs[path]?.inputs ?? {}));
  return new Set(inputs.flatMap(([source, { bytesInOutput }]) => (bytesInOutput > 0 ? [source] : [])));
}
