// SPDX-License-Identifier: Apache-2.0
import type { Platform } from '../oci/index.ts';
import { SbomError } from './error.ts';

/** `linux/arm64`, `linux/arm/v7`. @throws SbomError `platform-missing` for what is none */
export function parsePlatform(text: string): Platform {
  const [, os, architecture, variant] = /^([a-z0-9]+)\/([a-z0-9_]+)(?:\/([a-z0-9.]+))?$/.exec(text) ?? [];
  if (os === undefined || architecture === undefined) {
    const found = JSON.stringify(text.slice(0, 80));
    throw new SbomError('platform-missing', `${found} is no platform, expected OS/ARCH[/VARIANT] such as linux/arm64`);
  }
  return { os, architecture, ...(variant === undefined ? {} : { variant }) };
}

/** As {@link parsePlatform} reads it. */
export function platformName({ os, architecture, variant }: Platform): string {
  return [os, architecture, variant].filter((part) => part !== undefined).join('/');
}

/** A variant counts only where it is asked for. */
export function matchesPlatform(platform: Platform, wanted: Platform): boolean {
  if (platform.os !== wanted.os || platform.architecture !== wanted.architecture) return false;
  return wanted.variant === undefined || platform.variant === wanted.variant;
}
