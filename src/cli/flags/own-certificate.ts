// SPDX-License-Identifier: Apache-2.0
import {
  decodeCertificates,
  encodeCertificates,
  verifierOf,
  TrustError,
  type Certificate,
  type Signer,
} from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { readFile } from '../file/read-file.ts';
import type { SigningFlags, SigningPlan } from './signing-plan.ts';

const MAX_BYTES = 1024 * 1024;

/**
 * Seals with a key and the certificate that somebody has issued for it.
 *
 * @throws CliError `usage` if the certificate is another key's, and as `readFile`; TrustError as `decodeCertificates`
 */
export async function withCertificate(
  context: CommandContext,
  signer: Signer,
  flags: Pick<SigningFlags, 'certificate' | 'certificate-chain'>,
): Promise<SigningPlan> {
  const file = flags.certificate ?? '';
  const [leaf, ...besides] = await read(context, file);
  const chain = flags['certificate-chain'] === undefined ? besides : await read(context, flags['certificate-chain']);
  const certified: Signer = { ...signer, certificate: [leaf.der, ...chain.map(({ der }) => der)] };
  try {
    verifierOf(certified);
  } catch (error) {
    if (!(error instanceof TrustError) || error.code !== 'key-malformed') throw error;
    throw new CliError('usage', `the certificate in ${file} is not of the key that --key names`, { cause: error });
  }
  return { signer: certified, witnesses: [], certificate: encodeCertificates([leaf, ...chain]) };
}

async function read(context: CommandContext, file: string): Promise<readonly [Certificate, ...Certificate[]]> {
  return decodeCertificates(await readFile(file, { cwd: context.cwd, what: 'certificate', maxBytes: MAX_BYTES }), file);
}
