// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../wire/index.ts';

/** What can be wrong with a key, an envelope, a payload, a bundle, a certificate, a log entry or a timestamp before anything of it is verified. */
export type TrustErrorCode =
  /** not DER, or not the structure that was expected */
  | 'der-malformed'
  /** a number, time or text that the DER type cannot hold */
  | 'der-unencodable'
  /** PEM armour that does not close, or whose body is not base64 */
  | 'pem-malformed'
  /** not a key in any form that is read, or a broken one */
  | 'key-malformed'
  /** a key, and of a kind that is not used here: secp256k1, RSA below 2048 bits, RSA-PSS, a certificate, an OpenSSH file */
  | 'key-unsupported'
  /** a private key that needs a password, and none was given */
  | 'key-encrypted'
  /** no given password opens the private key */
  | 'password-wrong'
  /** a private key where a public one was expected */
  | 'key-is-private'
  /** a public key where a private one was expected */
  | 'key-is-public'
  /** the file asks for more memory or time to derive the key than is given to it */
  | 'kdf-too-expensive'
  /** a DSSE envelope that is none */
  | 'envelope-malformed'
  /** an in-toto statement that is none */
  | 'statement-malformed'
  /** a kind of predicate that is neither a known name nor a URI */
  | 'predicate-type-unknown'
  /** a file that is no predicate of its kind, or cannot be kept as it is */
  | 'predicate-malformed'
  /** a simple-signing payload that is none, or text that no payload can hold */
  | 'payload-malformed'
  /** not a sigstore bundle, or one that breaks its own rules */
  | 'bundle-malformed'
  /** a bundle of a version or with an algorithm that is not read here */
  | 'bundle-unsupported'
  /** DER, and no certificate as RFC 5280 has it; or a file that is no chain of certificates */
  | 'certificate-malformed'
  /** a certificate whose Fulcio extensions are broken, or say two things */
  | 'claims-malformed'
  /** a certificate was asked for that must not be: no name, an end before its beginning, a number that is none */
  | 'certificate-unissuable'
  /** not a PKCS#10 certificate signing request */
  | 'request-malformed'
  /** not a signed certificate timestamp, or a list of them that is none */
  | 'sct-malformed'
  /** not a note as C2SP has it, or a text or name that none can hold */
  | 'note-malformed'
  /** not a key of a log or witness, as notes name them */
  | 'note-key-malformed'
  /** a note, and no checkpoint of a log */
  | 'checkpoint-malformed'
  /** not what a log keeps of an entry, or not what it answers about one */
  | 'log-entry-malformed'
  /** a kind or version of log entries that is not read here */
  | 'log-entry-unsupported'
  /** a proof or tile of more than the tree has, or made of what is no hash */
  | 'tree-range'
  /** not a timestamp request or response as RFC 3161 has them */
  | 'timestamp-malformed'
  /** a timestamp is asked for with SHA-1 or another digest that is not used here */
  | 'timestamp-algorithm-unsupported'
  /** a timestamp is asked for with an extension */
  | 'timestamp-extension-unsupported'
  /** a timestamp is asked for under a policy that the authority does not have */
  | 'timestamp-policy-unsupported'
  /** an authority that cannot give timestamps: a certificate for other purposes or another key's, a time at which it is not valid */
  | 'timestamp-unissuable'
  /** not a trusted root, or one that contradicts itself */
  | 'trusted-root-malformed'
  /** a trusted root of a version that is not read here */
  | 'trusted-root-unsupported'
  /** not a signing config */
  | 'signing-config-malformed'
  /** a signing config of a version that is not read here */
  | 'signing-config-unsupported'
  /** not a client trust config, or one of a version that is not read here */
  | 'client-trust-config-malformed'
  /** a signing config that names too few services that are valid and of a version that is spoken here */
  | 'service-missing'
  /** an expected identity that says too little: no issuer, no subject, or an expression that matches everything */
  | 'identity-unspecific';

/** Input that the room `trust` cannot use. A signature that does not hold is no error: it is a `Rejection`. */
export class TrustError extends CodedError<TrustErrorCode> {}
