// SPDX-License-Identifier: Apache-2.0
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  chooseSigningServices,
  decodeIdentityToken,
  expectedSeal,
  initializeTrust,
  KeylessError,
  openKeylessSigner,
  openWitnesses,
  type SigningServices,
} from '../../keyless/index.ts';
import {
  decodeSigningConfig,
  decodeTrustedRoot,
  generatePrivateKey,
  keySigner,
  loggedScheme,
  signBlobBundle,
  verifyBundle,
  type Signer,
  type SigningConfig,
  type TrustedRoot,
} from '../../trust/index.ts';
import type { StackEndpoints } from '../../up/index.ts';
import { isJsonObject, parseJson, readBody, type HttpClient } from '../../wire/index.ts';

/** What came of looking at one thing. */
export interface Finding {
  readonly name: string;
  readonly outcome: 'ok' | 'failed' | 'skipped';
  /** what was seen; or what is wrong and what to do */
  readonly detail: string;
}

/** What is looked at. */
export interface Patient {
  readonly endpoints: StackEndpoints;
  /** the data directory */
  readonly data: string;
  readonly http: HttpClient;
  readonly now: () => Date;
  /** an identity token, of the stack's own issuer unless somebody gave another */
  token(): Promise<string>;
}

const LEAST_FREE_BYTES = 1024 ** 3;
const MOST_SKEW_MS = 5000;
const MAX_ANSWER = 64 * 1024;
/** bytes that are signed to see whether it works */
const PROBE_BYTES = 32;

/** All checks, in the order in which one thing needs the other. Each ends with a finding; none throws. */
export async function* examine(patient: Patient): AsyncGenerator<Finding> {
  const checks: readonly (readonly [name: string, check: (patient: Patient) => Promise<string>])[] = [
    ['stack answers', answers],
    ['clock', clock],
    ['disk', disk],
    ['registry', registry],
    ['trust root by TUF', trustRoot],
    ['log of Rekor v1', (one) => signed(one, 1, keyOf)],
    ['log of Rekor v2 and timestamps', (one) => signed(one, 2, keyOf)],
    ['certificates', (one) => signed(one, 2, certified)],
  ];
  for (const [name, check] of checks) yield await carryOut(name, () => check(patient));
}

async function carryOut(name: string, check: () => Promise<string>): Promise<Finding> {
  try {
    return { name, outcome: 'ok', detail: await check() };
  } catch (error) {
    // Who gets a certificate is the operator's decision: that it is not the doctor is no fault.
    const refused = error instanceof KeylessError && error.code === 'service-refused' && /\brule\b/.test(error.message);
    const detail = error instanceof Error ? error.message : 'failed for a reason that is not known';
    return { name, outcome: refused ? 'skipped' : 'failed', detail };
  }
}

async function answers({ http, endpoints }: Patient): Promise<string> {
  const { status, bytes } = await get(http, `${endpoints.fulcio}/readyz`);
  const said = parseJson(bytes, { what: '/readyz', maxBytes: MAX_ANSWER });
  const troubles = isJsonObject(said) && Array.isArray(said['troubles']) ? said['troubles'] : [];
  if (status === 200) return `${endpoints.fulcio} is ready`;
  throw new Error(`${endpoints.fulcio} is not ready: ${troubles.map(String).join('; ')}`);
}

async function clock({ http, endpoints, now }: Patient): Promise<string> {
  const { headers } = await get(http, `${endpoints.fulcio}/healthz`);
  const theirs = Date.parse(headers['date'] ?? '');
  const skew = Math.abs(theirs - now().getTime());
  if (skew <= MOST_SKEW_MS) return `the stack's clock and this machine's agree within ${MOST_SKEW_MS / 1000} s`;
  throw new Error(`the stack's clock differs from this machine's by ${Math.round(skew / 1000)} s: set it by NTP`);
}

async function disk({ data }: Patient): Promise<string> {
  const { bavail, bsize } = await statfs(data);
  const free = bavail * bsize;
  const shown = `${(free / 1024 ** 3).toFixed(1)} GiB are free in ${data}`;
  if (free >= LEAST_FREE_BYTES) return shown;
  throw new Error(`${shown}: at less than 1 GiB make room, a full disk stops every service`);
}

async function registry({ http, endpoints }: Patient): Promise<string> {
  const { status } = await get(http, `${endpoints.registry}/v2/`);
  if (status === 200) return 'serves';
  if (status === 401) return 'serves, and asks for a user';
  throw new Error(`${endpoints.registry}/v2/ answers ${status}, expected 200 or 401`);
}

async function trustRoot({ http, endpoints, now }: Patient): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bulla-doctor-'));
  try {
    const { trustedRoot } = await initializeTrust({
      mirror: endpoints.tuf,
      root: endpoints.tufRoot,
      env: { TUF_ROOT: folder },
      cwd: folder,
      now: now(),
      http,
    });
    const { logs, certificateAuthorities, timestampAuthorities } = trustedRoot;
    return `a new client gets ${certificateAuthorities.length} authorities, ${logs.length} logs, ${timestampAuthorities.length} clocks`;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Seals something by the services of one version of the log, and verifies it as a client does. */
async function signed(
  patient: Patient,
  version: 1 | 2,
  signerOf: (patient: Patient, services: SigningServices) => Promise<Signer>,
): Promise<string> {
  const { http, now } = patient;
  const { trustedRoot, config } = await published(patient);
  const certificate = signerOf === certified;
  const services = chooseSigningServices(config, { now: now(), certificate, logVersions: [version] });
  const signer = await signerOf(patient, services);
  const probe = randomBytes(PROBE_BYTES);
  const bundle = await signBlobBundle(probe, signer, openWitnesses(services, { http, trustedRoot }));
  const expected = await expectedSeal(signer, services, { trustedRoot, now: now() });
  const by = expected.kind === 'keys' ? { keys: expected.keys } : { identities: expected.identities };
  const check = await verifyBundle(bundle, { kind: 'bytes', bytes: probe }, { ...by, ...expected.evidence });
  if (check.kind === 'rejected') {
    const { code, found, expected: wanted } = check.rejection;
    throw new Error(`what was sealed does not verify: found ${found}, expected ${wanted} [${code}]`);
  }
  return `sealed and verified, entry ${bundle.logEntries[0]?.logIndex ?? 'none'}`;
}

async function published({
  endpoints,
}: Patient): Promise<{ readonly trustedRoot: TrustedRoot; readonly config: SigningConfig }> {
  return {
    trustedRoot: decodeTrustedRoot(await readFile(endpoints.trustedRoot), endpoints.trustedRoot),
    config: decodeSigningConfig(await readFile(endpoints.signingConfig), endpoints.signingConfig),
  };
}

async function keyOf(): Promise<Signer> {
  const key = await generatePrivateKey('ecdsa-p256');
  return keySigner(key, loggedScheme(key.publicKey));
}

async function certified(patient: Patient): Promise<Signer> {
  const { http, endpoints, now } = patient;
  const token = decodeIdentityToken(await patient.token(), { clientId: 'sigstore', now: now() });
  return await openKeylessSigner({ authority: { url: endpoints.fulcio }, token, http });
}

interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly bytes: Uint8Array;
}

async function get(http: HttpClient, address: string): Promise<Answered> {
  const url = new URL(address);
  return await http.exchange({ method: 'GET', url, redirects: 0 }, async (answer) => ({
    status: answer.status,
    headers: answer.headers,
    bytes: await readBody(answer, MAX_ANSWER, url.pathname),
  }));
}
