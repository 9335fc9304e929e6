// SPDX-License-Identifier: Apache-2.0
export { decodeBase64, encodeBase64 } from './base64.ts';
export { CodedError } from './coded-error.ts';
export { canonicalJson, isJsonObject, parseJson, type Json, type JsonLimits } from './json.ts';
export { WireError, type WireErrorCode } from './wire-error.ts';
