// SPDX-License-Identifier: Apache-2.0
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { findEngines, type EnginePlaces } from './find-engines.ts';
import type { EngineSession, ProgramAnswer, ProgramLanguage } from './engine.ts';

// The engines of the machine that runs the tests, and one question to one of them.

export const PLACES: EnginePlaces = { env: process.env, home: homedir() };

/** What tells a command in a test, whose home is another folder, where the engines of this machine are. */
export const ENGINE_VARIABLES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    ['BULLA_OPA', 'BULLA_CUE', 'PATH'].flatMap((name) =>
      process.env[name] === undefined ? [] : [[name, process.env[name]]],
    ),
  ),
  ...builtRego(),
};

function builtRego(): Readonly<Record<string, string>> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const file = process.env['BULLA_REGO_WASM'] ?? join(cache, 'bulla', 'rego.wasm');
  return existsSync(file) ? { BULLA_REGO_WASM: file } : {};
}

/** Why tests of a language are left out; `false` where its engine is here. */
export async function missing(language: ProgramLanguage): Promise<string | false> {
  const told = await toldMissing(PLACES, language);
  return told === '' ? false : told;
}

/** What is said where an engine is not in these places; nothing where it is. */
export async function toldMissing(places: EnginePlaces, language: ProgramLanguage): Promise<string> {
  const found = await findEngines(places).find(language);
  return typeof found === 'string' ? found : '';
}

export const ENGINES: ReturnType<typeof findEngines> = findEngines(PLACES);

/** A session, ended after the test. */
export async function openEngine(
  language: ProgramLanguage,
  change: EnginePlaces = {},
): Promise<EngineSession & AsyncDisposable> {
  const engine = await (Object.keys(change).length === 0 ? ENGINES : findEngines({ ...PLACES, ...change })).find(
    language,
  );
  if (typeof engine === 'string') throw new Error(engine);
  const session = engine.open();
  return {
    check: (text) => session.check(text),
    run: (program, input) => session.run(program, input),
    end: () => session.end(),
    [Symbol.asyncDispose]: () => session.end(),
  };
}

export const NOW: Date = new Date('2026-06-02T00:00:00Z');

/** What a policy says of an input, or what is wrong with it. */
export async function ask(
  session: EngineSession,
  text: string,
  input: unknown,
  now: Date = NOW,
): Promise<ProgramAnswer | { readonly kind: 'fault'; readonly message: string }> {
  const check = await session.check(text);
  if (check.kind === 'fault') return check;
  return session.run(check.program, { over: 'statement', bytes: Buffer.from(JSON.stringify(input)), now });
}
