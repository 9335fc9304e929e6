// SPDX-License-Identifier: Apache-2.0
import { json, type Call, type Reply, type Service } from '../../wire/index.ts';

/**
 * Serves the files of a TUF repository. What is not there is a plain 404: that is how a client learns that no root is newer, where any
 * other failure ends its refresh.
 *
 * @param find the file of a path without its leading `/`
 */
export function tufService(find: (path: string) => Uint8Array | undefined): Service {
  return {
    answer: async (call) => answer(call, find),
    fault: () => json({ message: 'the repository failed to answer' }, { 'cache-control': 'no-store' }, 500),
  };
}

function answer({ method, target }: Call, find: (path: string) => Uint8Array | undefined): Reply {
  if (method !== 'GET' && method !== 'HEAD')
    return json({ message: 'a repository is only read' }, { allow: 'GET, HEAD' }, 405);
  const [path = ''] = target.split('?', 1);
  const bytes = find(path.replace(/^\//, ''));
  // Not even for a moment: it may be published next.
  if (bytes === undefined) return json({ message: 'there is no such file' }, { 'cache-control': 'no-store' }, 404);
  const headers = {
    'content-type': path.endsWith('.json') ? 'application/json' : 'application/octet-stream',
    'content-length': `${bytes.length}`,
    // What has a number or a hash in its name never changes.
    'cache-control': /\/(?:\d+\.[a-z]+\.json|targets\/[0-9a-f]{64}\.[^/]+)$/.test(path)
      ? 'public, max-age=31536000, immutable'
      : 'no-cache',
  };
  return method === 'HEAD' ? { status: 200, headers } : { status: 200, headers, body: bytes };
}
