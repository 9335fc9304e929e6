// SPDX-License-Identifier: Apache-2.0
import { printable } from '../../trust/index.ts';
import type { JsonPath } from '../workload/json-path.ts';
import type { FileFindings } from './findings.ts';
import { kindOf, memberOf, textAt, type LocatedValue } from './located-yaml.ts';

const DOCKER_IMAGE = 'docker-image://';

/**
 * Finds the images of a compose file: those of services, of volumes that are images, and those that builds start from. A service that is
 * built and has no image is told of; so are parts of the file that stand in another.
 *
 * @see https://github.com/compose-spec/compose-spec/blob/main/spec.md
 */
export function readCompose(document: LocatedValue, into: FileFindings): void {
  const services = memberOf(document, 'services');
  if (services !== undefined && services.kind !== 'map')
    into.error('image-malformed', services.start, ['services'], `${kindOf(services)}, expected an object`);
  if (services?.kind === 'map') {
    for (const [name, { value }] of services.fields) service(value, ['services', name], into);
  }
  const include = memberOf(document, 'include');
  if (include !== undefined)
    into.fault('warning', 'image-incomplete', include.start, ['include'], 'other files are included: check them too');
}

function service(value: LocatedValue, path: JsonPath, into: FileFindings): void {
  const image = memberOf(value, 'image');
  const build = memberOf(value, 'build');
  interpolated(image, [...path, 'image'], into);
  if (build !== undefined) built(build, image !== undefined, [...path, 'build'], into);
  else if (image === undefined && memberOf(value, 'provider') === undefined) {
    const other = memberOf(value, 'extends');
    const message = 'no image and no build: both may stand in a file that this one is laid over, check that too';
    into.fault('warning', 'image-incomplete', (other ?? value).start, path, message);
  }
  const volumes = memberOf(value, 'volumes');
  if (volumes?.kind !== 'list') return;
  for (const [at, volume] of volumes.items.entries())
    if (textAt(memberOf(volume, 'type')) === 'image')
      interpolated(memberOf(volume, 'source'), [...path, 'volumes', at, 'source'], into);
}

function built(build: LocatedValue, named: boolean, path: JsonPath, into: FileFindings): void {
  if (!named)
    into.fault('warning', 'image-built', build.start, path, 'is built, not pulled: what it becomes is not judged');
  if (memberOf(build, 'dockerfile_inline') !== undefined) {
    const message = 'a Dockerfile in a field is not read: put it into a file and check that';
    into.error('image-incomplete', build.start, [...path, 'dockerfile_inline'], message);
  }
  const contexts = memberOf(build, 'additional_contexts');
  const entries: readonly (readonly [string | number, LocatedValue])[] =
    contexts?.kind === 'map'
      ? [...contexts.fields].map(([name, field]) => [name, field.value])
      : contexts?.kind === 'list'
        ? [...contexts.items.entries()]
        : [];
  for (const [name, context] of entries) dockerImage(context, [...path, 'additional_contexts', name], into);
}

/** `docker-image://alpine:3`, in a list with `name=` before it. */
function dockerImage(value: LocatedValue, path: JsonPath, into: FileFindings): void {
  const text = textAt(value);
  const at = text?.indexOf(DOCKER_IMAGE) ?? -1;
  if (text === undefined || at === -1 || value.kind !== 'scalar') return;
  const image = text.slice(at + DOCKER_IMAGE.length);
  const isVerbatim = into.source.text.slice(value.span.start, value.span.end) === text;
  const start = value.span.start + (isVerbatim ? at + DOCKER_IMAGE.length : 0);
  into.expanded(image, { start, end: value.span.end }, path, into.variables, '$');
}

function interpolated(value: LocatedValue | undefined, path: JsonPath, into: FileFindings): void {
  const text = textAt(value);
  if (value?.kind !== 'scalar' || text === undefined || text === '') {
    into.scalar(value, path);
    return;
  }
  if (/\{\{/.test(text)) {
    const message = `'${printable(text)}' is not rendered yet, expected an image`;
    into.error('template-unrendered', value.start, path, message);
  } else into.expanded(text, value.span, path, into.variables, '$');
}
