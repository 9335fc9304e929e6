// SPDX-License-Identifier: Apache-2.0
import { ClockError } from './clock-error.ts';

/** Where a guard has its time from. */
export interface ClockGuardOptions {
  /** the machine's clock, which people and daemons set */
  readonly now: () => Date;
  /** milliseconds from any beginning, by a clock that nobody sets, for example `() => performance.now()` */
  readonly monotonic: () => number;
  /** milliseconds that the two may part, either way; 1000 unless told, which is the accuracy that timestamps state */
  readonly tolerance?: number;
  /** a time that was given in an earlier run, for example that of the newest entry of the log: the clock must not stand before it */
  readonly earliest?: Date;
  /** told once for each time that the guard stops, for the operator's log */
  readonly onStop?: (error: ClockError) => void;
}

/** A clock that stops, rather than tell a time that may be wrong. */
export interface ClockGuard {
  /**
   * The time: never before one that was told earlier.
   *
   * @throws ClockError `clock-jumped`, `clock-behind`, from the first call that sees it until `resume`, even if the clock is set back
   */
  now(): Date;
  /** Looks at the clock, as `now` does; why it is not believed, or undefined where it is. */
  fault(): ClockError | undefined;
  /** An operator has looked: the clock is right as it stands now, also where that is before a time that was told. */
  resume(): void;
}

const TOLERANCE_MS = 1000;

/**
 * Watches the machine's clock. Where that is set, the time that it shows goes on by another span than that of the monotonic clock, and all
 * that was signed since with its time would be a lie that nobody can take back. What the two have parted is added up since the beginning,
 * so that many small steps are noticed as well; a daemon that slews the clock slews both.
 *
 * A machine that slept has no monotonic time for its sleep (CLOCK_MONOTONIC), so waking up is a jump as well: after it the clock is
 * wrong more often than at any other time.
 *
 * @example
 * const clock = createClockGuard({ now: () => new Date(), monotonic: () => performance.now() });
 * clock.now();
 */
export function createClockGuard(options: ClockGuardOptions): ClockGuard {
  const { now, monotonic, tolerance = TOLERANCE_MS, onStop = () => {} } = options;
  let begun = readBoth();
  let told = options.earliest?.getTime() ?? Number.NEGATIVE_INFINITY;
  let stopped: ClockError | undefined;

  function readBoth(): { readonly wall: number; readonly steady: number } {
    return { wall: now().getTime(), steady: monotonic() };
  }

  function check(): number {
    if (stopped !== undefined) throw stopped;
    const { wall, steady } = readBoth();
    const parted = wall - begun.wall - (steady - begun.steady);
    // Written so that NaN stops as well.
    if (!(Math.abs(parted) <= tolerance)) throw stop('clock-jumped', describeJump(parted, tolerance));
    if (!(told - wall <= tolerance)) throw stop('clock-behind', describeBehind(wall, told));
    told = Math.max(told, wall);
    return told;
  }

  function stop(code: ClockError['code'], found: string): ClockError {
    stopped = new ClockError(code, `${found}; set it right, then resume it (bulla doctor --clock-is-right) or restart`);
    onStop(stopped);
    return stopped;
  }

  return {
    now: () => new Date(check()),
    fault: () => {
      try {
        check();
      } catch (error) {
        if (error instanceof ClockError) return error;
        throw error;
      }
      return undefined;
    },
    resume: () => {
      begun = readBoth();
      told = Number.NEGATIVE_INFINITY;
      stopped = undefined;
    },
  };
}

function describeJump(parted: number, tolerance: number): string {
  const seconds = Math.abs(parted / 1000).toFixed(3);
  const way = Number.isNaN(parted) ? 'shows no time' : `jumped ${parted < 0 ? 'back' : 'ahead'} by ${seconds} s`;
  return `the clock of this machine ${way}, at most ${tolerance / 1000} s are believed`;
}

function describeBehind(wall: number, told: number): string {
  const [shown, given] = [wall, told].map((time) => new Date(time).toISOString());
  return `the clock of this machine shows ${shown}, which is before ${given}, a time that was given already`;
}
