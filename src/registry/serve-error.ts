// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../wire/index.ts';

/** Why a registry does not start. A data directory that is in use is the store's `StoreError` `in-use`, an address that is taken the ground floor's `WireError` `listen-failed`. */
export type RegistryServeErrorCode = 'rule-malformed' | 'listen-refused' | 'htpasswd-malformed' | 'url-malformed';

/** A registry that was asked to start and did not. */
export class RegistryServeError extends CodedError<RegistryServeErrorCode> {}
