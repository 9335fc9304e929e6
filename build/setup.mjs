// SPDX-License-Identifier: Apache-2.0

// Makes a checkout ready and runs a program of it on the pinned runtime:
//
//   node build/setup.mjs [FILE [ARGUMENT…]]
//
// This file alone runs on whatever node started npm (20 or later), before anything is installed, so it is plain JavaScript and
// imports nothing but built-in modules.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const modules = join(root, 'node_modules');
const runtime = join(modules, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');

/** @typedef {Record<string, { version?: string, integrity?: string, optional?: boolean }>} Packages as a lock lists them */

/**
 * True where npm finished installing what the lock asks for. npm writes `node_modules/.package-lock.json` as the last thing it does, so
 * an install that was interrupted has none and is done again.
 */
function installed() {
  const wanted = packagesOf(join(root, 'package-lock.json'));
  const found = packagesOf(join(modules, '.package-lock.json'));
  return Object.entries(wanted).every(([path, { version, integrity, optional }]) => {
    const there = found[path];
    if (path === '' || (there === undefined && optional)) return true;
    return there?.version === version && there?.integrity === integrity;
  });
}

/**
 * @param {string} lock
 * @returns {Packages}
 */
function packagesOf(lock) {
  try {
    return JSON.parse(readFileSync(lock, 'utf8')).packages;
  } catch {
    return {}; // missing, or cut off by an interruption
  }
}

/** The version that the pinned runtime answers with, or undefined where it is not there or does not start. */
function runtimeVersion() {
  const { status, stdout } = spawnSync(runtime, ['--version'], { encoding: 'utf8' });
  return status === 0 && stdout !== '' ? stdout.trim().replace(/^v/, '') : undefined;
}

/**
 * The environment for npm: without the folders that `npm run` puts in front of the PATH, since npm would then run on the very runtime
 * that it is about to replace.
 */
function environmentForNpm() {
  const path = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !folder.endsWith(join('node_modules', '.bin')));
  return { ...process.env, PATH: path.join(delimiter) };
}

/**
 * Runs a program with its output on our stderr, so that stdout stays with what was asked for.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {string} cwd
 */
function ran(program, args, cwd) {
  const shell = process.platform === 'win32'; // npm is a .cmd there
  return spawnSync(program, args, { cwd, env: environmentForNpm(), stdio: ['ignore', 2, 2], shell }).status === 0;
}

function setUp() {
  const pinned = packagesOf(join(root, 'package-lock.json'))['node_modules/node']?.version;
  if (!installed()) {
    say('installing what package-lock.json lists with npm ci; the first time takes a minute');
    // The tools are development dependencies: NODE_ENV=production must not leave them out.
    if (!ran('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'], root)) {
      stop('npm ci failed (see above); run it again once the cause is gone');
    }
  }
  if (runtimeVersion() === pinned) return;
  // npm may have been told to run no install scripts, and the package `node` fetches its program in one.
  say(`fetching the runtime, node ${pinned}: npm ci has not`);
  rmSync(join(modules, 'node', 'node_modules'), { recursive: true, force: true }); // a broken one is not to be kept
  ran('node', ['installArchSpecificPackage.js'], join(modules, 'node'));
  const version = runtimeVersion();
  if (version !== pinned) {
    stop(
      `node_modules/node holds ${version === undefined ? 'no runtime that starts' : `node ${version}`}, expected node ${pinned}; ` +
        'npm must be able to fetch the package of this platform: try npm ci --ignore-scripts=false',
    );
  }
}

/** @param {string} text */
function say(text) {
  process.stderr.write(`set-up: ${text}\n`);
}

/**
 * @param {string} text
 * @returns {never}
 */
function stop(text) {
  say(text);
  process.exit(1);
}

/** @param {string[]} command */
function run(command) {
  // With the compile cache, types are stripped once and not at each start.
  const cache = process.env.NODE_COMPILE_CACHE ?? join(modules, '.cache', 'bulla');
  const child = spawn(runtime, command, { stdio: 'inherit', env: { ...process.env, NODE_COMPILE_CACHE: cache } });
  // A terminal sends Ctrl-C to the child as well, which ends in its own way. A signal that was sent to us alone is handed on.
  process.on('SIGINT', () => process.stderr.isTTY || child.kill('SIGINT'));
  for (const signal of /** @type {const} */ (['SIGTERM', 'SIGHUP'])) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => stop(`${runtime} did not start: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

if (!existsSync(join(root, 'package-lock.json'))) stop(`${root} has no package-lock.json; is this a whole checkout?`);
setUp();
const [file, ...args] = process.argv.slice(2);
if (file !== undefined) run([resolve(root, file), ...args]);
