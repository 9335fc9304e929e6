// SPDX-License-Identifier: Apache-2.0
import { CodedError } from '../../wire/index.ts';
import type { AuthorityResult, Finding, PlatformResult, PolicyResult } from '../decision.ts';
import { authorityMatches, type RunContext } from './authority-matches.ts';
import type { IndexedPlatform } from './index-platforms.ts';
import { causeOf, judgeAuthority, notAsked, unknown, type Bench } from './judge-authority.ts';
import type { PreparedPolicy } from './prepared-policy.ts';

/**
 * Whether a policy is satisfied: by what lies beside the image, or where that is an index, by each platform of it that can be run, for which
 * counts what lies beside the index and beside itself.
 *
 * @param onePlatform it is known that the image is no index
 */
export async function judgePolicy(
  policy: PreparedPolicy,
  bench: Bench,
  context: RunContext & { readonly onePlatform?: boolean },
): Promise<PolicyResult> {
  const { name, hash, mode } = policy;
  const own = await judgeOnce(policy, bench, context);
  const result = { policy: name, hash, mode, ...own };
  if (own.outcome !== 'refused' || own.code === 'image-missing' || context.onePlatform === true) return result;
  if (policy.authorities.every(({ kind }) => kind === 'static')) return result;
  try {
    const platforms = await bench.shelf.platforms();
    return platforms === undefined
      ? result
      : await judgePlatforms(policy, { ...bench, own: result, platforms }, context);
  } catch (error) {
    // what cannot be read as an index is none that could be run
    if (error instanceof CodedError && error.code === 'manifest-malformed') return result;
    return { ...result, ...undecided(error) };
  }
}

type Judged = Finding & { readonly authorities: readonly AuthorityResult[] };

async function judgePlatforms(
  policy: PreparedPolicy,
  bench: Bench & { readonly own: PolicyResult; readonly platforms: readonly IndexedPlatform[] },
  context: RunContext,
): Promise<PolicyResult> {
  const { own } = bench;
  const platforms: PlatformResult[] = [];
  for (const platform of bench.platforms) {
    const judged = await judgeOnce(policy, { ...bench, platform }, context);
    platforms.push({ platform: platform.name, digest: platform.digest, ...judged });
    if (judged.outcome === 'refused') break;
  }
  if (platforms.length === 0) return { ...own, message: `${own.message}; the index lists no platform that can be run` };
  const failed =
    platforms.find(({ outcome }) => outcome === 'refused') ?? platforms.find(({ outcome }) => outcome === 'undecided');
  const { policy: name, hash, mode, authorities } = own;
  const about = { policy: name, hash, mode, authorities, platforms };
  if (failed === undefined) {
    const names = platforms.map(({ platform }) => platform).join(', ');
    return { ...about, outcome: 'trusted', code: 'met', message: `each platform of the index satisfies it: ${names}` };
  }
  const { platform, outcome, nearest, cause } = failed;
  const code = outcome === 'undecided' ? 'unknown' : failed.code === own.code ? own.code : 'platforms-failed';
  const closest = nearest ?? own.nearest;
  return {
    ...about,
    outcome,
    code,
    message: `the index: ${own.message}; its platform ${platform}: ${failed.message}`,
    ...(closest === undefined ? {} : { nearest: closest }),
    ...(cause === undefined ? {} : { cause }),
  };
}

/** By one set of evidence: that of the image, or of one platform. */
async function judgeOnce(policy: PreparedPolicy, bench: Bench, context: RunContext): Promise<Judged> {
  const { program } = policy;
  const authorities: AuthorityResult[] = [];
  for (const authority of policy.authorities) {
    const settled = program === undefined && authorities.some(({ outcome }) => outcome === 'trusted');
    authorities.push(settled ? notAsked(authority) : await judgeAuthority(authority, bench));
  }
  const found = fromAuthorities(authorities);
  if (found.outcome !== 'trusted' || program === undefined) return { authorities, ...found };
  // A program sees what is missing too, and what could not be found out is not known to be missing.
  const open = authorities.find(({ outcome }) => outcome === 'undecided');
  if (open?.cause !== undefined) return { authorities, ...unknown(open.cause) };
  try {
    bench.horizon.evaluated(program);
    const config = program.fetchConfigFile ? { config: await bench.shelf.configs(bench.platform) } : {};
    const matches = authorityMatches(authorities, program, { ...context, ...config });
    const fault = await bench.programs.refusesMatches(program, matches);
    if (fault === undefined) return { authorities, ...found };
    const message = `the policy over what the authorities found refuses it: ${fault.found}`;
    return { authorities, outcome: 'refused', code: 'program-refused', message };
  } catch (error) {
    return { authorities, ...undecided(error) };
  }
}

function undecided(error: unknown): Finding {
  return unknown(causeOf(error));
}

function fromAuthorities(authorities: readonly AuthorityResult[]): Finding {
  const passed = authorities.find(({ outcome }) => outcome === 'trusted');
  if (passed !== undefined) return { outcome: 'trusted', code: 'met', message: `${passed.name}: ${passed.message}` };
  const open = authorities.find(({ outcome }) => outcome === 'undecided');
  if (open?.cause !== undefined) return unknown(open.cause);
  const [only, ...others] = authorities;
  if (only !== undefined && (others.length === 0 || only.code === 'image-missing')) {
    const { code, name, message, nearest } = only;
    return { outcome: 'refused', code, message: `${name}: ${message}`, ...(nearest === undefined ? {} : { nearest }) };
  }
  const nearest = authorities.find((one) => one.nearest !== undefined)?.nearest;
  const message = `none of its ${authorities.length} authorities is satisfied`;
  return { outcome: 'refused', code: 'authorities-failed', message, ...(nearest === undefined ? {} : { nearest }) };
}
