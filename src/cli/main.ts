// SPDX-License-Identifier: Apache-2.0
import './supported-node.ts';
import { EXIT } from './exit-code.ts';
import { printError } from './output/error-line.ts';
import { runCommandLine } from './run.ts';
import { compileWhatLasts } from './terminal/compile-what-lasts.ts';
import { endProcess } from './terminal/end-process.ts';
import { processHost } from './terminal/process-host.ts';

// The program. Its words begin after the runtime and the script, in a compiled binary too.

const host = processHost();

process.on('uncaughtException', (error) => {
  printError({ stderr: (text) => host.writeErr(text), color: false, env: host.env }, error);
  process.exit(EXIT.failure);
});

compileWhatLasts();
// Everything was written when the command returned; a connection kept alive must not keep the process. (No `await` here: a binary with
// bytecode cannot have it at the top.)
void runCommandLine(process.argv.slice(2), host).then(endProcess);
