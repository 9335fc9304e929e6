// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../../wire/index.ts';

/** Why an issuer does not start, or a token is not made. */
export type IssuerErrorCode =
  /** the document of users, clients and workloads is not what it must be */
  | 'issuer-document-malformed'
  | 'issuer-url-malformed'
  /** a key with which tokens are not signed here */
  | 'issuer-key-unsupported'
  /** neither an e-mail address nor a URI */
  | 'subject-malformed'
  /** a claim without a name, one that the issuer itself states, or more than a token holds */
  | 'claim-malformed'
  | 'lifetime-malformed';

/** What the operator of an issuer did wrong; clients get an `OAuthFault` or a page. */
export class IssuerError extends CodedError<IssuerErrorCode> {}
