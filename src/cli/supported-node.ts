// SPDX-License-Identifier: Apache-2.0

// Imported first by the program, for what it does: on a node that is too old it says so in one line and ends, before anything that such
// a node lacks is used. A test holds the version equal to `engines` in package.json.

const LEAST: readonly [major: number, minor: number] = [24, 15];

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < LEAST[0] || (major === LEAST[0] && minor < LEAST[1])) {
  console.error(`bulla: this is node ${process.versions.node}, bulla needs node ${LEAST.join('.')} or later`);
  process.exit(1);
}
