// SPDX-License-Identifier: Apache-2.0
import type { Environment, TlsSettings } from '../../wire/index.ts';
import { RegistryError } from '../error.ts';
import { readSmallFile } from '../small-file.ts';
import type { RemoteTls } from './options.ts';

/**
 * The TLS settings for a registry: the files that were named or, where none was, those that lie in a `certs.d` directory for its host.
 *
 * @param host `host[:port]` as references name it
 * @see https://docs.docker.com/engine/security/certificates/
 * @throws RegistryError `tls-failed` where a file cannot be read or a certificate lacks its key
 */
export function readTlsFiles(
  host: string,
  tls: RemoteTls,
  environment: Environment,
  warn: (warning: string) => void,
): TlsSettings {
  const common = {
    ...(tls.insecure === true ? { insecure: true } : {}),
    ...(tls.serverName === undefined ? {} : { serverName: tls.serverName }),
  };
  const { caFile, certFile, keyFile } = tls;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new RegistryError(
      'tls-failed',
      `a client certificate and its key belong together: only ${certFile ?? keyFile} was given`,
    );
  }
  if (caFile !== undefined || certFile !== undefined) {
    return {
      ...common,
      ...(caFile === undefined ? {} : { ca: readCertificates(caFile) }),
      ...(certFile === undefined || keyFile === undefined ? {} : readClient(certFile, keyFile)),
    };
  }
  for (const directory of tls.certsDirectories ?? certsDirectories(environment)) {
    const found = readDirectory(`${directory}/${host}`, warn);
    if (found !== undefined) return { ...common, ...found };
  }
  return common;
}

/** Where docker and podman look, the user's own first. */
function certsDirectories(environment: Environment): readonly string[] {
  const home = environment['HOME'] ?? '';
  const config = environment['XDG_CONFIG_HOME'] ?? (home === '' ? '' : `${home}/.config`);
  const own = config === '' ? [] : [`${config}/containers/certs.d`, `${config}/docker/certs.d`];
  return [...own, '/etc/containers/certs.d', '/etc/docker/certs.d'];
}

function readDirectory(directory: string, warn: (warning: string) => void): TlsSettings | undefined {
  const { readdirSync } = process.getBuiltinModule('node:fs');
  let names: string[];
  try {
    names = readdirSync(directory).toSorted();
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    // A directory that is closed to us is as good as none for docker too; but someone will wonder.
    warn(`${directory} cannot be read: its certificates are not used`);
    return undefined;
  }
  const roots = names
    .filter((name) => name.endsWith('.crt'))
    .flatMap((name) => readCertificates(`${directory}/${name}`));
  const certificates = names.filter((name) => name.endsWith('.cert'));
  const keys = names.filter((name) => name.endsWith('.key'));
  const orphan = keys.find((name) => !certificates.includes(name.replace(/key$/, 'cert')));
  if (orphan !== undefined) {
    throw new RegistryError(
      'tls-failed',
      `${directory}/${orphan} has no certificate beside it (expected ${orphan.replace(/key$/, 'cert')})`,
    );
  }
  const [first, ...others] = certificates;
  if (others.length > 0) warn(`${directory} holds ${certificates.length} client certificates: ${first} is used`);
  if (roots.length === 0 && first === undefined) return undefined;
  const client =
    first === undefined ? {} : readClient(`${directory}/${first}`, `${directory}/${first.replace(/cert$/, 'key')}`);
  return { ...(roots.length === 0 ? {} : { extraCa: roots }), ...client };
}

const MAX_BYTES = 1024 * 1024;

/** A client certificate and its key. What does not fit is found here, where the files can be named: a handshake only fails. */
function readClient(certFile: string, keyFile: string): { readonly cert: string; readonly key: string } {
  const [cert, key] = [readPem(certFile), readPem(keyFile)];
  const { createPrivateKey, X509Certificate } = process.getBuiltinModule('node:crypto');
  const attempt = <T>(file: string, problem: string, read: () => T): T => {
    try {
      return read();
    } catch (cause) {
      throw new RegistryError('tls-failed', `${file} ${problem}`, { cause, url: file });
    }
  };
  const certificate = attempt(certFile, 'holds no certificate that can be read', () => new X509Certificate(cert));
  const encrypted = /-----BEGIN ENCRYPTED|^Proc-Type: 4,ENCRYPTED/m.test(key);
  const problem = encrypted ? 'is encrypted, expected a key without a password' : 'holds no key that can be read';
  const privateKey = attempt(keyFile, problem, () => createPrivateKey(key));
  if (certificate.checkPrivateKey(privateKey)) return { cert, key };
  throw new RegistryError('tls-failed', `${keyFile} is not the key of the certificate ${certFile}`, { url: keyFile });
}

function readPem(file: string): string {
  let text: string;
  try {
    text = new TextDecoder().decode(readSmallFile(file, MAX_BYTES));
  } catch (cause) {
    throw new RegistryError('tls-failed', `the certificate or key ${file} cannot be read`, { cause, url: file });
  }
  if (text.includes('-----BEGIN ')) return text;
  throw new RegistryError('tls-failed', `${file} holds no certificate or key (expected PEM)`, { url: file });
}

function readCertificates(file: string): string[] {
  const certificates = readPem(file).match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
  if (certificates !== null) return certificates;
  throw new RegistryError('tls-failed', `${file} holds no certificate (expected PEM)`, { url: file });
}
