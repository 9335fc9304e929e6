// SPDX-License-Identifier: Apache-2.0
import { WireError } from '../wire-error.ts';
import type { Environment } from './proxy.ts';
import type { TlsSettings } from './transport.ts';

// Where distributions keep their roots, in the order in which Go looks for them.
const FILES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates in a PEM file's text. */
export function splitPem(text: string): string[] {
  return text.match(CERTIFICATE) ?? [];
}

/**
 * The roots that SSL_CERT_FILE and SSL_CERT_DIR name, which stand in the place of all others; undefined where neither is set.
 * @throws WireError `tls-failed` where SSL_CERT_FILE cannot be read
 */
function rootsByEnvironment(environment: Environment): readonly string[] | undefined {
  const file = environment['SSL_CERT_FILE'] ?? '';
  const directory = environment['SSL_CERT_DIR'] ?? '';
  if (file === '' && directory === '') return undefined;
  const roots: string[] = [];
  if (file !== '') roots.push(...readRoots(file));
  for (const path of directory.split(':').filter((part) => part !== '')) roots.push(...readDirectory(path));
  return roots;
}

/** The roots that come with the runtime. */
function bundledRoots(): readonly string[] {
  return process.getBuiltinModule('node:tls').rootCertificates;
}

/** The roots that this machine's administrator keeps, where there are any to be found. */
function machineRoots(): readonly string[] {
  const { existsSync, readFileSync } = process.getBuiltinModule('node:fs');
  if (process.platform === 'linux') {
    const file = FILES.find((path) => existsSync(path));
    return file === undefined ? [] : splitPem(readFileSync(file, 'utf8'));
  }
  return process.getBuiltinModule('node:tls').getCACertificates('system');
}

/**
 * The roots to take, or undefined for the runtime's own.
 * @param machine whether to add what this machine's administrator keeps
 */
export function chooseRoots(
  tls: TlsSettings,
  environment: Environment,
  machine: boolean,
): readonly string[] | undefined {
  if (tls.ca !== undefined) return tls.ca;
  const extra = tls.extraCa ?? [];
  const named = rootsByEnvironment(environment);
  if (named !== undefined) return [...named, ...extra];
  if (!machine && extra.length === 0) return undefined;
  return [...bundledRoots(), ...(machine ? machineRoots() : []), ...extra];
}

/** Whether the machine's roots would change the choice. */
export function mayAddMachineRoots(tls: TlsSettings, environment: Environment): boolean {
  return (
    tls.ca === undefined &&
    tls.insecure !== true &&
    (environment['SSL_CERT_FILE'] ?? '') === '' &&
    (environment['SSL_CERT_DIR'] ?? '') === ''
  );
}

function readRoots(file: string): string[] {
  try {
    return splitPem(process.getBuiltinModule('node:fs').readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new WireError('tls-failed', `SSL_CERT_FILE names ${file}, which cannot be read`, { cause });
  }
}

function readDirectory(directory: string): string[] {
  const { readdirSync, readFileSync } = process.getBuiltinModule('node:fs');
  const roots: string[] = [];
  for (const name of attempt(() => readdirSync(directory)) ?? []) {
    roots.push(...splitPem(attempt(() => readFileSync(`${directory}/${name}`, 'utf8')) ?? ''));
  }
  return roots;
}

// A directory that is not there, a dangling link or a folder among them holds no roots.
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
