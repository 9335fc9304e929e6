// SPDX-License-Identifier: Apache-2.0
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** A program that is timed from its start to its end, many times. */
export interface Contestant {
  readonly name: string;
  readonly program: string;
  /** may differ from round to round, where a run leaves something behind */
  readonly args: (round: number) => readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** what we want of the ratio to the first contestant, as written in the report */
  readonly goal?: string;
}

/** What was measured of one contestant. */
export interface Timing {
  readonly name: string;
  /** median, in milliseconds */
  readonly wall: number;
  /** median over the rounds of wall time divided by the first contestant's in the same round */
  readonly ratio: number;
  /** the largest resident set, median, in MiB; undefined where /usr/bin/time is not installed */
  readonly peak: number | undefined;
  readonly goal: string | undefined;
}

const TIME = '/usr/bin/time';
const WARM_UP = 2;
const MEMORY_RUNS = 5;

/** How often a contestant runs beyond the rounds that are timed. */
export const EXTRA_RUNS: number = WARM_UP + MEMORY_RUNS;

/**
 * Runs the contestants in turn, round after round, so that whatever else the machine does falls on all of them, and compares within a
 * round. The order is turned by one each round.
 *
 * @throws Error where a run does not end with 0
 */
export function pairedRuns(contestants: readonly Contestant[], rounds: number): readonly Timing[] {
  const walls = contestants.map((): number[] => []);
  for (let round = 0; round < rounds + WARM_UP; round++) {
    for (let turn = 0; turn < contestants.length; turn++) {
      const index = (turn + round) % contestants.length;
      const wall = runOnce(contestants[index] as Contestant, round);
      if (round >= WARM_UP) walls[index]?.push(wall);
    }
  }
  const first = walls[0] ?? [];
  return contestants.map((contestant, index) => ({
    name: contestant.name,
    wall: median(walls[index] ?? []),
    ratio: median((walls[index] ?? []).map((wall, round) => wall / (first[round] ?? Number.NaN))),
    peak: peakMemory(contestant, rounds + WARM_UP),
    goal: contestant.goal,
  }));
}

/** Milliseconds from spawn to exit. The output goes nowhere, so that no pipe is timed. */
function runOnce({ name, program, args, env }: Contestant, round: number): number {
  const began = process.hrtime.bigint();
  const { status, error } = spawnSync(program, args(round), { env, stdio: 'ignore' });
  const wall = Number(process.hrtime.bigint() - began) / 1e6;
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${name} ended with ${status}: ${program} ${args(round).join(' ')}`);
  return wall;
}

/**
 * The kernel keeps the peak of a process's memory through `exec`, and node starts its children sharing its own: only a small parent, as
 * `time` is one, gives the child's own figure.
 */
function peakMemory({ name, program, args, env }: Contestant, firstRound: number): number | undefined {
  if (!existsSync(TIME)) return undefined;
  const peaks = Array.from({ length: MEMORY_RUNS }, (_, more) => {
    const command = ['-q', '-f', '%M', program, ...args(firstRound + more)];
    const { status, stderr } = spawnSync(TIME, command, { env, encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'] });
    if (status !== 0) throw new Error(`${name} ended with ${status} under ${TIME}`);
    return Number(stderr.trim().split('\n').at(-1)) / 1024;
  });
  return median(peaks);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
