// SPDX-License-Identifier: Apache-2.0
export { openKeylessSigner, type KeylessSigner, type KeylessSignerOptions } from './certificate/keyless-signer.ts';
export {
  requestCertificate,
  type CertificateAuthorityService,
  type CertificateChain,
  type CertificateOrder,
} from './certificate/request-certificate.ts';
export { KeylessError, type KeylessErrorCode } from './error.ts';
export { logWitness, type LogService, type LogWitnessOptions } from './log/log-witness.ts';
export { initializeTrust, type InitializedTrust, type InitializeTrustOptions } from './root/initialize-trust.ts';
export { loadPackedRepository, loadRemoteRepository, type TrustRepository } from './root/load-repository.ts';
export { loadTrust, type LoadTrustOptions, type TrustMaterial } from './root/load-trust.ts';
export { describeOrigin, type TrustOrigin } from './root/trust-origin.ts';
export { trustFolder, type Surroundings } from './root/trust-place.ts';
export { expectedSeal, type ExpectedSeal } from './service/expected-seal.ts';
export {
  chooseSigningServices,
  namedServices,
  openWitnesses,
  type ServiceAddresses,
  type SigningServices,
} from './service/signing-services.ts';
export { timestampWitness, type TimestampWitnessOptions } from './timestamp/timestamp-witness.ts';
export { TOKEN_PROVIDERS, type AskedProvider } from './token/ambient-token.ts';
export {
  findIdentityToken,
  TokenNotFoundError,
  type FindIdentityTokenOptions,
  type FoundToken,
  type TokenSource,
} from './token/find-identity-token.ts';
export { decodeIdentityToken, type IdentityToken, type IdentityTokenExpectation } from './token/identity-token.ts';
export { logIn, type Login, type LoginOptions } from './token/login/log-in.ts';
export type { LoginFlow, LoginInteraction, LoginSettings } from './token/login/login-settings.ts';
export type { TokenPaths, TokenProviderName } from './token/provider/token-provider.ts';
export { keepLogin, readKeptLogin, type KeptLoginExpectation } from './token/token-cache.ts';
