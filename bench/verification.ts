// SPDX-License-Identifier: Apache-2.0
import { hash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  chooseSigningServices,
  decodeIdentityToken,
  loadTrust,
  openKeylessSigner,
  openWitnesses,
} from '../src/keyless/index.ts';
import { encodeBundle, encodeSignStatement, signBundle } from '../src/trust/index.ts';
import { mintStackToken, startStack, type StackEndpoints } from '../src/up/index.ts';
import { HttpClient } from '../src/wire/index.ts';
import type { Row, Table } from './report.ts';
import { runProgram } from './run-program.ts';
import { KEYS, SIGNATURES, type Seals, type VerificationCost } from './verification-gate.ts';

const BUNDLES = 400;
const SIGNERS_AT_A_TIME = 8;
const HOUR_MS = 3_600_000;
const AUDIENCE = 'sigstore';

/**
 * Decoding and verifying bundles with certificate, certificate timestamp, log proof and timestamp, as a gate does that holds one trusted root:
 * each bundle by other keys. Beside it nothing but the signature checks and key imports that this came to, recorded and made again. On
 * one core, by processor time; of each hundred bundles, the round that took the least of it.
 */
export async function verificationBench(rounds: number): Promise<readonly Table[]> {
  return [
    await measure('p256', rounds, 'at least 1,500/s, at most 1.8'),
    await measure('p384', rounds, 'at least 600/s, at most 1.8'),
  ];
}

async function measure(curve: 'p256' | 'p384', rounds: number, goal: string): Promise<Table> {
  const data = await mkdtemp(join(tmpdir(), 'bulla-bench-stack-'));
  try {
    const seals = await makeSeals(curve, data);
    const file = join(data, 'seals.json');
    await writeFile(file, JSON.stringify(seals));
    const { whole, checks } = await runProgram<VerificationCost>('verification-gate.ts', file, rounds);
    const row = (name: string, micros: number, of?: string): Row => {
      return { name, values: [1e6 / micros, micros], ratio: micros / checks, goal: of };
    };
    const octets = seals.sealed.reduce((sum, { bundle }) => sum + bundle.length, 0) / BUNDLES;
    return {
      title: `Verify keyless bundles of a stack with ${curve === 'p256' ? 'P-256' : 'P-384'} authorities, one core`,
      columns: ['bundles/s', 'µs'],
      rows: [
        row(`its ${SIGNATURES} signature checks and ${KEYS} key import alone`, checks),
        row('decode and verify', whole, goal),
      ],
      notes: [`${BUNDLES} bundles of ${Math.round(octets)} bytes, each by its own key, certificate and log entry.`],
    };
  } finally {
    await rm(data, { recursive: true, force: true });
  }
}

/** Has a stack on loopback seal digests, each for another pipeline. */
async function makeSeals(curve: 'p256' | 'p384', data: string): Promise<Seals> {
  const listen = { host: '127.0.0.1', port: 0 };
  const stack = await startStack({ data, listen, curve, onWarning: (message) => console.error(message) });
  const http = new HttpClient();
  try {
    return await sealBy(stack.endpoints, data, http);
  } finally {
    await http.close();
    await stack.close();
  }
}

async function sealBy(endpoints: StackEndpoints, data: string, http: HttpClient): Promise<Seals> {
  const { trustedRoot: trustedRootFile, signingConfig: signingConfigFile } = endpoints;
  const files = { trustedRootFile, signingConfigFile };
  const { trustedRoot, signingConfig } = await loadTrust({
    env: {},
    home: data,
    cwd: data,
    now: new Date(),
    http,
    ...files,
  });
  if (signingConfig === undefined) throw new Error('the stack has no signing config');
  const services = chooseSigningServices(signingConfig, { now: new Date(), certificate: true });
  const witnesses = openWitnesses(services, { http, trustedRoot });
  const seal = async (index: number): Promise<Seals['sealed'][number]> => {
    const now = new Date();
    const subject = `https://ci.example/team-${index}/app/release.yml@refs/heads/main`;
    const text = await mintStackToken({ data, subject, audience: AUDIENCE, claims: {}, lifetimeMs: HOUR_MS, now });
    const token = decodeIdentityToken(text, { clientId: AUDIENCE, now });
    const signer = await openKeylessSigner({ authority: { url: endpoints.fulcio }, token, http });
    const artifact = { kind: 'digest', algorithm: 'sha256', hex: hash('sha256', `${index}`) } as const;
    const bundle = await signBundle(encodeSignStatement(artifact, {}), signer, witnesses);
    return { artifact, bundle: Buffer.from(encodeBundle(bundle)).toString() };
  };
  const sealed: Seals['sealed'][number][] = [];
  for (let at = 0; at < BUNDLES; at += SIGNERS_AT_A_TIME)
    sealed.push(...(await Promise.all(Array.from({ length: SIGNERS_AT_A_TIME }, (_, of) => seal(at + of)))));
  const identity = { issuer: { exact: endpoints.issuer }, subject: { expression: '^https://ci\\.example/team-\\d+/' } };
  return { sealed, identity, trustedRoot: await readFile(trustedRootFile, 'utf8') };
}
