// SPDX-License-Identifier: Apache-2.0
export { decodeBase64, encodeBase64 } from './base64.ts';
export { CodedError } from './coded-error.ts';
export { compileExpression, matchesEverything, type Expression } from './expression.ts';
export {
  addressKind,
  checkHost,
  hostKind,
  hostOf,
  systemLookup,
  type AddressKind,
  type Lookup,
  type Reach,
  type ResolvedAddress,
} from './http/address.ts';
export { contentLength, join, readBody } from './http/body.ts';
export { systemClock, type Clock } from './http/clock.ts';
export { isNotTls } from './http/failure.ts';
export { HttpClient, type HttpClientOptions, type HttpRequest, type HttpResponse } from './http/http-client.ts';
export type { Environment } from './http/proxy.ts';
export { shownUrl } from './http/redirect.ts';
export { DEFAULT_RETRY, isPassingFailure, parseRetryAfter, retryDelay, type RetryPolicy } from './http/retry.ts';
export {
  openTransport,
  type HttpHeaders,
  type RequestBody,
  type StreamedBody,
  type Timeouts,
  type TlsSettings,
  type Transport,
  type TransportOptions,
  type TransportRequest,
  type TransportResponse,
} from './http/transport.ts';
export {
  canonicalJson,
  caselessNames,
  goJson,
  isJsonObject,
  misspeltMember,
  parseJson,
  type CaselessNames,
  type Json,
  type JsonLimits,
} from './json.ts';
export { header, json, readCall, type Answer, type Call, type Reply, type Service } from './server/call.ts';
export type { ServerTls, TlsFiles, TlsMaterial } from './server/listen.ts';
export type { AnsweredRequest } from './server/listener.ts';
export { comparePassword } from './server/compare-password.ts';
export { ThreadCalls } from './server/thread-calls.ts';
export {
  isLoopback,
  serve,
  serveSocket,
  type RunningServer,
  type ServeOptions,
  type ServerLimits,
  type ServeSocketOptions,
} from './server/serve.ts';
export { WireError, type WireErrorCode } from './wire-error.ts';
