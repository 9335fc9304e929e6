// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../wire/index.ts';

/** What can keep a pipeline or a person from signing without a key. */
export type KeylessErrorCode =
  /** not a JSON Web Token, or one without what a certificate needs */
  | 'token-malformed'
  /** a token for somebody else */
  | 'token-audience'
  /** a token that has expired, or will before it could be used */
  | 'token-expired'
  | 'token-not-yet-valid'
  /** a token was named, by a flag or a variable, and cannot be read */
  | 'token-unreadable'
  /** nobody has a token for us: the message says who was asked, and what to do */
  | 'token-not-found'
  /** who hands out tokens was asked, and will not give one */
  | 'token-refused'
  /** who hands out tokens could not be asked, or answers what makes no sense: nothing is known */
  | 'token-unavailable'
  /** no provider of tokens has that name */
  | 'provider-unknown'
  /** a variable, flag or URL of the environment that cannot be used */
  | 'setting-malformed'
  /** the person, or the issuer, said no */
  | 'login-refused'
  /** nobody confirmed the login in time */
  | 'login-timeout'
  /** the issuer of a login does not do what it must */
  | 'issuer-unusable'
  /** the file that keeps a login cannot be written, or others could read it */
  | 'login-unkept'
  /** a service was asked and says no: the message is what it says */
  | 'service-refused'
  /** a service cannot answer now: nothing is known, and asking again does no harm */
  | 'service-unavailable'
  /** a service answers something that cannot be read */
  | 'answer-malformed'
  /** a service answers something that can be read, and is about another key, signature or request */
  | 'answer-mismatch'
  /** a signature that the log cannot take, by the way in which it was made */
  | 'signature-unloggable'
  /** a certificate is used for minutes, and none of the services that were chosen says when that was */
  | 'timestamp-required'
  /** no certificate authority is named, and one is needed */
  | 'authority-missing'
  /** no trusted root is to be had: the message says what to do */
  | 'trust-missing'
  /** what is trusted, or what it was brought up to date with, has expired */
  | 'trust-expired'
  /** metadata of the TUF repository that is wrong: forged, older than what is known, or of another time than its companions */
  | 'trust-rejected'
  /** the TUF repository cannot be asked, or does not have what it should */
  | 'trust-unavailable'
  /** a first root that nothing protects on its way here */
  | 'root-unprotected'
  /** a first root that cannot be read, or is none */
  | 'root-malformed'
  /** a first root with another checksum than was given */
  | 'root-checksum'
  /** a file was named that cannot be read */
  | 'file-unreadable'
  /** what is kept between runs cannot be written */
  | 'cache-unwritable';

/** A step of signing without a key that failed. No message holds a token or a secret. */
export class KeylessError extends CodedError<KeylessErrorCode> {}
