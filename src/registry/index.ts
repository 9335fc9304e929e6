// SPDX-License-Identifier: Apache-2.0
export { openRegistry, type OpenedRegistry, type OpenRegistryOptions, type UploadCaps } from './open.ts';
export { demandProtection, type Protection } from './protection.ts';
export { TagRules, type TagProtection } from './rules/tag-rules.ts';
export { RegistryServeError, type RegistryServeErrorCode } from './serve-error.ts';
export { serveRegistry, type RegistryLimits, type RunningRegistry, type ServeRegistryOptions } from './serve.ts';
export { StoredRepository } from './storage/stored-repository.ts';
