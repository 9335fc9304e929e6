// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../../wire/index.ts';

/** Why somebody gets no certificate. */
export type RefusalCode =
  // the request
  | 'request-malformed'
  | 'too-large'
  | 'route-unknown'
  | 'method-unknown'
  | 'entry-unknown'
  // the token
  | 'token-missing'
  | 'token-malformed'
  | 'token-algorithm'
  | 'issuer-unknown'
  | 'token-signature'
  | 'token-audience'
  | 'token-expired'
  | 'token-not-yet-valid'
  /** what the token says is not what an issuer of this type must say */
  | 'token-claims'
  /** a setting limits the certificates for one token */
  | 'token-used-up'
  /** the issuer's keys could not be read: nothing is known about the token */
  | 'issuer-unreachable'
  /** the authority's own certificate is not valid now, or not for a leaf's whole life */
  | 'authority-ended'
  // who asks
  | 'rule-refused'
  // the key
  | 'key-refused'
  | 'proof-refused';

/** A certificate that is not issued. The message is for whoever asked: it names what was found and what was expected. */
export class CertificateRefusal extends CodedError<RefusalCode> {}
