// SPDX-License-Identifier: Apache-2.0
import {
  certificateSigner,
  createTimestampIssuer,
  generatePrivateKey,
  issueIntermediate,
  issueRoot,
  issueTimestampCertificate,
  randomSerialNumber,
  type Certificate,
  type PrivateKey,
  type TimestampIssuer,
} from '../../trust/index.ts';

/** An authority as the stack makes one: leaf, intermediate, root. */
export interface TestAuthority {
  readonly issuer: TimestampIssuer;
  readonly chain: readonly [Certificate, Certificate, Certificate];
}

/** @param life of the certificate that signs; those above live through 2036 */
export async function newTestAuthority(
  life: { readonly notBefore: Date; readonly notAfter: Date } = YEARS,
): Promise<TestAuthority> {
  const [rootKey, aboveKey, key] = await Promise.all([
    generatePrivateKey('ecdsa-p256'),
    generatePrivateKey('ecdsa-p256'),
    generatePrivateKey('ecdsa-p256'),
  ]);
  const asked = (commonName: string, { publicKey }: PrivateKey, dates = YEARS) => ({
    name: { organization: 'test', commonName },
    publicKey,
    serialNumber: randomSerialNumber(),
    ...dates,
  });
  const root = await issueRoot(asked('root', rootKey), 1, certificateSigner(rootKey));
  const by = { certificate: root, signer: certificateSigner(rootKey) };
  const above = await issueIntermediate(asked('intermediate', aboveKey), 'time-stamping', by);
  const leaf = await issueTimestampCertificate(asked('leaf', key, life), {
    certificate: above,
    signer: certificateSigner(aboveKey),
  });
  const chain = [leaf, above, root] as const;
  return { issuer: await createTimestampIssuer(certificateSigner(key), chain), chain };
}

const YEARS = { notBefore: new Date('2026-01-01T00:00:00Z'), notAfter: new Date('2036-01-01T00:00:00Z') };
