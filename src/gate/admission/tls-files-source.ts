// SPDX-License-Identifier: Apache-2.0
import { X509Certificate, createPrivateKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { WireError, type TlsFiles, type TlsMaterial } from '../../wire/index.ts';
import type { TlsSource } from './ports.ts';

/** A mounted Secret changes by a link that is moved, which watchers of files do not see everywhere: it is looked at now and then. */
const EVERY_MS = 5000;
/** looks that the other half of a change may take */
const HALF_A_CHANGE = 3;

/** A certificate in files that are replaced while it serves. Half of a change is waited out: the one before stays. What stays half is told of. */
export function tlsFilesSource(files: TlsFiles, everyMs: number = EVERY_MS): TlsSource {
  let known: TlsMaterial | undefined;
  const looks = new Set<() => void>();
  return {
    current: async () => (known = await readPair(files)),
    watch(changed, trouble = () => undefined) {
      let failed = 0;
      let looking: Promise<void> | undefined;
      const look = async (): Promise<void> => {
        const before = known;
        try {
          const { cert, key } = (known = await readPair(files));
          failed = 0;
          if (before?.cert !== cert || before.key !== key) changed({ cert, key });
        } catch (error) {
          failed += 1;
          if (failed === HALF_A_CHANGE) trouble(error);
        }
      };
      const begin = (): void => {
        looking ??= look().finally(() => (looking = undefined));
      };
      const timer = setInterval(begin, everyMs);
      timer.unref();
      looks.add(begin);
      return () => {
        clearInterval(timer);
        looks.delete(begin);
      };
    },
    look() {
      for (const look of looks) look();
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
