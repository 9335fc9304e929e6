// SPDX-License-Identifier: Apache-2.0
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { WireError, type TlsFiles, type TlsMaterial } from '../../wire/index.ts';
import type { TlsSource } from './ports.ts';

/** A mounted Secret changes by a link that is moved, which watchers of files do not see everywhere: it is looked at now and then. */
const EVERY_MS = 5000;

/** A certificate in files that are replaced while it serves. Half of a change is waited out: the one before stays. */
export function tlsFilesSource(files: TlsFiles, everyMs: number = EVERY_MS): TlsSource {
  let known: TlsMaterial | undefined;
  const current = async (): Promise<TlsMaterial> => (known = await readPair(files));
  return {
    current,
    watch(changed) {
      const look = async (): Promise<void> => {
        const before = known;
        const material = await current().catch(() => (known = before));
        if (material !== undefined && (before?.cert !== material.cert || before.key !== material.key))
          changed(material);
      };
      const timer = setInterval(() => void look(), everyMs);
      timer.unref();
      return () => clearInterval(timer);
    },
  };
}

async function readPair({ cert, key }: TlsFiles): Promise<TlsMaterial> {
  try {
    const read = { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
    if (new X509Certificate(read.cert).checkPrivateKey(createPrivateKey(read.key))) return read;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new WireError('tls-malformed', `cannot use ${cert} with ${key}: ${reason}`, { cause });
  }
  throw new WireError('tls-malformed', `cannot use ${cert} with ${key}: the key is not that of the certificate`);
}
