// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  chooseSigningServices,
  decodeIdentityToken,
  expectedSeal,
  openKeylessSigner,
  openWitnesses,
} from '../../src/keyless/index.ts';
import {
  compileIdentity,
  decodeSigningConfig,
  decodeTrustedRoot,
  encodeBundle,
  signBlobBundle,
  verifyBundle,
  type Bundle,
} from '../../src/trust/index.ts';
import type { StackEndpoints } from '../../src/up/index.ts';
import { HttpClient } from '../../src/wire/index.ts';
import { runInProcess, type Ran } from '../golden/in-process.ts';
import { until, type Ended, type Machine, type Running } from './bulla.ts';

/** A stack that `bulla up` runs on a machine. */
export interface ChainStack {
  readonly running: Running;
  /** its data directory, as it was named */
  readonly data: string;
  readonly endpoints: StackEndpoints;
  /** what the ready file held */
  readonly readyFile: string;
  /** Ends it, and waits. */
  stop(signal?: NodeJS.Signals): Promise<Ended>;
}

/** How it is started. */
export interface UpOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly data?: string;
  /** a free port unless told; '' leaves the flag out */
  readonly address?: string;
}

/** The words of the command line that starts a stack. */
export function upWords(
  flags: readonly string[] = [],
  { data = 'stack', address = '127.0.0.1:0' }: UpOptions = {},
): readonly string[] {
  const place = address === '' ? [] : ['--address', address];
  return ['up', '--data', data, ...place, '--ready-file', `${data}.json`, ...flags];
}

/** Starts a stack, and waits until it serves. */
export async function startUp(
  machine: Machine,
  flags: readonly string[] = [],
  options: UpOptions = {},
): Promise<ChainStack> {
  const { data = 'stack', env = {} } = options;
  const running = machine.start(upWords(flags, options), { env });
  const file = resolve(machine.work, `${data}.json`);
  // both: a file that an earlier run has left is gone before it says that it serves
  const serves = (): boolean => /\n {2}\S+ token --data .*\n$/.test(running.stderr()) && existsSync(file);
  await until(`${data}.json`, () => serves() || running.child.exitCode !== null);
  if (running.child.exitCode !== null) throw new Error(`bulla up ended: ${running.stderr()}`);
  const readyFile = readFileSync(file, 'utf8');
  return {
    running,
    data,
    readyFile,
    endpoints: JSON.parse(readyFile) as StackEndpoints,
    async stop(signal = 'SIGTERM') {
      running.child.kill(signal);
      return await running.ended;
    },
  };
}

/** Ends a stack, which must end well. */
export async function stopWell(stack: ChainStack): Promise<Ended> {
  const ended = await stack.stop();
  assert.equal(ended.code, 0, ended.stderr);
  return ended;
}

/** Carries out a command line in this process, on a machine. */
export async function onMachine(
  machine: Machine,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  now: Date = new Date(),
): Promise<Ran> {
  return await runInProcess(args, { cwd: machine.work, env: { ...machine.environment(), ...env }, now });
}

/** A token of the stack's own issuer. */
export async function tokenOf(
  machine: Machine,
  data: string,
  subject: string,
  flags: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const { code, stdout, stderr } = await onMachine(
    machine,
    ['token', '--data', data, '--subject', subject, ...flags],
    env,
  );
  assert.equal(code, 0, stderr);
  return stdout.trim();
}

/** Something that an identity has sealed by every service of a stack. */
export interface SealedBlob {
  readonly bytes: Uint8Array;
  readonly bundle: Bundle;
  readonly subject: string;
  readonly issuer: string;
}

const http = new HttpClient();

/** Seals random bytes: certificate, log of the newest version unless told, timestamp. */
export async function sealBlob(
  { endpoints }: Pick<ChainStack, 'endpoints'>,
  token: string,
  options: { readonly version?: 1 | 2; readonly bytes?: Uint8Array } = {},
): Promise<SealedBlob> {
  const { version = 2, bytes = randomBytes(32) } = options;
  const now = new Date();
  const trustedRoot = decodeTrustedRoot(readFileSync(endpoints.trustedRoot), 'trusted_root.json');
  const config = decodeSigningConfig(readFileSync(endpoints.signingConfig), 'signing_config.json');
  const services = chooseSigningServices(config, { now, certificate: true, logVersions: [version] });
  const decoded = decodeIdentityToken(token, { clientId: 'sigstore', now });
  const signer = await openKeylessSigner({ authority: { url: endpoints.fulcio }, token: decoded, http });
  await expectedSeal(signer, services, { trustedRoot, now });
  const bundle = await signBlobBundle(bytes, signer, openWitnesses(services, { http, trustedRoot }));
  return { bytes, bundle, subject: decoded.subject, issuer: decoded.issuer };
}

