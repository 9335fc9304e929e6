// SPDX-License-Identifier: Apache-2.0

// Preloaded with `--import`: writes to the file in BULLA_LOADED, when the process ends, which files were loaded and which built-in modules
// node had brought up by then, whichever way they were asked for (`internal/deps/undici` is fetch).
import { writeFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

const files: string[] = [];

registerHooks({
  load(url, context, nextLoad) {
    if (url.startsWith('file:') && url !== import.meta.url) files.push(fileURLToPath(url));
    return nextLoad(url, context);
  },
});

process.on('exit', () => {
  const { moduleLoadList } = process as unknown as { readonly moduleLoadList: readonly string[] };
  const builtins = moduleLoadList.flatMap(
    (entry) => /^NativeModule (?!internal\/(?!deps\/))(.+)$/.exec(entry)?.[1] ?? [],
  );
  const to = process.env['BULLA_LOADED'];
  if (to !== undefined) writeFileSync(to, JSON.stringify({ files, builtins }));
});
