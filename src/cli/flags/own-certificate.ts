// SPDX-License-Identifier: Apache-2.0
import { encodeCertificates, verifierOf, TrustError, type Signer } from '../../trust/index.ts';
import { CliError } from '../cli-error.ts';
import type { CommandContext } from '../context.ts';
import { readCertificates } from './certificate-file.ts';
import type { SigningFlags, SigningPlan } from './signing-plan.ts';

/**
 * Seals with a key and the certificate that somebody has issued for it.
 *
 * @throws CliError `usage` if the certificate is another key's, and as `readCertificates`
 */
export async function withCertificate(
  context: CommandContext,
  signer: Signer,
  flags: Pick<SigningFlags, 'certificate' | 'certificate-chain'>,
): Promise<SigningPlan> {
  const file = flags.certificate ?? '';
  const [leaf, ...besides] = await readCertificates(context, file, 'certificate');
  const chain =
    flags['certificate-chain'] === undefined
      ? besides
      : await readCertificates(context, flags['certificate-chain'], 'certificate');
  const certified: Signer = { ...signer, certificate: [leaf.der, ...chain.map(({ der }) => der)] };
  try {
    verifierOf(certified);
  } catch (error) {
    if (!(error instanceof TrustError) || error.code !== 'key-malformed') throw error;
    throw new CliError('usage', `the certificate in ${file} is not of the key that --key names`, { cause: error });
  }
  return { signer: certified, witnesses: [], certificate: encodeCertificates([leaf, ...chain]) };
}
