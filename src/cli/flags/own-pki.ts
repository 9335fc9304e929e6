// SPDX-License-Identifier: Apache-2.0
import { assembleTrustedRoot, type Certificate, type RootParts, type TrustedRoot } from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';
import type { FlagValues } from '../command.ts';
import type { CommandContext } from '../context.ts';
import { readCertificates } from './certificate-file.ts';
import type { PKI_FLAGS } from './pki.ts';

type Flags = Partial<FlagValues<typeof PKI_FLAGS>>;

/** What these flags put in the place of a part of a trusted root. */
export type OwnPki = Partial<Pick<TrustedRoot, 'certificateAuthorities' | 'timestampAuthorities'>>;

/**
 * The certificates that flags name.
 *
 * @throws CliError `usage` for flags that say two things; as `readCertificates`
 */
export async function readOwnPki(context: CommandContext, flags: Flags): Promise<OwnPki> {
  const {
    'ca-roots': roots,
    'ca-intermediates': intermediates,
    'certificate-chain': chain,
    'timestamp-certificate-chain': stamps,
  } = flags;
  if (chain !== undefined && (roots !== undefined || intermediates !== undefined))
    throw new CliError('usage', '--certificate-chain and --ca-roots say the same: give one of them');
  if (intermediates !== undefined && roots === undefined)
    throw new CliError('usage', '--ca-intermediates needs --ca-roots: nobody believes them by themselves');
  const certificates = async (file: string | undefined): Promise<readonly Certificate[]> =>
    file === undefined ? [] : readCertificates(context, file, 'certificates');
  const timestampChain = stamps === undefined ? undefined : await readCertificates(context, stamps, 'certificates');
  const root = assembleTrustedRoot({
    ...(chain === undefined ? { anchors: await certificates(roots) } : partsOf(await certificates(chain))),
    intermediates: await certificates(intermediates),
    ...(timestampChain === undefined ? {} : { timestampChain }),
  });
  const named = chain ?? roots;
  return {
    ...(named === undefined ? {} : { certificateAuthorities: root.certificateAuthorities }),
    ...(stamps === undefined ? {} : { timestampAuthorities: root.timestampAuthorities }),
  };
}

// Its root, wherever that stands; where none issued itself the last, as cosign has it.
function partsOf(chain: readonly Certificate[]): Pick<RootParts, 'authorities' | 'anchors'> {
  const rooted = chain.some(({ issuer, subject }) => Buffer.from(issuer).equals(subject));
  return rooted ? { authorities: chain } : { authorities: chain.slice(0, -1), anchors: chain.slice(-1) };
}
