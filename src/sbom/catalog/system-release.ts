// SPDX-License-Identifier: Apache-2.0
import type { SystemRelease } from '../package.ts';
import type { Cataloger, FileReader } from './cataloger.ts';
import { cleanValue, decodeText, lines } from './text.ts';

/** What system an image has. @see https://www.freedesktop.org/software/systemd/man/latest/os-release.html */
export const systemRelease: Cataloger = {
  name: 'os-release',
  select: (path) => (path === 'etc/os-release' || path === 'usr/lib/os-release' ? reader : undefined),
};

const reader: FileReader = {
  kind: 'whole',
  read(bytes) {
    const system = decodeSystemRelease(decodeText(bytes));
    return system === undefined ? undefined : { system };
  },
};

/** Decodes `NAME=value` lines as a shell would read them, without a shell. `undefined` where no system is named. */
function decodeSystemRelease(text: string): SystemRelease | undefined {
  const values = new Map<string, string>();
  for (const line of lines(text)) {
    const [, name, value] = /^\s*([A-Z][A-Z0-9_]*)=(.*)$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) values.set(name, unquote(value.trim()));
  }
  const id = cleanValue(values.get('ID'))?.toLowerCase();
  const [versionId, prettyName] = [cleanValue(values.get('VERSION_ID')), cleanValue(values.get('PRETTY_NAME'))];
  if (id === undefined || !/^[a-z0-9._-]+$/.test(id)) return undefined;
  return {
    id,
    ...(versionId === undefined ? {} : { versionId }),
    ...(prettyName === undefined ? {} : { prettyName }),
  };
}

function unquote(value: string): string {
  if (/^'[^']*'$/.test(value)) return value.slice(1, -1);
  return (/^"[^]*"$/.test(value) && value.length > 1 ? value.slice(1, -1) : value).replace(/\\(["$`\\])/g, '$1');
}
