// SPDX-License-Identifier: Apache-2.0
import { SbomError } from '../error.ts';

/**
 * The path of an entry from the root of the image, without slashes at its ends, `.` and `..`. The root is the empty path.
 *
 * @throws SbomError `path-climbs` where it leads out of the image; `too-large` where it is deeper than any real one
 */
export function entryPath(name: string, where: string, maxDepth: number): string {
  // most names need nothing done
  if (!/^[./]|\/$|\/\.{0,2}\/|\/\.{1,2}$/.test(name)) return checkDepth(name, where, maxDepth);
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') parts.push(part);
    else if (parts.pop() === undefined) {
      throw new SbomError(
        'path-climbs',
        `${where} has the entry ${JSON.stringify(name.slice(0, 200))}, which leads out of the image`,
      );
    }
  }
  return checkDepth(parts.join('/'), where, maxDepth);
}

function checkDepth(path: string, where: string, maxDepth: number): string {
  let depth = 0;
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) depth++;
  if (depth <= maxDepth) return path;
  throw new SbomError('too-large', `${where} has an entry ${depth} folders deep, at most ${maxDepth} are read`);
}
