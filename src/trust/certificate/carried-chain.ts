// SPDX-License-Identifier: Apache-2.0
import { sameOctets } from '../der/same-octets.ts';
import { TrustError } from '../error.ts';
import { namesKeyOf, type CertificateAuthority } from './certificate-authority.ts';
import { decodeCertificate, type Certificate } from './certificate.ts';

/**
 * The authorities to which a certificate leads by way of others that lie beside it. Anybody can lay them there, so that all is still to be
 * asked of them: only the last of each chain is trusted (`verifyChain`).
 *
 * @param carried DER; what cannot be read leads nowhere
 */
export function authoritiesByWay(
  leaf: Certificate,
  carried: readonly Uint8Array[],
  authorities: readonly CertificateAuthority[],
): readonly CertificateAuthority[] {
  const others = carried.flatMap(decodeAny);
  const way: Certificate[] = [];
  for (let last = leaf; ;) {
    const { issuer } = last;
    const below = last;
    const next = others.find(
      (other) => !way.includes(other) && sameOctets(other.subject, issuer) && namesKeyOf(below, other),
    );
    // Who issued itself leads to nobody else.
    if (next === undefined || sameOctets(next.subject, next.issuer)) break;
    way.push(next);
    last = next;
  }
  return way.flatMap((end, at) => {
    const [first = end, ...more] = way.slice(0, at + 1);
    return authorities
      .filter(({ chain: [issuer] }) => sameOctets(issuer.subject, end.issuer))
      .map((authority): CertificateAuthority => ({ ...authority, chain: [first, ...more, ...authority.chain] }));
  });
}

function decodeAny(der: Uint8Array): readonly Certificate[] {
  try {
    return [decodeCertificate(der, 'a certificate beside the one that signed')];
  } catch (error) {
    if (error instanceof TrustError) return [];
    throw error;
  }
}