/** What a client says of it that trusts a stack as it is published now: `trusted`, or the code of the rejection. */
export async function judge(endpoints: StackEndpoints, sealed: SealedBlob): Promise<string> {
  const trustedRoot = decodeTrustedRoot(readFileSync(endpoints.trustedRoot), 'trusted_root.json');
  const identity = await compileIdentity({ subject: { exact: sealed.subject }, issuer: { exact: sealed.issuer } });
  const check = await verifyBundle(
    sealed.bundle,
    { kind: 'bytes', bytes: sealed.bytes },
    { identities: [identity], trustedRoot, now: new Date() },
  );
  return check.kind === 'rejected' ? check.rejection.code : 'trusted';
}

/** What of a stack a client has got by TUF. @param folder of its cache */
export async function initializeClient(machine: Machine, { endpoints }: ChainStack, folder: string): Promise<void> {
  const args = ['initialize', '--mirror', endpoints.tuf, '--root', endpoints.tufRoot];
  const { code, stderr } = await onMachine(machine, args, { TUF_ROOT: join(machine.home, folder) });
  assert.equal(code, 0, stderr);
}

/** The exit code of a client that goes by what it has got by TUF, days later: what it keeps is too old then, and it asks again. */
export async function verifyLater(machine: Machine, folder: string, sealed: SealedBlob, days = 1): Promise<number> {
  writeFileSync(join(machine.work, 'blob'), sealed.bytes);
  writeFileSync(join(machine.work, 'blob.json'), encodeBundle(sealed.bundle));
  const expected = ['--certificate-identity', sealed.subject, '--certificate-oidc-issuer', sealed.issuer];
  const args = ['verify-blob', '--bundle', 'blob.json', ...expected, 'blob'];
  const later = new Date(Date.now() + days * 25 * 3600_000);
  return (await onMachine(machine, args, { TUF_ROOT: join(machine.home, folder) }, later)).code;
}

/** An answer, read. */
export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** Asks a stack on loopback. */
export async function ask(url: string, init: RequestInit = {}): Promise<Answered> {
  const host = new URL(url).hostname;
  assert.ok(/^127\.|^\[::1\]$|^localhost$/.test(host), `${host} is not this machine`);
  const answer = await fetch(url, { redirect: 'error', ...init });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}

/** Sends JSON. */
export async function post(
  url: string,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answered> {
  return await ask(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

/** Signs what is sent to logs and authorities; one key for all, as a key costs more than a signature. */
export class Proposer {
  readonly #key: KeyObject;
  readonly #spki: Buffer;
  readonly #pem: string;
  readonly #signed = new Map<string, string>();

  constructor() {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#key = privateKey;
    this.#spki = publicKey.export({ type: 'spki', format: 'der' });
    this.#pem = publicKey.export({ type: 'spki', format: 'pem' });
  }

  /** A request to Rekor v1. */
  v1(message: string): object {
    return {
      apiVersion: '0.0.1',
      kind: 'hashedrekord',
      spec: {
        data: { hash: { algorithm: 'sha256', value: sha256(message).toString('hex') } },
        signature: {
          content: this.#sign(message),
          publicKey: { content: Buffer.from(this.#pem).toString('base64') },
        },
      },
    };
  }

  /** A request to Rekor v2. */
  v2(message: string): object {
    return {
      hashedRekordRequestV002: {
        digest: sha256(message).toString('base64'),
        signature: {
          content: this.#sign(message),
          verifier: {
            publicKey: { rawBytes: this.#spki.toString('base64') },
            keyDetails: 'PKIX_ECDSA_P256_SHA_256',
          },
        },
      },
    };
  }

  /** A request to Fulcio v2. @param challenge what a token names */
  certificate(challenge: string): object {
    return {
      publicKeyRequest: {
        publicKey: { algorithm: 'ECDSA', content: this.#pem },
        proofOfPossession: this.#sign(challenge),
      },
    };
  }

  // ECDSA signs differently each time: a message that is proposed again is to be the same entry.
  #sign(message: string): string {
    const signature = this.#signed.get(message) ?? sign('sha256', Buffer.from(message), this.#key).toString('base64');
    this.#signed.set(message, signature);
    return signature;
  }
}

/** A request to the timestamp authority. */
export function timestampRequest(message: string): object {
  return { artifactHash: sha256(message).toString('base64'), hashAlgorithm: 'sha256', certificates: true, nonce: 7 };
}

/** SHA-256. */
export function sha256(text: string | Uint8Array): Buffer {
  return createHash('sha256').update(text).digest();
}

/** How many entries the newest tree of Rekor v2 has. */
export async function logSize(endpoints: StackEndpoints): Promise<number> {
  const { text } = await ask(`${endpoints.rekor2}/checkpoint`);
  return Number(text.split('\n')[1]);
}
