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
export {
  COSIGN_BUNDLE_MEDIA_TYPE,
  decodeCosignBundle,
  decodeCosignSignature,
  decodeSignerMaterial,
} from './bundle/decode-cosign-bundle.ts';
export { encodeBundle } from './bundle/encode-bundle.ts';
export { encodeCosignBundle } from './bundle/encode-cosign-bundle.ts';
export {
  decodeEnvelope,
  encodeEnvelope,
  IN_TOTO_PAYLOAD_TYPE,
  preAuthEncoding,
  type Envelope,
  type EnvelopeSignature,
} from './bundle/envelope.ts';
export { decodeLogEntry, type InclusionProof, type LogEntry } from './bundle/log-entry.ts';
export { MessageReader } from './bundle/proto-json.ts';
export { decodeSimpleSigning, encodeSimpleSigning, type SimpleSigning } from './bundle/simple-signing.ts';
export {
  decodeStatement,
  encodeSignStatement,
  encodeStatement,
  SIGN_PREDICATE_TYPE,
  STATEMENT_TYPES,
  type NewStatement,
  type Statement,
  type Subject,
} from './bundle/statement.ts';
export { repeatedMember } from './bundle/unique-members.ts';
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
export { issueServerCertificate, type ServerRequest } from './certificate/issue-server.ts';
export {
  decodeAddChainResponse,
  encodeAddChainResponse,
  encodeSct,
  isPrecertificate,
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
  compileIdentity,
  matchIdentity,
  type ExpectedIdentity,
  type IdentityMatch,
  type IdentityPattern,
  type IdentityRejection,
  type IdentityRejectionCode,
} from './identity/identity.ts';
export type { TextPattern } from './identity/text-pattern.ts';
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
  type KeyOctets,
  type PublicKey,
  type PublicKeyAlgorithm,
} from './key/public-key.ts';
export { encodePem, decodePem, type PemBlock } from './key/pem.ts';
export { keySigner, loggedScheme, type Signer } from './key/signer.ts';
export { verifyDigest } from './key/verify-digest.ts';
export { verifySignature, verifySignatureOnce, type SignatureScheme } from './key/verify-signature.ts';
export {
  defaultKeyDetails,
  encodeLogBody,
  KEY_DETAILS,
  type DsseV1,
  type DsseV2,
  type HashedRekordV1,
  type HashedRekordV2,
  type IntotoV1,
  type IntotoV2,
  type KeyDefault,
  type KeyDetails,
  type LogBody,
  type LogDigest,
  type LogDigestAlgorithm,
  type LogSignature,
  type LogVerifier,
} from './log/canonical-body.ts';
export { decodeCheckpoint, encodeCheckpoint, hostOfLog, rekorV1Origin, type Checkpoint } from './log/checkpoint.ts';
export { cosignedMessage, encodeCosignature, verifyCosignatures, type Cosignature } from './log/cosignature.ts';
export { decodeLogBody } from './log/decode-canonical-body.ts';
export type { LogRejection, LogRejectionCode } from './log/log-rejection.ts';
export type { LoggedSignature, SignatureVerifier, SignedContent } from './log/logged-signature.ts';
export {
  consistencyProof,
  foldProof,
  inclusionProof,
  planConsistency,
  planInclusion,
  planRoot,
  treeRoot,
  type NodeReader,
  type ProofPlan,
  type TreeNode,
} from './log/merkle-proof.ts';
export {
  EMPTY_ROOT,
  leafHash,
  nodeHash,
  rootFromInclusion,
  verifyConsistency,
  verifyInclusion,
  type TreeHead,
} from './log/merkle.ts';
export {
  decodeNoteKey,
  encodeNoteKey,
  noteKey,
  noteKeyHash,
  noteSigner,
  signNote,
  type NoteKey,
  type NoteKeyType,
  type NoteSigner,
} from './log/note-key.ts';
export { decodeNote, encodeNote, encodeNoteSignature, type NoteSignature, type SignedNote } from './log/note.ts';
export { encodePromise, type LogPromise } from './log/promise.ts';
export { decodeRekorBundle, decodeRekorEntries, encodeRekorBundle, readRekorBundle } from './log/rekor-entry.ts';
export { RightEdge, type NodeHash } from './log/right-edge.ts';
export {
  entriesPath,
  hashInTile,
  parseTilePath,
  TILE_WIDTH,
  tileOf,
  tilePath,
  tilesToWrite,
  type Tile,
  type TilePlace,
} from './log/tile.ts';
export { logEntryIdentity, nameOfLog, type TransparencyLog } from './log/transparency-log.ts';
export { matchLogEntry, verifyLogEntry, type LogEntryCheck, type LogEntryOptions } from './log/verify-entry.ts';
export {
  buildProvenance,
  detectBuildPlatform,
  type BuildFacts,
  type BuildPlatform,
  type BuildProvenance,
  type MissingFact,
} from './predicate/build-provenance.ts';
export { checkPredicate, describeFault } from './predicate/check-predicate.ts';
export type { PredicateFault, PredicateFaultCode } from './predicate/predicate-fault.ts';
export {
  parsePredicateType,
  PREDICATE_TYPES,
  type PredicateName,
  type PredicateType,
} from './predicate/predicate-type.ts';
export { readPredicate, type PredicateSource } from './predicate/read-predicate.ts';
export { printable } from './printable.ts';
export { readRfc3339 } from './rfc-3339.ts';
export { assembleTrustedRoot, type RootParts } from './root/assemble-root.ts';
export {
  CLIENT_TRUST_CONFIG_MEDIA_TYPE,
  decodeClientTrustConfig,
  isClientTrustConfig,
  type ClientTrustConfig,
} from './root/client-trust-config.ts';
export { encodeClientTrustConfig } from './root/encode-client-trust-config.ts';
export { encodeSigningConfig } from './root/encode-signing-config.ts';
export { encodeTrustedRoot } from './root/encode-trusted-root.ts';
export {
  chooseServices,
  decodeSigningConfig,
  SIGNING_CONFIG_MEDIA_TYPE,
  type Service,
  type ServiceChoice,
  type SigningConfig,
} from './root/signing-config.ts';
export {
  decodeTrustedRoot,
  TRUSTED_ROOT_MEDIA_TYPES,
  type SkippedEntry,
  type TrustedRoot,
} from './root/trusted-root.ts';
export type {
  Artifact,
  EvidenceDemand,
  LoggedEntry,
  Rejection,
  RejectionCode,
  SealCheck,
  SealEvidence,
  SealExpectation,
  SealSigner,
  SignatureTimestamp,
  WitnessDemand,
} from './seal-check.ts';
export { statedArtifacts } from './sealed-content.ts';
export { signBlobBundle, signBundle } from './sign-bundle.ts';
export {
  buildTimestampResponse,
  createTimestampIssuer,
  SIGSTORE_TIMESTAMP_POLICY,
  type TimestampGrant,
  type TimestampIssuer,
} from './timestamp/build-timestamp.ts';
export type { MessageImprint, TimestampDigest } from './timestamp/digest-algorithm.ts';
export type { IssuerAndSerial, SigningCertificateId } from './timestamp/signing-certificate.ts';
export { timestampAuthority, type TimestampAuthority } from './timestamp/timestamp-authority.ts';
export type { Accuracy, TimestampInfo } from './timestamp/timestamp-info.ts';
export type { TimestampRejection, TimestampRejectionCode } from './timestamp/timestamp-rejection.ts';
export {
  decodeTimestampRequest,
  encodeTimestampRequest,
  type TimestampRequest,
} from './timestamp/timestamp-request.ts';
export {
  decodeTimestampResponse,
  encodeTimestampRefusal,
  type TimestampFailure,
  type TimestampResponse,
} from './timestamp/timestamp-response.ts';
export type { TimestampSigner, TimestampToken } from './timestamp/timestamp-token.ts';
export { verifyTimestamp, type TimestampCheck } from './timestamp/verify-timestamp.ts';
export { verifyBundle } from './verify-bundle.ts';
export {
  askWitnesses,
  verifierOf,
  type LogWitness,
  type TimestampWitness,
  type Witness,
  type WitnessedSignature,
} from './witness.ts';
