// SPDX-License-Identifier: Apache-2.0
import { appendLogContract } from './append-log.contract.ts';
import { LogScene } from './log.fixture.ts';
import { openMemoryLog } from './memory-log.fixture.ts';

appendLogContract('the log in a database', async () => {
  const scene = await LogScene.make();
  let time = 1000;
  const log = await scene.open({ now: () => new Date(time) });
  return { log, setTime: (to) => void (time = to), end: () => scene.end() };
});

appendLogContract('the log of tests, in memory', async () => {
  let time = 1000;
  const log = await openMemoryLog({ now: () => new Date(time) });
  return { log, setTime: (to) => void (time = to), end: () => log.close() };
});
