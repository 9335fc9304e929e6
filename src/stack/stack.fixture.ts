// SPDX-License-Identifier: Apache-2.0
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HttpClient, type Service } from '../wire/index.ts';
import { decodeRules, firstRules } from './certificate-authority/rules/decode-rules.ts';
import { EMPTY_DOCUMENT } from './issuer/issuer-document.ts';
import { openStack, type OpenedStack, type StackOptions } from './open-stack.ts';

/** Where the stacks of these tests are reached. */
const TEST_URL = 'http://127.0.0.1:5080';

/** A folder with a stack that is opened without a socket, over and over, by a clock that the test sets. */
export class TestStackFolder implements AsyncDisposable {
  readonly data: string;
  readonly warnings: string[] = [];
  now: Date;
  #open: OpenedStack | undefined;

  private constructor(data: string, now: Date) {
    this.data = data;
    this.now = now;
  }

  static async make(now: Date = new Date()): Promise<TestStackFolder> {
    return new TestStackFolder(await mkdtemp(join(tmpdir(), 'bulla-stack-')), now);
  }

  /** Closes the stack that is open, and opens it again. */
  async open(changes: Partial<StackOptions> = {}): Promise<OpenedStack> {
    await this.close();
    const url = changes.url ?? TEST_URL;
    const stack = await openStack({
      data: this.data,
      url,
      issuers: [],
      rules: await decodeRules(Buffer.from(firstRules(url)), 'rules.yaml'),
      accounts: EMPTY_DOCUMENT,
      http: new HttpClient({ transport: () => Promise.reject(new Error('no test of this asks anybody')) }),
      now: () => this.now,
      monotonic: () => this.now.getTime(),
      onWarning: (message) => this.warnings.push(message),
      ...changes,
    });
    this.#open = stack;
    return stack;
  }

  async close(): Promise<void> {
    await this.#open?.close();
    this.#open = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
    await rm(this.data, { recursive: true, force: true });
  }
}

/** The service of the longest route that covers a path. */
export function serviceAt(stack: OpenedStack, path: string): Service {
  const covering = stack.routes.filter(
    (route) => path === route.path || (route.path.endsWith('/') && path.startsWith(route.path)),
  );
  const [longest] = covering.toSorted((a, b) => b.path.length - a.path.length);
  if (longest === undefined) throw new Error(`no route covers ${path}`);
  return longest.service;
}
