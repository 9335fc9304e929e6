// SPDX-License-Identifier: Apache-2.0

/** What is used here of the interface that Node and Bun have, and whose types come with those of a browser only. */
interface WasmInterface {
  compile(program: Uint8Array<ArrayBuffer>): Promise<WasmModule>;
  instantiate(module: WasmModule, imports: WasmImports): Promise<WasmInstance>;
  readonly Module: { imports(module: WasmModule): readonly { readonly module: string; readonly name: string }[] };
}

/** A program that was compiled. It can be handed to a thread. */
export interface WasmModule {
  readonly [Symbol.toStringTag]?: string;
}

export interface WasmInstance {
  readonly exports: Readonly<Record<string, unknown>>;
}

export interface WasmMemory {
  /** another one whenever it has grown */
  readonly buffer: ArrayBuffer;
}

export type WasmImports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** @see https://webassembly.github.io/spec/js-api/ */
export const wasm: WasmInterface = (globalThis as unknown as { readonly WebAssembly: WasmInterface }).WebAssembly;
