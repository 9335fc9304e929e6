// SPDX-License-Identifier: Apache-2.0
import type { PublicKey } from '../../../trust/index.ts';

const EXPONENT = 65537n;
const FERMAT_ROUNDS = 100;
/** up to here a factor is looked for */
const SMALL = 752;
/** the first 39 primes: what Infineon's chips can be told by (CVE-2017-15361) */
const ROCA_LIMIT = 168;

const SMALL_PRIMES: readonly number[] = primesBelow(SMALL);
let product: bigint | undefined;
let fingerprints: readonly (readonly [prime: bigint, residues: ReadonlySet<bigint>])[] | undefined;

/**
 * What is wrong with an RSA key although its size is right; `undefined` if nothing that can be seen from outside.
 *
 * @see https://nvlpubs.nist.gov/nistpubs/FIPS/NIST.FIPS.186-5.pdf section 5.1
 */
export function rsaWeakness({ object }: PublicKey): string | undefined {
  const { n = '' } = object.export({ format: 'jwk' });
  const modulus = BigInt(`0x${Buffer.from(n, 'base64url').toString('hex') || '0'}`);
  const { publicExponent } = object.asymmetricKeyDetails ?? {};
  const bits = modulus.toString(2).length;
  if (publicExponent !== EXPONENT) return `its exponent is ${publicExponent}, expected ${EXPONENT}`;
  if (bits % 8 !== 0) return `its modulus has ${bits} bits, expected a multiple of 8`;
  if (modulus % 2n === 0n) return 'its modulus is even';
  product ??= SMALL_PRIMES.reduce((all, prime) => all * BigInt(prime), 1n);
  if (gcd(modulus % product, product) !== 1n) return 'its modulus has a small factor';
  if (isRoca(modulus)) return 'its modulus is of the kind that faulty chips make (CVE-2017-15361)';
  return hasCloseFactors(modulus) ? 'the factors of its modulus lie close together (CVE-2022-26320)' : undefined;
}

/** Primes of such chips are powers of 65537 modulo every small prime. @see https://crocs.fi.muni.cz/public/papers/rsa_ccs17 */
function isRoca(modulus: bigint): boolean {
  fingerprints ??= SMALL_PRIMES.filter((prime) => prime > 2 && prime < ROCA_LIMIT).map((prime) => [
    BigInt(prime),
    powersModulo(BigInt(prime)),
  ]);
  return fingerprints.every(([prime, residues]) => residues.has(modulus % prime));
}

function powersModulo(prime: bigint): ReadonlySet<bigint> {
  const powers = new Set<bigint>();
  for (let power = 1n; !powers.has(power); power = (power * EXPONENT) % prime) powers.add(power);
  return powers;
}

/** Fermat's method finds factors that are close together in a few steps. @see https://fermatattack.secvuln.info/ */
function hasCloseFactors(modulus: bigint): boolean {
  let a = squareRoot(modulus);
  if (a * a < modulus) a += 1n;
  for (let round = 0; round < FERMAT_ROUNDS; round++, a += 1n) {
    const rest = a * a - modulus;
    if (mayBeSquare(rest) && squareRoot(rest) ** 2n === rest) return true;
  }
  return false;
}

// Of 64 residues only 12 belong to squares.
function mayBeSquare(number: bigint): boolean {
  const low = Number(number & 63n);
  return [0, 1, 4, 9, 16, 17, 25, 33, 36, 41, 49, 57].includes(low);
}

/** The largest whole number whose square is not above. */
function squareRoot(number: bigint): bigint {
  if (number < 2n) return number;
  let root = 1n << BigInt((number.toString(16).length * 4 + 1) >> 1);
  for (;;) {
    const next = (root + number / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

function gcd(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

function primesBelow(limit: number): readonly number[] {
  const primes: number[] = [];
  for (let number = 2; number < limit; number++) {
    if (primes.every((prime) => number % prime !== 0)) primes.push(number);
  }
  return primes;
}
