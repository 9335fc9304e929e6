// SPDX-License-Identifier: Apache-2.0
export { EXIT, exitCodeOf } from './exit-code.ts';
export type { EndingSignal, Host } from './host.ts';
export { runCommandLine } from './run.ts';
