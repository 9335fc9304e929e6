// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { describe, it } from 'node:test';
import { carryOut } from './carry-out.ts';
import { parsePage, type Page } from './page.ts';
import { allPages, faultsOf } from './pages.ts';

// Every console block of the manual is carried out, and writes what the manual says.

const pages: ReadonlyMap<string, Page> = new Map([...allPages()].map(([path, text]) => [path, parsePage(text)]));
const executed = new Map([...pages].filter(([, { parts }]) => parts.some(({ kind }) => kind === 'command')));

describe('the commands of the manual do what it says', { concurrency: availableParallelism() }, () => {
  for (const [path, page] of executed)
    it(path, async () => {
      const faults = faultsOf(await carryOut(page));
      assert.equal(faults.map(({ line, message }) => `${path}:${line}: $ ${message}`).join('\n\n'), '');
    });
});

// docs/cli.md has a section for each command, which a test of the command line holds
const COMMANDS = [...(allPages().get('docs/cli.md') ?? '').matchAll(/^## bulla (.+)$/gm)].map(([, name = '']) => name);

describe('the manual shows a real run of', () => {
  assert.ok(COMMANDS.length > 0);
  const lines = [...executed.values()].flatMap(({ parts }) =>
    parts.flatMap((part) => (part.kind === 'command' ? [part.command.replaceAll(/\s+/g, ' ')] : [])),
  );
  for (const name of COMMANDS)
    it(`bulla ${name}`, () => {
      const longer = COMMANDS.filter((other) => other.startsWith(`${name} `));
      const shows = (line: string): boolean =>
        [...line.matchAll(new RegExp(`\\bbulla ${name}(?= |$|[;)|])`, 'g'))].some(
          ({ index }) => !longer.some((other) => line.startsWith(`bulla ${other}`, index)),
        );
      assert.ok(lines.some(shows));
    });
});

describe('docs/commands/README.md lists', () => {
  const list = allPages().get('docs/commands/README.md') ?? '';
  for (const name of COMMANDS)
    it(`bulla ${name}`, () =>
      assert.ok(list.includes(`[bulla ${name}](${name.replaceAll(' ', '-')}.md)`), 'is listed'));
});
