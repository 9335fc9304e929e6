// SPDX-License-Identifier: Apache-2.0
export {
  BUNDLE_MEDIA_TYPES,
  BUNDLE_V03,
  type Bundle,
  type BundleContent,
  type KeyMaterial,
  type MessageDigest,
  type MessageDigestAlgorithm,
} from './bundle/bundle.ts';
export { decodeBundle } from './bundle/decode-bundle.ts';
export { encodeBundle } from './bundle/encode-bundle.ts';
export {
  decodeEnvelope,
  encodeEnvelope,
  IN_TOTO_PAYLOAD_TYPE,
  preAuthEncoding,
  type Envelope,
  type EnvelopeSignature,
} from './bundle/envelope.ts';
export type { InclusionProof, LogEntry } from './bundle/log-entry.ts';
export { decodeSimpleSigning, encodeSimpleSigning, type SimpleSigning } from './bundle/simple-signing.ts';
export {
  decodeStatement,
  encodeSignStatement,
  SIGN_PREDICATE_TYPE,
  type Statement,
  type Subject,
} from './bundle/statement.ts';
export { certificateSigner, randomSerialNumber, type CertificateSigner } from './certificate/build-certificate.ts';
export type { CertificateAuthority, Purpose } from './certificate/certificate-authority.ts';
export { decodeCertificates, encodeCertificates } from './certificate/certificate-chain.ts';
export {
  certificateIdentity,
  type CertificateIdentity,
  type IdentityCheck,
} from './certificate/certificate-identity.ts';
export type { CertificateRejection, CertificateRejectionCode } from './certificate/certificate-rejection.ts';
export {
  decodeCertificateRequest,
  verifyCertificateRequest,
  type CertificateRequest,
} from './certificate/certificate-request.ts';
export { certificateKey, decodeCertificate, type Certificate } from './certificate/certificate.ts';
export { describeName, type DistinguishedName } from './certificate/distinguished-name.ts';
export type { Extension } from './certificate/extension.ts';
export { FULCIO_CLAIMS, readFulcioClaims, type FulcioClaim, type FulcioClaims } from './certificate/fulcio-claims.ts';
export type { GeneralName } from './certificate/general-name.ts';
export {
  issueIntermediate,
  issueRoot,
  issueTimestampCertificate,
  type AuthorityRequest,
  type Issuer,
} from './certificate/issue-authority.ts';
export {
  draftLeaf,
  finishLeaf,
  signPrecertificate,
  type LeafDraft,
  type LeafRequest,
} from './certificate/issue-leaf.ts';
export {
  decodeAddChainResponse,
  encodeAddChainResponse,
  encodeSct,
  logIdOf,
  precertificateEntry,
  sctSignedData,
  signSct,
  type CertificateLogEntry,
  type SignedCertificateTimestamp,
} from './certificate/sct.ts';
export type { ValidityPeriod } from './certificate/validity-period.ts';
export { verifyChain, type ChainCheck } from './certificate/verify-chain.ts';
export { verifyScts, type CertificateLog, type SctCheck } from './certificate/verify-scts.ts';
export { TrustError, type TrustErrorCode } from './error.ts';
export {
  decodePrivateKey,
  encryptPrivateKey,
  generatePrivateKey,
  privateKeyNeedsPassword,
  type DecodePrivateKeyOptions,
  type PrivateKey,
} from './key/private-key.ts';
export {
  decodePublicKey,
  encodePublicKey,
  KEY_ALGORITHMS,
  type KeyAlgorithm,
  type PublicKey,
  type PublicKeyAlgorithm,
} from './key/public-key.ts';
export { keySigner, type Signer } from './key/signer.ts';
export { verifySignature, type SignatureScheme } from './key/verify-signature.ts';
export { signBundle } from './sign-bundle.ts';
export { verifyBundle, type Artifact, type Rejection, type RejectionCode, type SealCheck } from './verify-bundle.ts';
