// SPDX-License-Identifier: Apache-2.0
import { isJsonObject, join, parseJson, type Environment, type Json } from '../../wire/index.ts';
import { RegistryError } from '../error.ts';
import type { Credentials } from './credentials.ts';

/** How a credential helper is run. */
export interface CredentialHelperOptions {
  /** the file that names it, for errors */
  readonly file: string;
  readonly environment: Environment;
  readonly timeoutMs: number;
}

const MAX_OUTPUT = 64 * 1024;
/** How long after its end a helper's output may still come in. */
const DRAIN_MS = 500;

/**
 * Asks `docker-credential-<name> get` for the credentials of a server, which it reads from its standard input. Undefined where it has
 * none.
 *
 * @see https://github.com/docker/docker-credential-helpers#development
 * @throws RegistryError `credentials-malformed`; what the program printed is never shown
 */
export async function runCredentialHelper(
  name: string,
  server: string,
  options: CredentialHelperOptions,
): Promise<Credentials | undefined> {
  const program = `docker-credential-${name}`;
  const fail = (problem: string): RegistryError =>
    new RegistryError('credentials-malformed', `${program}, which ${options.file} names for ${server}, ${problem}`, {
      url: options.file,
    });
  const { code, output } = await run(program, server, options, fail);
  if (code !== 0) {
    // The protocol has no code for this: all helpers answer these words.
    if (/credentials not found/i.test(new TextDecoder().decode(output))) return undefined;
    throw fail(`failed with ${typeof code === 'number' ? `status ${code}` : code} (run it by hand to see why)`);
  }
  return decode(output, program, fail);
}

function decode(
  output: Uint8Array,
  program: string,
  fail: (problem: string) => RegistryError,
): Credentials | undefined {
  let json: Json;
  try {
    json = parseJson(output, { what: program, maxBytes: MAX_OUTPUT, maxDepth: 8 });
  } catch {
    throw fail('printed no JSON'); // the parser's own words would show how it begins
  }
  const { Username: username, Secret: secret } = isJsonObject(json) ? json : {};
  if (typeof username !== 'string' || typeof secret !== 'string') throw fail("printed no 'Username' and 'Secret'");
  if (secret === '' && username === '') return undefined;
  return username === '<token>'
    ? { kind: 'identity-token', token: secret, source: program }
    : { kind: 'basic', username, password: secret, source: program };
}

interface Outcome {
  /** exit status, or the signal that ended it */
  readonly code: number | string;
  readonly output: Uint8Array;
}

function run(
  program: string,
  input: string,
  { environment, timeoutMs }: CredentialHelperOptions,
  fail: (problem: string) => RegistryError,
): Promise<Outcome> {
  const { spawn } = process.getBuiltinModule('node:child_process');
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], { stdio: ['pipe', 'pipe', 'ignore'], env: { ...environment } });
    const chunks: Uint8Array[] = [];
    let size = 0;
    const stop = (problem: string): void => {
      clearTimeout(timer);
      child.kill('SIGKILL');
      child.stdout.destroy(); // its own children may keep the pipe open
      reject(fail(problem));
    };
    const timer = setTimeout(() => stop(`did not answer within ${timeoutMs / 1000} s`), timeoutMs);
    child.on('error', (error: NodeJS.ErrnoException) => {
      stop(error.code === 'ENOENT' ? 'is not on the PATH' : `cannot be run (${error.code ?? 'unknown reason'})`);
    });
    child.stdout.on('data', (chunk: Uint8Array) => {
      size += chunk.byteLength;
      if (size > MAX_OUTPUT) stop(`printed more than ${MAX_OUTPUT} bytes`);
      else chunks.push(chunk);
    });
    child.stdin.on('error', () => undefined); // it need not read its input
    child.stdin.end(input);
    // What it started in the background and left running may keep its output open: the answer is there all the same.
    // What has come in by the time is read first, however busy we were.
    const drained = (): void => void setImmediate(() => child.stdout.destroy());
    child.on('exit', () => setTimeout(drained, DRAIN_MS).unref());
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code: code ?? signal ?? 'an unknown end', output: join(chunks, size) });
    });
  });
}
