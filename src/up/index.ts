// SPDX-License-Identifier: Apache-2.0
export type { BackedUpFile, BackupManifest } from './back-up.ts';
export { checkLogs } from './check-logs.ts';
export { readEndpoints, type StackEndpoints } from './endpoints.ts';
export { instruct } from './instructions.ts';
export { mintStackToken, type StackTokenRequest } from './mint-stack-token.ts';
export { restoreStack, type Restored, type RestoreOptions } from './restore-stack.ts';
export type { StartStackOptions } from './start-options.ts';
export type { TrustAnchor } from './stack-instructions.ts';
export { startStack, type RunningStack } from './start-stack.ts';
export { UpError, type UpErrorCode } from './up-error.ts';
