// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compileWhatLasts } from './compile-what-lasts.ts';

describe('a command that lasts', () => {
  it('is compiled as the runtime does it by itself, after its start', async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    const scales: number[] = [];
    // what is tested does not keep the process
    const awake = setInterval(() => undefined, 1000);
    compileWhatLasts({ unsafe: { setJITPolicy: (scale) => resolve(scales.push(scale)) } });
    assert.deepEqual(scales, []);
    await promise;
    clearInterval(awake);
    assert.deepEqual(scales, [1]);
  });

  it('is left to runtimes that have no such setting', () => {
    assert.doesNotThrow(() => compileWhatLasts(undefined));
    assert.doesNotThrow(() => compileWhatLasts({}));
  });
});
