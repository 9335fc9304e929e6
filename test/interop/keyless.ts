// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeBundle, type Bundle } from '../../src/trust/index.ts';
import type { ClientRun } from './clients.ts';
import { succeed, type Lab, type LabStack } from './lab.ts';

/** Who seals in the tests with a stack: a person, and a pipeline. */
export const DEVELOPER = 'dev@example.com';
export const PIPELINE = 'https://ci.example.com/team/app/release';

/** The type of the attestations of these tests. */
export const PREDICATE = 'https://example.test/predicate/v1';

/** One stack, started when it is first asked for, and a token that holds for as long as the tests run. */
export function oneStack(lab: Lab, flags: readonly string[] = []): () => Promise<Ready> {
  let ready: Promise<Ready> | undefined;
  const start = async (): Promise<Ready> => {
    const stack = await lab.serveStack(flags);
    return { stack, token: await stack.token(DEVELOPER) };
  };
  return () => (ready ??= start());
}

/** A stack that runs, and a token of {@link DEVELOPER}. */
export interface Ready {
  readonly stack: LabStack;
  readonly token: string;
}

/** The flags by which every client demands who signed: by default {@link DEVELOPER}, by a token of the stack's own issuer. */
export function demand(stack: LabStack, subject: string = DEVELOPER, issuer?: string): readonly string[] {
  return ['--certificate-identity', subject, '--certificate-oidc-issuer', issuer ?? stack.endpoints.issuer];
}

/** Identities that are not {@link demand}ed: each nearly is. */
export function wrongDemands(stack: LabStack): readonly (readonly string[])[] {
  return [demand(stack, `x${DEVELOPER}`), demand(stack, DEVELOPER, `${stack.endpoints.issuer}/other`)];
}

/** The services by URL, as cosign 2 and cosign 3 without signing config take them. */
export function serviceFlags({ endpoints }: LabStack): readonly string[] {
  const { fulcio, rekor, issuer } = endpoints;
  return ['--fulcio-url', fulcio, '--rekor-url', rekor, '--oidc-issuer', issuer];
}

/** A fresh home whose client was told of the stack by the very line that `up` prints. */
export async function initialized(lab: Lab, stack: LabStack, cosign: string): Promise<string> {
  const home = lab.folder();
  const line = /^ *cosign (initialize .*)$/m.exec(await announced(stack))?.[1] ?? '';
  assert.match(line, /--root-checksum [0-9a-f]{64}$/);
  await succeed(cosign, line.split(' '), home);
  return home;
}

/** The variables by which cosign 2 and gitsign trust the stack, as `up` prints them. */
export async function announcedVariables(stack: LabStack): Promise<Readonly<Record<string, string>>> {
  const lines = [...(await announced(stack)).matchAll(/^ *export (\w+)=(.*)$/gm)];
  assert.ok(lines.length > 0);
  return Object.fromEntries(lines.map(([, name = '', value = '']) => [name, value]));
}

// It is printed after the ready file has been written.
async function announced(stack: LabStack): Promise<string> {
  for (let waited = 0; waited < 200 && !stack.written().includes('a token of the built-in issuer'); waited++)
    await sleep(50);
  return stack.written();
}

/** Writes a file into a folder. @returns its path */
export function writeIn(folder: string, name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

/** The bundle in a file. */
export function bundleIn(path: string): Bundle {
  return decodeBundle(readFileSync(path), path);
}

/** Kind and version of the entries of a bundle: `hashedrekord 0.0.2`. */
export function entryKinds({ logEntries }: Bundle): readonly string[] {
  return logEntries.map(({ kindVersion }) => `${kindVersion?.kind} ${kindVersion?.version}`);
}

/** A client refused, for a reason and not for want of an argument. */
export function refused(run: ClientRun, reason: RegExp): void {
  assert.notEqual(run.code, 0, run.stdout);
  assert.match(run.stderr + run.stdout, reason);
}

/** The digests that the statement of a DSSE envelope, as `verify-attestation` prints it, is about. */
export function attested(run: ClientRun): readonly string[] {
  const { payload } = JSON.parse(run.stdout) as { readonly payload: string };
  const statement = JSON.parse(Buffer.from(payload, 'base64').toString('utf8')) as {
    readonly subject: readonly { readonly digest: Readonly<Record<string, string>> }[];
  };
  return statement.subject.map(({ digest }) => `sha256:${digest['sha256']}`);
}
