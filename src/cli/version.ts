// SPDX-License-Identifier: Apache-2.0

/** The version of this program; a test holds it equal to the package's. */
export const BULLA_VERSION = '0.1.0';
