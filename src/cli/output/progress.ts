// SPDX-License-Identifier: Apache-2.0
import type { CommandContext } from '../context.ts';
import { printable } from './printable.ts';

/** A bar that is drawn over itself. */
export interface ProgressBar {
  /** Draws how far it is; cheap enough to be called for each chunk. */
  update(done: number, total: number): void;
  /** Wipes the line. */
  end(): void;
}

const WIDTH = 24;
/** milliseconds between two drawings */
const PAUSE = 80;

/**
 * A progress bar on stderr, where that is a terminal and nobody asked for JSON; elsewhere it draws nothing.
 *
 * @param label what is transferred
 */
export function progressBar(
  context: Pick<CommandContext, 'stderr' | 'isTerminal' | 'json' | 'now'>,
  label: string,
): ProgressBar {
  if (!context.isTerminal || context.json) return { update: () => undefined, end: () => undefined };
  const name = printable(label);
  let drawnAt = Number.NEGATIVE_INFINITY;
  let drawn = false;
  return {
    update(done, total) {
      const now = context.now().getTime();
      if (now - drawnAt < PAUSE && done < total) return;
      drawnAt = now;
      drawn = true;
      const share = total <= 0 ? 1 : Math.min(done / total, 1);
      const filled = Math.round(share * WIDTH);
      const bar = `${'█'.repeat(filled)}${'░'.repeat(WIDTH - filled)}`;
      context.stderr(
        `\r\u001b[K${name} ${bar} ${Math.floor(share * 100)}% ${formatBytes(done)} of ${formatBytes(total)}`,
      );
    },
    end() {
      if (drawn) context.stderr('\r\u001b[K');
      drawn = false;
    },
  };
}

/** Bytes as people read them. @example formatBytes(1536) // '1.5 KiB' */
function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ''}`;
}
