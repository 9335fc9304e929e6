// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parsePage } from '../docs/page.ts';
import type { ClientName, ClientRun } from './clients.ts';
import { announcedVariables, serviceFlags, writeIn } from './keyless.ts';
import { BULLA, keyFile, succeed, type Lab, type LabStack } from './lab.ts';

/** What policies are judged by in these tests: the command line, and what it says as JSON. */
export interface Judged {
  readonly exitCode: number;
  readonly outcome: string;
  readonly code: string;
  readonly message: string;
  readonly policyWarnings: readonly string[];
  readonly nearest: { readonly code: string } | null;
  readonly policies: readonly {
    readonly policy: string;
    readonly outcome: string;
    readonly code: string;
    readonly authorities: readonly JudgedAuthority[];
  }[];
}

interface JudgedAuthority {
  readonly name: string;
  readonly outcome: string;
  readonly code: string;
  readonly nearest: { readonly code: string } | null;
  readonly seals: readonly { readonly format: string }[];
  readonly attestations: readonly { readonly outcome: string; readonly code: string }[];
}

/** `bulla policy explain --json`. */
export async function explain(
  lab: Lab,
  image: string,
  flags: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Judged> {
  const run = await lab.bulla(['policy', 'explain', '--json', ...flags, image], { env });
  return judged(run);
}

function judged({ code, stdout, stderr }: ClientRun): Judged {
  if (stdout === '') throw new Error(`exit code ${code}: ${stderr}`);
  const document = JSON.parse(stdout) as Judged;
  if (document.exitCode !== code) throw new Error(`it ended with ${code} and says ${document.exitCode}`);
  return document;
}

/** A client that seals and attests, in one of the formats, by identity or by key. */
export interface Sealer {
  readonly title: string;
  readonly needs: readonly ClientName[];
  readonly format: 'bundle' | 'legacy';
  /** By an identity, with certificate, timestamp and log entry. @param words `sign` or `attest`, and what belongs to it */
  byIdentity(job: SealJob, token: string): Promise<void>;
  /** By the key of the recordings, without any service. */
  byKey(job: SealJob): Promise<void>;
}

/** What is to be sealed. */
export interface SealJob {
  readonly lab: Lab;
  readonly stack: LabStack;
  readonly words: readonly string[];
  readonly image: string;
  /** where the seal is laid, if that is not beside the image */
  readonly repository?: string;
  /** programs, in the order of `needs` */
  readonly programs: readonly string[];
}

/** The key of the recordings, and one that never signs what it should. */
const SIGNING_KEY: string = keyFile('cosign.key');
export const PUBLIC_KEY: string = readFileSync(keyFile('cosign.pub'), 'utf8');
export const WRONG_PUBLIC_KEY: string = readFileSync(keyFile('wrong.pub'), 'utf8');

function sealer(
  title: string,
  client: ClientName | undefined,
  format: Sealer['format'],
  identity: (job: SealJob) => Promise<readonly string[]> | readonly string[],
  key: readonly string[],
): Sealer {
  const run = async ({ lab, programs, stack, words, image, repository }: SealJob, flags: readonly string[]) => {
    const program = client === undefined ? BULLA : (programs[0] ?? '');
    const elsewhere = repository === undefined ? {} : { COSIGN_REPOSITORY: repository };
    const trusted = client === 'cosign-2' ? await announcedVariables(stack) : {};
    const env = { COSIGN_PASSWORD: 'pw', ...trusted, ...elsewhere };
    await succeed(program, [...words, '--yes', ...flags, image], lab.folder(), env);
  };
  return {
    title,
    format,
    needs: client === undefined ? [] : [client],
    byIdentity: async (job, token) => run(job, ['--identity-token', token, ...(await identity(job))]),
    byKey: (job) => run(job, ['--key', SIGNING_KEY, ...key]),
  };
}

const trust = ({ stack }: SealJob): readonly string[] => ['--trusted-root', stack.endpoints.trustedRoot];
const configured = (job: SealJob): readonly string[] => [
  '--signing-config',
  job.stack.endpoints.signingConfig,
  ...trust(job),
];
const byUrl = ({ stack }: SealJob): readonly string[] => [
  ...serviceFlags(stack),
  '--timestamp-server-url',
  stack.endpoints.tsa,
];

/** bulla and the real cosign 2 and 3, in each format that they write. */
export const SEALERS: readonly Sealer[] = [
  sealer('bulla, bundle', undefined, 'bundle', configured, []),
  sealer('bulla, legacy', undefined, 'legacy', (job) => ['--format', 'legacy', ...byUrl(job), ...trust(job)], [
    '--format',
    'legacy',
  ]),
  sealer('cosign 2, legacy', 'cosign-2', 'legacy', byUrl, ['--tlog-upload=false']),
  sealer('cosign 3, bundle', 'cosign-3', 'bundle', configured, ['--use-signing-config=false', '--tlog-upload=false']),
  sealer(
    'cosign 3, legacy',
    'cosign-3',
    'legacy',
    (job) => ['--new-bundle-format=false', '--use-signing-config=false', ...byUrl(job), ...trust(job)],
    ['--new-bundle-format=false', '--use-signing-config=false', '--tlog-upload=false'],
  ),
];

/** A TrustRoot of keys, as policy-controller has it, that says what a stack's trusted root says. */
export function trustRootOf({ endpoints }: LabStack, name: string): string {
  const root = JSON.parse(readFileSync(endpoints.trustedRoot, 'utf8')) as TrustedRootJson;
  const base64 = (pem: string): string => Buffer.from(pem).toString('base64');
  const authority = ({ subject, uri, certChain }: AuthorityJson): object => ({
    subject,
    uri,
    certChain: base64(certChain.certificates.map(({ rawBytes }) => pemOf('CERTIFICATE', rawBytes)).join('')),
  });
  const log = ({ baseUrl, publicKey }: LogJson): object => ({
    baseURL: baseUrl,
    hashAlgorithm: 'sha-256',
    publicKey: base64(pemOf('PUBLIC KEY', publicKey.rawBytes)),
  });
  return JSON.stringify({
    apiVersion: 'policy.sigstore.dev/v1alpha1',
    kind: 'TrustRoot',
    metadata: { name },
    spec: {
      sigstoreKeys: {
        certificateAuthorities: root.certificateAuthorities.map(authority),
        tLogs: root.tlogs.map(log),
        ctLogs: root.ctlogs.map(log),
        timestampAuthorities: root.timestampAuthorities.map(authority),
      },
    },
  });
}

interface TrustedRootJson {
  readonly tlogs: readonly LogJson[];
  readonly ctlogs: readonly LogJson[];
  readonly certificateAuthorities: readonly AuthorityJson[];
  readonly timestampAuthorities: readonly AuthorityJson[];
}

interface LogJson {
  readonly baseUrl: string;
  readonly publicKey: { readonly rawBytes: string };
}

interface AuthorityJson {
  readonly subject: object;
  readonly uri: string;
  readonly certChain: { readonly certificates: readonly { readonly rawBytes: string }[] };
}

function pemOf(label: string, base64: string): string {
  return `-----BEGIN ${label}-----\n${base64.replaceAll(/.{64}/g, '$&\n')}\n-----END ${label}-----\n`;
}

/** Lays documents in one file. @returns its path */
export function policyFile(lab: Lab, ...documents: readonly string[]): string {
  return writeIn(lab.folder(), 'policies.yaml', documents.join('\n---\n'));
}

/** A report of cosign's vuln predicate whose scan ended so many days ago. @returns its path */
export function scanReport(lab: Lab, daysAgo: number): string {
  const ended = new Date(Date.now() - daysAgo * 86_400_000);
  const time = (at: Date): string => at.toISOString().replace(/\.\d+Z$/, 'Z');
  const report = {
    invocation: { parameters: [], uri: 'https://ci.example.com/scan', event_id: '', 'builder.id': '' },
    scanner: {
      uri: 'pkg:generic/scanner',
      version: '1.2.3',
      db: { uri: '', version: '' },
      result: { matches: [] },
    },
    metadata: { scanStartedOn: time(new Date(ended.getTime() - 60_000)), scanFinishedOn: time(ended) },
  };
  return writeIn(lab.folder(), 'vuln.json', JSON.stringify(report));
}

/** One of the policies of `policy-examples.md`, word for word as its users have it. */
export function examplePolicy(name: string): string {
  const { parts } = parsePage(readFileSync(join(import.meta.dirname, 'policy-examples.md'), 'utf8'));
  const found = parts.find((part) => part.kind === 'file' && part.name === `${name}.yaml`);
  if (found?.kind !== 'file') throw new Error(`there is no example ${name}`);
  return found.content;
}
